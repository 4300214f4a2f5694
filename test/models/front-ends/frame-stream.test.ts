import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../../src/base/package-root.js";
import { type FrameAnalysis, FrameStream, PENDING_SAMPLES_MAX } from "../../../src/models/front-ends/frame-stream.js";
import { IcefallFbank } from "../../../src/models/front-ends/icefall-fbank.js";
import { NemoMel, normalisePerFeature } from "../../../src/models/front-ends/nemo-mel.js";
import { babble } from "../family-support.js";
import { largestDifference } from "../vad-support.js";

type Rows = readonly { readonly index: number; readonly values: readonly number[] }[];

/** What the fixtures were made from. */
const signal = babble(7, 4000);

function fixture(name: string): Record<string, Rows> {
  return JSON.parse(readFileSync(join(packageRoot(), "test", "fixtures", name), "utf8")) as Record<string, Rows>;
}

function atOnce(analysis: FrameAnalysis, pcm = signal): Float32Array {
  const stream = new FrameStream(analysis);
  stream.accept(pcm, 0, pcm.length);
  stream.finish();
  const features = new Float32Array(stream.frameCount * stream.bins);
  stream.read(0, stream.frameCount, features);
  return features;
}

function compare(features: Float32Array, bins: number, golden: Rows): void {
  assert.ok(golden.length >= 3);
  for (const { index, values } of golden) {
    const row = features.subarray(index * bins, (index + 1) * bins);
    const difference = largestDifference(row, Float32Array.from(values));
    assert.ok(difference < 1e-4, `frame ${index} is off by ${difference}`);
  }
}

describe("NeMo's mel spectrogram", () => {
  for (const bins of [80, 128]) {
    test(`is that of NumPy and librosa with ${bins} bands, before and after normalisation`, () => {
      const golden = fixture("nemo-mel.json");
      const features = atOnce(new NemoMel(bins));
      assert.equal(features.length, 25 * bins);
      compare(features, bins, golden[`log${bins}`]!);
      normalisePerFeature(features, 25, bins);
      compare(features, bins, golden[`normalised${bins}`]!);
    });
  }
});

describe("icefall's filter bank", () => {
  test("is that of kaldi-native-fbank with mirrored ends and samples up to 1", () => {
    const features = atOnce(new IcefallFbank(80));
    assert.equal(features.length, 25 * 80);
    compare(features, 80, fixture("icefall-fbank.json").frames!);
  });

  test("mirrors a stream shorter than its window, and has no frame without samples", () => {
    const features = atOnce(new IcefallFbank(80), signal.subarray(0, 100));
    assert.equal(features.length, 80);
    assert.ok(features.every(Number.isFinite));
    assert.equal(atOnce(new IcefallFbank(80), new Int16Array(0)).length, 0);
  });
});

for (const analysis of [new NemoMel(80), new IcefallFbank(80)]) {
  const name = analysis.constructor.name;
  describe(`a stream of ${name}'s frames`, () => {
    for (const piece of [37, 160, 1111]) {
      test(`is the same ${piece} samples at a time, frames read as they come and forgotten`, () => {
        const stream = new FrameStream(analysis);
        const found: number[] = [];
        const readNew = () => {
          const from = found.length / 80;
          const count = stream.frameCount - from;
          const frames = new Float32Array(count * 80);
          stream.read(from, count, frames);
          stream.forget(from + count - 3);
          found.push(...frames);
        };
        for (let at = 0; at < signal.length; at += piece) {
          stream.accept(signal, at, Math.min(piece, signal.length - at));
          readNew();
        }
        const early = found.length / 80;
        assert.ok(early >= 22 && early < 25, `${early} frames are sure before the end`);
        stream.finish();
        readNew();
        assert.deepEqual(Float32Array.from(found), atOnce(analysis));
      });
    }

    test("takes no more than may wait, and any length if its frames are read", () => {
      const second = new Int16Array(16_000);
      const read = new FrameStream(analysis);
      const unread = new FrameStream(analysis);
      const seconds = PENDING_SAMPLES_MAX / second.length;
      for (let i = 0; i < seconds; i += 1) {
        unread.accept(second, 0, second.length);
        read.accept(second, 0, second.length);
        read.read(read.frameCount - 1, 1, new Float32Array(80));
        read.forget(read.frameCount);
      }
      assert.throws(() => unread.accept(second, 0, 1), /advanced before it is full/);
      read.accept(second, 0, second.length);
      assert.equal(read.sampleCount, (seconds + 1) * second.length);
    });

    test("offers a frame once its window is heard, not before", () => {
      const stream = new FrameStream(analysis);
      const needed = analysis.windowSamples - analysis.leadSamples;
      stream.accept(signal, 0, needed - 1);
      assert.equal(stream.frameCount, 0);
      stream.accept(signal, needed - 1, 1);
      assert.equal(stream.frameCount, 1);
    });
  });
}
