/** The tables of figures say what the kept results say, and what a figure's row says is what was measured. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Figure } from "../../bench/harness/bench.js";
import { figure } from "../../bench/harness/figures.js";
import { type Result, readResults } from "../../bench/harness/results.js";
import { fullTables, headlineTable, replaceTable } from "../../bench/report.js";
import { HEADLINES } from "../../bench/report-rows.js";
import { packageRoot } from "../../src/base/package-root.js";

const bar = { of: "ratio", must: "be at least", bar: 4, aim: 6 } as const;
const bench = { name: "ring" };

function resultOf(figures: readonly Figure[], more: Partial<Result> = {}): Result {
  return {
    bench: "ring",
    command: "npm run bench -- ring",
    foreignCores: 0.03,
    figures,
    machine: "a machine",
    node: "v20",
    commit: "abc",
    date: "2026-01-02",
    ...more,
  };
}

const headline = [{ label: "the ring", bench: "ring", metric: "CPU", of: "ratio" }] as const;

describe("a headline", () => {
  test("shows ratio, both values, the ratio's spread and the state of the machine", () => {
    const made = figure({ bench, metric: "CPU of all", unit: "µs", values: [2, 4, 2], baselines: [10, 10, 12], bar });
    assert.equal(
      headlineTable([resultOf([made])], headline)
        .split("\n")
        .at(-1),
      "| the ring | ≥ 4× | 5.00× (2.00 µs against 10.0 µs) | n 3: 2.50 … 6.00× | 2026-01-02, quiet |",
    );
  });

  test("says that a bar was missed, and that others used the machine", () => {
    const made = figure({ bench, metric: "CPU of all", unit: "µs", values: [5], baselines: [10], bar });
    const last = headlineTable([resultOf([made], { foreignCores: 1.25 })], headline)
      .split("\n")
      .at(-1)!;
    assert.match(last, /2\.00× \(5\.00 µs against 10\.0 µs\): missed .* 1\.25 cores busy with others/);
  });

  test("is left out without a result", () => {
    assert.equal(headlineTable([], headline).split("\n").length, 2);
  });
});

describe("the kept results", () => {
  test("each names its command, its machine and its commit, and every repeat that it counts", () => {
    for (const { bench: name, command, machine, node, commit, date, figures, notes } of readResults()) {
      assert.match(command, /^npm run /, name);
      for (const fact of [machine, node, commit, date]) assert.ok(fact.length > 0, name);
      assert.ok(figures.length > 0, name);
      for (const { n, repeats, metric } of figures) {
        const isWhole = repeats.values.length === n || notes?.some((note) => note.includes("not each repeat"));
        assert.ok(isWhole, `${name}: ${metric} counts ${n} repeats and keeps ${repeats.values.length}`);
      }
    }
  });

  test("README and BENCHMARKS say what they say: npm run bench:report", () => {
    const results = readResults();
    for (const [file, table] of [
      ["README.md", headlineTable(results)],
      ["docs/BENCHMARKS.md", fullTables(results)],
    ] as const) {
      const text = readFileSync(join(packageRoot(), file), "utf8");
      assert.equal(replaceTable(text, table), text, `${file} is behind bench/results`);
    }
  });

  test("every headline finds its figure in a result of its bench, if there is one", () => {
    const results = readResults();
    for (const { bench: name, metric } of HEADLINES) {
      const result = results.find((one) => one.bench === name);
      if (result !== undefined)
        assert.ok(
          result.figures.some((one) => one.metric.startsWith(metric)),
          `${name}: ${metric}`,
        );
    }
  });
});
