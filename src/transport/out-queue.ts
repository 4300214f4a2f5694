import type { ServerEvent } from "./faces/face.js";

/** What an event without audio counts for besides its text: its object and its JSON, roughly. */
const EVENT_BYTES = 512;

/**
 * Events that wait for a client's socket, oldest first. They are kept unencoded, so that an interruption can take out
 * what has become stale and the codec never learns of it. Bounded by its owner, who watches {@link byteCount}.
 */
export class OutQueue {
  #events: (ServerEvent | undefined)[] = [];
  /** Of each event, at the same place. */
  #channels: number[] = [];
  #head = 0;
  #byteCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  get isEmpty(): boolean {
    return this.#head === this.#events.length;
  }

  /** The event that `shift` will return. */
  get first(): ServerEvent | undefined {
    return this.#events[this.#head];
  }

  /** Of the event that `shift` will return. */
  get channel(): number {
    return this.#channels[this.#head] ?? 0;
  }

  push(event: ServerEvent, channel = 0): void {
    this.#events.push(event);
    this.#channels.push(channel);
    this.#byteCount += weight(event);
  }

  shift(): ServerEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined) return undefined;
    this.#events[this.#head] = undefined;
    this.#head += 1;
    this.#byteCount -= weight(event);
    // Amortised: each event moves at most once for each time that the array halves.
    if (this.#head * 2 > this.#events.length) {
      this.#events.splice(0, this.#head);
      this.#channels.splice(0, this.#head);
      this.#head = 0;
    }
    return event;
  }

  /** Takes out all audio, text and alignment of a channel. @returns how many bytes of audio went. */
  discardReply(channel = 0): number {
    let discarded = 0;
    const kept: ServerEvent[] = [];
    const keptChannels: number[] = [];
    for (let at = this.#head; at < this.#events.length; at++) {
      const event = this.#events[at]!;
      const of = this.#channels[at]!;
      if (isReply(event) && of === channel) {
        if (event.type === "audio") discarded += event.pcm.byteLength;
        this.#byteCount -= weight(event);
      } else {
        kept.push(event);
        keptChannels.push(of);
      }
    }
    this.#events = kept;
    this.#channels = keptChannels;
    this.#head = 0;
    return discarded;
  }

  clear(): void {
    this.#events = [];
    this.#channels = [];
    this.#head = 0;
    this.#byteCount = 0;
  }
}

/** Whether an interruption makes the event stale. */
export function isReply(event: ServerEvent): event is Extract<ServerEvent, { type: "audio" | "text" | "alignment" }> {
  return event.type === "audio" || event.type === "text" || event.type === "alignment";
}

function weight(event: ServerEvent): number {
  if (event.type === "audio") return EVENT_BYTES + event.pcm.byteLength;
  if (event.type === "transcript") return EVENT_BYTES + event.text.length + event.words.length * 96;
  if (event.type === "text") return EVENT_BYTES + event.text.length;
  return EVENT_BYTES;
}
