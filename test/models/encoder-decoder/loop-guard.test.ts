import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOOP_SPAN_TOKENS, LOOP_TOKENS_MAX, loopStart } from "../../../src/models/encoder-decoder/loop-guard.js";

/** Calls the guard after every token, as a decoder does: where it cuts, and after how many tokens. */
function guarded(tokens: readonly number[]): { cut: number; after: number } | undefined {
  for (let after = 1; after <= tokens.length; after += 1) {
    const cut = loopStart(tokens.slice(0, after));
    if (cut !== undefined) return { cut, after };
  }
  return undefined;
}

const round = (length: number, times: number): number[] =>
  Array.from({ length: length * times }, (_, i) => 10 + (i % length));

describe("the loop guard", () => {
  for (const length of [1, 2, 3, 5, 12, LOOP_TOKENS_MAX]) {
    test(`finds rounds of ${length} behind other words, as soon as they are a loop, and leaves one`, () => {
      const found = guarded([1, 2, 3, ...round(length, 30)]);
      assert.equal(found?.cut, 3 + length);
      const rounds = Math.max(4, Math.ceil(LOOP_SPAN_TOKENS / length));
      assert.equal(found?.after, 3 + length * rounds);
    });
  }

  test("lets pass what people do repeat, and rounds that are longer", () => {
    assert.equal(guarded([1, ...round(1, LOOP_SPAN_TOKENS - 1), 2]), undefined);
    assert.equal(guarded([...round(5, 3), 1]), undefined);
    assert.equal(guarded(round(LOOP_TOKENS_MAX + 1, 6)), undefined);
    assert.equal(guarded([]), undefined);
  });
});
