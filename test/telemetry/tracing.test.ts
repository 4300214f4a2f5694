import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { silentLogger } from "../../src/telemetry/logger.js";
import {
  type CallTrace,
  createTracing,
  type SpanResult,
  TRACE_LIMITS,
  type TraceLimits,
  type Tracing,
  type TracingSettings,
} from "../../src/telemetry/tracing.js";
import type { TurnRecord } from "../../src/telemetry/turn-spans.js";
import { Collector } from "../support/collector.js";

const REMOTE = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const TURN: TurnRecord = {
  turnIndex: 0,
  contextId: 3,
  totalMs: 30,
  speechMs: 500,
  stages: [
    { stage: "endpointing", queueMs: 0, batchWaitMs: 0, computeMs: 0, waitMs: 20, batchSize: 0 },
    { stage: "stt", queueMs: 1, batchWaitMs: 2, computeMs: 7, waitMs: 0, batchSize: 4 },
  ],
  milestones: { firstByteSentMs: 30, sttFinalMs: undefined },
};

interface Rig {
  readonly tracing: Tracing;
  readonly counts: Record<SpanResult, number>;
  readonly lines: string[];
}

async function rig(
  url: string,
  settings: Partial<TracingSettings> = {},
  limits: Partial<TraceLimits> = {},
): Promise<Rig> {
  const counts = { exported: 0, export_failed: 0, queue_full: 0 };
  const lines: string[] = [];
  const all = {
    headers: {},
    sampleRatio: 1,
    trustIncomingTrace: false,
    serviceName: "test",
    resource: {},
    ...settings,
  };
  const warn = (_fields: unknown, message?: string): void => void lines.push(message ?? "");
  const host = {
    log: { ...silentLogger, warn, isLevelEnabled: () => true },
    countSpans: (result: SpanResult, count: number) => {
      counts[result] += count;
    },
  };
  const tracing = await createTracing({ url: `${url}/v1/traces`, ...all }, host, { ...TRACE_LIMITS, ...limits });
  return { tracing, counts, lines };
}

function openCall(tracing: Tracing, traceparent?: string): CallTrace | undefined {
  return tracing.openCall({ callId: "c1", graph: "g", traceparent, models: new Map([["stt", "ears"]]) });
}

describe("traces", { timeout: 30_000 }, () => {
  const collectors: Collector[] = [];
  const collect = async (answers?: "never"): Promise<Collector> => {
    const collector = await Collector.start(answers);
    collectors.push(collector);
    return collector;
  };
  after(() => Promise.all(collectors.map((collector) => collector.stop())));

  test("a turn's stages follow one another inside the turn, which is linked to the call", async () => {
    const collector = await collect();
    const { tracing, counts } = await rig(collector.url, { headers: { "x-team": "birds" }, resource: { zone: "b" } });
    const call = openCall(tracing, `00-${REMOTE.traceId}-${REMOTE.spanId}-01`)!;
    const traceId = call.turn(TURN);
    call.endTurn("interrupted");
    call.close("client");
    await tracing.close();
    assert.equal(counts.exported, collector.spans.length);
    const [span] = collector.named("call");
    const [turn] = collector.named("turn");
    assert.equal(turn!.traceId, traceId);
    assert.equal(turn!.parentSpanId, undefined);
    assert.equal(span!.parentSpanId, undefined);
    assert.equal(span!.traceId, call.traceId);
    assert.deepEqual(
      turn!.links.map((link) => link.spanId),
      [span!.spanId],
    );
    assert.deepEqual(
      span!.links.map((link) => link.traceId),
      [REMOTE.traceId],
    );
    assert.equal(turn!.attributes["syrinx.turn.interrupted"], true);
    assert.equal(turn!.attributes["syrinx.turn.first_byte_sent_ms"], 30);
    assert.ok(!("syrinx.turn.stt_final_ms" in turn!.attributes));
    const children = ["user_speech", "endpointing", "stt", "playout"].map((name) => collector.named(name)[0]!);
    for (const child of children) {
      assert.equal(child.parentSpanId, turn!.spanId);
      assert.ok(child.startMs >= turn!.startMs - 0.01 && child.endMs <= turn!.endMs + 0.01, child.name);
    }
    for (let i = 1; i < children.length; i++) {
      assert.ok(Math.abs(children[i]!.startMs - children[i - 1]!.endMs) < 0.01, "no gap, no overlap");
    }
    assert.deepEqual(children.map(({ startMs, endMs }) => Math.round(endMs - startMs)).slice(0, 3), [500, 20, 10]);
    assert.equal(children[2]!.attributes["gen_ai.request.model"], "ears");
    assert.equal(children[2]!.attributes["syrinx.batch_size"], 4);
    assert.deepEqual([collector.resource["service.name"], collector.resource.zone], ["test", "b"]);
    assert.equal(collector.requests[0]!.headers["x-team"], "birds");
    assert.equal(collector.requests[0]!.path, "/v1/traces");
  });

  test("a trusted caller's span is the parent, and its flag decides", async () => {
    const collector = await collect();
    const { tracing } = await rig(collector.url, { trustIncomingTrace: true, sampleRatio: 0 });
    const call = openCall(tracing, `00-${REMOTE.traceId}-${REMOTE.spanId}-01`)!;
    assert.equal(openCall(tracing, `00-${REMOTE.traceId}-${REMOTE.spanId}-00`), undefined);
    assert.equal(openCall(tracing, "00-nonsense"), undefined, "then the ratio decides");
    call.close("client");
    await tracing.close();
    const [span] = collector.spans;
    assert.deepEqual([span!.traceId, span!.parentSpanId, span!.links.length], [REMOTE.traceId, REMOTE.spanId, 0]);
  });

  test("a collector that is not there costs spans and no time, and is told of once", async () => {
    const { tracing, counts, lines } = await rig("http://127.0.0.1:9", {}, { exportMs: 200, flushMs: 10_000 });
    const call = openCall(tracing)!;
    call.turn(TURN);
    call.close("client");
    await tracing.close();
    assert.deepEqual(counts, { exported: 0, export_failed: 5, queue_full: 0 });
    assert.deepEqual(lines, ["traces could not be sent"]);
  });

  test("what the queue has no room for is counted", async () => {
    const collector = await collect("never");
    const { tracing, counts } = await rig(
      collector.url,
      {},
      { queueSpans: 10, batchSpans: 10, flushMs: 1, exportMs: 300 },
    );
    for (let i = 0; i < 100; i++) openCall(tracing)!.close("client");
    assert.ok(counts.queue_full >= 70 && counts.queue_full <= 90, `${counts.queue_full}`);
    await tracing.close();
  });

  test("a collector that never answers does not hold up the end", async () => {
    const collector = await collect("never");
    const { tracing, counts, lines } = await rig(collector.url, {}, { exportMs: 600, flushMs: 50 });
    openCall(tracing)!.close("client");
    await tracing.close();
    assert.deepEqual([counts.exported, lines], [0, ["traces were not all sent"]]);
  });
});
