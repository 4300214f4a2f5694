/** The figures that the README shows, in its order, and what it calls them. */
export interface Headline {
  readonly label: string;
  readonly bench: string;
  /** How the figure's metric begins. */
  readonly metric: string;
  /** What of the figure is the headline. */
  readonly of: "ratio" | "value";
}

const row = (label: string, bench: string, metric: string, of: "ratio" | "value"): Headline => ({
  label,
  bench,
  metric,
  of,
});

export const HEADLINES: readonly Headline[] = [
  row(
    "ring against `postMessage`: CPU per frame of all threads, 3 stages, 600 calls",
    "ring",
    "CPU per frame, the runtime's links, all threads counted",
    "ratio",
  ),
  row("cancel with 500 queued frames: time until work stops", "cancel", "time until work stops", "ratio"),
  row(
    "voice detection: streams per core, batch 32 against 1",
    "vad",
    "streams per core, starter-vad, batch 32 against 1",
    "ratio",
  ),
  row("the same with Silero", "vad", "streams per core, silero, batch 32 against 1", "ratio"),
  row(
    "voice detection at p99 ≤ 40 ms: batches by deadline against none",
    "batching",
    "streams of vad at p99 ≤ 40 ms, deadline",
    "ratio",
  ),
  row(
    "recognition at p99 ≤ 150 ms: batches by deadline against none",
    "batching",
    "streams of stt at p99 ≤ 150 ms, deadline",
    "ratio",
  ),
  row(
    "calls a core with Silero, against Pipecat's detector at the same lateness",
    "peers",
    "calls a core, against pipecat",
    "ratio",
  ),
  row("the same against sherpa-onnx's Node addon", "peers", "calls a core, against sherpa-onnx", "ratio"),
  row("the same against a worker fed by `postMessage`", "peers", "calls a core, against postMessage", "ratio"),
  row("the same against a process for each call", "peers", "calls a core, against process per call", "ratio"),
  row(
    "twice the planned calls offered: first audio within 250 ms, admission against none",
    "overload",
    "first audio within 250 ms by plan",
    "ratio",
  ),
  row("the same: time to a refusal, 99th percentile", "overload", "refusal p99 by plan", "value"),
  row(
    "an hour of calls: growth of memory in its last 40 minutes",
    "soak",
    "RSS of the server, growth in the last",
    "value",
  ),
  row("overhead of a turn, 100 calls, models that cost nothing", "overhead", "p99, light models, 100 calls", "value"),
  row("overhead of a turn, 100 calls, real models", "overhead", "p99, real models, 100 calls", "value"),
  row("ready after process start", "ready", "process start to /readyz 200", "value"),
  row(
    "first frame processed again after the recogniser's worker died",
    "recovery",
    "death to next frame, starter recogniser",
    "value",
  ),
  row("memory for each idle call", "memory", "RSS per additional idle call", "value"),
];
