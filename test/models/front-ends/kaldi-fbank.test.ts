import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../../src/base/package-root.js";
import { FBANK_CARRY_SAMPLES, FBANK_SHIFT_SAMPLES, KaldiFbank } from "../../../src/models/front-ends/kaldi-fbank.js";
import { babble, toFloats } from "../family-support.js";
import { largestDifference } from "../vad-support.js";

const MEL_BINS = 80;
const FRAMES = 25;

/** What the fixture was made from, as its note tells. */
const signal = toFloats(babble(7, FRAMES * FBANK_SHIFT_SAMPLES));

interface Golden {
  readonly frames: readonly { readonly index: number; readonly values: readonly number[] }[];
}
const golden = JSON.parse(readFileSync(join(packageRoot(), "test/fixtures/kaldi-fbank.json"), "utf8")) as Golden;

function atOnce(): Float32Array {
  const features = new Float32Array(FRAMES * MEL_BINS);
  new KaldiFbank(MEL_BINS).compute(new Float32Array(FBANK_CARRY_SAMPLES), 0, signal, 0, FRAMES, features);
  return features;
}

describe("Kaldi's filter bank", () => {
  test("is that of kaldi-native-fbank, digital silence included", () => {
    const features = atOnce();
    assert.equal(golden.frames.length, 6);
    for (const { index, values } of golden.frames) {
      const row = features.subarray(index * MEL_BINS, (index + 1) * MEL_BINS);
      assert.ok(largestDifference(row, Float32Array.from(values)) < 1e-4, `frame ${index}`);
    }
  });

  for (const step of [1, 2, 5]) {
    test(`gives the same frames ${step} at a time, its carry inside of a larger state`, () => {
      const fbank = new KaldiFbank(MEL_BINS);
      const carryAt = 7;
      const state = new Float32Array(carryAt + FBANK_CARRY_SAMPLES + 1).fill(Number.NaN);
      state.fill(0, carryAt, carryAt + FBANK_CARRY_SAMPLES);
      const found = new Float32Array(FRAMES * MEL_BINS);
      const features = new Float32Array(step * MEL_BINS);
      for (let frame = 0; frame + step <= FRAMES; frame += step) {
        const start = frame * FBANK_SHIFT_SAMPLES;
        fbank.compute(state, carryAt, signal, start, step, features);
        KaldiFbank.remember(state, carryAt, signal, start, step * FBANK_SHIFT_SAMPLES);
        found.set(features, frame * MEL_BINS);
      }
      const count = (FRAMES - (FRAMES % step)) * MEL_BINS;
      assert.deepEqual(found.subarray(0, count), atOnce().subarray(0, count));
      assert.ok(Number.isNaN(state[carryAt - 1]!) && Number.isNaN(state.at(-1)!), "neighbours are left alone");
    });
  }

  test("leaves state and samples as they were until told to remember", () => {
    const carry = signal.slice(0, FBANK_CARRY_SAMPLES);
    const before = carry.slice();
    const features = new Float32Array(2 * MEL_BINS);
    const fbank = new KaldiFbank(MEL_BINS);
    fbank.compute(carry, 0, signal, 800, 2, features);
    const first = features.slice();
    fbank.compute(carry, 0, signal, 800, 2, features);
    assert.deepEqual(carry, before);
    assert.deepEqual(features, first);
  });
});
