/**
 * Kaldi's filter bank as FunASR's recognisers are trained with (SenseVoice, Paraformer): Hamming's window, samples scaled
 * like 16-bit integers, frames of whole samples of the stream only (snip_edges). The rest is `KaldiFbank`. Source: FunASR's
 * funasr/frontends/wav_frontend.py. What comes next is `LowFrameRate`.
 */
import type { FrameAnalysis } from "./frame-stream.js";
import { FBANK_CARRY_SAMPLES, FBANK_FRAME_SAMPLES, FBANK_SHIFT_SAMPLES, KaldiFbank } from "./kaldi-fbank.js";

const S16_SCALE = 1 / 32_768;

export class FunasrFbank implements FrameAnalysis {
  readonly bins: number;
  readonly shiftSamples = FBANK_SHIFT_SAMPLES;
  readonly windowSamples = FBANK_FRAME_SAMPLES;
  readonly leadSamples = 0;
  readonly edges = "zeros";
  readonly #fbank: KaldiFbank;
  readonly #row: Float32Array;

  constructor(bins = 80) {
    this.bins = bins;
    this.#fbank = new KaldiFbank(bins, { window: "hamming" });
    this.#row = new Float32Array(bins);
  }

  frameCount(sampleCount: number): number {
    return Math.max(0, Math.floor((sampleCount - FBANK_FRAME_SAMPLES) / FBANK_SHIFT_SAMPLES) + 1);
  }

  prepare(pcm: Int16Array, offset: number, count: number, _previous: number, target: Float32Array, at: number): void {
    for (let i = 0; i < count; i += 1) target[at + i] = pcm[offset + i]! * S16_SCALE;
  }

  analyse(window: Float32Array, features: Float32Array, at: number): void {
    this.#fbank.compute(window, 0, window, FBANK_CARRY_SAMPLES, 1, this.#row);
    features.set(this.#row, at);
  }
}
