/**
 * The search for the most calls that keep a promise: up in large strides while it is easy, then halving the gap between the
 * most that kept it and the fewest that did not. Pure.
 */
import type { Rung } from "../../runtime/admission/capacity-file.js";

/** How a number of calls did. `ease`: the latency at the quantile, as a share of what is promised. */
export interface Outcome {
  readonly verdict: Rung["verdict"];
  readonly ease: number;
}

const FIRST_CALLS = 8;
/** Below this share of the promise the stride is 4, else 2. */
const EASY = 0.25;
/** The gap that is not worth halving, as a share of what was kept. */
const GAP_SHARE = 0.08;
/** Times that one number is tried again because the generator was late. At it: the generator has found its own limit. */
const VOIDS_MAX = 2;

export class CapacitySearch {
  readonly #callsMax: number;
  /** The most that kept the promise; 0: none yet. */
  keptCalls = 0;
  /** The fewest that broke it, or that the generator could not offer in time. */
  brokenCalls: number | undefined;
  limitedBy: "promise" | "generator" | "time" | "slots" = "time";
  #next: number | undefined;
  #voids = 0;

  constructor(callsMax: number) {
    this.#callsMax = callsMax;
    this.#next = Math.min(FIRST_CALLS, callsMax);
  }

  /** How many calls to try next; `undefined` when the search is over. */
  get next(): number | undefined {
    return this.#next;
  }

  note(calls: number, { verdict, ease }: Outcome): void {
    if (verdict === "void" && ++this.#voids < VOIDS_MAX) return;
    this.#voids = 0;
    if (verdict === "kept") this.keptCalls = calls;
    else {
      this.brokenCalls = calls;
      this.limitedBy = verdict === "void" ? "generator" : "promise";
    }
    this.#next = this.#following(calls, ease);
  }

  #following(calls: number, ease: number): number | undefined {
    const { keptCalls, brokenCalls } = this;
    if (brokenCalls === undefined) {
      if (calls < this.#callsMax) return Math.min(this.#callsMax, calls * (ease < EASY ? 4 : 2));
      this.limitedBy = "slots";
      return undefined;
    }
    if (brokenCalls - keptCalls <= Math.max(1, GAP_SHARE * keptCalls)) return undefined;
    return Math.floor((keptCalls + brokenCalls) / 2);
  }
}

/** Quantile of a normal distribution: nine of ten intervals hold the truth. */
const Z = 1.645;

/** Wilson's interval for a share of which `hits` in `count` were seen (E. B. Wilson, 1927). */
export function shareRange(hits: number, count: number): readonly [number, number] {
  if (count === 0) return [0, 1];
  const share = hits / count;
  const middle = share + (Z * Z) / (2 * count);
  const half = Z * Math.sqrt((share * (1 - share)) / count + (Z * Z) / (4 * count * count));
  const scale = 1 + (Z * Z) / count;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}
