/**
 * How far a graph is degraded, from one number: its pressure, where 1 is what its promise can bear. Up at once, one rung
 * a second; down only after a while well below the rung. Pure: times come in as numbers.
 *
 * ```
 *   pressure  0.5   0.6   0.7   0.8   0.9
 *   up                    0→1   1→2   2→3
 *   down      1→0   2→1   3→2                 after 10 s below
 * ```
 *
 * A pressure that is never below another's gives a level that is never below the other's.
 */
import { DEGRADE_LEVEL_MAX } from "../../base/degrade.js";

/** At this pressure the level rises, by the level it is at. Between up and down lie 0.2: noise within that moves nothing. */
const UP = [0.7, 0.8, 0.9] as const;
const BAND = 0.2;
/** From one rung up to the next: what the last one brought must show first. */
export const RISE_MS = 1_000;
/** How long the pressure must stay below before the level falls by one. */
export const FALL_MS = 10_000;

export class Ladder {
  #level = 0;
  #roseMs = Number.NEGATIVE_INFINITY;
  /** Since when the pressure has been low enough for the level below. */
  #calmSinceMs: number | undefined;

  get level(): number {
    return this.#level;
  }

  /** True if there is nothing left to do without. */
  get isAtEnd(): boolean {
    return this.#level === DEGRADE_LEVEL_MAX;
  }

  /** Notes the pressure at `nowMs`, which never goes back. Returns the level from now on. */
  update(pressure: number, nowMs: number): number {
    if (!this.isAtEnd && pressure >= UP[this.#level]!) {
      this.#calmSinceMs = undefined;
      if (nowMs - this.#roseMs >= RISE_MS) this.#move(1, nowMs);
    } else if (this.#level > 0 && pressure < UP[this.#level - 1]! - BAND) {
      this.#calmSinceMs ??= nowMs;
      if (nowMs - this.#calmSinceMs >= FALL_MS) this.#move(-1, nowMs);
    } else {
      this.#calmSinceMs = undefined;
    }
    return this.#level;
  }

  #move(delta: 1 | -1, nowMs: number): void {
    this.#level += delta;
    this.#calmSinceMs = undefined;
    if (delta > 0) this.#roseMs = nowMs;
  }
}
