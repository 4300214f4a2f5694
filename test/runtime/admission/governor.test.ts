import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SyrinxError } from "../../../src/base/errors.js";
import { createGraphLevelsBuffer, GraphLevels } from "../../../src/ring/index.js";
import type { CapacityFile } from "../../../src/runtime/admission/capacity-file.js";
import { Governor, type GovernorSpec, LOOK_MS } from "../../../src/runtime/admission/governor.js";
import type { ProcessLoad, WorkerLoad } from "../../../src/runtime/admission/load-model.js";
import { createMetrics } from "../../../src/telemetry/index.js";
import { chainPlan } from "../../support/plans.js";

const SLO = { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 100 };

/** One worker whose rows take 10 ms each, ten a second of a call: 10 calls at most. Nothing else takes any time. */
class Bench {
  nowMs = 0;
  callCount = 0;
  queueP99Ms = 0;
  readonly levels: [string, number][] = [];
  readonly words = new GraphLevels(createGraphLevelsBuffer(1));
  readonly metrics = createMetrics({ version: "0", graphs: ["test"], processMetrics: false });
  readonly governor: Governor;

  constructor(more: Partial<GovernorSpec> = {}) {
    const worker = (): WorkerLoad => ({
      callCount: this.callCount,
      rowsPerCallSecond: 10,
      fixedMs: 0,
      rowMs: 10,
      queueP99Ms: this.queueP99Ms,
    });
    const process = (): ProcessLoad => ({
      callCount: this.callCount,
      coresPerCall: 0,
      coreCount: 2,
      mainShare: 0,
      mainDelayP99Ms: 0,
    });
    this.governor = new Governor({
      plan: chainPlan([{ name: "node", actor: "echo", worker: 1 }], { maxCalls: 64 }),
      mode: "live",
      slo: SLO,
      degrade: false,
      capacity: undefined,
      meter: { read: () => {}, worker, process, stop: () => {} },
      levels: this.words,
      metrics: this.metrics,
      nowMs: () => this.nowMs,
      callsOn: () => this.callCount,
      openedBefore: () => this.callCount,
      onLevel: (graph, level) => this.levels.push([graph, level]),
      ...more,
    });
  }

  open(): SyrinxError | undefined {
    const objection = this.governor.objection("test");
    if (objection !== undefined) return objection;
    this.governor.opened("test");
    this.callCount++;
    return undefined;
  }

  close(): void {
    this.governor.closed("test", 4_000);
    this.callCount--;
  }

  /** Looks so often that a state has lasted. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      this.nowMs += LOOK_MS;
      this.governor.look();
    }
  }
}

function planOf(capacity: number): CapacityFile {
  const graph = { capacity, keptCalls: capacity, limitedBy: "promise" as const, rungs: [] };
  return { version: 1, key: "k", about: "a", safetyFactor: 0.8, slo: SLO, graphs: { test: graph } };
}

describe("the governor", () => {
  test("by estimate, lets calls in as long as half of the promise suffices for the wait", async () => {
    const bench = new Bench();
    bench.pass(1_000);
    let refused: SyrinxError | undefined;
    while (refused === undefined) {
      refused = bench.open();
      bench.pass(LOOK_MS);
    }
    // 23 ms / (1 − n / 10) ≤ 50 ms
    assert.equal(bench.callCount, 5);
    assert.equal(refused.code, "CAPACITY_EXCEEDED");
    assert.ok(Number(refused.detail.retryAfterMs) > 0);
    const { source, graphs, retryAfterMs } = bench.governor.report();
    assert.equal(source, "live");
    assert.equal(graphs.test!.safeMax, 5);
    assert.equal(graphs.test!.accepting, false);
    assert.ok(retryAfterMs > 0 && graphs.test!.predictedP99Ms < 50);
    assert.match(await bench.metrics.text(), /syrinx_calls_refused_total\{graph="test",reason="estimate"\} 1\n/);
  });

  test("twice the load is refused, and those inside never wait longer than predicted", () => {
    const bench = new Bench();
    let refusals = 0;
    for (let second = 0; second < 120; second++) {
      for (let offer = 0; offer < 2; offer++) refusals += Number(bench.open() !== undefined);
      if (second % 2 === 1) bench.close();
      bench.pass(1_000);
      assert.ok(bench.governor.report().predictedP99Ms <= 50);
    }
    assert.ok(refusals > 100);
  });

  test("by plan, lets in what was planned, whatever is predicted", () => {
    const bench = new Bench({ mode: "plan", capacity: planOf(9) });
    bench.pass(1_000);
    while (bench.open() === undefined) bench.pass(LOOK_MS);
    assert.equal(bench.callCount, 9);
    const { source, usedShare, graphs } = bench.governor.report();
    assert.deepEqual([source, usedShare, graphs.test!.safeMax], ["plan", 1, 9]);
  });

  test("lets nobody in while those inside are late all the same, and again when that is over", () => {
    const bench = new Bench({ mode: "plan", capacity: planOf(40) });
    for (let call = 0; call < 6; call++) assert.equal(bench.open(), undefined);
    bench.queueP99Ms = 120;
    bench.pass(3_000);
    assert.match(bench.open()!.message, /waiting too long/);
    bench.queueP99Ms = 10;
    bench.pass(4_000);
    assert.equal(bench.open(), undefined);
  });

  test("degrades a graph level by level before that, tells it to workers and calls, and takes it back", () => {
    const bench = new Bench({ mode: "plan", capacity: planOf(40), degrade: true });
    for (let call = 0; call < 6; call++) bench.open();
    bench.queueP99Ms = 95;
    bench.pass(5_000);
    assert.deepEqual(bench.levels, [
      ["test", 1],
      ["test", 2],
      ["test", 3],
    ]);
    assert.equal(bench.words.level(0), 3);
    assert.equal(bench.open(), undefined, "late is not yet what they are");
    bench.queueP99Ms = 130;
    bench.pass(5_000);
    assert.ok(bench.open() instanceof SyrinxError, "there is nothing left to do without");
    bench.queueP99Ms = 0;
    bench.pass(60_000);
    assert.equal(bench.governor.level("test"), 0);
    assert.equal(bench.levels.length, 6);
  });
});
