/**
 * Kaldi's log mel filter bank at 16 kHz, as a stream: 25 ms frames every 10 ms, mean removed, pre-emphasis 0.97, Povey
 * window, power spectrum of 512 points, triangles even in mel from 20 Hz to 8 kHz, natural logarithm. No dither, no energy
 * coefficient; frames hold whole samples of the stream only (snip_edges). Samples are scaled like 16-bit integers.
 *
 * Formulas: Kaldi's feat/feature-window.cc and feat/mel-computations.cc, whose defaults these are. A call's state is the
 * last `FBANK_CARRY_SAMPLES` that it said; the caller holds it. Begun with zeros there, each 10 ms give one frame, which
 * ends with them, and the frames are those of Kaldi for the same stream with as many zeros in front.
 */
import { assert } from "../../base/assert.js";
import { RealFft } from "./real-fft.js";

export const FBANK_FRAME_SAMPLES = 400;
export const FBANK_SHIFT_SAMPLES = 160;
/** What a frame needs of the samples before the new ones. */
export const FBANK_CARRY_SAMPLES = FBANK_FRAME_SAMPLES - FBANK_SHIFT_SAMPLES;

const RATE_HZ = 16_000;
const FFT_SIZE = 512;
const LOW_HZ = 20;
const HIGH_HZ = RATE_HZ / 2;
const INT16_SCALE = 32_768;

export interface FbankOptions {
  /** What samples in [-1, 1] are multiplied by: 32,768, Kaldi's own habit, if not given. */
  readonly scale?: number;
  /** Where the last triangle ends: 8 kHz if not given. */
  readonly highHz?: number;
  /** What shapes a frame: Povey's window if not given. */
  readonly window?: "povey" | "hamming";
}

const PRE_EMPHASIS = 0.97;
/** The smallest energy: float's epsilon, as in Kaldi. */
const ENERGY_FLOOR = 2 ** -23;

export class KaldiFbank {
  readonly melBins: number;
  readonly #scale: number;
  readonly #fft = new RealFft(FFT_SIZE);
  readonly #window: Float64Array;
  readonly #banks: readonly MelBank[];
  /** One frame, zeros behind it. */
  readonly #frame = new Float64Array(FFT_SIZE);
  readonly #power = new Float64Array(FFT_SIZE / 2);

  constructor(melBins: number, { scale = INT16_SCALE, highHz = HIGH_HZ, window = "povey" }: FbankOptions = {}) {
    assert(melBins >= 3 && melBins <= 128, "a filter bank has a sensible number of filters");
    assert(highHz > LOW_HZ && highHz <= RATE_HZ / 2, "a filter bank ends within the spectrum");
    this.melBins = melBins;
    this.#scale = scale;
    this.#window = window === "povey" ? poveyWindow() : hammingWindow();
    this.#banks = Array.from({ length: melBins }, (_, bin) => melBank(bin, melBins, highHz));
  }

  /**
   * The frames that end within the next samples of a stream. Changes nothing but `features`; allocates nothing.
   * @param carry f32: `FBANK_CARRY_SAMPLES` samples in [-1, 1] from `carryAt`, those before `pcm`.
   * @param pcm f32: `frameCount × FBANK_SHIFT_SAMPLES` samples in [-1, 1] from `pcmAt`.
   * @param features f32[≥ frameCount × melBins], written from its beginning: ln of energy, one row for each frame.
   */
  compute(
    carry: Float32Array,
    carryAt: number,
    pcm: Float32Array,
    pcmAt: number,
    frameCount: number,
    features: Float32Array,
  ): void {
    for (let frame = 0; frame < frameCount; frame += 1) {
      const start = frame * FBANK_SHIFT_SAMPLES;
      for (let i = 0; i < FBANK_FRAME_SAMPLES; i += 1) {
        const at = start + i - FBANK_CARRY_SAMPLES;
        const sample = at < 0 ? carry[carryAt + FBANK_CARRY_SAMPLES + at]! : pcm[pcmAt + at]!;
        this.#frame[i] = sample * this.#scale;
      }
      this.#shape();
      this.#analyse(features, frame * this.melBins);
    }
  }

  /** Moves a carry on by `count` samples of `pcm` from `pcmAt`, of which it keeps the end. */
  static remember(carry: Float32Array, carryAt: number, pcm: Float32Array, pcmAt: number, count: number): void {
    const fresh = Math.min(count, FBANK_CARRY_SAMPLES);
    carry.copyWithin(carryAt, carryAt + fresh, carryAt + FBANK_CARRY_SAMPLES);
    const target = carryAt + FBANK_CARRY_SAMPLES - fresh;
    const source = pcmAt + count - fresh;
    for (let i = 0; i < fresh; i += 1) carry[target + i] = pcm[source + i]!;
  }

  /** Mean, pre-emphasis, window; in Kaldi's order. The first sample is emphasised against itself. */
  #shape(): void {
    const frame = this.#frame;
    let mean = 0;
    for (let i = 0; i < FBANK_FRAME_SAMPLES; i += 1) mean += frame[i]! / FBANK_FRAME_SAMPLES;
    let previous = frame[0]! - mean;
    for (let i = 0; i < FBANK_FRAME_SAMPLES; i += 1) {
      const sample = frame[i]! - mean;
      frame[i] = (sample - PRE_EMPHASIS * previous) * this.#window[i]!;
      previous = sample;
    }
  }

  #analyse(features: Float32Array, featuresAt: number): void {
    this.#fft.transform(this.#frame);
    const { re, im } = this.#fft;
    const power = this.#power;
    for (let k = 0; k < power.length; k += 1) power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
    for (let bin = 0; bin < this.melBins; bin += 1) {
      const { first, weights } = this.#banks[bin]!;
      let energy = 0;
      for (let k = 0; k < weights.length; k += 1) energy += weights[k]! * power[first + k]!;
      features[featuresAt + bin] = Math.log(Math.max(energy, ENERGY_FLOOR));
    }
  }
}

/** Like Hann's, but to the power of 0.85: it goes to zero at both ends. */
function poveyWindow(): Float64Array {
  return Float64Array.from(
    { length: FBANK_FRAME_SAMPLES },
    (_, i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (FBANK_FRAME_SAMPLES - 1))) ** 0.85,
  );
}

/** It ends at 0.08. */
function hammingWindow(): Float64Array {
  return Float64Array.from(
    { length: FBANK_FRAME_SAMPLES },
    (_, i) => 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (FBANK_FRAME_SAMPLES - 1)),
  );
}

interface MelBank {
  /** The first point of the spectrum that counts. */
  readonly first: number;
  readonly weights: Float64Array;
}

const mel = (hz: number): number => 1127 * Math.log(1 + hz / 700);

/** A triangle over three neighbours of `melBins + 2` points that stand evenly in mel. The last point, 8 kHz, has no weight. */
function melBank(bin: number, melBins: number, highHz: number): MelBank {
  const step = (mel(highHz) - mel(LOW_HZ)) / (melBins + 1);
  const left = mel(LOW_HZ) + bin * step;
  const centre = left + step;
  const right = centre + step;
  const weights: number[] = [];
  let first = 0;
  for (let k = 0; k < FFT_SIZE / 2; k += 1) {
    const at = mel((k * RATE_HZ) / FFT_SIZE);
    if (at <= left || at >= right) continue;
    if (weights.length === 0) first = k;
    weights.push(at <= centre ? (at - left) / step : (right - at) / step);
  }
  return { first, weights: Float64Array.from(weights) };
}
