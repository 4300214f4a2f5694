import type { ServerEvent } from "./faces/face.js";
import { OutQueue } from "./out-queue.js";

/** What keeps its place behind audio that is held back: the rest of the reply, and what says that all before it was sent. */
const BEHIND_AUDIO: ReadonlySet<ServerEvent["type"]> = new Set(["reply", "text", "alignment", "playback", "mark"]);

/**
 * Audio for a client that cannot drop what it holds: it leaves no sooner than `leadMs` before it is played, so that an
 * interruption still finds the rest here. What has no part in the reply (transcripts, errors) passes by.
 *
 * Pure: the caller tells the time, in milliseconds of one monotonic clock, and comes again when it is time.
 */
export class OutPace {
  readonly #leadMs: number;
  readonly #bytesMax: number;
  readonly #waiting = new OutQueue();
  /** When the client will have played what it was sent. */
  #playedMs = 0;

  /** @param bytesMax that are held back; at it, the oldest leaves before its time */
  constructor(leadMs: number, bytesMax: number) {
    this.#leadMs = leadMs;
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#waiting.isEmpty;
  }

  /** @returns false if the event has not to wait. */
  hold(event: ServerEvent, channel: number): boolean {
    if (event.type !== "audio" && (this.isEmpty || !BEHIND_AUDIO.has(event.type))) return false;
    this.#waiting.push(event, channel);
    return true;
  }

  /** Passes on what is due. @returns in how many milliseconds more will be; `undefined`: nothing waits. */
  release(nowMs: number, to: OutQueue): number | undefined {
    for (;;) {
      const { first, channel } = this.#waiting;
      if (first === undefined) return undefined;
      if (first.type === "audio") {
        const earlyMs = this.#playedMs - nowMs - this.#leadMs;
        if (earlyMs > 0 && this.#waiting.byteCount < this.#bytesMax) return earlyMs;
        this.#playedMs = Math.max(this.#playedMs, nowMs) + (first.pcm.length * 1000) / first.rateHz;
      }
      this.#waiting.shift();
      to.push(first, channel);
    }
  }

  /** An interruption. @returns how many bytes of audio went; the rest passes on to `to`. */
  discardReply(channel: number, to: OutQueue): number {
    const byteCount = this.#waiting.discardReply(channel);
    while (!this.isEmpty && this.#waiting.first?.type !== "audio") {
      const of = this.#waiting.channel;
      to.push(this.#waiting.shift()!, of);
    }
    this.#playedMs = 0;
    return byteCount;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
