/**
 * Traces by OpenTelemetry's SDK. The only file that imports it, and imported only by `createTracing`.
 *
 * ```
 *   trace A   call ────────────────────────────────────────────
 *   trace B     turn ───────────────────  linked to the call's span
 *                user_speech ─┤endpointing┤vad┤…┤egress┤playout
 *   trace C                               turn ───────────
 * ```
 *
 * A turn is a trace of its own because one that stays open for the length of a call is more than most backends take.
 */
import { randomInt } from "node:crypto";
import { type Attributes, type Link, ROOT_CONTEXT, type Span, type Tracer, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import { epochMs } from "../base/clock.js";
import { packageVersion } from "../base/package-root.js";
import { SpanQueue } from "./span-queue.js";
import { parseTraceparent, type RemoteSpan } from "./trace-parent.js";
import type {
  CallTrace,
  TracedCall,
  TraceLimits,
  Tracing,
  TracingHost,
  TracingSettings,
  TurnEnding,
} from "./tracing.js";
import { type TurnRecord, turnAttributes, turnSpans } from "./turn-spans.js";

/** Steps in which a share of calls can be chosen. */
const SHARES = 1_000_000;
const SAMPLED = 1;

export class OtlpTracing implements Tracing {
  readonly #settings: TracingSettings;
  readonly #queue: SpanQueue;
  readonly #tracer: Tracer;

  constructor(settings: TracingSettings, host: TracingHost, limits: TraceLimits) {
    const { url, headers, serviceName, resource } = settings;
    this.#settings = settings;
    const exporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: limits.exportMs });
    this.#queue = new SpanQueue(exporter, host, limits);
    const version = packageVersion();
    const provider = new TracerProvider({
      resource: defaultResource().merge(
        resourceFromAttributes({ "service.version": version, ...resource, "service.name": serviceName }),
      ),
      // Calls are sampled whole, in `openCall`.
      sampler: new AlwaysOnSampler(),
      spanProcessors: [this.#queue],
    });
    this.#tracer = provider.getTracer("syrinx", version);
  }

  openCall(call: TracedCall): CallTrace | undefined {
    const remote = parseTraceparent(call.traceparent);
    const parent = this.#settings.trustIncomingTrace ? remote : undefined;
    const isWanted = parent?.isSampled ?? randomInt(SHARES) < this.#settings.sampleRatio * SHARES;
    return isWanted ? new OtlpCallTrace(this.#tracer, call, remote, parent) : undefined;
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

interface OpenTurn {
  readonly span: Span;
  readonly answeredMs: number;
  readonly hasAudio: boolean;
}

class OtlpCallTrace implements CallTrace {
  readonly #tracer: Tracer;
  readonly #call: TracedCall;
  readonly #attributes: Attributes;
  readonly #span: Span;
  #turn: OpenTurn | undefined;

  constructor(tracer: Tracer, call: TracedCall, remote: RemoteSpan | undefined, parent: RemoteSpan | undefined) {
    this.#tracer = tracer;
    this.#call = call;
    this.#attributes = {
      "syrinx.call.id": call.callId,
      "gen_ai.conversation.id": call.callId,
      "syrinx.graph": call.graph,
    };
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
    const links: Link[] = remote === undefined || parent !== undefined ? [] : [{ context: contextOf(remote) }];
    const startTime = epochMs();
    this.#span = tracer.startSpan("call", { startTime, attributes: this.#attributes, links }, context);
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  turn(record: TurnRecord): string {
    this.endTurn("abandoned");
    const answeredMs = epochMs();
    const speechEndMs = answeredMs - record.totalMs;
    const span = this.#tracer.startSpan(
      "turn",
      {
        startTime: speechEndMs - (record.speechMs ?? 0),
        attributes: { ...this.#attributes, ...turnAttributes(record) },
        links: [{ context: this.#span.spanContext() }],
      },
      ROOT_CONTEXT,
    );
    this.#turn = { span, answeredMs, hasAudio: record.milestones.firstByteSentMs !== undefined };
    const { callId } = this.#call;
    for (const { name, startMs, endMs, attributes } of turnSpans(record, this.#call.models)) {
      this.#child(name, speechEndMs + startMs, speechEndMs + endMs, { ...attributes, "syrinx.call.id": callId });
    }
    return span.spanContext().traceId;
  }

  endTurn(ending: TurnEnding): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    // A reply whose end nobody told was over by now at the latest, but nobody knows when.
    const endMs = turn.hasAudio && ending !== "abandoned" ? Math.max(epochMs(), turn.answeredMs) : turn.answeredMs;
    if (endMs > turn.answeredMs) this.#child("playout", turn.answeredMs, endMs, {});
    this.#turn = undefined;
    turn.span.setAttribute("syrinx.turn.result", ending);
    turn.span.setAttribute("syrinx.turn.interrupted", ending === "interrupted");
    turn.span.end(endMs);
  }

  close(result: string, code?: string): void {
    this.endTurn("abandoned");
    this.#span.setAttribute("syrinx.call.result", result);
    if (code !== undefined) this.#span.setAttribute("error.type", code);
    this.#span.end(epochMs());
  }

  #child(name: string, startTime: number, endTime: number, attributes: Attributes): void {
    const context = trace.setSpan(ROOT_CONTEXT, this.#turn!.span);
    this.#tracer.startSpan(name, { startTime, attributes }, context).end(endTime);
  }
}

function contextOf({ traceId, spanId, isSampled }: RemoteSpan) {
  return { traceId, spanId, traceFlags: isSampled ? SAMPLED : 0, isRemote: true };
}
