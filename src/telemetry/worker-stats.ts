/**
 * What a worker counts: section 0 is the worker itself, section 1 + n the nth node that it hosts. Exposed as metrics by
 * `metrics.ts`; the names there say what each means to a reader.
 */
import { BUCKETS } from "./buckets.js";
import type { StatsLayout } from "./stats-layout.js";

const COUNTER = { kind: "counter" } as const;
const GAUGE = { kind: "gauge" } as const;

function histogram<Bounds extends readonly number[]>(bounds: Bounds): { readonly kind: "histogram"; bounds: Bounds } {
  return { kind: "histogram", bounds };
}

export const WORKER_STATS = {
  /** Passes of the loop that found something to do. */
  steps: COUNTER,
  /** Times it slept on its bell. */
  parks: COUNTER,
  /** Sleeps that a producer ended, and not the timeout. */
  wakes: COUNTER,
  /** Seconds between taking work and having flushed its outputs. */
  busySeconds: COUNTER,
  /** `max` only: seconds of the longest step of the window. */
  stepSeconds: GAUGE,
  /** Runs of the model since it was opened, and those of them that took longer than predicted. */
  modelSteps: COUNTER,
  modelOverruns: COUNTER,
  /** Mean |predicted − actual| of late, as a share of the actual time. */
  stepErrorShare: GAUGE,
  /** By the model's table of step times: seconds of a step that do not depend on its rows, and of each row. 0: unknown. */
  stepFixedSeconds: GAUGE,
  stepRowSeconds: GAUGE,
} as const satisfies StatsLayout;

export const NODE_STATS = {
  /** Frames given to the actor. */
  framesIn: COUNTER,
  /** Frames that it emitted or forwarded, counted once however many edges they go to. */
  framesOut: COUNTER,
  /** Interruptible frames of an older generation, dropped before the actor saw them. */
  framesStale: COUNTER,
  /** Frames delivered again after a worker's death that had already been handled. */
  framesDuplicate: COUNTER,
  /** Frames skipped because they made the node fail again and again. */
  framesPoison: COUNTER,
  /** Frames that the node emitted and a full ring did not take. */
  framesLost: COUNTER,
  /** Errors that the node reported for a call. */
  errors: COUNTER,
  /** Batches that ended after the deadline of their oldest frame. */
  deadlinesMissed: COUNTER,
  /** Seconds of audio given to the actor. */
  audioSeconds: COUNTER,
  /** Calls open on this node of this worker. */
  openCalls: GAUGE,
  /** Calls in one `process`. */
  batchSize: histogram(BUCKETS.BATCH),
  /** Seconds from the write into the ring until the batch began; once per batch, of its oldest frame. */
  batchQueueSeconds: histogram(BUCKETS.FRAME),
  /** Seconds from taking the batch's first frame until it began: what waiting for company cost. */
  batchWaitSeconds: histogram(BUCKETS.FRAME),
  /** Seconds of one `process`. */
  processSeconds: histogram(BUCKETS.FRAME),
} as const satisfies StatsLayout;

/** The sections of a worker that hosts `nodeCount` nodes. */
export function workerSections(nodeCount: number): readonly StatsLayout[] {
  return [WORKER_STATS, ...Array.from({ length: nodeCount }, () => NODE_STATS)];
}

export const WORKER_SECTION = 0;

/** @param position of the node among the worker's nodes, from 0. */
export function nodeSection(position: number): number {
  return position + 1;
}
