/**
 * The short-time Fourier transform and its inverse, as streams: windows of `size` samples every `hop`, shaped before the
 * transform and once more after the inverse, then added where they overlap and divided by what the two shapings add up
 * to. A spectrum that nobody changed gives back the samples, `size − hop` later.
 *
 * Formulas: torch.stft and torch.istft (one-sided, unscaled), without their centring: a call's first window holds
 * `size − hop` zeros before its samples. The inverse is a forward transform of re − im, by way of Hartley's: Bracewell,
 * The Fourier Transform and Its Applications, chapter 19.
 *
 * A call's state is what it said last (`carry`) and what later windows are still to be added to (`tail`), `size − hop`
 * floats each, zeros at its beginning; the caller holds it.
 */
import { assert } from "../../base/assert.js";
import { RealFft } from "./real-fft.js";

/** What the shapings may add up to at least: below, dividing by it would amplify noise. */
const WEIGHT_MIN = 1e-3;

export class Stft {
  readonly size: number;
  readonly hop: number;
  /** Points of a spectrum, from 0 to half of the sampling rate. */
  readonly bins: number;
  /** Floats of a carry and of a tail, and how many samples the inverse is late. */
  readonly overlap: number;
  readonly #fft: RealFft;
  readonly #window: Float64Array;
  /** For each sample of a hop, 1 / the sum of the squared window over all windows that cover it. */
  readonly #scale: Float64Array;
  readonly #frame: Float64Array;

  /** @param size a multiple of `hop` that {@link RealFft} can transform. @param window f64[size]. */
  constructor(size: number, hop: number, window: Float64Array = rootHann(size)) {
    assert(Number.isInteger(size / hop) && size > hop, "windows overlap, in whole hops");
    assert(window.length === size, "a window is as long as what it shapes");
    this.size = size;
    this.hop = hop;
    this.bins = size / 2 + 1;
    this.overlap = size - hop;
    this.#fft = new RealFft(size);
    this.#window = window;
    this.#frame = new Float64Array(size);
    this.#scale = Float64Array.from({ length: hop }, (_, i) => {
      let weight = 0;
      for (let at = i; at < size; at += hop) weight += window[at]! * window[at]!;
      assert(weight >= WEIGHT_MIN, "every sample has weight in some window");
      return 1 / weight;
    });
  }

  /**
   * The spectrum of the window that ends with the next `hop` samples, and the carry moved on by them.
   * @param carry f32: `overlap` floats from `carryAt`, rewritten.
   * @param pcm f32: `hop` samples from `pcmAt`.
   * @param spectrum f32: `2 × bins` floats are written from `spectrumAt`: re, im, re, im, …
   */
  analyse(
    carry: Float32Array,
    carryAt: number,
    pcm: Float32Array,
    pcmAt: number,
    spectrum: Float32Array,
    spectrumAt: number,
  ): void {
    const { size, hop, overlap } = this;
    const frame = this.#frame;
    for (let i = 0; i < overlap; i += 1) frame[i] = carry[carryAt + i]!;
    for (let i = 0; i < hop; i += 1) frame[overlap + i] = pcm[pcmAt + i]!;
    for (let i = 0; i < overlap; i += 1) carry[carryAt + i] = frame[hop + i]!;
    for (let i = 0; i < size; i += 1) frame[i] = frame[i]! * this.#window[i]!;
    this.#fft.transform(frame);
    const { re, im } = this.#fft;
    for (let k = 0; k < this.bins; k += 1) {
      spectrum[spectrumAt + 2 * k] = re[k]!;
      spectrum[spectrumAt + 2 * k + 1] = im[k]!;
    }
  }

  /**
   * The `hop` samples that the window of this spectrum completes: those that were said `overlap` before the window's end.
   * @param spectrum f32: `2 × bins` floats from `spectrumAt`, as `analyse` writes them; im of both ends is not looked at.
   * @param tail f32: `overlap` floats from `tailAt`, rewritten.
   * @param pcm f32: `hop` samples are written from `pcmAt`.
   */
  synthesise(
    spectrum: Float32Array,
    spectrumAt: number,
    tail: Float32Array,
    tailAt: number,
    pcm: Float32Array,
    pcmAt: number,
  ): void {
    const { hop, overlap } = this;
    this.#invert(spectrum, spectrumAt);
    const frame = this.#frame;
    for (let i = 0; i < this.size; i += 1) {
      frame[i] = frame[i]! * this.#window[i]! + (i < overlap ? tail[tailAt + i]! : 0);
    }
    for (let i = 0; i < hop; i += 1) pcm[pcmAt + i] = frame[i]! * this.#scale[i]!;
    for (let i = 0; i < overlap; i += 1) tail[tailAt + i] = frame[hop + i]!;
  }

  /** Leaves the samples of a one-sided spectrum in `#frame`. */
  #invert(spectrum: Float32Array, at: number): void {
    const { size } = this;
    const half = size / 2;
    const frame = this.#frame;
    frame[0] = spectrum[at]!;
    frame[half] = spectrum[at + 2 * half]!;
    for (let k = 1; k < half; k += 1) {
      const re = spectrum[at + 2 * k]!;
      const im = spectrum[at + 2 * k + 1]!;
      frame[k] = re - im;
      frame[size - k] = re + im;
    }
    this.#fft.transform(frame);
    const { re, im } = this.#fft;
    frame[0] = re[0]! / size;
    frame[half] = re[half]! / size;
    for (let n = 1; n < half; n += 1) {
      frame[n] = (re[n]! - im[n]!) / size;
      frame[size - n] = (re[n]! + im[n]!) / size;
    }
  }
}

/** The square root of Hann's window, periodic: applied twice, windows half a size apart add up to 1. */
export function rootHann(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => Math.sqrt(0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size)));
}
