/**
 * Every metric there is: the registry is built from this table, `docs/METRICS.md` is generated from it, and a test holds
 * both to it. A key is the metric's name without the prefix.
 *
 * Labels are bounded and known at start: either a list of values, or a sentence that says where the values come from
 * (always the configuration). Never a call, a key, an address, a word that somebody said.
 */
import { type MetricRow, type MetricType, main, node, ring, timed, WORKER, worker } from "./metric-row.js";
import { TRANSPORT } from "./metric-table-transport.js";

export { METRIC_PREFIX, type MetricRow, type MetricSource, type RingReading } from "./metric-row.js";

const GRAPH = "a graph of the configuration";
const STAGE = "a node's name in its graph";
const MODEL = "a model of the configuration, `none` for a node without one";
const DEVICE = "where the model runs (`cpu`, `cuda:0`, `webgpu`), `none` for a node without one";
const OF_NODE = { graph: GRAPH, stage: STAGE } as const;
const OF_MODEL = { model: MODEL } as const;
const OF_LLM = { provider: "the `kind` of an agent's `llm`", model: "the model that the agent asks for" } as const;

const PROCESS = {
  build_info: main(
    "gauge",
    "1",
    { version: "of Syrinx", node: "of Node.js", onnxruntime: "of onnxruntime-node" },
    "Always 1; the labels say what runs.",
  ),
  ready: main("gauge", "1", {}, "1 while every model is warm and every worker runs: what /readyz says."),
  draining: main("gauge", "1", {}, "1 from the beginning of a drain."),
  trace_spans_total: main(
    "counter",
    "1",
    { result: ["exported", "export_failed", "queue_full"] },
    "Spans of traces, by what became of them; all 0 without an endpoint.",
  ),
  log_lines_dropped_total: main(
    "counter",
    "lines",
    { reason: ["rate_limit", "buffer_full"] },
    "Log lines that were not written: repeated too often, or their reader was too slow.",
  ),
};

const CALLS = {
  calls_active: main("gauge", "calls", { graph: GRAPH }, "Calls that are open."),
  calls_capacity: main("gauge", "calls", {}, "Call slots of this process; open is refused beyond them."),
  calls_safe_max: main(
    "gauge",
    "calls",
    { graph: GRAPH },
    "Calls of a graph that keep its promise beside the others that are open: what admission goes by.",
  ),
  capacity_used_ratio: main("gauge", "1", {}, "Share of the capacity plan that the open calls take; 0 without a plan."),
  degrade_level: main("gauge", "1", { graph: GRAPH }, "How far a graph is degraded because of load, 0 to 3."),
  predicted_wait_seconds: main(
    "gauge",
    "seconds",
    { graph: GRAPH },
    "How long frames are predicted to wait for workers at the present load, 99th percentile; 60 for ever.",
  ),
  calls_refused_total: main(
    "counter",
    "calls",
    { graph: GRAPH, reason: ["slots", "plan", "estimate", "slow_start", "distress"] },
    "Calls that admission refused, by why: also counted in admission_rejected_total as `capacity`.",
  ),
  calls_total: main(
    "counter",
    "calls",
    { graph: GRAPH, result: ["completed", "client_closed", "error", "drained", "idle"] },
    "Calls that ended, by how.",
  ),
  call_duration_seconds: timed("CALL", { graph: GRAPH }, "From open to close."),
  admission_rejected_total: main(
    "counter",
    "calls",
    { reason: ["capacity", "rate_limit", "auth", "draining", "no_worker", "quota", "bad_request", "other"] },
    "Calls and connections that were refused.",
  ),
};

const TURNS = {
  turn_latency_seconds: timed(
    "TURN",
    { graph: GRAPH, kind: ["speech_end_to_first_audio", "speech_end_to_final_transcript"] },
    "From the end of the caller's speech to the first byte of the reply's audio, or, of a graph that only listens, to verdict and transcript.",
  ),
  turn_stage_seconds: timed(
    "TURN",
    { graph: GRAPH, stage: "a node's name, `endpointing` or `egress`" },
    "Each stage's part of turn_latency_seconds; the parts sum to it.",
  ),
  turns_total: main(
    "counter",
    "1",
    { graph: GRAPH, result: ["completed", "interrupted", "empty", "error", "timeout"] },
    "Turns that ended, by how they were answered.",
  ),
  bargein_total: main(
    "counter",
    "1",
    { graph: GRAPH, outcome: ["accepted", "rejected_backchannel"] },
    "Times that the caller spoke into a reply.",
  ),
  bargein_stop_seconds: timed(
    "TURN",
    { graph: GRAPH },
    "From the beginning of the caller's speech to the last byte of the reply that it cut off.",
  ),
  speech_seconds_total: main("counter", "seconds", { direction: ["in", "out"] }, "Speech, without its silences."),
  endpoint_decisions_total: main("counter", "1", { source: ["model", "timeout", "manual"] }, "What ended turns."),
};

const MODELS = {
  model_info: main(
    "gauge",
    "1",
    { ...OF_MODEL, family: "a model family", device: DEVICE, digest: "first 12 digits of the file's sha256" },
    "Always 1; the labels say what was loaded.",
  ),
  model_load_seconds: main("gauge", "seconds", OF_MODEL, "Time to load and warm the model."),
  stt_final_delay_seconds: timed("TURN", OF_MODEL, "From the end of speech to the final transcript."),
  first_partial_seconds: timed(
    "TURN",
    OF_MODEL,
    "From the arrival of the first sample that the voice detector calls speech to the first transcript with text.",
  ),
  partial_lag_seconds: timed(
    "TURN",
    OF_MODEL,
    "From the arrival of the last word's last sample to the partial transcript that has it.",
  ),
  final_after_endpoint_seconds: timed(
    "TURN",
    OF_MODEL,
    "From the server's own verdict (end of the turn; without turns, end of speech) to the final transcript; 0 if that was there before.",
  ),
  final_after_finalize_seconds: timed(
    "TURN",
    OF_MODEL,
    "From a client's request to finalize to the last final transcript that it brought.",
  ),
  stt_words_total: main("counter", "words", OF_MODEL, "Words in final transcripts."),
  llm_ttft_seconds: timed("LLM", OF_LLM, "From the request to the first token."),
  llm_requests_total: main(
    "counter",
    "1",
    { ...OF_LLM, result: ["ok", "error", "timeout", "cancelled"] },
    "Requests to a language model.",
  ),
  tts_ttfb_seconds: timed("TURN", OF_MODEL, "From a reply's first text to its first audio."),
};

const STAGES = {
  streams_active: node(
    "gauge",
    "openCalls",
    "calls",
    { stage: STAGE, model: MODEL, device: DEVICE },
    "Calls open on a stage.",
  ),
  batch_size: node("histogram", "batchSize", "calls", { stage: STAGE, model: MODEL }, "Calls in one batch.", "BATCH"),
  batch_queue_seconds: node(
    "histogram",
    "batchQueueSeconds",
    "seconds",
    { stage: STAGE, model: MODEL },
    "How long a batch's oldest frame waited, from the write into the ring to the start of the batch.",
    "FRAME",
  ),
  batch_wait_seconds: node(
    "histogram",
    "batchWaitSeconds",
    "seconds",
    { stage: STAGE, model: MODEL },
    "Of that, how long the batch waited for company after its first frame was taken.",
    "FRAME",
  ),
  inference_seconds: node(
    "histogram",
    "processSeconds",
    "seconds",
    { stage: STAGE, model: MODEL, device: DEVICE },
    "Time of one batch in its actor, model run included.",
    "FRAME",
  ),
  deadline_missed_total: node(
    "counter",
    "deadlinesMissed",
    "1",
    { stage: STAGE },
    "Batches done later than the deadline of their oldest frame.",
  ),
  stage_audio_seconds_total: node("counter", "audioSeconds", "seconds", OF_NODE, "Audio given to a stage."),
  stage_errors_total: node("counter", "errors", "1", OF_NODE, "Errors that a stage reported for a call."),
  frames_in_total: node("counter", "framesIn", "frames", OF_NODE, "Frames given to a stage."),
  frames_out_total: node("counter", "framesOut", "frames", OF_NODE, "Frames that a stage emitted or passed on."),
  frames_stale_total: node("counter", "framesStale", "frames", OF_NODE, "Frames dropped after an interruption."),
  frames_duplicate_total: node(
    "counter",
    "framesDuplicate",
    "frames",
    OF_NODE,
    "Frames delivered again after a worker's death that had been handled already.",
  ),
  frames_lost_total: node("counter", "framesLost", "frames", OF_NODE, "Frames of a stage that a full ring lost."),
  frames_poison_total: node(
    "counter",
    "framesPoison",
    "frames",
    OF_NODE,
    "Frames skipped because they made the stage fail again and again.",
  ),
};

const RINGS = {
  ring_fill_bytes: ring("gauge", "fillBytes", "bytes", "Bytes written and not yet acknowledged."),
  ring_high_water_bytes: ring("gauge", "highWaterBytes", "bytes", "The largest fill since the start."),
  ring_capacity_bytes: ring("gauge", "capacityBytes", "bytes", "Size of the ring."),
  ring_dropped_total: ring("counter", "droppedCount", "frames", "Frames that the full ring could not take."),
};

const WORKERS = {
  worker_state: main(
    "gauge",
    "1",
    { worker: WORKER, state: ["starting", "running", "restarting", "failed", "stopped"] },
    "1 for the state that the worker is in, 0 for the others.",
  ),
  actor_restarts_total: main(
    "counter",
    "1",
    { actor: "an actor of the configuration", reason: ["exception", "out_of_memory", "start_failed", "hang", "exit"] },
    "Actors started again because their worker had ended.",
  ),
  worker_steps_total: worker("counter", "steps", "1", "Passes of the loop that found work."),
  worker_parks_total: worker("counter", "parks", "1", "Times the worker slept on its bell."),
  worker_wakes_total: worker("counter", "wakes", "1", "Sleeps that a producer ended."),
  worker_busy_seconds_total: worker("counter", "busySeconds", "seconds", "Time at work; its rate is the utilisation."),
  worker_longest_step_seconds: worker("gauge", "stepSeconds", "seconds", "Longest step since the last scrape."),
  model_steps_total: worker("counter", "modelSteps", "1", "Runs of the worker's model, warming included."),
  model_step_overruns_total: worker(
    "counter",
    "modelOverruns",
    "1",
    "Runs that took longer than the table of step times predicted; about one in twenty is as it should be.",
  ),
  model_step_error_ratio: worker(
    "gauge",
    "stepErrorShare",
    "1",
    "Mean difference of predicted and actual step time, as a share of the actual; largest since the last scrape.",
  ),
};

/** The areas in the order in which the documentation lists them. */
export const METRIC_AREAS = {
  Process: PROCESS,
  Calls: CALLS,
  Transport: TRANSPORT,
  Turns: TURNS,
  Models: MODELS,
  Stages: STAGES,
  Rings: RINGS,
  Workers: WORKERS,
} as const satisfies Record<string, Record<string, MetricRow>>;

export const METRIC_TABLE = {
  ...PROCESS,
  ...CALLS,
  ...TRANSPORT,
  ...TURNS,
  ...MODELS,
  ...STAGES,
  ...RINGS,
  ...WORKERS,
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRIC_TABLE;
export type MetricNameOf<Type extends MetricType> = {
  [Name in MetricName]: (typeof METRIC_TABLE)[Name]["type"] extends Type ? Name : never;
}[MetricName];

/** The labels of one metric as a record, with unions where the values are listed. */
export type LabelsOf<Name extends MetricName> = {
  readonly [Label in keyof (typeof METRIC_TABLE)[Name]["labels"]]: LabelValue<
    (typeof METRIC_TABLE)[Name]["labels"][Label]
  >;
};
/** The listed values of one label of one metric. */
export type LabelValue<Declared> = Declared extends readonly (infer Value extends string)[] ? Value : string;

/** All rows, by name without the prefix. */
export function metricRows(): readonly (readonly [MetricName, MetricRow])[] {
  return Object.entries(METRIC_TABLE) as unknown as readonly (readonly [MetricName, MetricRow])[];
}
