/**
 * The spectrogram of Moonshine's spelling network: one second at 16 kHz, periodic Hann windows of 512 samples every 125
 * whose middles stand at multiples of 125, the signal reflected at both ends, Slaney's mel scale from 20 Hz to 8 kHz,
 * ln(energy + 1e-6), then mean 0 and deviation 1 over the whole second.
 *
 * Formulas: `LogMelSpectrogram` of github.com/moonshine-ai/moonshine, micro/feature-generation/src/log_mel.cc.
 */
import { assert } from "../../base/assert.js";
import { GRAPH_RATE_HZ } from "../../base/units.js";
import { RealFft } from "./real-fft.js";
import { SlaneyMel } from "./slaney-mel.js";

export const SPELLING_SAMPLES = GRAPH_RATE_HZ;
export const SPELLING_BANDS = 64;
export const SPELLING_FRAMES = 128;
const FFT_SIZE = 512;
const SHIFT_SAMPLES = 125;
const LOG_GUARD = 1e-6;
const DEVIATION_MIN = 1e-3;

export class SpellingMel {
  readonly #fft = new RealFft(FFT_SIZE);
  readonly #mel = new SlaneyMel({
    bins: SPELLING_BANDS,
    fftSize: FFT_SIZE,
    rateHz: GRAPH_RATE_HZ,
    lowHz: 20,
    highHz: GRAPH_RATE_HZ / 2,
  });
  readonly #hann = Float64Array.from(
    { length: FFT_SIZE },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT_SIZE),
  );
  readonly #frame = new Float64Array(FFT_SIZE);
  readonly #power = new Float64Array(FFT_SIZE / 2 + 1);

  /**
   * @param pcm f32[SPELLING_SAMPLES] in [-1, 1].
   * @param target f32: `SPELLING_BANDS × SPELLING_FRAMES` values are written from `at`, one row for each band.
   */
  compute(pcm: Float32Array, target: Float32Array, at = 0): void {
    assert(pcm.length === SPELLING_SAMPLES, "the network hears one second");
    for (let frame = 0; frame < SPELLING_FRAMES; frame += 1) {
      this.#analyse(pcm, frame * SHIFT_SAMPLES - FFT_SIZE / 2);
      for (let bin = 0; bin < SPELLING_BANDS; bin += 1) {
        target[at + bin * SPELLING_FRAMES + frame] = Math.log(this.#mel.energy(bin, this.#power) + LOG_GUARD);
      }
    }
    normalise(target.subarray(at, at + SPELLING_BANDS * SPELLING_FRAMES));
  }

  #analyse(pcm: Float32Array, start: number): void {
    const last = SPELLING_SAMPLES - 1;
    for (let i = 0; i < FFT_SIZE; i += 1) {
      const at = Math.abs(start + i);
      this.#frame[i] = pcm[at > last ? 2 * last - at : at]! * this.#hann[i]!;
    }
    this.#fft.transform(this.#frame);
    const { re, im } = this.#fft;
    for (let k = 0; k < this.#power.length; k += 1) this.#power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
  }
}

function normalise(values: Float32Array): void {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const scale = 1 / Math.max(DEVIATION_MIN, Math.sqrt(squares / (values.length - 1)));
  for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! - mean) * scale;
}
