/**
 * The metrics of one runtime: typed events for the main thread, shared memory for everything that happens per frame, and
 * the Prometheus text of both. Names, labels and buckets are in `metric-table.ts`.
 *
 * Main thread only. Nothing here blocks or throws into its caller's path.
 */
import { collectDefaultMetrics, Registry } from "prom-client";
import { ERRORS } from "../base/errors.js";
import { MainMetrics } from "./main-metrics.js";
import { type LabelsOf, METRIC_TABLE } from "./metric-table.js";
import { SharedMetrics, type WatchedRing, type WatchedWorker } from "./shared-metrics.js";

export { METRIC_TABLE, type RingReading } from "./metric-table.js";
export type { WatchedNode, WatchedRing, WatchedWorker } from "./shared-metrics.js";

export type CallResult = LabelsOf<"calls_total">["result"];
export type TurnResult = LabelsOf<"turns_total">["result"];
export type RejectReason = LabelsOf<"admission_rejected_total">["reason"];
export type RestartReason = LabelsOf<"actor_restarts_total">["reason"];
export type WorkerState = LabelsOf<"worker_state">["state"];
type Direction = LabelsOf<"ws_messages_total">["direction"];
type Initiator = LabelsOf<"ws_close_total">["initiator"];

/** Delays of a recogniser that main can measure exactly. */
export type HearingFigure = "first_partial" | "partial_lag" | "final_after_endpoint" | "final_after_finalize";

/** The part of a turn's receipt that is counted; the receipt event has this shape. */
export interface TurnFigures {
  readonly totalMs: number;
  readonly stages: readonly {
    readonly stage: string;
    readonly queueMs: number;
    readonly batchWaitMs: number;
    readonly computeMs: number;
    readonly waitMs: number;
  }[];
}

export interface LoadedModel {
  readonly model: string;
  readonly family: string;
  readonly device: string;
  /** Hexadecimal sha256 of its file, if it has one. */
  readonly sha256?: string;
  readonly seconds: number;
}

export interface MetricsOptions {
  /** Of Syrinx. */
  readonly version: string;
  readonly onnxruntimeVersion?: string;
  /** Names of the graphs: their counters are exposed as 0 from the start. Default: none. */
  readonly graphs?: readonly string[];
  /** Call slots. Default 0. */
  readonly capacity?: number;
  /** Also expose `process_*` and `nodejs_*` (default). They are shared by all runtimes of the process. */
  readonly processMetrics?: boolean;
}

/** Close codes that a series of their own is kept for: RFC 6455's and ours (docs/PROTOCOL.md). */
const CLOSE_CODE_RANGES = [
  [1000, 1014],
  [4000, 4015],
] as const;
const SAMPLE_RATES_HZ = new Set([8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]);
const DIGEST_DIGITS = 12;
/** Error codes that refuse a call, as the few reasons that an alert tells apart. */
const REASON_OF_CODE: Readonly<Record<string, RejectReason>> = {
  CALL_LIMIT: "capacity",
  CALL_OVERLOADED: "capacity",
  CAPACITY_EXCEEDED: "capacity",
  CALL_WORKER_FAILED: "no_worker",
  PROTOCOL_FLOOD: "rate_limit",
  RUNTIME_CLOSED: "draining",
};

/** Fits the transport's own interface for what it counts; see the table for what each figure means. */
export class Metrics {
  /** For what an embedding program wants to register beside ours. */
  readonly registry: Registry;
  readonly #main: MainMetrics;
  readonly #shared: SharedMetrics;
  readonly #beforeScrape: (() => void)[] = [];
  #bufferedBytesPeak = 0;

  constructor(options: MetricsOptions) {
    const own = new Registry();
    this.#main = new MainMetrics(own, options.graphs ?? []);
    this.#shared = new SharedMetrics(own);
    this.registry = options.processMetrics === false ? own : Registry.merge([own, processRegistry()]);
    const { version, onnxruntimeVersion: onnxruntime = "none" } = options;
    this.#main.set("build_info", { version, node: process.versions.node, onnxruntime }, 1);
    this.#main.set("calls_capacity", {}, options.capacity ?? 0);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The Prometheus text. Ends the window of the peaks: one scraper per process sees each peak. */
  async text(): Promise<string> {
    for (const prepare of this.#beforeScrape) prepare();
    this.#main.set("ws_buffered_bytes", {}, this.#bufferedBytesPeak);
    this.#bufferedBytesPeak = 0;
    const text = await this.registry.metrics();
    this.#shared.nextWindow();
    return text;
  }

  watchWorker(worker: WatchedWorker): void {
    this.#shared.watchWorker(worker);
  }

  watchRing(ring: WatchedRing): void {
    this.#shared.watchRing(ring);
  }

  /** @param read totals since the start; called at each scrape. */
  watchLog(read: () => { readonly suppressedCount: number; readonly droppedCount: number }): void {
    const exposed = { suppressedCount: 0, droppedCount: 0 };
    this.#beforeScrape.push(() => {
      const { suppressedCount, droppedCount } = read();
      const rise = {
        suppressed: suppressedCount - exposed.suppressedCount,
        dropped: droppedCount - exposed.droppedCount,
      };
      this.#main.add("log_lines_dropped_total", { reason: "rate_limit" }, rise.suppressed);
      this.#main.add("log_lines_dropped_total", { reason: "buffer_full" }, rise.dropped);
      Object.assign(exposed, { suppressedCount, droppedCount });
    });
  }

  spans(result: LabelsOf<"trace_spans_total">["result"], count: number): void {
    this.#main.add("trace_spans_total", { result }, count);
  }

  readiness(isReady: boolean): void {
    this.#main.set("ready", {}, Number(isReady));
  }

  draining(): void {
    this.#main.set("draining", {}, 1);
  }

  callOpened(graph: string): void {
    this.#main.move("calls_active", { graph }, 1);
  }

  callClosed(graph: string, result: CallResult, seconds: number): void {
    this.#main.move("calls_active", { graph }, -1);
    this.#main.add("calls_total", { graph, result });
    this.#main.observe("call_duration_seconds", { graph }, seconds);
  }

  callRefused(graph: string, reason: LabelsOf<"calls_refused_total">["reason"]): void {
    this.#main.add("calls_refused_total", { graph, reason });
  }

  /** @param waitSeconds predicted; capped, as a gauge of infinity spoils every sum */
  graphLoad(graph: string, level: number, waitSeconds: number, safeMax: number): void {
    this.#main.set("degrade_level", { graph }, level);
    this.#main.set("predicted_wait_seconds", { graph }, Math.min(60, waitSeconds));
    this.#main.set("calls_safe_max", { graph }, safeMax);
  }

  capacityUsed(share: number): void {
    this.#main.set("capacity_used_ratio", {}, share);
  }

  /** @param reason one of the listed reasons, or the error code that the refused client was told. */
  admissionRejected(reason: string): void {
    this.#main.add("admission_rejected_total", { reason: rejectReason(reason) });
  }

  /** @param figures absent if the turn had no answer: then there is no latency to count. */
  turnFinished(
    graph: string,
    result: TurnResult,
    figures?: TurnFigures,
    kind: LabelsOf<"turn_latency_seconds">["kind"] = "speech_end_to_first_audio",
  ): void {
    this.#main.add("turns_total", { graph, result });
    if (figures === undefined) return;
    this.#main.observe("turn_latency_seconds", { graph, kind }, figures.totalMs / 1000);
    for (const { stage, queueMs, batchWaitMs, computeMs, waitMs } of figures.stages) {
      const seconds = (queueMs + batchWaitMs + computeMs + waitMs) / 1000;
      this.#main.observe("turn_stage_seconds", { graph, stage }, seconds);
    }
  }

  /** @param stopSeconds from the caller's first sound to the last byte sent; absent if the reply went on. */
  bargeIn(graph: string, outcome: LabelsOf<"bargein_total">["outcome"], stopSeconds?: number): void {
    this.#main.add("bargein_total", { graph, outcome });
    if (stopSeconds !== undefined) this.#main.observe("bargein_stop_seconds", { graph }, stopSeconds);
  }

  endpointDecided(source: LabelsOf<"endpoint_decisions_total">["source"]): void {
    this.#main.add("endpoint_decisions_total", { source });
  }

  speech(direction: Direction, seconds: number): void {
    this.#main.add("speech_seconds_total", { direction }, seconds);
  }

  audioIn(codec: string, rateHz: number, seconds: number): void {
    const sample_rate = SAMPLE_RATES_HZ.has(rateHz) ? String(rateHz) : "other";
    this.#main.add("audio_in_seconds_total", { codec, sample_rate }, seconds);
  }

  audioOut(model: string, seconds: number): void {
    this.#main.add("audio_out_seconds_total", { model }, seconds);
  }

  audioLost(graph: string, seconds: number): void {
    this.#main.add("audio_gap_seconds_total", { graph }, seconds);
  }

  /** @param delaySeconds after the end of speech; absent if the final came while the caller still spoke. */
  sttFinal(model: string, wordCount: number, delaySeconds?: number): void {
    this.#main.add("stt_words_total", { model }, wordCount);
    if (delaySeconds !== undefined) this.#main.observe("stt_final_delay_seconds", { model }, delaySeconds);
  }

  /** @param figure as peers name it; docs/METRICS.md says from where to where each is measured. */
  heard(model: string, figure: HearingFigure, seconds: number): void {
    this.#main.observe(`${figure}_seconds`, { model }, seconds);
  }

  llmFirstToken(provider: string, model: string, seconds: number): void {
    this.#main.observe("llm_ttft_seconds", { provider, model }, seconds);
  }

  llmFinished(provider: string, model: string, result: LabelsOf<"llm_requests_total">["result"]): void {
    this.#main.add("llm_requests_total", { provider, model, result });
  }

  ttsFirstAudio(model: string, seconds: number): void {
    this.#main.observe("tts_ttfb_seconds", { model }, seconds);
  }

  modelLoaded({ model, family, device, sha256, seconds }: LoadedModel): void {
    const digest = sha256?.slice(0, DIGEST_DIGITS) ?? "none";
    this.#main.set("model_info", { model, family, device, digest }, 1);
    this.#main.set("model_load_seconds", { model }, seconds);
  }

  workerState(worker: string, state: WorkerState): void {
    for (const each of METRIC_TABLE.worker_state.labels.state) {
      this.#main.set("worker_state", { worker, state: each }, Number(each === state));
    }
  }

  /** @param actors names of the actors that the worker hosts. */
  workerRestarted(actors: readonly string[], reason: RestartReason): void {
    for (const actor of new Set(actors)) this.#main.add("actor_restarts_total", { actor, reason });
  }

  connectionOpened(face: string): void {
    this.#main.move("ws_connections", { face }, 1);
  }

  /** @param code WebSocket close code; codes that nobody defined are counted as `other`. */
  connectionClosed(face: string, code: number, initiator: Initiator): void {
    this.#main.move("ws_connections", { face }, -1);
    const isKnown = CLOSE_CODE_RANGES.some(([first, last]) => code >= first && code <= last);
    this.#main.add("ws_close_total", { code: isKnown ? String(code) : "other", initiator });
  }

  handshake(result: LabelsOf<"ws_handshake_seconds">["result"], seconds: number): void {
    this.#main.observe("ws_handshake_seconds", { result }, seconds);
  }

  message(direction: Direction, type: LabelsOf<"ws_messages_total">["type"], byteCount: number): void {
    this.#main.add("ws_messages_total", { direction, type });
    this.#main.add("ws_bytes_total", { direction }, byteCount);
  }

  slowClient(action: LabelsOf<"ws_slow_client_total">["action"]): void {
    this.#main.add("ws_slow_client_total", { action });
  }

  fastClient(action: LabelsOf<"ws_fast_client_total">["action"]): void {
    this.#main.add("ws_fast_client_total", { action });
  }

  protocolError(code: string): void {
    this.#main.add("ws_protocol_errors_total", { code: Object.hasOwn(ERRORS, code) ? code : "other" });
  }

  audioDiscarded(byteCount: number): void {
    this.#main.add("ws_discarded_bytes_total", {}, byteCount);
  }

  request(face: string, status: number, seconds: number): void {
    this.#main.add("http_requests_total", { face, status: String(status) });
    this.#main.observe("http_request_seconds", { face }, seconds);
  }

  /** @param maximum the most that waits for any one client now. */
  bufferedBytes(maximum: number): void {
    this.#bufferedBytesPeak = Math.max(this.#bufferedBytesPeak, maximum);
  }
}

function rejectReason(reason: string): RejectReason {
  const listed = METRIC_TABLE.admission_rejected_total.labels.reason.find((each) => each === reason);
  if (listed !== undefined) return listed;
  if (Object.hasOwn(REASON_OF_CODE, reason)) return REASON_OF_CODE[reason]!;
  if (reason.startsWith("AUTH_")) return "auth";
  return Object.hasOwn(ERRORS, reason) ? "bad_request" : "other";
}

export function createMetrics(options: MetricsOptions): Metrics {
  return new Metrics(options);
}

let sharedProcessRegistry: Registry | undefined;

/** Made once: each collection would start observers of its own that prom-client has no way to stop. */
function processRegistry(): Registry {
  if (sharedProcessRegistry === undefined) {
    sharedProcessRegistry = new Registry();
    collectDefaultMetrics({ register: sharedProcessRegistry });
  }
  return sharedProcessRegistry;
}
