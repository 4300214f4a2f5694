import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hypothesisOf } from "../../../src/models/stt/words.js";

const TIMING = { frameSamples: 1280, sampleCount: 16_000 };

function said(...pieces: readonly string[]) {
  const table = { path: "", pieces, blank: -1 };
  const tokens = pieces.map((_, id) => ({ id, startFrame: id, endFrame: id + 1, probability: id === 0 ? 0.5 : 1 }));
  return hypothesisOf(tokens, table, TIMING);
}

describe("text from tokens", () => {
  test("has a space where a piece begins with ▁, inside of one too, and none at its ends", () => {
    assert.equal(said("▁the", "▁qu", "ick", "▁", "fox", ".", "▁").text, "the quick fox.");
    assert.equal(said("un", "til▁now", "▁▁", "s").text, "until now s");
    assert.equal(said().text, "");
    assert.equal(said().confidence, 0);
  });

  test("joins bytes to characters, and waits for one that is incomplete", () => {
    assert.equal(said("▁Stra", "<0xC3>", "<0x9F>", "e").text, "Straße");
    assert.equal(said("▁a", "<0xC3>").text, "a");
    assert.equal(said("▁a", "<0xC3>", "b").text, "a\ufffdb");
  });

  test("leaves signs to the decoder out", () => {
    assert.equal(said("<|en|>", "▁yes", "<unk>", "▁no").text, "yes no");
  });

  test("makes each Chinese or Japanese piece a word without spaces around it", () => {
    const { text, words } = said("今天", "天气", "▁OK", "吗");
    assert.equal(text, "今天天气 OK吗");
    assert.deepEqual(
      words.map((word) => word.text),
      ["今天", "天气", "OK", "吗"],
    );
  });

  test("gives words the time and the mean probability of their tokens, within the stream", () => {
    const { words, confidence } = said(
      "▁on",
      "e",
      "▁",
      "two",
      "▁a",
      "▁b",
      "▁c",
      "▁d",
      "▁e",
      "▁f",
      "▁g",
      "▁h",
      "▁i",
      "▁j",
    );
    assert.deepEqual(words[0], { text: "one", startSample: 0, endSample: 2 * 1280, confidence: 0.75 });
    assert.deepEqual(words[1], { text: "two", startSample: 3 * 1280, endSample: 4 * 1280, confidence: 1 });
    assert.deepEqual([words.at(-1)!.startSample, words.at(-1)!.endSample], [16_000, 16_000]);
    assert.ok(confidence > 0.95 && confidence < 1);
  });
});
