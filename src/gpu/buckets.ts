/**
 * Sizes of batches. Accelerators plan and compile per shape, which takes them up to a second: there a batch is filled up
 * to one of a few sizes, each of which was run before the first call. The CPU plans nothing and takes any size.
 */

/** Powers of two up to `batchMax`, and `batchMax` itself. */
export function bucketSizes(batchMax: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < batchMax; size *= 2) sizes.push(size);
  return [...sizes, batchMax];
}

/** The smallest size of `bucketSizes` that holds so many rows. */
export function bucketFor(rows: number, batchMax: number): number {
  return Math.min(batchMax, 2 ** Math.ceil(Math.log2(rows)));
}

/**
 * Runs every size once, the largest first, so that memory is taken before the process reports ready. Blocks this thread
 * as long as the runs take.
 */
export async function warmBuckets(batchMax: number, run: (rows: number) => Promise<void>): Promise<void> {
  for (const rows of bucketSizes(batchMax).reverse()) await run(rows);
}
