/**
 * When a batch closes and which rows are in it. Pure: times come in as numbers, so that a simulation decides as a worker
 * does.
 *
 * ```
 *   oldest row written          closes here                        earliest deadline
 *   ├──────── waiting ──────────┤├──── a step of so many rows ─────┤
 *   └ at most `waitUs`           predicted by the table of step times: more rows, earlier closing
 * ```
 *
 * A batch waits only for something: it closes at once when it is full, when every call that could join has a row in it,
 * when the next row is not expected in time, or when a row more in this step would save nothing against one in the next.
 */
import type { StepPredictor } from "./step-times.js";

/** What waits for one model, summed up: the loop keeps it as rows come, without a list. */
export interface PendingRows {
  /** Calls with at least one row. */
  readonly callCount: number;
  /** When the oldest row was written, and the earliest time by which a row must be done: microseconds of one clock. */
  readonly oldestUs: number;
  readonly earliestDueUs: number;
}

export interface BatchLimits {
  /** The most rows in one step. */
  readonly rowsMax: number;
  /** The longest that a row waits for company. 0: what is there is the batch. */
  readonly waitUs: number;
}

export interface Company {
  /** Open calls that have no row in the batch yet. */
  readonly absentCount: number;
  /** Mean time between rows, lately. */
  readonly gapUs: number;
}

/** Microseconds until the batch closes; 0: run it now. At least one call has a row. Allocates nothing. */
export function waitUsOf(
  { callCount, oldestUs, earliestDueUs }: PendingRows,
  { absentCount, gapUs }: Company,
  { rowsMax, waitUs }: BatchLimits,
  nowUs: number,
  steps: StepPredictor,
): number {
  if (waitUs === 0 || absentCount <= 0 || callCount >= rowsMax) return 0;
  const stepMs = steps.predictMs(callCount);
  if (stepMs === 0 || !savesByJoining(callCount, stepMs, steps)) return 0;
  const leftUs = Math.min(oldestUs + waitUs, earliestDueUs - stepMs * 1000) - nowUs;
  return leftUs > 0 && gapUs < leftUs ? leftUs : 0;
}

/** Whether a row costs less as one more of this step than in a step of its own. */
function savesByJoining(callCount: number, stepMs: number, steps: StepPredictor): boolean {
  return steps.predictMs(callCount + 1) - stepMs < steps.predictMs(1);
}

/** One row that could be in the next step. */
export interface BatchRow {
  /** When it must be done. */
  readonly dueUs: number;
  /** Rows of one call are served in its own order; any number that tells calls apart. */
  readonly call: number;
  /**
   * How many rows of the call count as first ones: its key's share, once keys have shares. At least 1. While others
   * wait, a call gets this many rows of a step.
   */
  readonly weight: number;
  /** Nobody wants it any more. */
  readonly isStale: boolean;
}

/**
 * Indices into `rows` of those that make the next step, at most `rowsMax`: without the stale ones, each call's first
 * rows before any call's later ones, then earliest deadline first, then as they stand. A call's rows stay in order.
 */
export function chooseRows(rows: readonly BatchRow[], rowsMax: number): number[] {
  const seen = new Map<number, number>();
  const ranks = rows.map(({ call, weight, isStale }) => {
    if (isStale) return Number.POSITIVE_INFINITY;
    const before = seen.get(call) ?? 0;
    seen.set(call, before + 1);
    return Math.floor(before / Math.max(1, weight));
  });
  const due = dueInOrder(rows);
  return rows
    .map((_, index) => index)
    .filter((index) => !rows[index]!.isStale)
    .sort((a, b) => ranks[a]! - ranks[b]! || due[a]! - due[b]! || a - b)
    .slice(0, rowsMax);
}

/** Deadlines by which a call's own order is kept: a row cannot be done before its predecessor, so it is due no sooner. */
function dueInOrder(rows: readonly BatchRow[]): number[] {
  const latest = new Map<number, number>();
  return rows.map(({ call, dueUs }) => {
    const due = Math.max(dueUs, latest.get(call) ?? Number.NEGATIVE_INFINITY);
    latest.set(call, due);
    return due;
  });
}

/** How many of `rowCount` rows a step may have so that it is predicted to end within `slackUs`; 0 if one is too many. */
export function rowsInTime(rowCount: number, slackUs: number, steps: StepPredictor): number {
  let low = 0;
  let high = rowCount;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (steps.predictMs(middle) * 1000 <= slackUs) low = middle;
    else high = middle - 1;
  }
  return low;
}
