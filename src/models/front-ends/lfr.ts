/**
 * Low frame rate features: each row is several neighbouring frames side by side, and rows are several frames apart, as
 * FunASR's recognisers take them (SenseVoice, Paraformer: 7 frames every 6, from 80 floats every 10 ms to 560 every
 * 60 ms). Then every float is shifted and scaled by statistics of the training data.
 *
 * Formulas: `apply_lfr` and `apply_cmvn` of FunASR's funasr/frontends/wav_frontend.py. There the first frame is repeated
 * before the beginning and the last one behind the end (`repeat`). sherpa-onnx leaves away rows that are not whole (`cut`).
 */
import { assert } from "../../base/assert.js";

export interface LowFrameRateOptions {
  /** Floats of a frame. */
  readonly bins: number;
  /** Frames of a row: 7 if not given. */
  readonly stack?: number;
  /** Frames from row to row: 6 if not given. */
  readonly shift?: number;
  readonly edges: "repeat" | "cut";
}

export class LowFrameRate {
  readonly bins: number;
  readonly stack: number;
  readonly shift: number;
  /** Floats of a row. */
  readonly rowFloats: number;
  /** How many frames the first row begins before the first frame. */
  readonly #lead: number;
  readonly #isCut: boolean;

  constructor({ bins, stack = 7, shift = 6, edges }: LowFrameRateOptions) {
    assert(bins >= 1 && shift >= 1 && stack >= shift, "rows of whole frames, none of which is left out");
    this.bins = bins;
    this.stack = stack;
    this.shift = shift;
    this.rowFloats = bins * stack;
    this.#isCut = edges === "cut";
    this.#lead = this.#isCut ? 0 : Math.floor((stack - 1) / 2);
  }

  /** Rows of a finished stream of so many frames. */
  rowCount(frameCount: number): number {
    return this.#isCut ? this.readyRows(frameCount) : Math.ceil(frameCount / this.shift);
  }

  /** Rows that no later frame changes. */
  readyRows(frameCount: number): number {
    const beyondFirst = frameCount + this.#lead - this.stack;
    return beyondFirst < 0 ? 0 : Math.floor(beyondFirst / this.shift) + 1;
  }

  /** The first frame that row `row` and those after it look at: earlier ones may be forgotten. */
  firstFrameOf(row: number): number {
    return Math.max(0, row * this.shift - this.#lead);
  }

  /**
   * Makes rows `from` to `to` of a stream. What they hold of frames from `frameCount` on is the last frame: only at the
   * stream's end do rows beyond `readyRows` mean something.
   * @param frames f32: frames `framesFrom` to `frameCount`, row-major; `framesFrom` is at most `firstFrameOf(from)`.
   * @param target f32: `(to − from) × rowFloats` floats are written from `at`.
   */
  compute(
    frames: Float32Array,
    framesFrom: number,
    frameCount: number,
    from: number,
    to: number,
    target: Float32Array,
    at = 0,
  ): void {
    assert(framesFrom <= this.firstFrameOf(from) && frameCount > framesFrom, "rows are made of frames that are there");
    const { bins } = this;
    let place = at;
    for (let row = from; row < to; row += 1) {
      for (let i = 0; i < this.stack; i += 1, place += bins) {
        const frame = Math.min(frameCount - 1, Math.max(0, row * this.shift - this.#lead + i));
        const start = (frame - framesFrom) * bins;
        for (let bin = 0; bin < bins; bin += 1) target[place + bin] = frames[start + bin]!;
      }
    }
  }
}

/** Brings each float of a row to the range that a network was trained with. */
export class FeatureScale {
  readonly rowFloats: number;
  readonly #shift: Float32Array;
  readonly #factor: Float32Array;

  /** @param shift added to each float of a row (the negative mean). @param factor multiplied then (1 / deviation). */
  constructor(shift: ArrayLike<number>, factor: ArrayLike<number>) {
    assert(shift.length === factor.length && shift.length > 0, "a scale has as many shifts as factors");
    this.rowFloats = shift.length;
    this.#shift = Float32Array.from(shift);
    this.#factor = Float32Array.from(factor);
  }

  /** Scales `rows` rows from `at` in place. */
  apply(features: Float32Array, rows: number, at = 0): void {
    for (let row = 0, place = at; row < rows; row += 1) {
      for (let i = 0; i < this.rowFloats; i += 1, place += 1) {
        features[place] = (features[place]! + this.#shift[i]!) * this.#factor[i]!;
      }
    }
  }
}
