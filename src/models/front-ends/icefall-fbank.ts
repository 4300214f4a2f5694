/**
 * Kaldi's filter bank as icefall's recognisers are trained with: samples in [-1, 1], triangles up to 7.6 kHz, and frames
 * whose middles stand at multiples of 10 ms plus 5 ms, the signal mirrored at its ends (snip_edges = false). The rest is
 * `KaldiFbank`. Sources: lhotse's Fbank defaults, Kaldi's feat/feature-window.cc (FirstSampleOfFrame, NumFrames).
 */
import type { FrameAnalysis } from "./frame-stream.js";
import { FBANK_CARRY_SAMPLES, FBANK_FRAME_SAMPLES, FBANK_SHIFT_SAMPLES, KaldiFbank } from "./kaldi-fbank.js";

const HIGH_HZ = 7600;
const S16_SCALE = 1 / 32_768;

export class IcefallFbank implements FrameAnalysis {
  readonly bins: number;
  readonly shiftSamples = FBANK_SHIFT_SAMPLES;
  readonly windowSamples = FBANK_FRAME_SAMPLES;
  readonly leadSamples = (FBANK_FRAME_SAMPLES - FBANK_SHIFT_SAMPLES) / 2;
  readonly edges = "mirror";
  readonly #fbank: KaldiFbank;
  readonly #row: Float32Array;

  constructor(bins: number) {
    this.bins = bins;
    this.#fbank = new KaldiFbank(bins, { scale: 1, highHz: HIGH_HZ });
    this.#row = new Float32Array(bins);
  }

  frameCount(sampleCount: number): number {
    return Math.floor((sampleCount + FBANK_SHIFT_SAMPLES / 2) / FBANK_SHIFT_SAMPLES);
  }

  prepare(pcm: Int16Array, offset: number, count: number, _previous: number, target: Float32Array, at: number): void {
    for (let i = 0; i < count; i += 1) target[at + i] = pcm[offset + i]! * S16_SCALE;
  }

  analyse(window: Float32Array, features: Float32Array, at: number): void {
    this.#fbank.compute(window, 0, window, FBANK_CARRY_SAMPLES, 1, this.#row);
    features.set(this.#row, at);
  }
}
