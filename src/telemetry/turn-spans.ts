/** What the spans of a turn are, computed from its receipt. Pure; `tracing.ts` makes them, `docs/OPERATIONS.md` lists them. */

/** The part of a receipt that becomes spans; the receipt event has this shape. */
export interface TurnRecord {
  readonly turnIndex: number;
  readonly contextId: number;
  /** From the end of the caller's speech; the stages sum to it. */
  readonly totalMs: number;
  /** How long the caller spoke. */
  readonly speechMs?: number;
  readonly stages: readonly {
    readonly stage: string;
    readonly queueMs: number;
    readonly batchWaitMs: number;
    readonly computeMs: number;
    readonly waitMs: number;
    readonly batchSize: number;
  }[];
  readonly milestones: Readonly<Record<string, number | undefined>>;
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A child of the turn's span. Milliseconds after the end of the caller's speech; what lies before it is negative. */
export interface TurnSpan {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
}

/** `user_speech`, then the stages one after the other: each begins where the one before it ends. */
export function turnSpans(turn: TurnRecord, modelOf: ReadonlyMap<string, string>): TurnSpan[] {
  const spans: TurnSpan[] = [];
  if (turn.speechMs !== undefined) {
    spans.push({ name: "user_speech", startMs: -turn.speechMs, endMs: 0, attributes: {} });
  }
  let atMs = 0;
  for (const { stage, queueMs, batchWaitMs, computeMs, waitMs, batchSize } of turn.stages) {
    const endMs = atMs + queueMs + batchWaitMs + computeMs + waitMs;
    const model = modelOf.get(stage);
    const attributes: SpanAttributes = {
      "syrinx.stage": stage,
      "syrinx.queue_ms": queueMs,
      "syrinx.batch_wait_ms": batchWaitMs,
      "syrinx.compute_ms": computeMs,
      "syrinx.wait_ms": waitMs,
      "syrinx.batch_size": batchSize,
      ...(model === undefined ? {} : { "gen_ai.request.model": model }),
    };
    spans.push({ name: stage, startMs: atMs, endMs, attributes });
    atMs = endMs;
  }
  return spans;
}

/** Of the turn's own span: what the receipt says of the whole, milestones included. */
export function turnAttributes({ turnIndex, contextId, totalMs, milestones }: TurnRecord): SpanAttributes {
  const attributes: Record<string, number> = {
    "syrinx.turn.index": turnIndex,
    "syrinx.turn.context": contextId,
    "syrinx.turn.total_ms": totalMs,
  };
  for (const [name, ms] of Object.entries(milestones)) {
    if (ms !== undefined) attributes[`syrinx.turn.${snakeCase(name)}`] = ms;
  }
  return attributes;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
