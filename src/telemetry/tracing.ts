/**
 * Traces, as the runtime sees them. No OpenTelemetry here: its packages are loaded only where an endpoint is configured, so
 * that a process without one neither waits for them nor holds them.
 */
import type { Logger } from "./logger.js";
import type { TurnRecord } from "./turn-spans.js";

/** Where spans go. Plain data; `headers` are secrets. */
export interface TracingSettings {
  /** The whole URL that batches of spans are posted to, as OTLP over HTTP in JSON. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Share of calls that are traced, 0 to 1. */
  readonly sampleRatio: number;
  /** A caller's `traceparent` becomes the parent of the call's span instead of a link. */
  readonly trustIncomingTrace: boolean;
  readonly serviceName: string;
  readonly resource: Readonly<Record<string, string>>;
}

export interface TracedCall {
  readonly callId: string;
  readonly graph: string;
  /** As the client sent it; ignored unless it is as the standard says. */
  readonly traceparent?: string | undefined;
  /** Model of each stage that has one. */
  readonly models: ReadonlyMap<string, string>;
}

export type TurnEnding = "completed" | "empty" | "failed" | "interrupted" | "abandoned";

/** One call's spans. Main thread; never throws, never waits. */
export interface CallTrace {
  /** Of the call's own span, in 32 hexadecimal digits. */
  readonly traceId: string;
  /**
   * To be told in the moment that the receipt ends. Makes the stages' spans; the turn's own stays open until
   * {@link endTurn}, the next turn or the end of the call.
   * @returns the turn's trace id.
   */
  turn(record: TurnRecord): string;
  /** The open turn's reply was heard, cut off or is not coming. Without one: nothing. */
  endTurn(ending: TurnEnding): void;
  close(result: string, code?: string): void;
}

export interface Tracing {
  /** `undefined` if this call is not one of the sample. */
  openCall(call: TracedCall): CallTrace | undefined;
  /** Sends what waits, within TRACE_LIMITS.flushMs. Never throws. */
  close(): Promise<void>;
}

/** What became of spans. */
export type SpanResult = "exported" | "export_failed" | "queue_full";

export interface TracingHost {
  readonly log: Logger;
  countSpans(result: SpanResult, count: number): void;
}

export const TRACE_LIMITS = {
  /** Spans that wait to be sent. At it: further ones are dropped and counted as `queue_full`. */
  queueSpans: 4_096,
  /** Spans of one request. More wait for the next. */
  batchSpans: 512,
  /** How long spans wait for company. */
  batchMs: 2_000,
  /**
   * One export, repetitions included. At it: its spans are dropped and counted as `export_failed`. Shorter than `serve` takes
   * to stop, because one that is under way holds the process.
   */
  exportMs: 3_000,
  /** Sending what is left at the end. At it: the rest is lost. */
  flushMs: 1_500,
} as const;

export type TraceLimits = { readonly [Name in keyof typeof TRACE_LIMITS]: number };

/** Loads OpenTelemetry. Main thread; opens no connection before there is a span. */
export async function createTracing(
  settings: TracingSettings,
  host: TracingHost,
  limits: TraceLimits = TRACE_LIMITS,
): Promise<Tracing> {
  const { OtlpTracing } = await import("./otlp-tracing.js");
  return new OtlpTracing(settings, host, limits);
}
