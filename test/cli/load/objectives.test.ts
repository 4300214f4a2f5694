import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, parseObjectives } from "../../../src/cli/load/objectives.js";
import { resultOf } from "../../../src/cli/load/result.js";
import type { RungTraces } from "../../../src/cli/load/rung.js";
import { summarise } from "../../../src/cli/load/statistics.js";
import { newSpeech, newTurn } from "../../../src/cli/load/trace.js";
import { toneRecording } from "../../support/load-stage.js";

const recording = toneRecording("tone", 500, "one two three four");

/** A rung of transcribed turns: how long after the endpoint each final came, and what it said. */
function rungOf(finals: readonly (readonly [afterMs: number, text: string])[], latenessMs = 1, refused = 0) {
  const turns = finals.map(([afterMs, text]) => {
    const place = { recording, firstFrameMs: 20, startMs: 0, endMs: 1_000, isBargeIn: false };
    const speech = newSpeech({ ...place, startPositionMs: 0, endPositionMs: 1_000 });
    speech.endpointsMs.push(1_200);
    speech.finals.push({ atMs: 1_200 + afterMs, text });
    return { ...newTurn(0, 0, speech), outcome: "answered" as const };
  });
  const none = { opened: 0, refused: 0, lost: 0 };
  const traces: RungTraces = {
    beganMs: 0,
    fromMs: 0,
    untilMs: 10_000,
    lateness: summarise([latenessMs]),
    turns,
    setups: [3],
    counts: { polite: none, "slow-reader": none, abrupt: none },
    measuredCounts: { ...none, refused },
    troubles: new Map(),
    gapMs: 0,
    samples: [],
    leakedCalls: 0,
  };
  return resultOf(1, traces, new Map([["tone", "one two three for"]]));
}

const ALONE = "one two three for";

describe("objectives", () => {
  test("compare a quantile of a figure with its limit; `final` is final_after_endpoint, seconds are milliseconds", () => {
    const rung = rungOf([
      [100, ALONE],
      [200, ALONE],
    ]);
    const verdictOf = (slo: string): boolean => judge(rung, parseObjectives(slo)).meets;
    assert.equal(verdictOf("final_p50=150ms"), true);
    assert.equal(verdictOf("final_p50=149ms"), false);
    assert.equal(verdictOf("final_after_endpoint_max=0.2s"), true);
    assert.equal(verdictOf("ttfs_max=400ms,final_max=200ms"), true);
    assert.equal(verdictOf("ttfs_max=399ms,final_max=200ms"), false);
  });

  test("say which was missed, and by what", () => {
    const rung = rungOf([[250, ALONE]]);
    assert.deepEqual(judge(rung, parseObjectives("final_p95=300ms,ttfs_p50=100ms")), {
      meets: false,
      misses: ["ttfs_p50=100ms: 450.0"],
    });
  });

  test("what was never measured is not met", () => {
    assert.deepEqual(judge(rungOf([[1, ALONE]]), parseObjectives("ttfa_p95=800ms")).misses, [
      "ttfa_p95=800ms: never measured",
    ]);
    assert.equal(judge(rungOf([[1, ALONE]]), parseObjectives("c100=99%")).meets, false);
  });

  test("want all turns answered and no call refused, unless they say otherwise", () => {
    const rung = rungOf([[1, ALONE]], 1, 1);
    assert.deepEqual(judge(rung, parseObjectives("final_p95=1s")).misses, ["success=100%: 50.0"]);
    assert.equal(judge(rung, parseObjectives("final_p95=1s,success=50%")).meets, true);
  });

  test("take the words of the call alone for parity, and those of the recording for the error rate", () => {
    const rung = rungOf([
      [1, ALONE],
      [1, "one two three four"],
    ]);
    // One word of eight is wrong; one turn of two is as when alone.
    assert.equal(rung.words.errorPercent, 12.5);
    assert.equal(judge(rung, parseObjectives("parity=50%,wer=12.5%")).meets, true);
    assert.equal(judge(rung, parseObjectives("parity=51%")).meets, false);
    assert.equal(judge(rung, parseObjectives("wer=12%")).meets, false);
    // Alone, both would have had that word wrong: 25 %, so under load it fell.
    assert.equal(rung.words.aloneErrorPercent, 25);
    assert.equal(judge(rung, parseObjectives("wer_rise=0%")).meets, true);
    const worse = rungOf([[1, "one two"]]);
    assert.equal(judge(worse, parseObjectives("wer_rise=25%")).meets, true);
    assert.equal(judge(worse, parseObjectives("wer_rise=24%")).meets, false);
  });

  test("are met by no void rung", () => {
    const { meets, misses } = judge(rungOf([[1, ALONE]], 5.1), parseObjectives("final_p95=1s"));
    assert.equal(meets, false);
    assert.match(misses[0]!, /^void: .*5\.1 ms/);
    assert.equal(judge(rungOf([[1, ALONE]], 5), parseObjectives("final_p95=1s")).meets, true);
  });

  for (const wrong of [
    "",
    "final",
    "final_p95",
    "final_p95=300",
    "final_p90=3ms",
    "nothing_p95=3ms",
    "success=100",
    "wer=3",
    "drift=1ms",
    "rtf_stream_p95=3ms",
    "a=1%,,",
  ]) {
    test(`refuse ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => parseObjectives(wrong), { code: "CLI_OPTION_INVALID" });
    });
  }
});
