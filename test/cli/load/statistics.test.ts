import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fitLine, LatenessHistogram, summarise } from "../../../src/cli/load/statistics.js";

describe("a summary", () => {
  test("has quantiles of the sorted values, between neighbours", () => {
    const values = Array.from({ length: 101 }, (_, index) => 100 - index);
    assert.deepEqual(summarise(values), { n: 101, p50: 50, p95: 95, p99: 99, max: 100 });
    assert.equal(summarise([0, 10]).p95, 9.5);
  });

  test("of nothing says so", () => {
    const { n, p50, max } = summarise([]);
    assert.deepEqual([n, p50, max], [0, Number.NaN, Number.NaN]);
  });
});

describe("the least-squares line", () => {
  test("finds the slope of a line with noise, and how sure it is", () => {
    const noise = [1, -1, -1, 1, 1, -1, -1, 1];
    const line = fitLine(noise.map((off, index) => [index, 3 * index + 2 + off] as const))!;
    assert.ok(Math.abs(line.slope - 3) < 0.1);
    assert.ok(Math.abs(line.intercept - 2) < 0.5);
    // sqrt(8 / 6 / 42): the residuals are ±1.
    assert.ok(Math.abs(line.slopeError - 0.178) < 0.01, `${line.slopeError}`);
  });

  test("needs three points that do not stand above one another", () => {
    const shapes: (readonly (readonly [number, number])[])[] = [
      [],
      [
        [0, 1],
        [1, 2],
      ],
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
    ];
    for (const points of shapes) assert.equal(fitLine(points), undefined);
  });
});

describe("the histogram of lateness", () => {
  test("has its quantiles within 0.05 ms, in constant memory", () => {
    const histogram = new LatenessHistogram();
    for (let at = 0; at < 100_000; at++) histogram.record((at % 1_000) / 100);
    const { n, p50, p95, p99, max } = histogram.summary();
    assert.equal(n, 100_000);
    for (const [found, wanted] of [
      [p50, 5],
      [p95, 9.5],
      [p99, 9.9],
      [max, 9.99],
    ] as const) {
      assert.ok(Math.abs(found - wanted) <= 0.051, `${found} for ${wanted}`);
    }
  });

  test("keeps the largest beyond its buckets, and forgets when told", () => {
    const histogram = new LatenessHistogram();
    for (const lateness of [1, 1, 5_000]) histogram.record(lateness);
    assert.equal(histogram.summary().max, 5_000);
    assert.equal(histogram.summary().p99, 5_000);
    histogram.clear();
    assert.equal(histogram.summary().n, 0);
    histogram.record(2);
    assert.equal(histogram.summary().max, 2);
  });
});
