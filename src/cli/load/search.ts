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
  /** The winner is tried so many times more, and must meet the objectives in most of its runs. Else smaller ones are. */
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

/** A void rung says nothing of the server: it is tried so many times again before it counts as the limit. */
const VOID_RETRIES = 2;

export async function largestLoad(spec: SearchSpec): Promise<Found> {
  const passed = new Set<number>();
  /** The smallest that is known not to meet. */
  let misses = spec.max + 1;
  let isLimitedByGenerator = false;
  /** The largest that met, below all that did not. */
  const best = (): number => Math.max(0, ...[...passed].filter((calls) => calls < misses));
  const note = (calls: number, trial: Trial): boolean => {
    if (trial === "meets") {
      passed.add(calls);
      return true;
    }
    if (calls <= misses) isLimitedByGenerator = trial === "void";
    misses = Math.min(misses, calls);
    return false;
  };
  const tryOne = async (calls: number): Promise<boolean> => note(calls, await attemptOf(spec, calls));
  for (let calls = Math.min(spec.start, spec.max); await tryOne(calls); calls = Math.min(2 * calls, spec.max)) {
    if (calls === spec.max) break;
  }
  while (true) {
    for (let low = best(); misses - low > Math.max(1, Math.floor(RESOLUTION * low)); low = best()) {
      await tryOne(Math.floor((low + misses) / 2));
    }
    const winner = best();
    if (winner === 0 || note(winner, await confirmed(spec, winner))) break;
  }
  return { calls: best(), isLimitedByGenerator, isAtMax: best() === spec.max };
}

async function attemptOf({ attempt }: SearchSpec, calls: number): Promise<Trial> {
  let trial = await attempt(calls);
  for (let again = 0; trial === "void" && again < VOID_RETRIES; again++) trial = await attempt(calls);
  return trial;
}

/** What most of the runs came to, the one that made it the winner included; of a tie, the worse. */
async function confirmed(spec: SearchSpec, calls: number): Promise<Trial> {
  const { confirmations } = spec;
  let met = 1;
  let last: Trial = "meets";
  for (let run = 1; run <= confirmations; run++) {
    const trial = await attemptOf(spec, calls);
    if (trial === "meets") met += 1;
    else last = trial;
    if (2 * met > confirmations + 1) return "meets";
    if (2 * (met + confirmations - run) <= confirmations + 1) return last;
  }
  return last;
}
