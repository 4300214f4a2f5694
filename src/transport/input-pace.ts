import type { TransportLimits } from "./limits.js";

/** `flood`: close the connection. */
export type PaceVerdict = "ok" | "pause" | "flood";

/**
 * How fast one client may send: a budget of audio time that refills at a multiple of real time. When it is used up,
 * reading pauses until the debt is paid, so TCP slows the sender down: a fast sender is served at
 * `paceFactor` times real time and loses nothing. Whoever used up the first burst at flood speed, and has kept the
 * server pausing ever since, for `paceFloodMs`, is not catching up after a stutter: that is a flood.
 *
 * Pure: the caller tells the time, in milliseconds of one monotonic clock.
 */
export class InputPace {
  readonly #limits: TransportLimits;
  #levelMs: number;
  #atMs: number;
  /** When the budget was last full. */
  #fullAtMs: number;
  /** Since when, without a recovery in between, the sender has been held back; and whether it began at flood speed. */
  #heldSinceMs: number | undefined;
  #beganAsFlood = false;

  constructor(limits: TransportLimits, nowMs: number) {
    this.#limits = limits;
    this.#levelMs = limits.paceBurstMs;
    this.#atMs = nowMs;
    this.#fullAtMs = nowMs;
  }

  /** A message that is worth `costMs` of audio came. */
  spend(costMs: number, nowMs: number): PaceVerdict {
    this.#refill(nowMs);
    this.#levelMs -= costMs;
    if (this.#levelMs >= 0) return "ok";
    if (this.#heldSinceMs === undefined) {
      this.#heldSinceMs = nowMs;
      const tookMs = nowMs - this.#fullAtMs;
      this.#beganAsFlood =
        this.#limits.paceBurstMs + this.#limits.paceFactor * tookMs >= this.#limits.paceFloodFactor * tookMs;
    }
    return this.#beganAsFlood && nowMs - this.#heldSinceMs >= this.#limits.paceFloodMs ? "flood" : "pause";
  }

  /** After `pause`: true once reading may go on. */
  mayResume(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#levelMs >= 0;
  }

  #refill(nowMs: number): void {
    const { paceBurstMs, paceFactor } = this.#limits;
    this.#levelMs = Math.min(paceBurstMs, this.#levelMs + paceFactor * (nowMs - this.#atMs));
    this.#atMs = nowMs;
    if (this.#levelMs >= paceBurstMs) this.#fullAtMs = nowMs;
    // Half a budget back: the sender has calmed down.
    if (this.#levelMs >= paceBurstMs / 2) this.#heldSinceMs = undefined;
  }
}
