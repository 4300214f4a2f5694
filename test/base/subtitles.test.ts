import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cuesOf, type TimedWord, toSrt, toVtt } from "../../src/base/subtitles.js";

const word = (text: string, startMs: number, endMs: number): TimedWord => ({ text, startMs, endMs });
const WORDS = [
  word("Tom", 3_723_004.6, 3_723_400),
  word("&", 3_723_400, 3_723_500),
  word("<Jo>", 3_725_000, 3_726_010),
];

describe("subtitles", () => {
  test("of SRT are numbered and have a comma before the milliseconds", () => {
    const expected = "1\n01:02:03,005 --> 01:02:03,500\nTom &\n\n2\n01:02:05,000 --> 01:02:06,010\n<Jo>\n";
    assert.equal(toSrt(WORDS), expected);
  });

  test("of WebVTT have a point there, and escapes", () => {
    const expected =
      "WEBVTT\n\n01:02:03.005 --> 01:02:03.500\nTom &amp;\n\n01:02:05.000 --> 01:02:06.010\n&lt;Jo&gt;\n";
    assert.equal(toVtt(WORDS), expected);
  });

  test("of nothing are an empty file of their kind", () => {
    assert.equal(toSrt([]), "");
    assert.equal(toVtt([]), "WEBVTT\n");
  });

  test("begin a new cue at a pause, at six seconds and at 72 characters", () => {
    const steady = Array.from({ length: 40 }, (_, index) => word("word", index * 500, index * 500 + 400));
    for (const { startMs, endMs } of cuesOf(steady)) assert.ok(endMs - startMs <= 6_000);
    const quick = Array.from({ length: 40 }, (_, index) => word("longish", index * 50, index * 50 + 40));
    for (const { text } of cuesOf(quick)) assert.ok(text.length <= 72);
    assert.equal(cuesOf(WORDS).length, 2);
  });
});
