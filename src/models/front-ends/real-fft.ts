/**
 * The Fourier transform of real samples, for front-ends. A transform of n real samples is one of n/2 complex ones (even
 * samples as real, odd ones as imaginary parts) and an unpacking: Press et al., Numerical Recipes, section 12.3. The
 * complex one is iterative, radix 2, in place. Nothing is allocated after construction.
 */
import { assert } from "../../base/assert.js";

export class RealFft {
  /** Samples in; a power of two. */
  readonly size: number;
  /** f64[size / 2 + 1]: the spectrum of the last transform, from 0 to half of the sampling rate. */
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly #half: number;
  /** cos and sin of 2πk / size. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #reversed: Uint16Array;

  constructor(size: number) {
    assert(size >= 4 && size <= 65_536 && Number.isInteger(Math.log2(size)), "a transform's size is a power of two");
    this.size = size;
    this.#half = size / 2;
    this.re = new Float64Array(this.#half + 1);
    this.im = new Float64Array(this.#half + 1);
    this.#cos = Float64Array.from({ length: this.#half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: this.#half }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(this.#half);
    this.#reversed = new Uint16Array(this.#half);
    for (let i = 1; i < this.#half; i += 1) {
      this.#reversed[i] = (this.#reversed[i >> 1]! >> 1) | ((i & 1) << (bits - 1));
    }
  }

  /** Transforms f64[size], unscaled, with e^(−2πi) as the kernel; the result is in `re` and `im`. */
  transform(samples: Float64Array): void {
    const { re, im } = this;
    for (let i = 0; i < this.#half; i += 1) {
      const from = 2 * this.#reversed[i]!;
      re[i] = samples[from]!;
      im[i] = samples[from + 1]!;
    }
    for (let span = 1; span < this.#half; span *= 2) this.#butterflies(span);
    this.#unpack();
  }

  #butterflies(span: number): void {
    const { re, im } = this;
    const stride = this.#half / span;
    for (let k = 0; k < span; k += 1) {
      const cos = this.#cos[k * stride]!;
      const sin = this.#sin[k * stride]!;
      for (let low = k; low < this.#half; low += 2 * span) {
        const high = low + span;
        const turnedRe = re[high]! * cos + im[high]! * sin;
        const turnedIm = im[high]! * cos - re[high]! * sin;
        re[high] = re[low]! - turnedRe;
        im[high] = im[low]! - turnedIm;
        re[low] = re[low]! + turnedRe;
        im[low] = im[low]! + turnedIm;
      }
    }
  }

  /** Z[k] and conj(Z[half − k]) hold the spectra of even and odd samples, added and subtracted: two bins at a time. */
  #unpack(): void {
    const { re, im } = this;
    const half = this.#half;
    const constant = re[0]!;
    re[0] = constant + im[0]!;
    re[half] = constant - im[0]!;
    im[0] = 0;
    im[half] = 0;
    for (let k = 1; k <= half / 2; k += 1) {
      const mirror = half - k;
      const evenRe = (re[k]! + re[mirror]!) / 2;
      const evenIm = (im[k]! - im[mirror]!) / 2;
      const oddRe = (im[k]! + im[mirror]!) / 2;
      const oddIm = (re[mirror]! - re[k]!) / 2;
      const cos = this.#cos[k]!;
      const sin = this.#sin[k]!;
      const turnedRe = oddRe * cos + oddIm * sin;
      const turnedIm = oddIm * cos - oddRe * sin;
      re[k] = evenRe + turnedRe;
      im[k] = evenIm + turnedIm;
      re[mirror] = evenRe - turnedRe;
      im[mirror] = turnedIm - evenIm;
    }
  }
}
