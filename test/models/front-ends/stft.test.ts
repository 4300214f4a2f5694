import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { packageRoot } from "../../../src/base/package-root.js";
import { rootHann, Stft } from "../../../src/models/front-ends/stft.js";
import { babble, toFloats } from "../family-support.js";

type Rows = readonly { readonly frame: number; readonly values: readonly number[] }[];
interface Golden {
  readonly "512/256": Rows;
  readonly "400/100": Rows;
  readonly below2kHz: readonly number[];
}
const golden = JSON.parse(readFileSync(join(packageRoot(), "test/fixtures/stft.json"), "utf8")) as Golden;

/** What the fixture was made from, as its note tells. */
const signal = toFloats(babble(7, 4000));

type Change = (spectrum: Float32Array) => void;

/** A stream's samples through the transform and back, hop by hop, and its spectra. */
function filtered(stft: Stft, pcm: Float32Array, change: Change = () => {}) {
  const { hop, overlap, bins } = stft;
  const count = Math.floor(pcm.length / hop);
  const carry = new Float32Array(overlap);
  const tail = new Float32Array(overlap);
  const output = new Float32Array(count * hop);
  const spectra: Float32Array[] = [];
  for (let at = 0; at < count * hop; at += hop) {
    const spectrum = new Float32Array(2 * bins);
    stft.analyse(carry, 0, pcm, at, spectrum, 0);
    spectra.push(spectrum.slice());
    change(spectrum);
    stft.synthesise(spectrum, 0, tail, 0, output, at);
  }
  return { output, spectra };
}

function checkClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, about: string): void {
  assert.equal(found.length, expected.length, about);
  for (let i = 0; i < found.length; i += 1) {
    assert.ok(Math.abs(found[i]! - expected[i]!) < tolerance, `${about}: ${found[i]} at ${i}, not ${expected[i]}`);
  }
}

describe("the short-time Fourier transform", () => {
  for (const [size, hop] of [
    [512, 256],
    [400, 100],
  ] as const) {
    test(`of ${size} samples every ${hop} is what the definition gives in NumPy`, () => {
      const { spectra } = filtered(new Stft(size, hop), signal);
      const rows = golden[`${size}/${hop}` as "512/256"];
      assert.ok(rows.length >= 3);
      for (const { frame, values } of rows) checkClose(spectra[frame]!, values, 2e-5, `frame ${frame}`);
    });
  }

  test("and back, with a changed spectrum, is what the definition gives in NumPy", () => {
    const { output } = filtered(new Stft(512, 256), signal, (spectrum) => spectrum.fill(0, 2 * 64));
    checkClose(output.subarray(1024, 1536), golden.below2kHz, 2e-6, "below 2 kHz");
  });

  test("and back gives every stream of samples again, late by the overlap", () => {
    const sizes = fc.constantFrom([512, 256], [512, 128], [400, 100], [64, 16], [320, 160], [1000, 200]);
    const samples = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 3000 });
    fc.assert(
      fc.property(sizes, samples, ([size, hop], values) => {
        const stft = new Stft(size!, hop!);
        const pcm = new Float32Array(values.length + size!);
        pcm.set(values);
        const { output } = filtered(stft, pcm);
        checkClose(output.subarray(0, stft.overlap), new Float32Array(stft.overlap), 1e-6, "before the stream");
        const rest = output.subarray(stft.overlap);
        checkClose(rest, pcm.subarray(0, rest.length), 2e-6, `${size}/${hop}`);
      }),
      { seed: 20_261, numRuns: 60 },
    );
  });

  test("keeps streams apart: one instance serves many, each from where its carry and tail stand", () => {
    const stft = new Stft(64, 16);
    const one = signal;
    const two = toFloats(babble(8, 4000));
    const alone = [filtered(stft, one).output, filtered(stft, two).output];
    const state = new Float32Array(4 * stft.overlap);
    const together = [new Float32Array(4000), new Float32Array(4000)];
    const spectra = new Float32Array(3 + 2 * 2 * stft.bins);
    for (let at = 0; at < 4000; at += stft.hop) {
      for (const [i, pcm] of [one, two].entries()) {
        const spectrumAt = 3 + i * 2 * stft.bins;
        stft.analyse(state, i * stft.overlap, pcm, at, spectra, spectrumAt);
        stft.synthesise(spectra, spectrumAt, state, (2 + i) * stft.overlap, together[i]!, at);
      }
    }
    assert.deepEqual(together, alone);
  });

  test("does not look at the imaginary parts of a spectrum's ends, as they cannot be", () => {
    const stft = new Stft(64, 16);
    const wrong: Change = (spectrum) => {
      spectrum[1] = 5;
      spectrum[2 * stft.bins - 1] = 5;
    };
    assert.deepEqual(filtered(stft, signal, wrong).output, filtered(stft, signal).output);
  });

  test("takes other windows, and refuses hops and windows that cannot be undone", () => {
    const flat = new Stft(64, 32, new Float64Array(64).fill(0.5));
    const { output } = filtered(flat, signal);
    checkClose(output.subarray(32), signal.subarray(0, 4000 - 32), 2e-6, "flat");
    assert.throws(() => new Stft(512, 200), /whole hops/);
    assert.throws(() => new Stft(512, 512), /overlap/);
    assert.throws(() => new Stft(512, 256, rootHann(400)), /as long as/);
    assert.throws(() => new Stft(64, 32, new Float64Array(64)), /weight/);
  });
});
