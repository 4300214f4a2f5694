/** What is left to chance in a load, each from a seeded source. */
import type { Prng } from "../../base/prng.js";

/** Exponential with this mean: the gaps of a Poisson process, and the lengths of calls that end by chance. */
export function exponential(prng: Prng, mean: number): number {
  return -mean * Math.log(1 - prng.next());
}

/** The first `count` arrivals of a Poisson process, in milliseconds from its start. */
export function poissonArrivals(prng: Prng, count: number, perSecond: number): number[] {
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += exponential(prng, 1000 / perSecond);
    return atMs;
  });
}

/** True with this probability. Draws once whatever the probability, so that other draws do not shift with it. */
export function happens(prng: Prng, probability: number): boolean {
  return prng.next() < probability;
}
