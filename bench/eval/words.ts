/** Word errors, and how sure a rate of them is. */
import { seeded } from "../../src/base/prng.js";
import type { ErrorCounts } from "../../src/base/word-errors.js";
import { quantile } from "../harness/statistics.js";

export { type ErrorCounts, errorPercent, normalisedWords, sumOf, textErrors } from "../../src/base/word-errors.js";

export const BOOTSTRAP_SEED = 20_260;
const BOOTSTRAP_DRAWS = 1000;

/** The middle 95 % of the rate over as many clips drawn with replacement. Of fewer than two clips: `null`. */
export function bootstrapInterval(counts: readonly ErrorCounts[]): readonly [number, number] | null {
  if (counts.length < 2) return null;
  const prng = seeded(BOOTSTRAP_SEED);
  const rates: number[] = [];
  for (let draw = 0; draw < BOOTSTRAP_DRAWS; draw++) {
    let [errors, words] = [0, 0];
    for (let clip = 0; clip < counts.length; clip++) {
      const drawn = prng.pick(counts);
      errors += drawn.substitutions + drawn.insertions + drawn.deletions;
      words += drawn.words;
    }
    if (words > 0) rates.push((100 * errors) / words);
  }
  return [quantile(rates, 0.025), quantile(rates, 0.975)];
}
