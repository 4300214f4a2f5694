import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createFileResampler, createResampler, RESAMPLER_RATES_HZ, type Resampler } from "../../src/audio/resampler.js";
import { isSyrinxError } from "../../src/base/errors.js";
import { seeded } from "../../src/base/prng.js";

const AMPLITUDE = 16_000;
const PAIRS = RESAMPLER_RATES_HZ.flatMap((from) => RESAMPLER_RATES_HZ.map((to) => [from, to] as const)).filter(
  ([from, to]) => from !== to,
);

function sine(frequencyHz: number, rateHz: number, count: number): Int16Array {
  return new Int16Array(count).map((_, index) =>
    Math.round(AMPLITUDE * Math.sin((2 * Math.PI * frequencyHz * index) / rateHz)),
  );
}

/** The whole stream through one resampler, cut into chunks of the given lengths, which repeat. */
function convert(
  resampler: Resampler,
  input: Int16Array,
  chunkLengths: readonly number[] = [input.length],
): Int16Array {
  const output = new Int16Array(2 * resampler.outputBound(input.length));
  let written = 0;
  let taken = 0;
  for (let index = 0; taken < input.length; index++) {
    const count = Math.min(chunkLengths[index % chunkLengths.length]!, input.length - taken);
    const chunk = new Int16Array(resampler.outputBound(count));
    const chunkCount = resampler.process(input, taken, count, chunk);
    output.set(chunk.subarray(0, chunkCount), written);
    written += chunkCount;
    taken += count;
  }
  const rest = new Int16Array(resampler.outputBound(0));
  const restCount = resampler.flush(rest);
  output.set(rest.subarray(0, restCount), written);
  return output.slice(0, written + restCount);
}

/** Power of the signal that is the given sine, in its right phase, against the power of all else, in dB. */
function signalToNoiseDb(output: Int16Array, frequencyHz: number, rateHz: number, margin: number): number {
  let noise = 0;
  for (let index = margin; index < output.length - margin; index++) {
    const expected = AMPLITUDE * Math.sin((2 * Math.PI * frequencyHz * index) / rateHz);
    noise += (output[index]! - expected) ** 2;
  }
  return 10 * Math.log10((AMPLITUDE ** 2 / 2) * ((output.length - 2 * margin) / noise));
}

function levelDb(output: Int16Array, margin: number): number {
  let power = 1e-9;
  for (let index = margin; index < output.length - margin; index++) power += output[index]! ** 2;
  return 10 * Math.log10(power / (output.length - 2 * margin) / (AMPLITUDE ** 2 / 2));
}

describe("a resampler", () => {
  test("passes tones of 88 % of the lower band with more than 60 dB to everything else, at their time", () => {
    for (const [from, to] of PAIRS) {
      for (const part of [0.01, 0.2, 0.44]) {
        const frequencyHz = part * Math.min(from, to);
        const output = convert(createResampler(from, to), sine(frequencyHz, from, from / 4));
        const ratio = signalToNoiseDb(output, frequencyHz, to, 400);
        // The whole sine is compared, so gain and delay count as noise: 60 dB is 0.01 dB of gain.
        assert.ok(ratio > 60, `${from} to ${to}, ${frequencyHz} Hz: ${ratio.toFixed(1)} dB`);
      }
    }
  });

  test("suppresses tones above the output's band by more than 60 dB", () => {
    for (const [from, to] of PAIRS.filter(([from, to]) => to < from)) {
      for (const frequencyHz of [0.51 * to, 0.6 * to, 0.9 * to].filter((hz) => hz < 0.49 * from)) {
        const output = convert(createResampler(from, to), sine(frequencyHz, from, from / 4));
        const level = levelDb(output, 400);
        assert.ok(level < -60, `${from} to ${to}, ${frequencyHz} Hz: ${level.toFixed(1)} dB`);
      }
    }
  });

  test("keeps a constant", () => {
    for (const [from, to] of PAIRS) {
      const output = convert(createResampler(from, to), new Int16Array(4_000).fill(12_345));
      for (const sample of output.subarray(400, output.length - 400)) assert.ok(Math.abs(sample - 12_345) <= 1);
    }
  });

  test("gives ceil(count × to / from) samples for any number of them", () => {
    const property = fc.property(fc.constantFrom(...PAIRS), fc.nat(3_000), ([from, to], count) => {
      assert.equal(convert(createResampler(from, to), new Int16Array(count)).length, Math.ceil((count * to) / from));
    });
    fc.assert(property, { numRuns: 200, seed: 6 });
  });

  test("gives the same samples however the stream is cut into chunks", () => {
    const prng = seeded(7);
    const noise = new Int16Array(5_000).map(() => prng.integer(-32768, 32768));
    const lengths = fc.array(fc.integer({ min: 1, max: 1_500 }), { minLength: 1, maxLength: 8 });
    const property = fc.property(fc.constantFrom(...PAIRS), lengths, ([from, to], chunkLengths) => {
      const whole = convert(createResampler(from, to), noise);
      assert.deepEqual(convert(createResampler(from, to), noise, chunkLengths), whole);
    });
    fc.assert(property, { numRuns: 60, seed: 8 });
  });

  test("begins anew after a flush and after a reset", () => {
    const prng = seeded(9);
    const noise = new Int16Array(700).map(() => prng.integer(-32768, 32768));
    for (const [from, to] of PAIRS) {
      const resampler = createResampler(from, to);
      const first = convert(resampler, noise);
      assert.deepEqual(convert(resampler, noise), first);
      resampler.process(noise, 0, 333, new Int16Array(resampler.outputBound(333)));
      resampler.reset();
      assert.deepEqual(convert(resampler, noise), first);
    }
  });

  test("holds back no more samples than it says", () => {
    for (const [from, to] of PAIRS) {
      const resampler = createResampler(from, to);
      const count = Math.floor(from / 10);
      const written = resampler.process(new Int16Array(count), 0, count, new Int16Array(resampler.outputBound(count)));
      const heldBack = Math.ceil((count * to) / from) - written;
      assert.ok(heldBack > 0 && heldBack <= resampler.latencySamples, `${from} to ${to}: ${heldBack}`);
      assert.ok(resampler.latencySamples / to < 0.011);
    }
  });

  test("copies if both rates are the same", () => {
    const resampler = createResampler(16_000, 16_000);
    const input = Int16Array.of(1, 2, 3, 4);
    const output = new Int16Array(4);
    assert.equal(resampler.process(input, 1, 3, output), 3);
    assert.deepEqual(output, Int16Array.of(2, 3, 4, 0));
    assert.equal(resampler.flush(output), 0);
  });

  test("clips instead of wrapping around", () => {
    const square = new Int16Array(8_000).map((_, index) => (index % 40 < 20 ? 32767 : -32768));
    const output = convert(createResampler(16_000, 48_000), square);
    // Overshoot at the edges would wrap to the other sign.
    for (let index = 3_000; index < 9_000; index++) {
      const place = index % 120;
      if (place > 9 && place < 51) assert.ok(output[index]! > 20_000, `${index}: ${output[index]}`);
    }
  });

  test("refuses rates that are not on its list, unless for a file", () => {
    for (const rate of [0, -1, 12_000, 44_101, Number.NaN]) {
      assert.throws(() => createResampler(rate, 16_000), isSyrinxError);
      assert.throws(() => createResampler(16_000, rate), isSyrinxError);
    }
    const output = convert(createFileResampler(12_001, 16_000), sine(1_000, 12_001, 12_001));
    assert.ok(signalToNoiseDb(output, 1_000, 16_000, 400) > 50);
    for (const rate of [0, 3_999, 16_000.5, 1e9]) assert.throws(() => createFileResampler(rate, 16_000), isSyrinxError);
  });
});
