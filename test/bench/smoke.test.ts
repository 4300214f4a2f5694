/** Benches are programs that nobody runs for weeks: here each runs in tiny sizes, so that it does not rot. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure } from "../../bench/harness/bench.js";
import { figure } from "../../bench/harness/figures.js";
import { Numbers, quantile } from "../../bench/harness/statistics.js";
import { markdownOf, tableOf } from "../../bench/harness/table.js";
import { BENCHES, type BenchRow } from "../../bench/registry.js";

const MAIN = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
const run = promisify(execFile);

/** Through the command, every variant in a process of its own: that is how benches are run. */
async function byCommand(name: string): Promise<Figure[]> {
  const { stdout } = await run(process.execPath, [MAIN, "--smoke", "--json", name], { timeout: 120_000 });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Figure);
}

/** All variants in this process, which spares their starts; what goes to and fro is what could cross to another one. */
async function inThisProcess({ load }: BenchRow): Promise<readonly Figure[]> {
  const bench = await load();
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  return bench.run({
    isSmoke: true,
    variant: async (name, parameters) => copy(await bench.variants[name]!(copy(parameters))),
    progress: () => {},
  });
}

/** Their variants measure the process that they run in, or start others themselves. */
const NEED_PROCESSES = ["ring", "cancel", "ready", "memory", "models"];

function assertFigures(name: string, figures: readonly Figure[]): void {
  for (const { name: of, metric, value, n } of figures) {
    assert.equal(of, name);
    assert.ok(Number.isFinite(value) && value >= 0 && n >= 1, `${metric}: ${value}`);
  }
  assert.ok(figures.some(({ bar, pass }) => bar !== null && pass !== null));
}

describe("a bench in smoke size", () => {
  const claim = "checks its own answer and reports finite figures, one of them with a bar";
  // Most of what these do is to start processes: two at a time, like the suite's files.
  describe("by its command", { concurrency: 2 }, () => {
    for (const name of NEED_PROCESSES) {
      test(`${name} ${claim}`, async () => assertFigures(name, await byCommand(name)));
    }
  });
  for (const row of BENCHES.filter(({ name }) => !NEED_PROCESSES.includes(name))) {
    test(`${row.name} ${claim}`, async () => assertFigures(row.name, await inThisProcess(row)));
  }
});

describe("the command", () => {
  test("an unknown name is refused with the names that there are", async () => {
    await assert.rejects(run(process.execPath, [MAIN, "rings"]), (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 1);
      assert.match(error.stderr, /no such bench: rings.*\n {2}ring /);
      return true;
    });
  });
});

describe("a figure", () => {
  const bench = { name: "x" };
  const bar = { of: "ratio", must: "be at least", bar: 4, aim: 6 } as const;

  test("takes medians, and pairs each value with its own baseline", () => {
    const made = figure({ bench, metric: "m", unit: "µs", values: [1, 2, 10], baselines: [4, 10, 20], bar });
    assert.equal(made.value, 2);
    assert.equal(made.baseline, 10);
    assert.equal(made.ratio, 4);
    assert.deepEqual(made.spread, { value: [1, 10], ratio: [2, 5] });
    assert.equal(made.pass, true);
  });

  test("turns the ratio round where more is better", () => {
    const made = figure({ bench, metric: "m", unit: "", values: [8], baselines: [4], better: "more", bar });
    assert.equal(made.ratio, 2);
    assert.equal(made.pass, false);
  });

  test("misses a bar on its value at the bar itself", () => {
    const under = { of: "value", must: "be under", bar: 5, aim: 1 } as const;
    assert.equal(figure({ bench, metric: "m", unit: "ms", values: [5], bar: under }).pass, false);
    assert.equal(figure({ bench, metric: "m", unit: "ms", values: [4.9], bar: under }).pass, true);
  });

  test("is printed with its bar, its aim and what came of it", () => {
    const made = figure({ bench, metric: "m", unit: "µs", values: [1], baselines: [5], bar });
    assert.match(tableOf([made]), /x {2,}m {2,}1\.00 µs {2,}5\.00 µs {2,}5\.00× {2,}1 .*≥ 4× \(6×\) {2,}pass$/);
    assert.match(markdownOf([made]), /^\| x \| m \| 1\.00 µs \| 5\.00 µs \| 5\.00× \| 1 \|/m);
  });
});

describe("quantiles", () => {
  test("lie between neighbours, and are those of all that was pushed", () => {
    assert.equal(quantile([3, 1, 2], 0.5), 2);
    assert.equal(quantile([0, 10], 0.99), 9.9);
    const numbers = new Numbers();
    for (let i = 0; i <= 5_000; i++) numbers.push(i);
    assert.equal(numbers.quantile(0.9), 4_500);
    numbers.clear();
    assert.equal(numbers.count, 0);
  });
});
