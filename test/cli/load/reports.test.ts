/** What a load is shown as: tables, lines of JSON, one file of HTML. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LoadReport } from "../../../src/cli/load/bench.js";
import { htmlReport } from "../../../src/cli/load/html.js";
import { rungLine, sampleLine, turnLine } from "../../../src/cli/load/json-lines.js";
import { judge, parseObjectives } from "../../../src/cli/load/objectives.js";
import { type RungResult, resultOf } from "../../../src/cli/load/result.js";
import type { RungTraces } from "../../../src/cli/load/rung.js";
import { summarise } from "../../../src/cli/load/statistics.js";
import { chart, ticksOf, waterfall } from "../../../src/cli/load/svg.js";
import { rungText, soakText } from "../../../src/cli/load/table.js";
import { addAudio, newReply, newSpeech, newTurn, type TurnTrace } from "../../../src/cli/load/trace.js";
import type { ReceiptEvent } from "../../../src/frames/events.js";
import { toneRecording } from "../../support/load-stage.js";

const recording = toneRecording("tone", 500, "beep");

function receiptOf(computeMs: number): ReceiptEvent {
  const stage = { queueMs: 1, batchWaitMs: 0, computeMs: 0, waitMs: 0, batchSize: 1 };
  return {
    type: "receipt",
    turnIndex: 0,
    contextId: 1,
    totalMs: 602 + computeMs,
    stages: [
      { ...stage, stage: "endpointing", queueMs: 0, waitMs: 600 },
      { ...stage, stage: "a <script> stage", computeMs, batchSize: 4 },
      { ...stage, stage: "egress" },
    ],
    milestones: { firstPcmMs: 601 + computeMs },
  };
}

function turnOf(index: number): TurnTrace {
  const atMs = 1_000 * index;
  const place = { recording, firstFrameMs: atMs + 220, startMs: atMs + 200, endMs: atMs + 700, isBargeIn: false };
  const speech = newSpeech({ ...place, startPositionMs: 200, endPositionMs: 700 });
  speech.finals.push({ atMs: atMs + 1_000, text: "beep" });
  const reply = { ...newReply(1), textMs: atMs + 1_250, end: "completed" as const };
  addAudio(reply, new Int16Array(1_600).fill(5_000), 16_000, atMs + 1_300 + 10 * index);
  return { ...newTurn(0, atMs, speech, reply), outcome: "answered", receipt: receiptOf(10 * index) };
}

function rung(calls: number, latenessMs = 1): RungResult {
  const counts = { opened: calls, refused: 0, lost: 0 };
  const none = { opened: 0, refused: 0, lost: 0 };
  const traces: RungTraces = {
    beganMs: 0,
    fromMs: 0,
    untilMs: 100_000,
    lateness: summarise([latenessMs]),
    turns: Array.from({ length: 100 }, (_, index) => turnOf(index)),
    setups: [4],
    counts: { polite: counts, "slow-reader": none, abrupt: none },
    measuredCounts: none,
    troubles: new Map([["CALL_LIMIT", 2]]),
    gapMs: 0,
    samples: [0, 1, 2].map((second) => ({
      atMs: 1_000 * second,
      openCalls: calls,
      server: { cpuMs: 250 * second, rssBytes: 200e6 + 1e6 * second, isHere: true },
      generatorCpuMs: 40 * second,
      machineCpuMs: 9_000 + 990 * second,
    })),
    leakedCalls: 1,
  };
  return resultOf(calls, traces, new Map());
}

function reportOf(...results: RungResult[]): LoadReport {
  const objectives = parseObjectives("e2e_p95=1s");
  return {
    command: "syrinx bench load --graph <b>",
    machine: { machine: "a machine" },
    objectives: objectives.map(({ text }) => text),
    rungs: results.map((result) => ({ result, verdict: judge(result, objectives) })),
    found: { calls: 4, isLimitedByGenerator: false, isAtMax: false },
    soak: undefined,
  };
}

describe("the table", () => {
  test("shows what was measured, what the server used, and what went wrong", () => {
    const text = rungText(rung(4), undefined);
    assert.match(text, /^4 calls, 100 s measured\n/);
    assert.match(text, /^ {2}e2e_turn \(ms\) +100 +1095 +1541 /m);
    assert.match(text, /success 100\.0 %/);
    assert.match(text, /0\.25 cores, 62\.5 CPU ms per stream second; 201 MB/);
    // Of 0.99 cores that were busy, the server had 0.25 and the generator 0.04.
    assert.match(text, /others +kept 0\.70 cores/);
    assert.match(text, /CALL_LIMIT ×2/);
    assert.match(text, /leaked +1 call slots/);
    assert.doesNotMatch(text, /NaN|undefined|bargein/);
  });

  test("marks a rung that is void, and says what was missed", () => {
    const void_ = rung(4, 9);
    assert.match(
      rungText(void_, judge(void_, parseObjectives("e2e_p95=1s"))),
      /^VOID: 4 calls[\s\S]*misses: void: .*9\.0 ms[\s\S]*e2e_p95=1s: 1\d\d\d/,
    );
  });

  test("of a soak has slopes with their errors", () => {
    const line = { slope: 0.51, intercept: 1, slopeError: 0.02 };
    const text = soakText({
      rssMbPerHour: line,
      rssFloorMbPerHour: { ...line, slope: 0.25 },
      finalMsPerHour: undefined,
      e2eMsPerHour: { ...line, slope: -3 },
      rssMb: { first: 200, last: 201 },
      leakedCalls: 0,
    });
    assert.match(text, /\+0\.51 ± 0\.02 MB\/h; peaks of 200\.0 MB in the first tenth, 201\.0 MB/);
    assert.match(text, /floor +\+0\.25 ± 0\.02 MB\/h/);
    assert.match(text, /e2e_turn +-3\.00 ± 0\.02/);
    assert.match(text, /0 leaked/);
  });
});

describe("the lines of JSON", () => {
  test("are one object each, with a type; what was never measured is null", () => {
    const result = rung(4);
    const lines = [rungLine(result, undefined), turnLine(4, result.turns[3]!), sampleLine(4, result.samples[1]!)];
    for (const line of lines) assert.equal(line.indexOf("\n"), line.length - 1);
    const [ofRung, turn, sample] = lines.map((line) => JSON.parse(line));
    assert.deepEqual([ofRung.type, turn.type, sample.type], ["rung", "turn", "sample"]);
    assert.equal(ofRung.metrics.bargein.p95, null);
    assert.equal(ofRung.turns, undefined);
    assert.deepEqual(turn.measures.e2e_turn, [630]);
    assert.deepEqual([turn.calls, turn.text, turn.outcome], [4, "beep", "answered"]);
  });
});

describe("the HTML report", () => {
  test("is whole, fetches nothing, and lets no text become markup", () => {
    const html = htmlReport(reportOf(rung(2), rung(4), rung(8, 9)));
    assert.match(html, /^<!doctype html>[\s\S]*<\/html>\n$/);
    assert.doesNotMatch(html, /<script|<link|src=|href=|url\(|https?:/);
    assert.match(html, /--graph &#60;b&#62;/);
    assert.match(html, /a &#60;script&#62; stage/);
    assert.doesNotMatch(html, /NaN|undefined|Infinity/);
    for (const tag of ["svg", "table", "div", "tr", "td", "g"]) {
      const opened = html.match(new RegExp(`<${tag}[ >]`, "g"))!.length;
      assert.equal(opened, html.match(new RegExp(`</${tag}>`, "g"))!.length, tag);
    }
  });

  test("says what was found, and which rungs are void", () => {
    const html = htmlReport(reportOf(rung(2), rung(4), rung(8, 9)));
    assert.match(html, /4 calls meet success=100%, e2e_p95=1s/);
    assert.match(html, /1 of 3 rungs are void/);
    assert.match(html, /Against the number of calls/);
  });

  test("shows the waterfalls of the median turn and of the p99 turn", () => {
    const html = htmlReport(reportOf(rung(4)));
    // Of 100 turns with totals from 602 to 1592 ms.
    assert.match(html, /the median turn: 1102\.0 ms/);
    assert.match(html, /the p99 turn: 1582\.0 ms/);
  });
});

describe("plots", () => {
  test("have round marks that span the values", () => {
    assert.deepEqual(ticksOf(0, 97), [0, 20, 40, 60, 80, 100]);
    assert.deepEqual(ticksOf(0.1, 0.3), [0.1, 0.15, 0.2, 0.25, 0.3]);
    for (const [low, high] of [
      [5, 5],
      [0, 0],
      [-3, 1_700],
      [321.2, 322.9],
    ] as const) {
      const ticks = ticksOf(low, high);
      assert.ok(ticks[0]! <= low && ticks.at(-1)! >= high && ticks.length >= 2 && ticks.length <= 9, `${ticks}`);
    }
  });

  test("put a point where its values say, larger ones further up", () => {
    const svg = chart({
      title: "t",
      xLabel: "x",
      yLabel: "y",
      series: [
        {
          name: "s",
          colour: 1,
          as: "points",
          points: [
            [0, 0],
            [10, 100],
          ],
        },
      ],
    });
    const [low, high] = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(
      ([, x, y]) => [Number(x), Number(y)] as const,
    );
    assert.ok(high![0] > low![0] && high![1] < low![1]);
  });

  test("of nothing are nothing; of very much, every nth point", () => {
    const empty = {
      title: "t",
      xLabel: "x",
      yLabel: "y",
      series: [{ name: "s", colour: 1, as: "points" as const, points: [] }],
    };
    assert.equal(chart(empty), "");
    const many = Array.from({ length: 100_000 }, (_, at) => [at, at % 50] as const);
    const svg = chart({ ...empty, series: [{ name: "s", colour: 1, as: "points", points: many }] });
    assert.ok(svg.match(/<circle/g)!.length <= 1_500);
  });

  test("a waterfall's bars follow each other without a gap, and long waiting leaves room for the rest", () => {
    const svg = waterfall("turn", receiptOf(90));
    const bars = [...svg.matchAll(/<rect class="part-\w+" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)];
    const ends = bars.map(([, x, width]) => Number(x) + Number(width));
    for (const [index, [, x]] of bars.slice(1).entries()) assert.ok(Math.abs(Number(x) - ends[index]!) < 0.3);
    const [wait, , compute] = bars.map(([, , width]) => Number(width));
    assert.ok(compute! > 4 * wait!, `${wait} ${compute}`);
    assert.match(svg, /600\.0 ms, not to scale/);
    assert.match(svg, /91\.0 ms, batch of 4/);
  });
});
