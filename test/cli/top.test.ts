/** `syrinx top` shows what happened between two looks, not since the server's start. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readScrape, sumOf } from "../../src/cli/top/exposition.js";
import { growth, type Interval, meanOf, quantileOf, rate } from "../../src/cli/top/rates.js";
import { topLines } from "../../src/cli/top/view.js";
import { createMetrics } from "../../src/telemetry/index.js";
import { withServer } from "../support/test-socket.js";

const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

const histogram = (counts: readonly number[], sum: number): string =>
  [0.01, 0.02, 0.04, "+Inf"].map((le, at) => `h_bucket{stage="a b",le="${le}"} ${counts[at]}`).join("\n") +
  `\nh_sum{stage="a b"} ${sum}\nh_count{stage="a b"} ${counts.at(-1)}\n`;

const intervalOf = (before: string, after: string, seconds = 2): Interval => ({
  before: readScrape(before),
  after: readScrape(after),
  seconds,
});

describe("reading", () => {
  test("takes labels with quotes, braces and commas, and no comment for a sample", () => {
    const scrape = readScrape('# HELP a {b="c"} 1\na{x="1,2",y="say \\"}\\""} 3\na{x="2"} 4\nb 1e-3\n');
    assert.equal(sumOf(scrape, "a"), 7);
    assert.equal(sumOf(scrape, "a", { x: "1,2", y: 'say "}"' }), 3);
    assert.equal(sumOf(scrape, "b"), 0.001);
    assert.equal(sumOf(scrape, "c"), 0);
  });
});

describe("between two looks", () => {
  test("a counter's growth counts, and after a restart all of it", () => {
    assert.equal(growth(intervalOf("n 10\n", "n 25\n"), "n"), 15);
    assert.equal(rate(intervalOf("n 10\n", "n 25\n"), "n"), 7.5);
    assert.equal(growth(intervalOf("n 10\n", "n 4\n"), "n"), 4);
  });

  test("a histogram's quantiles are of what came between, linear within a bucket", () => {
    const interval = intervalOf(histogram([100, 100, 100, 100], 0.5), histogram([100, 110, 110, 110], 0.65));
    assert.ok(Math.abs(quantileOf(interval, "h", 0.5, { stage: "a b" }) - 0.015) < 1e-9);
    assert.ok(Math.abs(meanOf(interval, "h") - 0.015) < 1e-9);
    assert.ok(Number.isNaN(quantileOf(intervalOf(histogram([1, 1, 1, 1], 1), histogram([1, 1, 1, 1], 1)), "h", 0.5)));
  });

  test("beyond the last finite bound, the bound is all that is known", () => {
    assert.equal(quantileOf(intervalOf("", histogram([0, 0, 0, 9], 90)), "h", 0.99), 0.04);
  });
});

describe("the view", () => {
  test("shows calls, turns, stages, workers and rings of a real exposition, within the terminal's width", async () => {
    const metrics = createMetrics({ version: "1", graphs: ["assistant"], capacity: 64 });
    const before = readScrape(await metrics.text());
    metrics.callOpened("assistant");
    metrics.callOpened("assistant");
    metrics.workerState("ears/0", "running");
    const after = readScrape(await metrics.text());
    const state = { url: "http://x", interval: { before, after, seconds: 1 }, capacity: { safeCalls: 40 } };
    const lines = topLines(state, 60);
    assert.ok(lines.every((line) => line.length <= 60));
    assert.match(topLines(state, 200).join("\n"), /calls 2 of 64 \(40 safe\): assistant 2;[\s\S]*ears\/0 +running/);
  });
});

describe("the command", () => {
  test("looks twice and prints where there is no terminal", () =>
    withServer({}, async ({ server }) => {
      const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "top", server.url, "-i", "0.1"]);
      assert.match(stdout, /^syrinx top {3}http:\/\/127\.0\.0\.1:\d+/);
    }));

  test("says which server does not answer", async () => {
    await assert.rejects(
      promisify(execFile)(process.execPath, [MAIN, "top", "http://127.0.0.1:9"]),
      /CLI_SERVER_UNREACHABLE|no server of Syrinx answers at http:\/\/127\.0\.0\.1:9/,
    );
  });
});
