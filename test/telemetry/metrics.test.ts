import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { METRIC_SERIES_MAX } from "../../src/telemetry/main-metrics.js";
import { METRIC_PREFIX, metricRows } from "../../src/telemetry/metric-table.js";
import { createMetrics, type Metrics, type MetricsOptions } from "../../src/telemetry/metrics.js";
import { createStatsBuffer, StatsReader, StatsWriter } from "../../src/telemetry/stats-slab.js";
import {
  NODE_STATS,
  nodeSection,
  WORKER_SECTION,
  WORKER_STATS,
  workerSections,
} from "../../src/telemetry/worker-stats.js";
import type { TransportMetrics } from "../../src/transport/metrics.js";
import { parseExposition, sampleOf } from "./exposition.js";

function metricsOf(options: Partial<MetricsOptions> = {}): Metrics {
  return createMetrics({ version: "1.2.3", graphs: ["assistant"], capacity: 8, processMetrics: false, ...options });
}

async function exposed(metrics: Metrics) {
  return parseExposition(await metrics.text());
}

const NODE_LABELS = { graph: "assistant", stage: "stt", model: "ears", device: "cpu" };

/** A worker with one node, as the runtime would have it. */
function watched(metrics: Metrics, worker: string, labels: Partial<typeof NODE_LABELS> = {}) {
  const sections = workerSections(1);
  const buffer = createStatsBuffer(sections);
  const writer = new StatsWriter(buffer, sections);
  const reader = new StatsReader(buffer, sections);
  metrics.watchWorker({ worker, reader, nodes: [{ ...NODE_LABELS, ...labels }] });
  return {
    writer,
    own: writer.handles(WORKER_SECTION, WORKER_STATS),
    node: writer.handles(nodeSection(0), NODE_STATS),
  };
}

const STAGE = { stage: "stt", queueMs: 1, batchWaitMs: 2, computeMs: 30, waitMs: 0, batchSize: 1 };

/** Every event once. */
function useAll(metrics: Metrics): void {
  metrics.readiness(true);
  metrics.draining();
  metrics.callOpened("assistant");
  metrics.callClosed("assistant", "completed", 12);
  metrics.admissionRejected("capacity");
  metrics.turnFinished("assistant", "completed", { totalMs: 33, stages: [STAGE] });
  metrics.bargeIn("assistant", "accepted", 0.2);
  metrics.endpointDecided("timeout");
  metrics.speech("in", 1.5);
  metrics.audioIn("pcm_s16le", 16_000, 0.02);
  metrics.audioOut("voice", 0.02);
  metrics.audioLost("assistant", 0.1);
  metrics.sttFinal("ears", 4, 0.08);
  for (const figure of ["first_partial", "partial_lag", "final_after_endpoint", "final_after_finalize"] as const) {
    metrics.heard("ears", figure, 0.1);
  }
  metrics.llmFirstToken("echo", "none", 0.01);
  metrics.llmFinished("echo", "none", "ok");
  metrics.ttsFirstAudio("voice", 0.09);
  metrics.modelLoaded({ model: "ears", family: "starter-ctc", device: "cpu", sha256: "ab".repeat(32), seconds: 0.4 });
  metrics.workerState("ears/0", "running");
  metrics.workerRestarted(["stt", "stt"], "exception");
  metrics.connectionOpened("native");
  metrics.connectionClosed("native", 1000, "client");
  metrics.handshake("ok", 0.003);
  metrics.request("openai-speech", 200, 0.1);
  metrics.message("in", "audio", 640);
  metrics.slowClient("close");
  metrics.fastClient("pause");
  metrics.protocolError("INTERNAL");
  metrics.audioDiscarded(640);
  metrics.bufferedBytes(100);
  metrics.request("native", 200, 0.02);
  metrics.watchLog(() => ({ suppressedCount: 2, droppedCount: 1 }));
  watched(metrics, "ears/0");
  const reading = { fillBytes: 1, highWaterBytes: 2, capacityBytes: 3, droppedCount: 4 };
  metrics.watchRing({ edge: "main>ears/0", read: () => reading });
}

describe("the exposition", () => {
  test("is what the table says: every metric with its type, help and labels, and nothing else", async () => {
    const metrics = metricsOf();
    useAll(metrics);
    const found = await exposed(metrics);
    assert.deepEqual(
      [...found.keys()].sort(),
      metricRows()
        .map(([name]) => METRIC_PREFIX + name)
        .sort(),
    );
    for (const [name, row] of metricRows()) {
      const metric = found.get(METRIC_PREFIX + name)!;
      assert.equal(metric.type, row.type);
      assert.equal(metric.help, row.help);
      assert.ok(metric.series.length > 0, `${name} has a series once its event has happened`);
      for (const { labels, value } of metric.series) {
        assert.ok(Number.isFinite(value), name);
        const { le: _, ...rest } = labels;
        assert.deepEqual(Object.keys(rest).sort(), Object.keys(row.labels).sort(), name);
      }
    }
  });

  test("follows the naming rules: counters end in _total, units stand last, listed label values are used", async () => {
    const metrics = metricsOf();
    useAll(metrics);
    const found = await exposed(metrics);
    for (const [name, row] of metricRows()) {
      assert.equal(name.endsWith("_total"), row.type === "counter", name);
      if (["seconds", "bytes"].includes(row.unit)) assert.match(name.replace(/_total$/, ""), /_(seconds|bytes)$/);
      assert.ok(row.help.endsWith("."), `${name}: the help is a sentence`);
      for (const { labels } of found.get(METRIC_PREFIX + name)!.series) {
        for (const [label, values] of Object.entries(row.labels)) {
          if (typeof values !== "string") assert.ok(values.includes(labels[label]!), `${name}: ${label}`);
        }
      }
    }
  });

  test("has the process's own metrics beside ours, once, however many runtimes there are", async () => {
    metricsOf({ processMetrics: true });
    const found = await exposed(metricsOf({ processMetrics: true }));
    assert.ok(found.has("process_cpu_seconds_total"));
    assert.ok(found.has("nodejs_eventloop_lag_p99_seconds"));
    for (const name of found.keys()) assert.match(name, /^(syrinx|process|nodejs)_/);
  });

  test("shows a graph's counters as 0 before anything happened", async () => {
    const found = await exposed(metricsOf());
    assert.equal(sampleOf(found, "syrinx_calls_active", { graph: "assistant" }), 0);
    assert.equal(sampleOf(found, "syrinx_calls_total", { graph: "assistant", result: "error" }), 0);
    assert.equal(sampleOf(found, "syrinx_admission_rejected_total", { reason: "auth" }), 0);
    assert.equal(sampleOf(found, "syrinx_calls_capacity"), 8);
  });
});

describe("events on the main thread", () => {
  test("a turn's stages sum to its latency", async () => {
    const metrics = metricsOf();
    const stages = [STAGE, { ...STAGE, stage: "endpointing", queueMs: 0, batchWaitMs: 0, computeMs: 0, waitMs: 600 }];
    metrics.turnFinished("assistant", "completed", { totalMs: 633, stages });
    const found = await exposed(metrics);
    const ofStage = (stage: string) => sampleOf(found, "syrinx_turn_stage_seconds_sum", { graph: "assistant", stage });
    const kind = "speech_end_to_first_audio";
    const total = sampleOf(found, "syrinx_turn_latency_seconds_sum", { graph: "assistant", kind });
    assert.ok(Math.abs(ofStage("stt") + ofStage("endpointing") - total) < 1e-9);
    assert.equal(ofStage("endpointing"), 0.6);
  });

  test("a refusal is counted under its reason, also when it is told as an error code", async () => {
    const metrics = metricsOf();
    const told = [
      "CALL_LIMIT",
      "AUTH_MISSING",
      "RUNTIME_CLOSED",
      "CALL_GRAPH_UNKNOWN",
      "quota",
      "toString",
      "x".repeat(99),
    ];
    for (const reason of told) metrics.admissionRejected(reason);
    const found = await exposed(metrics);
    const counts = found
      .get("syrinx_admission_rejected_total")!
      .series.map(({ labels, value }) => [labels.reason, value]);
    assert.deepEqual(Object.fromEntries(counts), {
      capacity: 1,
      rate_limit: 0,
      auth: 1,
      draining: 1,
      no_worker: 0,
      quota: 1,
      bad_request: 1,
      other: 2,
    });
  });

  test("what comes from outside never becomes a label: unknown close codes, rates and error codes are `other`", async () => {
    const metrics = metricsOf();
    for (const code of [1000, 1006, 4001, 2999, 65_535]) metrics.connectionClosed("native", code, "client");
    for (const rateHz of [16_000, 16_001, Number.NaN]) metrics.audioIn("pcm_s16le", rateHz, 1);
    metrics.protocolError("constructor");
    const found = await exposed(metrics);
    assert.equal(sampleOf(found, "syrinx_ws_close_total", { code: "other", initiator: "client" }), 2);
    assert.equal(sampleOf(found, "syrinx_audio_in_seconds_total", { codec: "pcm_s16le", sample_rate: "other" }), 2);
    assert.equal(sampleOf(found, "syrinx_ws_protocol_errors_total", { code: "other" }), 1);
  });

  test("a metric never has more series than its bound, and none of its counts is lost", async () => {
    const metrics = metricsOf();
    const modelCount = METRIC_SERIES_MAX + 100;
    for (let index = 0; index < modelCount; index += 1) metrics.audioOut(`voice-${index}`, 1);
    metrics.audioOut("voice-0", 1);
    const found = await exposed(metrics);
    const { series } = found.get("syrinx_audio_out_seconds_total")!;
    assert.equal(series.length, METRIC_SERIES_MAX + 1);
    assert.equal(sampleOf(found, "syrinx_audio_out_seconds_total", { model: "other" }), 100);
    assert.equal(sampleOf(found, "syrinx_audio_out_seconds_total", { model: "voice-0" }), 2);
  });

  test("a negative, NaN or infinite duration changes nothing and throws nothing", async () => {
    const metrics = metricsOf();
    for (const seconds of [-1, Number.NaN]) metrics.audioOut("voice", seconds);
    for (const seconds of [Number.NaN, Number.POSITIVE_INFINITY]) metrics.callClosed("assistant", "error", seconds);
    const found = await exposed(metrics);
    assert.equal(found.get("syrinx_audio_out_seconds_total")!.series.length, 0);
    assert.equal(sampleOf(found, "syrinx_calls_total", { graph: "assistant", result: "error" }), 2);
    assert.equal(found.get("syrinx_call_duration_seconds")!.series.length, 0);
  });

  test("a worker is in one state at a time", async () => {
    const metrics = metricsOf();
    metrics.workerState("ears/0", "starting");
    metrics.workerState("ears/0", "failed");
    const { series } = (await exposed(metrics)).get("syrinx_worker_state")!;
    const active = series.filter(({ value }) => value === 1).map(({ labels }) => labels.state);
    assert.deepEqual(active, ["failed"]);
    assert.equal(series.length, 5);
  });

  test("the most that a client left unread is shown until the next scrape", async () => {
    const metrics = metricsOf();
    for (const byteCount of [10, 500, 20]) metrics.bufferedBytes(byteCount);
    assert.equal(sampleOf(await exposed(metrics), "syrinx_ws_buffered_bytes"), 500);
    metrics.bufferedBytes(30);
    assert.equal(sampleOf(await exposed(metrics), "syrinx_ws_buffered_bytes"), 30);
  });

  test("lost log lines are counted once, however often they are scraped", async () => {
    const metrics = metricsOf();
    const totals = { suppressedCount: 3, droppedCount: 0 };
    metrics.watchLog(() => totals);
    await metrics.text();
    totals.suppressedCount = 5;
    await metrics.text();
    assert.equal(sampleOf(await exposed(metrics), "syrinx_log_lines_dropped_total", { reason: "rate_limit" }), 5);
  });

  test("it is what the transport takes for its metrics", () => {
    const transport: TransportMetrics = metricsOf();
    assert.equal(typeof transport.message, "function");
  });
});

describe("shared memory", () => {
  test("is read at the scrape: what a worker wrote after the last one is there", async () => {
    const metrics = metricsOf();
    const { writer, own, node } = watched(metrics, "ears/0");
    await metrics.text();
    writer.add(own.busySeconds, 0.25);
    writer.add(node.framesIn, 7);
    writer.set(node.openCalls, 3);
    for (const size of [1, 4, 4, 200]) writer.observe(node.batchSize, size);
    const found = await exposed(metrics);
    const stage = { stage: "stt", model: "ears" };
    assert.equal(sampleOf(found, "syrinx_worker_busy_seconds_total", { worker: "ears/0" }), 0.25);
    assert.equal(sampleOf(found, "syrinx_frames_in_total", { graph: "assistant", stage: "stt" }), 7);
    assert.equal(sampleOf(found, "syrinx_streams_active", { ...stage, device: "cpu" }), 3);
    assert.equal(sampleOf(found, "syrinx_batch_size_bucket", { ...stage, le: "4" }), 3);
    assert.equal(sampleOf(found, "syrinx_batch_size_bucket", { ...stage, le: "+Inf" }), 4);
    assert.equal(sampleOf(found, "syrinx_batch_size_sum", stage), 209);
  });

  test("replicas of one model are one series, their sum", async () => {
    const metrics = metricsOf();
    for (const [replica, frameCount] of [10, 32].entries()) {
      const { writer, node } = watched(metrics, `ears/${replica}`);
      writer.add(node.framesIn, frameCount);
      writer.observe(node.processSeconds, 0.004);
    }
    const found = await exposed(metrics);
    assert.equal(sampleOf(found, "syrinx_frames_in_total", { graph: "assistant", stage: "stt" }), 42);
    const { graph: _, ...labels } = NODE_LABELS;
    assert.equal(sampleOf(found, "syrinx_inference_seconds_count", labels), 2);
    assert.equal(sampleOf(found, "syrinx_inference_seconds_bucket", { ...labels, le: "0.005" }), 2);
    assert.equal(sampleOf(found, "syrinx_inference_seconds_bucket", { ...labels, le: "0.002" }), 0);
  });

  test("a worker that is watched again replaces itself, as when its device became known", async () => {
    const metrics = metricsOf();
    watched(metrics, "ears/0", { device: "unknown" });
    const { writer, node } = watched(metrics, "ears/0", { device: "webgpu" });
    writer.set(node.openCalls, 1);
    const { series } = (await exposed(metrics)).get("syrinx_streams_active")!;
    assert.deepEqual(
      series.map(({ labels, value }) => [labels.device, value]),
      [["webgpu", 1]],
    );
  });

  test("the longest step is that of the time since the last scrape", async () => {
    const metrics = metricsOf();
    const { writer, own } = watched(metrics, "ears/0");
    const longest = async () =>
      sampleOf(await exposed(metrics), "syrinx_worker_longest_step_seconds", { worker: "ears/0" });
    for (const seconds of [0.01, 0.09, 0.02]) writer.max(own.stepSeconds, seconds);
    assert.equal(await longest(), 0.09);
    writer.max(own.stepSeconds, 0.03);
    assert.equal(await longest(), 0.03);
    assert.equal(await longest(), 0);
  });

  test("a ring's four figures are read from its header at each scrape", async () => {
    const metrics = metricsOf();
    const reading = { fillBytes: 64, highWaterBytes: 128, capacityBytes: 4096, droppedCount: 0 };
    metrics.watchRing({ edge: "main>ears/0", read: () => reading });
    await metrics.text();
    Object.assign(reading, { fillBytes: 96, droppedCount: 2 });
    const found = await exposed(metrics);
    const edge = { edge: "main>ears/0" };
    assert.equal(sampleOf(found, "syrinx_ring_fill_bytes", edge), 96);
    assert.equal(sampleOf(found, "syrinx_ring_high_water_bytes", edge), 128);
    assert.equal(sampleOf(found, "syrinx_ring_capacity_bytes", edge), 4096);
    assert.equal(sampleOf(found, "syrinx_ring_dropped_total", edge), 2);
  });
});
