import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { RealFft } from "../../../src/models/front-ends/real-fft.js";

/** The definition: X[k] = Σ x[n] e^(−2πi k n / N). */
function naive(samples: Float64Array, k: number): { re: number; im: number } {
  let re = 0;
  let im = 0;
  for (const [n, sample] of samples.entries()) {
    const angle = (-2 * Math.PI * ((k * n) % samples.length)) / samples.length;
    re += sample * Math.cos(angle);
    im += sample * Math.sin(angle);
  }
  return { re, im };
}

describe("the transform of real samples", () => {
  for (const size of [4, 8, 10, 50, 64, 400, 512]) {
    test(`agrees with the definition at ${size} points, again and again`, () => {
      const fft = new RealFft(size);
      for (const seed of [1, 2]) {
        const prng = seeded(seed);
        const samples = Float64Array.from({ length: size }, () => 2 * prng.next() - 1);
        fft.transform(samples);
        for (let k = 0; k <= size / 2; k += 1) {
          const { re, im } = naive(samples, k);
          assert.ok(Math.hypot(fft.re[k]! - re, fft.im[k]! - im) < 1e-11, `point ${k}`);
        }
      }
    });
  }

  test("wants an even size of twos and fives", () => {
    assert.throws(() => new RealFft(401), /even/);
    assert.throws(() => new RealFft(384), /2 and 5/);
  });
});
