/**
 * The Fourier transform of real samples, for front-ends. A transform of n real samples is one of n/2 complex ones (even
 * samples as real, odd ones as imaginary parts) and an unpacking: Press et al., Numerical Recipes, section 12.3. The
 * complex one is iterative, radix 2 and 5 (decimation in time), in place. Nothing is allocated after construction.
 */
import { assert } from "../../base/assert.js";

/** Parts of the fifth roots of unity. */
const COS_72 = Math.cos((2 * Math.PI) / 5);
const COS_144 = Math.cos((4 * Math.PI) / 5);
const SIN_72 = Math.sin((2 * Math.PI) / 5);
const SIN_144 = Math.sin((4 * Math.PI) / 5);

export class RealFft {
  /** Samples in: 512, 1024, …, or with factors of 5, as Whisper's 400. */
  readonly size: number;
  /** f64[size / 2 + 1]: the spectrum of the last transform, from 0 to half of the sampling rate. */
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly #half: number;
  /** cos and sin of 2πk / size, all around the circle. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** Radices of the stages, first to last. */
  readonly #radices: readonly (2 | 5)[];
  /** For each place of the complex transform, the sample pair that stands there before the first stage. */
  readonly #order: Uint16Array;
  /** One butterfly of radix 5: its inputs, turned. */
  readonly #fiveRe = new Float64Array(5);
  readonly #fiveIm = new Float64Array(5);

  /** @param size even, at most 65,536, and with no other prime factors than 2 and 5. */
  constructor(size: number) {
    assert(Number.isInteger(size / 2) && size >= 4 && size <= 65_536, "a transform's size is even and sensible");
    this.size = size;
    this.#half = size / 2;
    this.#radices = radicesOf(this.#half);
    this.#order = orderOf(this.#half, this.#radices);
    this.re = new Float64Array(this.#half + 1);
    this.im = new Float64Array(this.#half + 1);
    this.#cos = Float64Array.from({ length: size }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: size }, (_, k) => Math.sin((2 * Math.PI * k) / size));
  }

  /** Transforms f64[size], unscaled, with e^(−2πi) as the kernel; the result is in `re` and `im`. */
  transform(samples: Float64Array): void {
    const { re, im } = this;
    for (let i = 0; i < this.#half; i += 1) {
      const from = 2 * this.#order[i]!;
      re[i] = samples[from]!;
      im[i] = samples[from + 1]!;
    }
    let span = 1;
    for (const radix of this.#radices) {
      if (radix === 2) this.#butterflies(span);
      else this.#fiveButterflies(span);
      span *= radix;
    }
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

  #fiveButterflies(span: number): void {
    const { re, im } = this;
    const fiveRe = this.#fiveRe;
    const fiveIm = this.#fiveIm;
    const stride = this.size / (5 * span);
    for (let k = 0; k < span; k += 1) {
      for (let first = k; first < this.#half; first += 5 * span) {
        for (let leg = 0; leg < 5; leg += 1) {
          const at = first + leg * span;
          const cos = this.#cos[leg * k * stride]!;
          const sin = this.#sin[leg * k * stride]!;
          fiveRe[leg] = re[at]! * cos + im[at]! * sin;
          fiveIm[leg] = im[at]! * cos - re[at]! * sin;
        }
        this.#five(first, span);
      }
    }
  }

  /** A transform of five points: the sums and differences of the legs that mirror each other share their products. */
  #five(first: number, span: number): void {
    const { re, im } = this;
    const x0 = this.#fiveRe[0]!;
    const y0 = this.#fiveIm[0]!;
    const x1 = this.#fiveRe[1]!;
    const y1 = this.#fiveIm[1]!;
    const x2 = this.#fiveRe[2]!;
    const y2 = this.#fiveIm[2]!;
    const x3 = this.#fiveRe[3]!;
    const y3 = this.#fiveIm[3]!;
    const x4 = this.#fiveRe[4]!;
    const y4 = this.#fiveIm[4]!;
    const outerRe = x0 + COS_72 * (x1 + x4) + COS_144 * (x2 + x3);
    const outerIm = y0 + COS_72 * (y1 + y4) + COS_144 * (y2 + y3);
    const innerRe = x0 + COS_144 * (x1 + x4) + COS_72 * (x2 + x3);
    const innerIm = y0 + COS_144 * (y1 + y4) + COS_72 * (y2 + y3);
    const outerTurnRe = SIN_72 * (x1 - x4) + SIN_144 * (x2 - x3);
    const outerTurnIm = SIN_72 * (y1 - y4) + SIN_144 * (y2 - y3);
    const innerTurnRe = SIN_144 * (x1 - x4) - SIN_72 * (x2 - x3);
    const innerTurnIm = SIN_144 * (y1 - y4) - SIN_72 * (y2 - y3);
    re[first] = x0 + x1 + x2 + x3 + x4;
    im[first] = y0 + y1 + y2 + y3 + y4;
    re[first + span] = outerRe + outerTurnIm;
    im[first + span] = outerIm - outerTurnRe;
    re[first + 2 * span] = innerRe + innerTurnIm;
    im[first + 2 * span] = innerIm - innerTurnRe;
    re[first + 3 * span] = innerRe - innerTurnIm;
    im[first + 3 * span] = innerIm + innerTurnRe;
    re[first + 4 * span] = outerRe - outerTurnIm;
    im[first + 4 * span] = outerIm + outerTurnRe;
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

function radicesOf(count: number): (2 | 5)[] {
  const radices: (2 | 5)[] = [];
  let rest = count;
  for (const radix of [2, 5] as const) {
    for (; rest % radix === 0; rest /= radix) radices.push(radix);
  }
  assert(rest === 1, "a transform's size has no other prime factors than 2 and 5");
  return radices;
}

/** The last stage joins the transforms of every radix-th pair, the one before it the same of these, and so on. */
function orderOf(count: number, radices: readonly number[]): Uint16Array {
  const order = new Uint16Array(count);
  for (let pair = 0; pair < count; pair += 1) {
    let place = 0;
    let rest = pair;
    let block = count;
    for (const radix of radices.toReversed()) {
      block /= radix;
      place += (rest % radix) * block;
      rest = Math.floor(rest / radix);
    }
    order[place] = pair;
  }
  return order;
}
