/**
 * Wall time for receipts and metrics: integer microseconds since a base that all threads of the process share.
 *
 * Stream time (sample positions) never comes from here. Node's `performance.now()` has another origin in each worker,
 * so a worker's clock is made from the base that the main thread hands it.
 */
export interface Clock {
  /** Monotonic microseconds since the shared base. Allocates nothing. */
  nowUs(): number;
  /** The base to hand to another thread: `process.hrtime.bigint()` nanoseconds at time 0. */
  readonly baseNs: bigint;
}

/** Pairs of reads from which the tightest is taken. */
const OFFSET_TRIES = 32;
/** A pair this tight is good enough: about the resolution of a stamp. */
const OFFSET_ERROR_US = 1;

/** Any thread. With no argument, this instant becomes the base. */
export function createClock(baseNs: bigint = process.hrtime.bigint()): Clock {
  const offsetUs = offsetTo(baseNs);
  return { baseNs, nowUs: () => Math.round(performance.now() * 1000 + offsetUs) };
}

/**
 * Both clocks read the same monotonic source; their offset, found once, holds for good, and reading performance.now()
 * afterwards costs no BigInt. A thread may be put to sleep between the two reads, and then all its stamps would be late by
 * that sleep: so the read is bracketed, and the tightest of several brackets counts.
 */
function offsetTo(baseNs: bigint): number {
  let offsetUs = 0;
  let tightestUs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < OFFSET_TRIES && tightestUs > OFFSET_ERROR_US; tries++) {
    const before = performance.now() * 1000;
    const sinceBaseUs = Number(process.hrtime.bigint() - baseNs) / 1000;
    const after = performance.now() * 1000;
    if (after - before >= tightestUs) continue;
    tightestUs = after - before;
    offsetUs = sinceBaseUs - (before + after) / 2;
  }
  return offsetUs;
}

/**
 * Milliseconds since 1970, with fractions, for stamps that other systems read. Follows the monotonic clock from the start of
 * the process on: a step of the system's clock since then is not in it.
 */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A clock that only moves when told, for simulations and tests. */
export class SimulatedClock implements Clock {
  readonly baseNs = 0n;
  #nowUs = 0;

  nowUs(): number {
    return this.#nowUs;
  }

  advance(deltaUs: number): void {
    this.#nowUs += deltaUs;
  }
}

/** Signed distance of two microsecond stamps kept in 32 bits (they wrap after 71 minutes). */
export function elapsedUs32(startUs32: number, endUs32: number): number {
  return (endUs32 - startUs32) | 0;
}
