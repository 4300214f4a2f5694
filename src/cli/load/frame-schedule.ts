/**
 * The open loop: every call sends a frame each 20 ms of an absolute schedule, whether or not anything was answered. A
 * generator that was held up sends at once what it missed, and measures from the intended time, so its own stalls are in
 * the figures instead of being left out (no coordinated omission). How late it was is recorded for every frame.
 */
import { FRAME_MS } from "../../base/units.js";
import { LatenessHistogram } from "./statistics.js";

/** Where time comes from: the real one, or one that tests move. */
export interface LoadClock {
  /** Milliseconds, monotonic. */
  nowMs(): number;
  /** Calls back after at least so many milliseconds; returns how to call that off. */
  after(delayMs: number, callback: () => void): () => void;
}

export const realClock: LoadClock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export interface FrameSource {
  /**
   * Sends the frame that was due at `dueMs`.
   * @returns false when there will be no more frames.
   */
  sendFrame(frame: number, dueMs: number): boolean;
}

interface Entry {
  readonly source: FrameSource;
  readonly startMs: number;
  frame: number;
}

/** Node's timers are no finer. */
const TIMER_MS = 1;

export class FrameSchedule {
  /** Milliseconds between each frame's intended time and its being sent. */
  readonly latenessMs = new LatenessHistogram();
  readonly #clock: LoadClock;
  /** By due time. All periods are the same, so what is put at its end stays in order. */
  readonly #queue: Entry[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(clock: LoadClock) {
    this.#clock = clock;
  }

  /**
   * Frames of this source are due from one frame's length from now on: its first samples have to be spoken before they
   * can be sent.
   * @returns the instant at which the source's stream begins: frame k is due at that + (k + 1) × 20 ms.
   */
  add(source: FrameSource): number {
    this.#sendDue();
    const startMs = this.#clock.nowMs();
    this.#queue.push({ source, startMs, frame: 0 });
    this.#arm();
    return startMs;
  }

  stop(): void {
    this.#queue.length = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #sendDue(): void {
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const dueMs = dueOf(head);
      const lateMs = this.#clock.nowMs() - dueMs;
      if (lateMs < 0) return;
      this.#queue.shift();
      this.latenessMs.record(lateMs);
      if (head.source.sendFrame(head.frame, dueMs)) {
        head.frame += 1;
        this.#queue.push(head);
      }
    }
  }

  #arm(): void {
    const head = this.#queue[0];
    if (this.#cancelTimer !== undefined || head === undefined) return;
    const delayMs = Math.max(TIMER_MS, dueOf(head) - this.#clock.nowMs());
    this.#cancelTimer = this.#clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#sendDue();
      this.#arm();
    });
  }
}

function dueOf({ startMs, frame }: Entry): number {
  return startMs + (frame + 1) * FRAME_MS;
}
