import type { ServerEvent } from "./faces/face.js";

/** What an event without audio counts for besides its text: its object and its JSON, roughly. */
const EVENT_BYTES = 512;

/**
 * Events that wait for a client's socket, oldest first. They are kept unencoded, so that an interruption can take out
 * what has become stale and the codec never learns of it. Bounded by its owner, who watches {@link byteCount}.
 */
export class OutQueue {
  #events: (ServerEvent | undefined)[] = [];
  #head = 0;
  #byteCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  get isEmpty(): boolean {
    return this.#head === this.#events.length;
  }

  push(event: ServerEvent): void {
    this.#events.push(event);
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
      this.#head = 0;
    }
    return event;
  }

  /** Takes out all audio, text and alignment. @returns how many bytes of audio went. */
  discardReply(): number {
    let discarded = 0;
    const kept: ServerEvent[] = [];
    for (const event of this.#events.slice(this.#head)) {
      if (event === undefined) continue;
      if (event.type === "audio") discarded += event.pcm.byteLength;
      if (!isReply(event)) kept.push(event);
      else this.#byteCount -= weight(event);
    }
    this.#events = kept;
    this.#head = 0;
    return discarded;
  }

  clear(): void {
    this.#events = [];
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
