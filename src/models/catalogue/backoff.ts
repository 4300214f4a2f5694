/** How long to wait before the next try. */
import type { Prng } from "../../base/prng.js";

const FIRST_MS = 500;
const LONGEST_MS = 20_000;
const ASKED_MS_MAX = 60_000;

/**
 * Doubles with each failure in a row and is spread over its upper half, so that many processes that failed together do not
 * come back together. What the server asks for counts, up to a minute.
 * @param failures in a row, from 1
 */
export function backoffMs(failures: number, prng: Prng, askedMs?: number): number {
  if (askedMs !== undefined) return Math.min(askedMs, ASKED_MS_MAX);
  const longest = Math.min(FIRST_MS * 2 ** (failures - 1), LONGEST_MS);
  return Math.round(longest * (0.5 + 0.5 * prng.next()));
}
