import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../../src/base/package-root.js";
import { LogMel, WHISPER_FRAMES } from "../../../src/models/front-ends/log-mel.js";
import { SlaneyMel } from "../../../src/models/front-ends/slaney-mel.js";
import { SPELLING_BANDS, SPELLING_FRAMES, SpellingMel } from "../../../src/models/front-ends/spelling-mel.js";
import { babble, sharedFile, toFloats } from "../family-support.js";
import { readNpz } from "./npz-support.js";

type Columns = readonly { readonly frame: number; readonly values: readonly number[] }[];
const golden = JSON.parse(readFileSync(join(packageRoot(), "test/fixtures/log-mel.json"), "utf8")) as Record<
  string,
  Columns
>;

/** What the fixture was made from, as its note tells. */
const signal = toFloats(babble(7, 48_000));

function checkColumns(name: string, features: Float32Array, frames: number): void {
  const columns = golden[name]!;
  assert.ok(columns.length >= 2);
  for (const { frame, values } of columns) {
    for (const [bin, value] of values.entries()) {
      const found = features[bin * frames + frame]!;
      assert.ok(Math.abs(found - value) < 2e-5, `${name}: band ${bin} of frame ${frame} is ${found}, not ${value}`);
    }
  }
}

describe("Whisper's log mel spectrogram", () => {
  for (const bins of [80, 128]) {
    test(`with ${bins} bands is what the definition gives in NumPy`, () => {
      const features = new Float32Array(bins * WHISPER_FRAMES);
      new LogMel(bins).compute(signal, features);
      checkColumns(`whisper${bins}`, features, WHISPER_FRAMES);
    });

    test(`has OpenAI's ${bins} filters`, (t) => {
      const path = sharedFile("models", "whisper_mel_filters.npz");
      if (path === undefined) return t.skip("no ../shared/models/whisper_mel_filters.npz");
      const filters = readNpz(path).get(`mel_${bins}`)!;
      const mel = new SlaneyMel({ bins, fftSize: 400, rateHz: 16_000, lowHz: 0, highHz: 8000 });
      assert.equal(filters.length, bins * 201);
      for (const [i, weight] of filters.entries()) {
        assert.ok(Math.abs(mel.weight(Math.floor(i / 201), i % 201) - weight) < 1e-8, `weight ${i}`);
      }
    });
  }

  test("is reflected at the end of a clip that the signal fills, or overfills", () => {
    const features = new Float32Array(80 * 300);
    const logMel = new LogMel(80, 300);
    logMel.compute(signal, features);
    checkColumns("filled80", features, 300);
    const longer = new Float32Array(signal.length + 1000).fill(0.5);
    longer.set(signal);
    const again = new Float32Array(80 * 300);
    logMel.compute(longer, again);
    assert.deepEqual(again, features);
  });

  test("writes where it is told to, and its memory keeps nothing of the clip before", () => {
    const logMel = new LogMel(80, 300);
    const alone = new Float32Array(80 * 300);
    logMel.compute(signal.subarray(0, 16_000), alone);
    const second = new Float32Array(1 + 2 * 80 * 300).fill(Number.NaN);
    logMel.compute(signal, second, 1);
    logMel.compute(signal.subarray(0, 16_000), second, 1 + 80 * 300);
    assert.ok(Number.isNaN(second[0]!));
    assert.deepEqual(second.subarray(1 + 80 * 300), alone);
  });

  test("of no samples at all is the same everywhere", () => {
    const features = new Float32Array(80 * 300);
    new LogMel(80, 300).compute(new Float32Array(0), features);
    assert.ok(features.every((value) => value === -1.5));
  });
});

describe("the spelling network's spectrogram", () => {
  test("is what the definition gives in NumPy", () => {
    const features = new Float32Array(SPELLING_BANDS * SPELLING_FRAMES);
    new SpellingMel().compute(signal.subarray(0, 16_000), features);
    checkColumns("spelling64", features, SPELLING_FRAMES);
  });

  test("of silence is finite", () => {
    const features = new Float32Array(SPELLING_BANDS * SPELLING_FRAMES);
    new SpellingMel().compute(new Float32Array(16_000), features);
    assert.ok(features.every((value) => Math.abs(value) < 1));
  });
});
