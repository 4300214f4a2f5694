import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seeded } from "../../../src/base/prng.js";
import { coreStretch, mainP99Ms, queueP99Ms, type WorkerLoad } from "../../../src/runtime/admission/load-model.js";

const BATCHING: WorkerLoad = { callCount: 10, rowsPerCallSecond: 6.25, fixedMs: 8, rowMs: 1.5, queueP99Ms: 0 };
const STEPS = 5_000;

/** The 99th percentile of how long a step's oldest row waits: a worker that takes what is queued, rows coming at random. */
function simulated({ rowsPerCallSecond, fixedMs, rowMs }: WorkerLoad, calls: number, seed: number): number {
  const chance = seeded(seed);
  const gapMs = (): number => (-Math.log(1 - chance.next()) * 1000) / (calls * rowsPerCallSecond);
  const waits: number[] = [];
  let nextMs = gapMs();
  let nowMs = 0;
  while (waits.length < STEPS) {
    nowMs = Math.max(nowMs, nextMs);
    waits.push(nowMs - nextMs);
    let rows = 0;
    for (; nextMs <= nowMs; nextMs += gapMs()) rows++;
    nowMs += fixedMs + rowMs * rows;
  }
  return waits.sort((a, b) => a - b)[Math.floor(0.99 * STEPS)]!;
}

describe("the load model", () => {
  test("never predicts a shorter wait for more calls, and one for ever only where the worker cannot keep up", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(100), (calls, more) => {
        const now = queueP99Ms(BATCHING, calls);
        assert.ok(queueP99Ms(BATCHING, calls + more) >= now);
        const canKeepUp = (calls * BATCHING.rowsPerCallSecond * BATCHING.rowMs) / 1000 < 1;
        assert.equal(Number.isFinite(now), canKeepUp);
      }),
    );
  });

  test("predicts the wait of a batching worker as a simulation of one finds it, to a factor of two", () => {
    for (const [seed, calls] of [5, 20, 40, 60, 80, 95].entries()) {
      const ratio = queueP99Ms(BATCHING, calls) / simulated(BATCHING, calls, seed + 1);
      assert.ok(ratio > 0.5 && ratio < 2, `${calls} calls: ${ratio.toFixed(2)}`);
    }
  });

  test("counts what waits for a core: nothing with cores to spare, without end when there are too few", () => {
    const load = { callCount: 10, coresPerCall: 0.05, coreCount: 2, mainShare: 0.2, mainDelayP99Ms: 3 };
    assert.ok(coreStretch(load, 4) < 1.01);
    assert.ok(coreStretch(load, 36) > 2);
    assert.equal(coreStretch(load, 40), Number.POSITIVE_INFINITY);
    assert.ok(Math.abs(mainP99Ms(load, 10) - 3) < 1e-9);
    assert.ok(Math.abs(mainP99Ms(load, 30) - 6) < 1e-9);
    assert.equal(mainP99Ms(load, 50), Number.POSITIVE_INFINITY);
  });
});
