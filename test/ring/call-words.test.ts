import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CallWords, createCallWordsBuffer } from "../../src/ring/index.js";

/** A slot whose generation stands at `generation` before anything happens. */
function wordsAt(generation: number): CallWords {
  const buffer = createCallWordsBuffer(4);
  new Int32Array(buffer)[2 * 4] = generation;
  return new CallWords(buffer);
}

const SLOT = 2;

for (const [name, start] of [
  ["from zero", 0],
  ["across the overflow", 0x7ffffffe],
] as const) {
  describe(`call words, ${name}`, () => {
    test("an interruption makes older records stale and no newer ones", () => {
      const words = wordsAt(start);
      const born = words.open(SLOT);
      assert.equal(born, (start + 1) | 0);
      assert.equal(words.isStale(SLOT, born), false);
      const next = words.bump(SLOT);
      assert.equal(next, (born + 1) | 0);
      assert.equal(words.generation(SLOT), next);
      assert.equal(words.isStale(SLOT, born), true);
      assert.equal(words.isStale(SLOT, next), false);
      assert.equal(words.isForeign(SLOT, born), false, "stale, but of this call");
    });

    test("a reused slot tells a former call's records from its own", () => {
      const words = wordsAt(start);
      const former = words.open(SLOT);
      const interrupted = words.bump(SLOT);
      words.release(SLOT);
      assert.equal(words.isStale(SLOT, interrupted), true, "released: all is stale");
      assert.equal(words.isForeign(SLOT, interrupted), false, "nobody else has the slot yet");
      const born = words.open(SLOT);
      assert.equal(words.born(SLOT), born);
      for (const old of [former, interrupted]) {
        assert.equal(words.isForeign(SLOT, old), true);
        assert.equal(words.isStale(SLOT, old), true);
      }
      assert.equal(words.isForeign(SLOT, born), false);
    });

    test("other slots are untouched", () => {
      const words = wordsAt(start);
      words.open(SLOT);
      words.setReplyStarted(SLOT, 1);
      for (const other of [0, 1, 3]) {
        assert.equal(words.generation(other), 0);
        assert.equal(words.born(other), 0);
        assert.equal(words.isReplying(other), false);
      }
    });
  });
}

describe("the reply words of a call", () => {
  test("say whether a reply runs, also when a late one ends after the next began", () => {
    const words = wordsAt(0);
    words.open(SLOT);
    assert.equal(words.isReplying(SLOT), false);
    words.setReplyStarted(SLOT, 1);
    assert.equal(words.isReplying(SLOT), true);
    words.setReplyStarted(SLOT, 2);
    words.setReplyFinished(SLOT, 1);
    assert.equal(words.isReplying(SLOT), true);
    words.setReplyFinished(SLOT, 2);
    assert.equal(words.isReplying(SLOT), false);
  });

  test("are cleared when the slot is opened again", () => {
    const words = wordsAt(0);
    words.open(SLOT);
    words.setReplyStarted(SLOT, 5);
    words.release(SLOT);
    words.open(SLOT);
    assert.equal(words.isReplying(SLOT), false);
    words.setReplyStarted(SLOT, 1);
    assert.equal(words.isReplying(SLOT), true);
  });

  test("refuse a slot that does not exist", () => {
    const words = wordsAt(0);
    assert.equal(words.slotCount, 4);
    assert.throws(() => words.bump(4), RangeError);
    assert.throws(() => words.bump(-1), RangeError);
  });
});
