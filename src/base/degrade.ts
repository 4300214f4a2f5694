/**
 * What a graph does without under load, before calls are refused. Each level is cheaper than the one before it, and no
 * level changes a final transcript or a reply: only how often there is news meanwhile, and how long a batch may wait.
 */

/** The highest level. */
export const DEGRADE_LEVEL_MAX = 3;

/** Partial transcripts come this many times more seldom: 1, 2, 4, 8. A power of two, so that coarse marks are fine ones too. */
export function partialFactor(level: number): number {
  return 2 ** clamped(level);
}

/** The share of a batch's deadline that its rows may wait for company, whatever was configured: 0 at levels 0 and 1. */
export function batchWaitShare(level: number): number {
  return clamped(level) >= 2 ? 0.25 : 0;
}

function clamped(level: number): number {
  return Math.min(DEGRADE_LEVEL_MAX, Math.max(0, level));
}
