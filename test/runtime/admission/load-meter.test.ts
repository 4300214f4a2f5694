import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Plan } from "../../../src/config/plan.js";
import { FadingHistogram, LoadMeter, type ProcessProbe } from "../../../src/runtime/admission/load-meter.js";
import { createStatsBuffer, StatsReader, StatsWriter } from "../../../src/telemetry/stats-slab.js";
import {
  NODE_STATS,
  nodeSection,
  WORKER_SECTION,
  WORKER_STATS,
  workerSections,
} from "../../../src/telemetry/worker-stats.js";
import { chainPlan } from "../../support/plans.js";

const CALLS = 10;

/** A worker that counts as a real one does, and a process that uses what it is told. */
class Machine implements ProcessProbe {
  readonly coreCount = 2;
  readonly meter: LoadMeter;
  readonly #writer: StatsWriter;
  #nowMs = 0;
  #cpuSeconds = 0;

  constructor() {
    const chain = chainPlan([{ name: "ears", actor: "stt", worker: 1 }]);
    const model = { name: "ears", task: "stt", batchMax: 32, batchDeadlineMs: 160 } as Plan["models"][number];
    const plan: Plan = { ...chain, models: [model], workers: [{ ...chain.workers[0]!, model: "ears" }] };
    const sections = workerSections(1);
    const buffer = createStatsBuffer(sections);
    this.#writer = new StatsWriter(buffer, sections);
    this.meter = new LoadMeter(plan, [new StatsReader(buffer, sections)], this);
    this.meter.read(0, 0);
  }

  learned(fixedMs: number, rowMs: number): void {
    const own = this.#writer.handles(WORKER_SECTION, WORKER_STATS);
    this.#writer.set(own.stepFixedSeconds, fixedMs / 1000);
    this.#writer.set(own.stepRowSeconds, rowMs / 1000);
  }

  /** A second in which so many steps of 5 rows were run, each 2 ms and 0.4 ms for a row, after a wait of 8 ms. */
  second(calls: number, steps: number): void {
    const own = this.#writer.handles(WORKER_SECTION, WORKER_STATS);
    const node = this.#writer.handles(nodeSection(0), NODE_STATS);
    this.#writer.set(node.openCalls, calls);
    for (let step = 0; step < steps; step++) {
      this.#writer.observe(node.batchSize, 5);
      this.#writer.observe(node.batchQueueSeconds, 0.008);
      this.#writer.add(own.steps, 1);
      this.#writer.add(own.busySeconds, 0.004);
      this.#cpuSeconds += 0.005;
    }
    this.#nowMs += 1_000;
    this.meter.read(this.#nowMs, calls);
  }

  cpuSeconds(): number {
    return this.#cpuSeconds;
  }

  mainShare(): number {
    return 0.25;
  }

  mainDelayP99Ms(): number {
    return 3;
  }

  stop(): void {}
}

function near(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= 0.1 * expected, `${what}: ${actual} instead of ${expected}`);
}

describe("the load meter", () => {
  test("before anybody calls, a model's table of step times speaks, and a row per deadline", () => {
    const machine = new Machine();
    machine.learned(2, 0.4);
    machine.second(0, 0);
    const { rowsPerCallSecond, fixedMs, rowMs, queueP99Ms } = machine.meter.worker(0);
    assert.deepEqual([rowsPerCallSecond, fixedMs, rowMs, queueP99Ms], [6.25, 2, 0.4, 0]);
  });

  test("tells what a call brings from what was counted, and a step's fixed part from its rows", () => {
    const machine = new Machine();
    machine.learned(2, 9);
    for (let second = 0; second < 30; second++) machine.second(CALLS, 100);
    const load = machine.meter.worker(0);
    near(load.rowsPerCallSecond, 50, "rows of a call");
    near(load.rowMs, 0.4, "a row, whatever the table says");
    assert.equal(load.fixedMs, 2);
    assert.equal(load.callCount, CALLS);
    assert.ok(load.queueP99Ms > 5 && load.queueP99Ms <= 10, `${load.queueP99Ms}: the bucket of 8 ms`);
    const process = machine.meter.process();
    // 0.5 s of processor a second, less 0.2 s that larger batches would save.
    near(process.coresPerCall, 0.03, "cores of a call");
    assert.ok(process.mainShare > 0.2 && process.mainShare <= 0.25);
  });

  test("forgets old habits, but nothing while nobody calls", () => {
    const machine = new Machine();
    machine.learned(2, 0.4);
    for (let second = 0; second < 30; second++) machine.second(CALLS, 100);
    const before = machine.meter.worker(0).rowsPerCallSecond;
    for (let second = 0; second < 600; second++) machine.second(0, 0);
    assert.equal(machine.meter.worker(0).rowsPerCallSecond, before);
    assert.equal(machine.meter.worker(0).queueP99Ms, 0, "nobody waits any more");
    for (let second = 0; second < 60; second++) machine.second(CALLS, 20);
    near(machine.meter.worker(0).rowsPerCallSecond, 10, "rows of a call that says less");
  });
});

test("a fading histogram tells of what came lately, by a line within a bucket", () => {
  const histogram = new FadingHistogram([0.01, 0.02]);
  histogram.read([1_000, 0, 0], 0);
  assert.equal(histogram.quantile(0.99), 0, "what was there before is not lately");
  histogram.read([1_100, 0, 0], 0.25);
  assert.ok(Math.abs(histogram.quantile(0.5) - 0.005) < 1e-9);
  histogram.read([1_100, 100, 0], 60);
  assert.ok(histogram.quantile(0.5) > 0.01);
  histogram.read([1_100, 100, 100], 60);
  assert.equal(histogram.quantile(0.99), 0.04, "above the last bound");
});
