/** The largest number of calls that meets the objectives: doubling, then bisection, then the winner once more. */

/** What one rung came to. `void`: the generator could not keep its schedule, so nothing is known but that it is the limit. */
export type Trial = "meets" | "misses" | "void";

export interface SearchSpec {
  /** Runs a rung. */
  readonly attempt: (calls: number) => Promise<Trial>;
  /** The first rung. */
  readonly start: number;
  /** No rung is larger. */
  readonly max: number;
  /** The winner must meet the objectives so many times more. At a miss, smaller numbers are looked at. */
  readonly confirmations: number;
}

export interface Found {
  /** 0: not even one call meets them. */
  readonly calls: number;
  /** A larger load was void: the machine of the generator, not the server, may be the limit. */
  readonly isLimitedByGenerator: boolean;
  /** `max` itself meets them: the limit lies beyond. */
  readonly isAtMax: boolean;
}

/** Numbers that differ by less than this share are not told apart: measurements scatter by more. */
const RESOLUTION = 0.05;

export async function largestLoad(spec: SearchSpec): Promise<Found> {
  const passed = new Set<number>();
  /** The smallest that is known not to meet. */
  let misses = spec.max + 1;
  let isLimitedByGenerator = false;
  /** The largest that met, below all that did not. */
  const best = (): number => Math.max(0, ...[...passed].filter((calls) => calls < misses));
  const tryOne = async (calls: number): Promise<boolean> => {
    const trial = await spec.attempt(calls);
    if (trial === "meets") {
      passed.add(calls);
      return true;
    }
    if (calls <= misses) isLimitedByGenerator = trial === "void";
    misses = Math.min(misses, calls);
    return false;
  };
  for (let calls = Math.min(spec.start, spec.max); await tryOne(calls); calls = Math.min(2 * calls, spec.max)) {
    if (calls === spec.max) break;
  }
  do {
    for (let low = best(); misses - low > Math.max(1, Math.floor(RESOLUTION * low)); low = best()) {
      await tryOne(Math.floor((low + misses) / 2));
    }
  } while (best() > 0 && !(await isConfirmed(best(), spec.confirmations, tryOne)));
  return { calls: best(), isLimitedByGenerator, isAtMax: best() === spec.max };
}

async function isConfirmed(
  calls: number,
  times: number,
  tryOne: (calls: number) => Promise<boolean>,
): Promise<boolean> {
  for (let time = 0; time < times; time++) if (!(await tryOne(calls))) return false;
  return true;
}
