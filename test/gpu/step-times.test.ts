import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seeded } from "../../src/base/prng.js";
import { StepTimes } from "../../src/gpu/step-times.js";

const SEED = 4_201;

/** A model of 2 ms and 0.5 ms per row, with some noise. */
function learned(steps: number, seed = SEED, noise = 0.1): StepTimes {
  const prng = seeded(seed);
  const times = new StepTimes();
  for (let step = 0; step < steps; step++) {
    const rows = prng.integer(1, 33);
    times.observe(rows, trueMs(rows) * (1 + noise * (2 * prng.next() - 1)));
  }
  return times;
}

const trueMs = (rows: number): number => 2 + 0.5 * rows;

describe("a table of step times", () => {
  test("knows nothing at first, and says 0", () => {
    assert.equal(new StepTimes().predictMs(8), 0);
  });

  test("predicts a little above the truth, for sizes it saw, between them and above them", () => {
    const times = learned(2_000);
    for (const rows of [1, 2, 3, 7, 16, 24, 32, 40]) {
      const ratio = times.predictMs(rows) / trueMs(rows);
      assert.ok(ratio > 1 && ratio < 1.35, `${rows} rows: ${ratio}`);
    }
  });

  test("is exceeded by few steps, and says by how many", () => {
    const times = learned(4_000);
    assert.equal(times.observedCount, 4_000);
    assert.ok(times.overrunCount > 0 && times.overrunCount < 0.12 * 4_000, String(times.overrunCount));
    assert.ok(times.errorShare > 0.01 && times.errorShare < 0.3, String(times.errorShare));
  });

  test("never predicts less for more rows, whatever it saw", () => {
    const step = fc.record({
      rows: fc.integer({ min: 1, max: 300 }),
      ms: fc.double({ min: 0, max: 500, noNaN: true }),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const times = new StepTimes();
      for (const { rows, ms } of steps) times.observe(rows, ms);
      for (let rows = 1; rows < 320; rows++) {
        const less = times.predictMs(rows);
        const more = times.predictMs(rows + 1);
        // Interpolation rounds in the last digits.
        assert.ok(more >= less - 1e-9 * less && less >= 0, `${rows}: ${less}, ${rows + 1}: ${more}`);
      }
    });
    fc.assert(property, { seed: SEED, numRuns: 150 });
  });

  test("hardly moves for one step in a hundred that is fifty times too long", () => {
    const calm = new StepTimes();
    const disturbed = new StepTimes();
    for (let step = 0; step < 1_000; step++) {
      calm.observe(4, 4 + (step % 3) * 0.1);
      disturbed.observe(4, step % 100 === 99 ? 200 : 4 + (step % 3) * 0.1);
    }
    assert.ok(disturbed.predictMs(4) < 1.5 * calm.predictMs(4), String(disturbed.predictMs(4)));
  });

  test("follows a machine that has become three times slower within fifty steps", () => {
    const times = new StepTimes();
    for (let step = 0; step < 500; step++) times.observe(8, 6);
    for (let step = 0; step < 50; step++) times.observe(8, 18);
    assert.ok(times.predictMs(8) > 0.9 * 18, String(times.predictMs(8)));
  });

  test("allocates nothing for an observation", () => {
    const times = new StepTimes();
    const observe = (count: number): void => {
      for (let step = 0; step < count; step++) times.observe(1 + (step % 32), 1 + (step % 7));
    };
    observe(200_000);
    const before = process.memoryUsage().heapUsed;
    observe(1_000_000);
    const grown = process.memoryUsage().heapUsed - before;
    // A single boxed number per observation would be 16 MB, unless a collection ran, which nothing here provokes.
    assert.ok(grown < 4_000_000, `${grown} bytes`);
  });

  test("hands its rows to a successor, which predicts the same and soon believes its own eyes", () => {
    const former = learned(1_000);
    const next = new StepTimes();
    assert.equal(next.remember(former.rows()), true);
    for (const rows of [1, 5, 32]) {
      assert.ok(Math.abs(next.predictMs(rows) / former.predictMs(rows) - 1) < 0.01, `${rows} rows`);
    }
    for (let step = 0; step < 40; step++) next.observe(32, 90);
    assert.ok(next.predictMs(32) > 80, String(next.predictMs(32)));
  });

  test("takes no rows that make no sense, and does not forget what it saw for those it takes", () => {
    const times = new StepTimes();
    assert.equal(times.remember([[5, 8, Number.NaN, 0]]), false);
    assert.equal(times.remember([[5, 0, 1, 0]]), false);
    assert.equal(times.predictMs(8), 0);
    times.observe(8, 3);
    assert.equal(times.remember([[100, 8, 50, 0]]), true);
    assert.equal(times.predictMs(8), 3);
  });
});
