/**
 * What has come for a worker's model since its last step, and how long that may wait for more: the loop's side of
 * `gpu/batch-policy.ts`. A row here is a call that has audio in the step. What is not audio (the end of speech, a turn, a
 * fence, text) is what somebody waits for already: it closes the batch.
 *
 * The table of step times is of whole rounds of the node, with what its actor does besides the model. Until it has seen
 * some, the model's own table stands in, which may be known from a former process.
 */
import { batchWaitShare } from "../base/degrade.js";
import { type BatchLimits, waitUsOf } from "../gpu/batch-policy.js";
import { StepTimes } from "../gpu/step-times.js";
import type { ModelSteps } from "../models/family.js";
import type { InboxItem } from "./hosted-node.js";
import type { LoopCall } from "./loop-call.js";

export interface BatchWindowSpec extends BatchLimits {
  /** An answer is late if it comes longer than this after the frame was written. */
  readonly deadlineUs: number;
  /** The model's step times, if it tells. */
  readonly steps: ModelSteps | undefined;
  /** How far the most degraded graph of the worker is degraded: shared memory, one load per graph. */
  readonly level?: () => number;
}

/** Rounds after which the own table is believed. */
const SETTLED_COUNT = 16;
/** A batch that fills fast is still not looked at more often. */
const LOOK_US_MIN = 200;
/** The newest gap's weight in their mean. */
const NEWEST_WEIGHT = 1 / 16;

export class BatchWindow {
  readonly #spec: BatchWindowSpec;
  readonly #rounds = new StepTimes();
  /** Made once: `waitUs` is asked many times a second. */
  readonly #degraded = { rowsMax: 0, waitUs: 0 };
  // PendingRows and Company, of the batch that is being gathered.
  callCount = 0;
  oldestUs = Number.POSITIVE_INFINITY;
  earliestDueUs = Number.POSITIVE_INFINITY;
  absentCount = 0;
  gapUs = Number.POSITIVE_INFINITY;
  #openCount = 0;
  #isUrgent = false;
  #lastUs = Number.NEGATIVE_INFINITY;
  /** Tells the calls of this batch from those of the last. */
  #stamp = 1;

  constructor(spec: BatchWindowSpec) {
    this.#spec = spec;
  }

  get steps(): ModelSteps | undefined {
    return this.#spec.steps;
  }

  /** A call has opened or closed on a node of the model. */
  moved(delta: number): void {
    this.#openCount += delta;
  }

  /** A frame has come for a node of the model. Allocates nothing. */
  note(item: InboxItem, call: LoopCall): void {
    const { enqueuedUs } = item;
    this.oldestUs = Math.min(this.oldestUs, enqueuedUs);
    this.earliestDueUs = Math.min(this.earliestDueUs, enqueuedUs + this.#spec.deadlineUs);
    if (item.kind !== "audio.in") this.#isUrgent = true;
    if (call.windowStamp === this.#stamp) return;
    call.windowStamp = this.#stamp;
    this.callCount++;
    const gapUs = Math.max(0, enqueuedUs - this.#lastUs);
    this.#lastUs = Math.max(this.#lastUs, enqueuedUs);
    // After the first row, or a long silence, the mean begins anew.
    if (gapUs > this.#spec.waitUs || !Number.isFinite(this.gapUs)) this.gapUs = gapUs;
    else this.gapUs += NEWEST_WEIGHT * (gapUs - this.gapUs);
  }

  /**
   * Microseconds until the batch is to be looked at again: when it closes, or is full if rows go on coming as they do.
   * 0: run it.
   */
  waitUs(nowUs: number): number {
    if (this.#isUrgent || this.callCount === 0) return 0;
    this.absentCount = this.#openCount - this.callCount;
    const { steps, rowsMax } = this.#spec;
    const isKnown = steps === undefined || this.#rounds.observedCount >= SETTLED_COUNT;
    const waitUs = waitUsOf(this, this, this.#limits(), nowUs, isKnown ? this.#rounds : steps);
    const missing = Math.min(this.absentCount, rowsMax - this.callCount);
    return Math.min(waitUs, Math.max(LOOK_US_MIN, missing * this.gapUs));
  }

  /** As configured, or with the longer wait of a degraded graph. */
  #limits(): BatchLimits {
    const { level, rowsMax, waitUs, deadlineUs } = this.#spec;
    const share = level === undefined ? 0 : batchWaitShare(level());
    if (share === 0) return this.#spec;
    this.#degraded.rowsMax = rowsMax;
    this.#degraded.waitUs = Math.max(waitUs, share * deadlineUs);
    return this.#degraded;
  }

  /** By when an answer to this frame should be there. */
  dueUs(item: InboxItem): number {
    return item.enqueuedUs + this.#spec.deadlineUs;
  }

  /** A node of the model has worked on its part of the batch. */
  ran(callCount: number, ms: number): void {
    this.#rounds.observe(callCount, ms);
  }

  /** The batch is done: the next one begins. */
  reset(): void {
    this.callCount = 0;
    this.oldestUs = Number.POSITIVE_INFINITY;
    this.earliestDueUs = Number.POSITIVE_INFINITY;
    this.#isUrgent = false;
    this.#stamp++;
  }
}
