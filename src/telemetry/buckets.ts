/**
 * Histogram bounds, upper and inclusive, in the unit of the metric. Five sets for everything, so that a dashboard can lay
 * any two histograms of one kind over each other.
 */
export const BUCKETS = {
  /** Seconds of work on frames; a frame is 20 ms, so the bounds are dense below that. */
  FRAME: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25],
  /** Seconds that a person notices; dense where a reply begins to feel late. */
  TURN: [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10],
  /** Seconds of a language model: doubling, as OpenTelemetry's GenAI conventions have them. */
  LLM: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
  /** Calls in one model step. */
  BATCH: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64],
  /** Seconds of a whole call. */
  CALL: [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600],
} as const satisfies Record<string, readonly number[]>;

export type BucketSet = keyof typeof BUCKETS;
