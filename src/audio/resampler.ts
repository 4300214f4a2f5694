/**
 * Streaming sample-rate conversion by a polyphase windowed sinc.
 *
 * Ours, because of what the libraries on npm cost per stream: libsamplerate's port makes one 26 MB WebAssembly heap per
 * stream and never flushes its last samples; Speex's ports need an explicit free per stream, which a dropped call would
 * leak. Here a stream is one history of a few hundred floats beside a table shared by all streams of its two rates;
 * nothing is allocated per chunk, and any cutting into chunks gives the same samples to the last bit.
 *
 * Formulas: the rational factor L/M and its phases as in Crochiere and Rabiner, "Multirate Digital Signal Processing"
 * (1983), chapter 2; the Kaiser window's shape and length as in Oppenheim and Schafer, "Discrete-Time Signal
 * Processing", section 7.5.3.
 */
import { assert } from "../base/assert.js";
import { SyrinxError } from "../base/errors.js";

/** Rates between which {@link createResampler} converts, in Hz. */
export const RESAMPLER_RATES_HZ = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] as const;

export interface Resampler {
  readonly fromRateHz: number;
  readonly toRateHz: number;
  /** Samples at the output rate that are held back until later input or `flush` brings them. */
  readonly latencySamples: number;
  /** The most that `process` can write for `count` input samples, and `flush` for 0. */
  outputBound(count: number): number;
  /**
   * Takes `input[offset … offset+count)`, writes what is complete to the beginning of `output` and returns how many
   * samples that is. Allocates nothing.
   */
  process(input: Int16Array, offset: number, count: number, output: Int16Array): number;
  /** Writes the samples held back, as if silence followed, and begins anew. In all: ceil(inputCount × to / from). */
  flush(output: Int16Array): number;
  /** Forgets what was held back; the next sample is a stream's first. */
  reset(): void;
}

/** A converter for one stream. Throws AUDIO_FORMAT_UNSUPPORTED for a rate not in {@link RESAMPLER_RATES_HZ}. */
export function createResampler(fromRateHz: number, toRateHz: number): Resampler {
  for (const rateHz of [fromRateHz, toRateHz]) {
    if (RESAMPLER_RATES_HZ.some((known) => known === rateHz)) continue;
    const supported = RESAMPLER_RATES_HZ.join(", ");
    throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format: `PCM at ${rateHz} Hz`, supported });
  }
  if (fromRateHz === toRateHz) return new Passage(fromRateHz);
  const key = `${fromRateHz} ${toRateHz}`;
  const bank = banks.get(key) ?? designBank(fromRateHz, toRateHz);
  banks.set(key, bank);
  return new PolyphaseResampler(bank);
}

/** The lowest and highest rate of a recording that {@link createFileResampler} takes. */
export const FILE_RATE_HZ_MIN = 4_000;
export const FILE_RATE_HZ_MAX = 384_000;

/** As {@link createResampler}, for any rate that a file may have; the filter table is made for this one use. */
export function createFileResampler(fromRateHz: number, toRateHz: number): Resampler {
  if (RESAMPLER_RATES_HZ.some((known) => known === fromRateHz)) return createResampler(fromRateHz, toRateHz);
  if (!Number.isInteger(fromRateHz) || fromRateHz < FILE_RATE_HZ_MIN || fromRateHz > FILE_RATE_HZ_MAX) {
    const supported = `${FILE_RATE_HZ_MIN} to ${FILE_RATE_HZ_MAX} Hz`;
    throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format: `audio at ${fromRateHz} Hz`, supported });
  }
  return new PolyphaseResampler(designBank(fromRateHz, toRateHz));
}

/** Taps per phase at the lower of the two rates: with the attenuation below, 88 % of the lower band passes unchanged. */
const TAPS = 80;
const ATTENUATION_DB = 75;
/** A table with more phases than this takes the nearest phase instead: rates without a large common factor. */
const PHASES_MAX = 1280;
/** Input samples taken in one go; longer input is worked off in such blocks. */
const BLOCK_SAMPLES = 512;

/** The filter of one pair of rates. Shared and never written after it was made. */
interface FilterBank {
  readonly fromRateHz: number;
  readonly toRateHz: number;
  /** Output sample n lies at input position n × step / phases. */
  readonly phases: number;
  readonly step: number;
  readonly half: number;
  /** Taps of one phase; a multiple of 4. */
  readonly taps: number;
  /** Rows of the table; `phases`, or fewer where a row serves several phases. */
  readonly rows: number;
  /** f32[rows × taps]; each row sums to 1, so that a constant stays one. */
  readonly table: Float32Array;
}

const banks = new Map<string, FilterBank>();

function designBank(fromRateHz: number, toRateHz: number): FilterBank {
  const divisor = greatestCommonDivisor(fromRateHz, toRateHz);
  const phases = toRateHz / divisor;
  const rows = Math.min(phases, PHASES_MAX);
  const narrowing = Math.min(1, toRateHz / fromRateHz);
  const half = 2 * Math.ceil(TAPS / 4 / narrowing);
  const taps = 2 * half;
  const beta = 0.1102 * (ATTENUATION_DB - 8.7);
  // The transition band ends where the lower rate's band does, so its middle is half its width below that.
  const transition = (ATTENUATION_DB - 7.95) / (14.36 * TAPS);
  const cutoff = (0.5 - transition / 2) * narrowing;
  const table = new Float32Array(rows * taps);
  for (let row = 0; row < rows; row++) {
    const values = new Float64Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      // Distance of the output instant from the tap's input sample, in input samples.
      const distance = row / rows + half - 1 - tap;
      const value = sinc(2 * cutoff * distance) * kaiser(distance / half, beta);
      values[tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap++) table[row * taps + tap] = values[tap]! / sum;
  }
  return { fromRateHz, toRateHz, phases, step: fromRateHz / divisor, half, taps, rows, table };
}

class PolyphaseResampler implements Resampler {
  readonly fromRateHz: number;
  readonly toRateHz: number;
  readonly latencySamples: number;
  readonly #bank: FilterBank;
  /** The last `taps` input samples or more, oldest first, then room for a block. */
  readonly #window: Float32Array;
  #filled = 0;
  /** Position of the next output sample's first tap in the window, and its phase. */
  #first = 0;
  #phase = 0;

  constructor(bank: FilterBank) {
    this.fromRateHz = bank.fromRateHz;
    this.toRateHz = bank.toRateHz;
    this.latencySamples = Math.ceil((bank.half * bank.toRateHz) / bank.fromRateHz);
    this.#bank = bank;
    this.#window = new Float32Array(bank.taps + Math.max(BLOCK_SAMPLES, bank.half));
    this.reset();
  }

  reset(): void {
    // Half a filter of silence before the first sample puts the first output on it.
    this.#filled = this.#bank.half - 1;
    this.#window.fill(0, 0, this.#filled);
    this.#first = 0;
    this.#phase = 0;
  }

  outputBound(count: number): number {
    return Math.ceil(((count + this.#bank.taps) * this.toRateHz) / this.fromRateHz) + 1;
  }

  process(input: Int16Array, offset: number, count: number, output: Int16Array): number {
    const window = this.#window;
    let written = 0;
    let taken = 0;
    while (taken < count) {
      const part = Math.min(count - taken, window.length - this.#filled);
      for (let index = 0; index < part; index++) window[this.#filled + index] = input[offset + taken + index]!;
      this.#filled += part;
      taken += part;
      written = this.#produce(output, written);
    }
    return written;
  }

  flush(output: Int16Array): number {
    // Half a filter of silence completes the outputs up to the last input sample and none beyond it.
    this.#window.fill(0, this.#filled, this.#filled + this.#bank.half);
    this.#filled += this.#bank.half;
    const written = this.#produce(output, 0);
    this.reset();
    return written;
  }

  /** Computes every output whose taps are all there. */
  #produce(output: Int16Array, from: number): number {
    const { taps, rows, phases, step, table } = this.#bank;
    const window = this.#window;
    let written = from;
    let first = this.#first;
    let phase = this.#phase;
    while (first + taps <= this.#filled) {
      const row = (rows === phases ? phase : Math.floor((phase * rows) / phases)) * taps;
      const sum = convolve(window, first, table, row, taps);
      assert(written < output.length, "the output holds outputBound(count) samples");
      output[written++] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : Math.round(sum);
      phase += step;
      const advance = Math.floor(phase / phases);
      phase -= advance * phases;
      first += advance;
    }
    this.#phase = phase;
    const dropped = Math.min(first, this.#filled);
    window.copyWithin(0, dropped, this.#filled);
    this.#filled -= dropped;
    this.#first = first - dropped;
    return written;
  }
}

/** Four sums side by side: one would wait for itself at each tap. */
function convolve(window: Float32Array, first: number, table: Float32Array, row: number, taps: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  for (let tap = 0; tap < taps; tap += 4) {
    sum0 += window[first + tap]! * table[row + tap]!;
    sum1 += window[first + tap + 1]! * table[row + tap + 1]!;
    sum2 += window[first + tap + 2]! * table[row + tap + 2]!;
    sum3 += window[first + tap + 3]! * table[row + tap + 3]!;
  }
  return sum0 + sum1 + (sum2 + sum3);
}

class Passage implements Resampler {
  readonly latencySamples = 0;
  readonly fromRateHz: number;
  readonly toRateHz: number;

  constructor(rateHz: number) {
    this.fromRateHz = rateHz;
    this.toRateHz = rateHz;
  }

  outputBound(count: number): number {
    return count;
  }

  process(input: Int16Array, offset: number, count: number, output: Int16Array): number {
    assert(count <= output.length, "the output holds outputBound(count) samples");
    for (let index = 0; index < count; index++) output[index] = input[offset + index]!;
    return count;
  }

  flush(): number {
    return 0;
  }

  reset(): void {}
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The window at `position` in [-1, 1]. */
function kaiser(position: number, beta: number): number {
  return Math.abs(position) > 1 ? 0 : besselI0(beta * Math.sqrt(1 - position * position)) / besselI0(beta);
}

/** Modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
