/**
 * The open-loop generator: things happen at their appointed time whether or not the last one was answered, and a
 * generator that was held up makes good what it missed at once. Latencies are taken from the appointed time, so a stall
 * of this thread is in them (no coordinated omission).
 */
import { Numbers } from "./statistics.js";

export class Pacer {
  /** Milliseconds between the appointed time of each tick and its being carried out. */
  readonly latenessMs = new Numbers();
  readonly #tickMs: number;
  readonly #onTick: (tick: number, dueMs: number) => void;
  #startMs = 0;
  #tick = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onTick gets the number of the tick and when it was due, in milliseconds of `performance.now()` */
  constructor(tickMs: number, onTick: (tick: number, dueMs: number) => void) {
    this.#tickMs = tickMs;
    this.#onTick = onTick;
  }

  start(): void {
    this.#startMs = performance.now();
    this.#catchUp();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #catchUp = (): void => {
    this.#timer = setTimeout(this.#catchUp, this.#tickMs);
    for (;;) {
      const dueMs = this.#startMs + this.#tick * this.#tickMs;
      const lateMs = performance.now() - dueMs;
      if (lateMs < 0) return;
      this.latenessMs.push(lateMs);
      this.#onTick(this.#tick++, dueMs);
    }
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
