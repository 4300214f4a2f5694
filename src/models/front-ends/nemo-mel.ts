/**
 * NeMo's log mel spectrogram at 16 kHz: pre-emphasis 0.97 over the whole signal, Hann windows of 25 ms every 10 ms whose
 * middles stand at multiples of 10 ms, zeros around the signal, power spectrum of 512 points, Slaney's mel scale from 0
 * to 8 kHz with triangles of equal area, ln(energy + 2^-24). No dither.
 *
 * Formulas: NeMo's FilterbankFeatures (parts/preprocessing/features.py) and librosa's filters.mel. A signal has one frame
 * for every whole 160 samples.
 */
import { assert } from "../../base/assert.js";
import type { FrameAnalysis } from "./frame-stream.js";
import { RealFft } from "./real-fft.js";
import { SlaneyMel } from "./slaney-mel.js";

export const NEMO_SHIFT_SAMPLES = 160;
/** The mel bands that NeMo's recognisers use. */
export const NEMO_MEL_BINS = [80, 128] as const;

const RATE_HZ = 16_000;
const FFT_SIZE = 512;
const WINDOW_SAMPLES = 400;
const PRE_EMPHASIS = 0.97;
const LOG_GUARD = 2 ** -24;
/** Added to the standard deviation. */
const DEVIATION_GUARD = 1e-5;
const S16_SCALE = 1 / 32_768;

export class NemoMel implements FrameAnalysis {
  readonly bins: number;
  readonly shiftSamples = NEMO_SHIFT_SAMPLES;
  readonly windowSamples = WINDOW_SAMPLES;
  readonly leadSamples = WINDOW_SAMPLES / 2;
  readonly edges = "zeros";
  readonly #fft = new RealFft(FFT_SIZE);
  readonly #hann = hannWindow();
  readonly #mel: SlaneyMel;
  readonly #power = new Float64Array(FFT_SIZE / 2 + 1);
  /** One windowed frame, zeros behind it. Where it stands within the transform does not change its power. */
  readonly #frame = new Float64Array(FFT_SIZE);

  constructor(bins: number) {
    assert(bins >= 8 && bins <= 256, "a mel scale has a sensible number of bands");
    this.bins = bins;
    this.#mel = new SlaneyMel({ bins, fftSize: FFT_SIZE, rateHz: RATE_HZ, lowHz: 0, highHz: RATE_HZ / 2 });
  }

  frameCount(sampleCount: number): number {
    return Math.floor(sampleCount / NEMO_SHIFT_SAMPLES);
  }

  prepare(pcm: Int16Array, offset: number, count: number, previous: number, target: Float32Array, at: number): void {
    let before = previous;
    for (let i = 0; i < count; i += 1) {
      const sample = pcm[offset + i]!;
      target[at + i] = (sample - PRE_EMPHASIS * before) * S16_SCALE;
      before = sample;
    }
  }

  analyse(window: Float32Array, features: Float32Array, at: number): void {
    for (let i = 0; i < WINDOW_SAMPLES; i += 1) this.#frame[i] = window[i]! * this.#hann[i]!;
    this.#fft.transform(this.#frame);
    const { re, im } = this.#fft;
    for (let point = 0; point < this.#power.length; point += 1) this.#power[point] = re[point]! ** 2 + im[point]! ** 2;
    for (let bin = 0; bin < this.bins; bin += 1) {
      features[at + bin] = Math.log(this.#mel.energy(bin, this.#power) + LOG_GUARD);
    }
  }
}

/**
 * Brings each band of f32[frames × bins] to mean 0 and standard deviation 1, in place; the deviation is that of a sample,
 * over frames - 1. At least 2 frames.
 */
export function normalisePerFeature(features: Float32Array, frames: number, bins: number): void {
  assert(frames >= 2, "a deviation is that of two frames at least");
  for (let bin = 0; bin < bins; bin += 1) {
    let sum = 0;
    for (let frame = 0; frame < frames; frame += 1) sum += features[frame * bins + bin]!;
    const mean = sum / frames;
    let squares = 0;
    for (let frame = 0; frame < frames; frame += 1) squares += (features[frame * bins + bin]! - mean) ** 2;
    const scale = 1 / (Math.sqrt(squares / (frames - 1)) + DEVIATION_GUARD);
    for (let at = bin; at < frames * bins; at += bins) features[at] = (features[at]! - mean) * scale;
  }
}

/** Symmetric: both ends are zero. */
function hannWindow(): Float64Array {
  return Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (WINDOW_SAMPLES - 1)),
  );
}
