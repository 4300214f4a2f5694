/** Spans on their way out: a bounded queue, batches, and a count of what became of each. Loaded with OpenTelemetry only. */
import type { Context } from "@opentelemetry/api";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import { createClock } from "../base/clock.js";
import { reasonOf } from "../base/errors.js";
import { type LimitedLogger, LogLimiter } from "./log-limit.js";
import type { TraceLimits, TracingHost } from "./tracing.js";

type ExportResult = Parameters<Parameters<SpanExporter["export"]>[1]>[0];

/** Never throws and never waits, but in {@link close}. */
export class SpanQueue implements SpanProcessor {
  readonly #host: TracingHost;
  readonly #limits: TraceLimits;
  readonly #inner: BatchSpanProcessor;
  readonly #log: LimitedLogger;
  /** Ended and not yet handed to the exporter. */
  #waitingCount = 0;

  constructor(exporter: SpanExporter, host: TracingHost, limits: TraceLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#log = new LogLimiter(createClock()).limited(host.log, "traces");
    this.#inner = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.#export(exporter, spans, done),
        shutdown: () => exporter.shutdown(),
      },
      maxQueueSize: limits.queueSpans,
      maxExportBatchSize: limits.batchSpans,
      scheduledDelayMillis: limits.batchMs,
      // The exporter ends by itself; this is for one that does not.
      exportTimeoutMillis: limits.exportMs * 2,
    });
  }

  onStart(span: Span, parent: Context): void {
    this.#inner.onStart(span, parent);
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waitingCount >= this.#limits.queueSpans) {
      this.#host.countSpans("queue_full", 1);
      return;
    }
    this.#waitingCount += 1;
    this.#inner.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#inner.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), this.#limits.flushMs);
    });
    const flushed = this.#inner.shutdown().then(
      () => "sent" as const,
      () => "late" as const,
    );
    const outcome = await Promise.race([flushed, tooLate]);
    clearTimeout(timer);
    if (outcome === "late") this.#log.warn({ waitedMs: this.#limits.flushMs }, "traces were not all sent");
  }

  #export(exporter: SpanExporter, spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#waitingCount -= spans.length;
    exporter.export(spans, (result) => {
      const isSent = result.error === undefined && result.code === 0;
      this.#host.countSpans(isSent ? "exported" : "export_failed", spans.length);
      if (!isSent)
        this.#log.warn({ reason: reasonOf(result.error), spanCount: spans.length }, "traces could not be sent");
      // Told and counted: the SDK need not tell it again.
      done({ code: 0 });
    });
  }
}
