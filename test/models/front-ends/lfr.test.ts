import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { packageRoot } from "../../../src/base/package-root.js";
import { FrameStream } from "../../../src/models/front-ends/frame-stream.js";
import { FunasrFbank } from "../../../src/models/front-ends/funasr-fbank.js";
import { FeatureScale, LowFrameRate } from "../../../src/models/front-ends/lfr.js";
import { babble } from "../family-support.js";

interface Golden {
  readonly frameCount: number;
  readonly rowCount: number;
  readonly frames: readonly { readonly index: number; readonly values: readonly number[] }[];
  /** Every 11th float of a row. */
  readonly scaled: Golden["frames"];
}
const golden = JSON.parse(readFileSync(join(packageRoot(), "test/fixtures/lfr.json"), "utf8")) as Golden;
const GOLDEN_STEP = 11;

/** What the fixture was made from, as its note tells. */
const signal = babble(7, 16_000);

function framesOf(pcm: Int16Array): { readonly frames: Float32Array; readonly count: number } {
  const stream = new FrameStream(new FunasrFbank());
  stream.accept(pcm, 0, pcm.length);
  stream.finish();
  const count = stream.frameCount;
  const frames = new Float32Array(count * stream.bins);
  stream.read(0, count, frames);
  return { frames, count };
}

function checkRows(features: Float32Array, rowFloats: number, rows: Golden["frames"], step: number): void {
  assert.ok(rows.length >= 3);
  for (const { index, values } of rows) {
    assert.equal(values.length, Math.ceil(rowFloats / step));
    for (const [i, value] of values.entries()) {
      const found = features[index * rowFloats + i * step]!;
      assert.ok(Math.abs(found - value) < 1e-3, `float ${i * step} of row ${index} is ${found}, not ${value}`);
    }
  }
}

describe("FunASR's filter bank", () => {
  test("is that of kaldi-native-fbank with Hamming's window", () => {
    const { frames, count } = framesOf(signal);
    assert.equal(count, golden.frameCount);
    checkRows(frames, 80, golden.frames, 1);
  });

  test("has no frame of a stream shorter than a window", () => {
    assert.equal(framesOf(signal.subarray(0, 399)).count, 0);
    assert.equal(framesOf(signal.subarray(0, 400)).count, 1);
  });
});

describe("low frame rate features", () => {
  test("are those of FunASR, stacked and scaled", () => {
    const { frames, count } = framesOf(signal);
    const lfr = new LowFrameRate({ bins: 80, edges: "repeat" });
    const rows = lfr.rowCount(count);
    assert.equal(rows, golden.rowCount);
    const features = new Float32Array(1 + rows * lfr.rowFloats).fill(Number.NaN);
    lfr.compute(frames, 0, count, 0, rows, features, 1);
    const floats = Array.from({ length: lfr.rowFloats }, (_, i) => i);
    const scale = new FeatureScale(
      floats.map((i) => -(8 + (i % 5))),
      floats.map((i) => 0.1 + 0.001 * i),
    );
    scale.apply(features, rows, 1);
    assert.ok(Number.isNaN(features[0]!));
    checkRows(features.subarray(1), lfr.rowFloats, golden.scaled, GOLDEN_STEP);
  });

  /** Frames of one float, which is the frame's index. */
  const counted = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i);

  function rowsOf(lfr: LowFrameRate, count: number): number[][] {
    const rows = lfr.rowCount(count);
    const features = new Float32Array(rows * lfr.stack);
    if (rows > 0) lfr.compute(counted(count), 0, count, 0, rows, features);
    return Array.from({ length: rows }, (_, row) => [...features.subarray(row * lfr.stack, (row + 1) * lfr.stack)]);
  }

  test("repeat a stream's ends, or leave away what is not whole", () => {
    const repeated = new LowFrameRate({ bins: 1, stack: 7, shift: 6, edges: "repeat" });
    assert.deepEqual(rowsOf(repeated, 8), [
      [0, 0, 0, 0, 1, 2, 3],
      [3, 4, 5, 6, 7, 7, 7],
    ]);
    assert.deepEqual(rowsOf(repeated, 1), [[0, 0, 0, 0, 0, 0, 0]]);
    assert.deepEqual(rowsOf(repeated, 0), []);
    const cut = new LowFrameRate({ bins: 1, stack: 7, shift: 6, edges: "cut" });
    assert.deepEqual(rowsOf(cut, 13), [
      [0, 1, 2, 3, 4, 5, 6],
      [6, 7, 8, 9, 10, 11, 12],
    ]);
    assert.deepEqual(rowsOf(cut, 12).length, 1);
    assert.deepEqual(rowsOf(cut, 6), []);
  });

  test("of a stream that comes in pieces, and whose read frames are forgotten, are those of the whole", () => {
    const shape = fc.record({
      stack: fc.integer({ min: 1, max: 9 }),
      shift: fc.integer({ min: 1, max: 9 }),
      edges: fc.constantFrom("repeat" as const, "cut" as const),
    });
    const pieces = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 12 });
    fc.assert(
      fc.property(shape, pieces, ({ stack, shift, edges }, counts) => {
        fc.pre(stack >= shift);
        const lfr = new LowFrameRate({ bins: 1, stack, shift, edges });
        const total = counts.reduce((sum, count) => sum + count, 0);
        const found: number[] = [];
        const readUntil = (rows: number, frameCount: number): void => {
          const done = found.length / stack;
          if (rows <= done) return;
          const from = lfr.firstFrameOf(done);
          const features = new Float32Array((rows - done) * stack);
          lfr.compute(counted(frameCount).subarray(from), from, frameCount, done, rows, features);
          found.push(...features);
        };
        let heard = 0;
        for (const count of counts) {
          heard += count;
          readUntil(lfr.readyRows(heard), heard);
        }
        readUntil(lfr.rowCount(total), total);
        assert.deepEqual(found, rowsOf(lfr, total).flat());
      }),
      { seed: 76, numRuns: 300 },
    );
  });

  test("leave no frame out, and a scale fits its rows", () => {
    assert.throws(() => new LowFrameRate({ bins: 80, stack: 3, shift: 4, edges: "cut" }), /none of which is left out/);
    assert.throws(() => new FeatureScale([1, 2], [1]), /as many/);
  });
});
