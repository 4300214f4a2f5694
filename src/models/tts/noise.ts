import { seeded } from "../../base/prng.js";

/**
 * Numbers of the standard normal distribution, the same for the same seed: what a voice says does not depend on who was
 * in its batch, nor on whether its worker had to begin again. Box and Muller's transform.
 */
export function normals(seed: number): () => number {
  const prng = seeded(seed);
  return () => Math.sqrt(-2 * Math.log(1 - prng.next())) * Math.cos(2 * Math.PI * prng.next());
}
