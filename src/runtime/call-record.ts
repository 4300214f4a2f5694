/**
 * What remains of a call's turns when they are over: spans, if they are collected, and a line in the log, with the ids that
 * the receipt event has. Main thread; a few times per turn.
 */
import type { CallEvent, ReceiptEvent, ReplyEvent } from "../frames/events.js";
import type { CallTrace, LogFields, Logger } from "../telemetry/index.js";

export interface CallRecordSpec {
  /** Its lines carry the call's id and graph. */
  readonly log: Logger;
  readonly trace: CallTrace | undefined;
  readonly onlyListens: boolean;
}

export class CallRecord {
  readonly #spec: CallRecordSpec;
  /** Of the reply whose turn's span is open. */
  #contextId = -1;
  /** How the last reply ended that had no sound; until its receipt, which is the next thing told. */
  #silentEnd: NonNullable<ReplyEvent["reason"]> | undefined;

  constructor(spec: CallRecordSpec) {
    this.#spec = spec;
  }

  /** The receipt as it is told: with its trace. Called before anybody hears of it. */
  account(receipt: ReceiptEvent): ReceiptEvent {
    const { trace, onlyListens } = this.#spec;
    const traceId = trace?.turn(receipt);
    const told = traceId === undefined ? receipt : { ...receipt, traceId };
    this.#contextId = receipt.contextId;
    if (receipt.milestones.firstByteSentMs === undefined) {
      trace?.endTurn(this.#silentEnd ?? (onlyListens ? "completed" : "empty"));
    }
    this.#spec.log.info(lineOf(told), "turn");
    return told;
  }

  observe(event: CallEvent): void {
    if (event.type === "reply" && event.what === "end") this.#silentEnd = event.reason;
    else if (event.type === "interrupted") this.#interrupted(event.contextId);
    else if (event.type === "close") this.#spec.trace?.close(event.reason, event.code);
    else this.#silentEnd = undefined;
  }

  /** As far as is known, the listener has heard all of this reply. */
  heard(contextId: number): void {
    if (contextId === this.#contextId) this.#spec.trace?.endTurn("completed");
  }

  #interrupted(contextId: number): void {
    this.#silentEnd = "interrupted";
    if (contextId === this.#contextId) this.#spec.trace?.endTurn("interrupted");
  }
}

/** No word of what was said. Each stage in milliseconds, its four stretches together. */
function lineOf({ turnIndex, contextId, traceId, totalMs, speechMs, stages, milestones }: ReceiptEvent): LogFields {
  const stagesMs: Record<string, number> = {};
  const batchSizes: Record<string, number> = {};
  for (const { stage, queueMs, batchWaitMs, computeMs, waitMs, batchSize } of stages) {
    stagesMs[stage] = Math.round((queueMs + batchWaitMs + computeMs + waitMs) * 1000) / 1000;
    if (batchSize > 1) batchSizes[stage] = batchSize;
  }
  return { turnIndex, contextId, traceId, totalMs, speechMs, stagesMs, batchSizes, milestones };
}
