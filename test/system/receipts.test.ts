/** What a turn leaves behind, on every way out: receipt, log line, spans, figures. Real runtime, starter models, real sockets. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws";
import { packageRoot } from "../../src/base/package-root.js";
import type { CallEvent, ReceiptEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { Collector } from "../support/collector.js";
import { eventsUntil } from "../support/runtimes.js";
import { bytesOf, joined, readSample, silence } from "../support/system.js";

const CONFIG = {
  version: 1,
  models: {
    vad: { family: "starter-vad" },
    ears: { family: "starter-ctc" },
    voice: { family: "flite", voice: "slt" },
  },
  graphs: {
    assistant: [
      { vad: { model: "vad", stopMs: 250 } },
      { turn: { kind: "silence", endMs: 600 } },
      { stt: { model: "ears" } },
      { agent: { llm: { kind: "echo" } } },
      { tts: { model: "voice" } },
    ],
    listen: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }],
    turns: [
      { vad: { model: "vad", stopMs: 150 } },
      { turn: { kind: "silence", endMs: 600 } },
      { stt: { model: "ears" } },
    ],
  },
  routes: {
    "/v1/call": { face: "native", graph: "listen" },
    "/v1/listen": { face: "deepgram-listen", graph: "listen" },
    "/v2/listen": { face: "deepgram-flux", graph: "turns", options: { receipts: true } },
  },
};
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const isReceipt = (event: CallEvent): event is ReceiptEvent => event.type === "receipt";

function sumMs({ stages }: ReceiptEvent): number {
  return stages.reduce(
    (sum, { queueMs, batchWaitMs, computeMs, waitMs }) => sum + queueMs + batchWaitMs + computeMs + waitMs,
    0,
  );
}

describe("a turn", { timeout: 60_000 }, () => {
  const lines: Record<string, unknown>[] = [];
  let collector: Collector;
  let runtime: RuntimeImpl;
  let server: RunningServer;
  let question: Int16Array;

  before(async () => {
    question = joined(await readSample("question.wav"), silence(1_000));
    collector = await Collector.start();
    const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
    runtime = await createRuntime(CONFIG, {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "aviary" },
      logger: createLogger({ level: "info", stream }),
      logLevel: "silent",
    });
    server = await startServer(runtime, { port: 0 });
  });
  after(async () => {
    await server.close();
    await runtime.drain();
    await collector.stop();
  });

  /** Says the question and returns the turn's receipt, once the call is closed. */
  async function ask(graph: string, then?: (call: Call) => void): Promise<ReceiptEvent> {
    const call = await runtime.open(graph, { callId: `call-${graph}`, trace: { traceparent: TRACEPARENT } });
    call.write(question);
    const events = await eventsUntil(call, isReceipt);
    then?.(call);
    await call.close();
    const receipts = events.filter(isReceipt);
    assert.equal(receipts.length, 1);
    assert.ok(Math.abs(sumMs(receipts[0]!) - receipts[0]!.totalMs) < 1);
    return receipts[0]!;
  }

  test("of a graph that only listens is accounted for with its transcript, with turns and without", async () => {
    const alone = await ask("listen");
    assert.deepEqual(
      alone.stages.map(({ stage }) => stage),
      ["endpointing", "vad", "stt", "egress"],
    );
    assert.equal(alone.milestones.finalSentMs, alone.totalMs);
    assert.ok(alone.milestones.sttFinalMs! <= alone.totalMs);
    const turn = await ask("turns");
    assert.deepEqual([turn.turnIndex, turn.contextId], [0, -1]);
    assert.ok(turn.milestones.finalSentMs! <= turn.totalMs + 0.001, JSON.stringify(turn.milestones));
    assert.ok(turn.milestones.turnEndMs! <= turn.totalMs);
    assert.ok(turn.speechMs! >= 0);
  });

  test("has the same ids in its receipt, its line in the log and its spans, and no word in either", async () => {
    const receipt = await ask("assistant", (call) => call.interrupt());
    await runtime.drain();
    const line = lines.find(({ msg, callId }) => msg === "turn" && callId === "call-assistant")!;
    assert.deepEqual([line.traceId, line.turnIndex, line.totalMs], [receipt.traceId, 0, receipt.totalMs]);
    const spans = collector.spans.filter(({ traceId }) => traceId === receipt.traceId);
    const root = spans.find(({ parentSpanId }) => parentSpanId === undefined)!;
    assert.equal(root.name, "turn");
    assert.equal(root.attributes["syrinx.call.id"], "call-assistant");
    assert.equal(root.attributes["syrinx.turn.interrupted"], true);
    assert.equal(root.attributes["syrinx.turn.total_ms"], receipt.totalMs);
    const stages = spans.filter(({ attributes }) => "syrinx.stage" in attributes);
    assert.deepEqual(
      stages.map(({ name }) => name),
      receipt.stages.map(({ stage }) => stage),
    );
    const lastedMs = stages.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    assert.ok(Math.abs(lastedMs - receipt.totalMs) < 1, `${lastedMs} of ${receipt.totalMs}`);
    for (const { name, parentSpanId, startMs, endMs } of spans.filter((span) => span !== root)) {
      assert.equal(parentSpanId, root.spanId);
      assert.ok(startMs >= root.startMs - 0.01 && endMs <= root.endMs + 0.01, name);
    }
    const call = collector.named("call").find(({ attributes }) => attributes["syrinx.call.id"] === "call-assistant")!;
    assert.deepEqual(
      root.links.map(({ spanId }) => spanId),
      [call.spanId],
    );
    assert.deepEqual(
      call.links.map(({ traceId }) => traceId),
      [TRACEPARENT.split("-")[1]],
    );
    assert.equal(collector.resource["service.name"], "aviary");
    const everything = JSON.stringify([lines, collector.spans]);
    for (const word of ["weather", "tomorrow"]) assert.ok(!everything.includes(word), word);
  });
});

describe("a turn's receipt reaches", { timeout: 60_000 }, () => {
  let collector: Collector;
  let runtime: RuntimeImpl;
  let server: RunningServer;
  let audio: Uint8Array;

  before(async () => {
    audio = bytesOf(joined(await readSample("time.wav"), silence(1_000)));
    collector = await Collector.start();
    const endpoint = { endpoint: collector.url };
    const config = { ...CONFIG, server: { log: { level: "silent" }, telemetry: { otlp: endpoint } } };
    runtime = await createRuntime(config, { env: {} });
    server = await startServer(runtime, { port: 0 });
  });
  after(async () => {
    await server.close();
    await runtime.drain();
    await collector.stop();
  });

  /** All JSON that a client of Deepgram's gets from the audio to the end of its stream. */
  function stream(path: string): Promise<Record<string, unknown>[]> {
    const headers = { traceparent: TRACEPARENT };
    const socket = new WebSocket(`${server.url.replace("http", "ws")}${path}`, { headers });
    const messages: Record<string, unknown>[] = [];
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => {
        for (let at = 0; at < audio.length; at += 6_400) socket.send(audio.subarray(at, at + 6_400));
        socket.send(JSON.stringify({ type: "CloseStream" }));
      });
      socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString()) as Record<string, unknown>));
      socket.on("close", () => resolve(messages));
    });
  }
  const receiptsIn = (messages: readonly Record<string, unknown>[]) =>
    messages.filter(({ type }) => type === "SyrinxReceipt");

  test("a client of Deepgram's that asks for it, and no other", async () => {
    const query = "encoding=linear16&sample_rate=16000";
    const plain = await stream(`/v1/listen?${query}`);
    assert.ok(plain.some(({ type }) => type === "Results"));
    assert.deepEqual(receiptsIn(plain), []);
    const asked = receiptsIn(await stream(`/v1/listen?${query}&syrinx_receipts=true`));
    assert.equal(asked.length, 1);
    assert.equal(asked[0]!.channel, 0);
    assert.match(String(asked[0]!.traceId), /^[0-9a-f]{32}$/);
    assert.ok(Math.abs(sumMs(asked[0] as unknown as ReceiptEvent) - Number(asked[0]!.totalMs)) < 1);
  });

  test("every client of a route that says so", async () => {
    const asked = receiptsIn(await stream("/v2/listen?encoding=linear16&sample_rate=16000&model=flux-general-en"));
    assert.equal(asked.length, 1);
  });

  test("a client that posts a recording, as Server-Timing", async () => {
    const post = (query: string): Promise<Response> =>
      fetch(`${server.url}/v1/listen?encoding=linear16&sample_rate=16000${query}`, {
        method: "POST",
        body: audio.slice(),
      });
    assert.equal((await post("")).headers.get("server-timing"), null);
    const timing = (await post("&syrinx_receipts=true")).headers.get("server-timing");
    assert.match(
      timing ?? "",
      /^endpointing;dur=[\d.]+, vad;dur=[\d.]+, stt;dur=[\d.]+, egress;dur=[\d.]+, total;dur=/,
    );
  });

  test("the figures of the recogniser, by the names that others use", async () => {
    const text = await runtime.metrics();
    for (const name of ["first_partial", "partial_lag", "final_after_endpoint", "stt_final_delay"]) {
      assert.match(text, new RegExp(`syrinx_${name}_seconds_count\\{model="ears"\\} [1-9]`), name);
    }
    assert.match(text, /turn_latency_seconds_count\{graph="listen",kind="speech_end_to_final_transcript"\} [1-9]/);
  });

  test("its client's own trace, whatever face the client speaks to", async () => {
    await runtime.drain();
    const linked = collector.named("call").filter(({ links }) => links[0]?.traceId === TRACEPARENT.split("-")[1]);
    assert.equal(linked.length, 3);
  });
});

test("without an endpoint nothing of OpenTelemetry's SDK is loaded, and with one it is", () => {
  const url = pathToFileURL(join(packageRoot(), "dist/src/runtime/runtime.js")).href;
  const script = `
    const { createRequire } = await import("node:module");
    const { createRuntime } = await import(${JSON.stringify(url)});
    const runtime = await createRuntime({ version: 1, server: { log: { level: "silent" } }, graphs: { echo: ["echo"] } });
    await runtime.drain();
    const loaded = Object.keys(createRequire(${JSON.stringify(url)}).cache);
    process.stdout.write(String(loaded.some((path) => /@opentelemetry.(sdk-trace|otlp|exporter|resources)/.test(path))));`;
  const loads = (env: NodeJS.ProcessEnv): string =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      env: { PATH: process.env.PATH, ...env },
      encoding: "utf8",
    });
  assert.equal(loads({}), "false");
  assert.equal(loads({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" }), "true");
});
