/**
 * How long frames will wait if there are more calls: a formula for each worker, summed along a graph. Pure.
 *
 * A worker's step takes `fixedMs` and `rowMs` for each of its rows; rows come at a rate that grows with the calls. A worker
 * that batches takes what is queued, so a step of so many rows lasts until as many have come again:
 *
 *     step = fixed + row · (rate · step)   ⇒   step = fixed / (1 − ρ),   ρ = rate · row
 *
 * and a row that just missed a step waits for one. Without a fixed part that is a queue of one server, whose wait has an
 * exponential tail: its 99th percentile is about ln(100) / 2 service times / (1 − ρ) when service times hardly vary
 * (L. Kleinrock, "Queueing Systems" 1, 1975, M/D/1 in heavy traffic). The sum of both is used for both. Where threads
 * share too few cores, all of it is stretched by the wait for a core, in Sakasegawa's approximation of a queue of several
 * servers ("An approximation formula Lq ≃ α·ρ^β/(1−ρ)", 1977).
 */

const LN_100_HALVED = Math.log(100) / 2;

/** What one worker does, as measured lately. */
export interface WorkerLoad {
  /** Calls open on it now. */
  readonly callCount: number;
  /** Rows per second of one call. */
  readonly rowsPerCallSecond: number;
  /** Milliseconds of a step that do not depend on its rows, and of each row. */
  readonly fixedMs: number;
  readonly rowMs: number;
  /** How long the oldest row of a step waited: 99th percentile of the last seconds. */
  readonly queueP99Ms: number;
}

export interface ProcessLoad {
  readonly callCount: number;
  /** Share of a core that one call takes, over all threads, without what batching saves anyway. */
  readonly coresPerCall: number;
  readonly coreCount: number;
  /** Share of its time that the main thread's event loop is busy, and how late its timers are at the 99th percentile. */
  readonly mainShare: number;
  readonly mainDelayP99Ms: number;
}

/** The 99th percentile of the wait for a worker that serves `callCount` calls; Infinity if it could not keep up. */
export function queueP99Ms(load: WorkerLoad, callCount: number): number {
  const share = (callCount * load.rowsPerCallSecond * load.rowMs) / 1000;
  if (share >= 1) return Number.POSITIVE_INFINITY;
  return (load.fixedMs + LN_100_HALVED * load.rowMs) / (1 - share);
}

/** By how much the wait for a core lengthens everything, at `callCount` calls; Infinity if the cores are too few. */
export function coreStretch({ coresPerCall, coreCount }: ProcessLoad, callCount: number): number {
  const share = (callCount * coresPerCall) / coreCount;
  if (share >= 1) return Number.POSITIVE_INFINITY;
  return 1 + share ** Math.sqrt(2 * (coreCount + 1)) / (coreCount * (1 - share));
}

/** How late the main thread will be at `callCount` calls: as late as now, and more as it has less time to spare. */
export function mainP99Ms({ callCount: now, mainShare, mainDelayP99Ms }: ProcessLoad, callCount: number): number {
  if (now === 0) return mainDelayP99Ms;
  const share = (mainShare * callCount) / now;
  return share >= 1 ? Number.POSITIVE_INFINITY : (mainDelayP99Ms * (1 - Math.min(0.99, mainShare))) / (1 - share);
}
