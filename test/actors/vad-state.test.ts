import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type VadChange, VadState } from "../../src/actors/vad-state.js";

const timing = { threshold: 0.5, startWindows: 3, stopWindows: 4 };

/** One digit per window: tenths of probability. Windows are 100 samples. */
function changes(digits: string, state = new VadState()): string[] {
  const found: string[] = [];
  for (const [index, digit] of [...digits].entries()) {
    const change = state.step(Number(digit) / 10, index * 100, timing);
    if (change !== undefined) found.push(written(change));
  }
  return found;
}

function written({ what, atSample }: VadChange): string {
  return `${what}@${atSample}`;
}

describe("vad state", () => {
  test("places start and stop where speech began and ended, not where that was noticed", () => {
    assert.deepEqual(changes("0099999900000"), ["start@200", "stop@800"]);
  });

  test("ignores speech that is shorter than startMs", () => {
    assert.deepEqual(changes("0990099000"), []);
  });

  test("bridges silence that is shorter than stopMs", () => {
    assert.deepEqual(changes("999000999000099"), ["start@0", "stop@900"]);
  });

  test("a probability between the thresholds neither begins speech nor ends it", () => {
    assert.deepEqual(changes("4444444"), []);
    assert.deepEqual(changes("999444444444"), ["start@0"]);
    assert.deepEqual(changes("944999"), ["start@0"], "a hesitant beginning goes on");
    assert.deepEqual(changes("99904440"), ["start@0", "stop@300"], "a hesitant end stays one");
  });

  test("a probability at the threshold is speech and one at the lower threshold is not silence", () => {
    const state = new VadState();
    const exact = { threshold: 0.5, startWindows: 1, stopWindows: 1 };
    assert.equal(state.step(0.5, 0, exact)?.what, "start");
    assert.equal(state.step(0.35, 100, exact), undefined);
    assert.equal(state.step(0.34, 200, exact)?.what, "stop");
  });

  test("the stream's end ends speech, where the silence began if there was one", () => {
    const speaking = new VadState();
    changes("99999", speaking);
    assert.equal(written(speaking.end(500)!), "stop@500");
    const stopping = new VadState();
    changes("9999900", stopping);
    assert.equal(written(stopping.end(700)!), "stop@500");
    assert.equal(stopping.end(900), undefined);
  });

  test("saved at any window and restored, it goes on the same", () => {
    const digits = "0099049994440009990000999999000099900000";
    const undisturbed = changes(digits);
    assert.ok(undisturbed.length >= 6);
    for (let cut = 0; cut <= digits.length; cut++) {
      const words = new Int32Array(8);
      const first = new VadState();
      const found: string[] = [];
      for (const [index, digit] of [...digits].entries()) {
        if (index === cut) first.save(words, 5);
        const state = index < cut ? first : restoredFrom(words);
        const change = state.step(Number(digit) / 10, index * 100, timing);
        if (index >= cut) state.save(words, 5);
        if (change !== undefined) found.push(written(change));
      }
      assert.deepEqual(found, undisturbed, `cut at ${cut}`);
    }
  });
});

function restoredFrom(words: Int32Array): VadState {
  const state = new VadState();
  state.restore(words, 5);
  return state;
}
