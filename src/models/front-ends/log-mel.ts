/**
 * Whisper's log mel spectrogram at 16 kHz: periodic Hann windows of 25 ms every 10 ms whose middles stand at multiples of
 * 10 ms, the signal reflected at both ends, power spectrum of 400 points, Slaney's mel scale from 0 to 8 kHz, log10, no
 * lower than 8 below the loudest value of the clip, then (x + 4) / 4. A clip has a fixed length: zeros stand behind a
 * shorter signal. The frame around the clip's very end is dropped.
 *
 * Formulas: `log_mel_spectrogram` and `pad_or_trim` of github.com/openai/whisper, whisper/audio.py.
 */
import { assert } from "../../base/assert.js";
import { GRAPH_RATE_HZ } from "../../base/units.js";
import { RealFft } from "./real-fft.js";
import { SlaneyMel } from "./slaney-mel.js";

export const LOG_MEL_SHIFT_SAMPLES = 160;
/** Frames of Whisper's 30 s. */
export const WHISPER_FRAMES = 3000;
const FFT_SIZE = 400;
const LEAD_SAMPLES = FFT_SIZE / 2;
const ENERGY_FLOOR = 1e-10;
const RANGE = 8;

export class LogMel {
  readonly bins: number;
  readonly frames: number;
  /** Samples of a clip. */
  readonly clipSamples: number;
  readonly #fft = new RealFft(FFT_SIZE);
  readonly #mel: SlaneyMel;
  readonly #hann = Float64Array.from(
    { length: FFT_SIZE },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FFT_SIZE),
  );
  readonly #frame = new Float64Array(FFT_SIZE);
  readonly #power = new Float64Array(FFT_SIZE / 2 + 1);

  /** @param bins 80, or 128 for large-v3 and what was made of it. @param frames 10 ms each, at least 3. */
  constructor(bins: number, frames = WHISPER_FRAMES) {
    assert(frames * LOG_MEL_SHIFT_SAMPLES > FFT_SIZE, "a clip is longer than a window");
    this.bins = bins;
    this.frames = frames;
    this.clipSamples = frames * LOG_MEL_SHIFT_SAMPLES;
    this.#mel = new SlaneyMel({ bins, fftSize: FFT_SIZE, rateHz: GRAPH_RATE_HZ, lowHz: 0, highHz: GRAPH_RATE_HZ / 2 });
  }

  /**
   * The spectrogram of a clip. Blocks for some 20 ms of a core for 30 s of sound; silence behind the signal costs nothing.
   * @param pcm samples in [-1, 1]; what is behind `clipSamples` is not heard.
   * @param target f32: `bins × frames` values are written from `at`, one row for each band.
   */
  compute(pcm: Float32Array, target: Float32Array, at = 0): void {
    const heard = Math.min(pcm.length, this.clipSamples);
    // Frames that reach the signal; with a whole clip, all.
    const sounding = Math.min(this.frames, Math.ceil((heard + LEAD_SAMPLES) / LOG_MEL_SHIFT_SAMPLES));
    let loudest = Math.log10(ENERGY_FLOOR);
    for (let frame = 0; frame < sounding; frame += 1) {
      this.#analyse(pcm, heard, frame * LOG_MEL_SHIFT_SAMPLES - LEAD_SAMPLES);
      for (let bin = 0; bin < this.bins; bin += 1) {
        const value = Math.log10(Math.max(ENERGY_FLOOR, this.#mel.energy(bin, this.#power)));
        if (value > loudest) loudest = value;
        target[at + bin * this.frames + frame] = value;
      }
    }
    const silence = Math.log10(ENERGY_FLOOR);
    for (let bin = 0; bin < this.bins; bin += 1) {
      const row = at + bin * this.frames;
      target.fill(silence, row + sounding, row + this.frames);
      for (let i = row; i < row + this.frames; i += 1) target[i] = (Math.max(target[i]!, loudest - RANGE) + 4) / 4;
    }
  }

  #analyse(pcm: Float32Array, heard: number, start: number): void {
    const last = this.clipSamples - 1;
    for (let i = 0; i < FFT_SIZE; i += 1) {
      const at = Math.abs(start + i);
      const mirrored = at > last ? 2 * last - at : at;
      this.#frame[i] = mirrored < heard ? pcm[mirrored]! * this.#hann[i]! : 0;
    }
    this.#fft.transform(this.#frame);
    const { re, im } = this.#fft;
    for (let k = 0; k < this.#power.length; k += 1) this.#power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
  }
}
