/**
 * Feature frames of one stream of 16 kHz samples, each computed once, as soon as its window is heard. What lies before
 * the first sample and behind the last is zeros, or the signal mirrored; the front-end says which.
 */
import { assert } from "../../base/assert.js";
import { LIMITS } from "../../base/limits.js";
import { msToSamples } from "../../base/units.js";

/** A front-end: what one frame is made of. Stateless towards streams; one may serve many. */
export interface FrameAnalysis {
  /** Floats of a frame. */
  readonly bins: number;
  readonly shiftSamples: number;
  readonly windowSamples: number;
  /** How far the first frame's window reaches before the first sample. */
  readonly leadSamples: number;
  readonly edges: "zeros" | "mirror";
  /** How many frames a finished stream has. */
  frameCount(sampleCount: number): number;
  /** Makes stored samples of new ones: s16 in, floats out. `previous` is the sample before, 0 at the beginning. */
  prepare(pcm: Int16Array, offset: number, count: number, previous: number, target: Float32Array, at: number): void;
  /** @param features written from `at` on, `bins` floats. */
  analyse(window: Float32Array, features: Float32Array, at: number): void;
}

/** Samples that may wait for their frames to be read. At it: an assertion failure of the caller. */
export const PENDING_SAMPLES_MAX = 2 * msToSamples(LIMITS.segmentMsMax);
const FIRST_SAMPLES = 16_000;
const FIRST_FRAMES = 100;

export class FrameStream {
  readonly bins: number;
  readonly #analysis: FrameAnalysis;
  readonly #window: Float32Array;
  #samples: Float32Array = new Float32Array(FIRST_SAMPLES);
  /** Position in the stream of the first stored sample. */
  #samplesFrom = 0;
  #sampleCount = 0;
  #previous = 0;
  #isFinished = false;
  #features: Float32Array;
  /** Index of the first stored frame. */
  #framesFrom = 0;
  #computed = 0;

  constructor(analysis: FrameAnalysis) {
    this.#analysis = analysis;
    this.bins = analysis.bins;
    this.#window = new Float32Array(analysis.windowSamples);
    this.#features = new Float32Array(FIRST_FRAMES * analysis.bins);
  }

  /** Samples accepted so far. */
  get sampleCount(): number {
    return this.#sampleCount;
  }

  /** Frames that can be read. */
  get frameCount(): number {
    const { leadSamples, windowSamples, shiftSamples } = this.#analysis;
    if (this.#isFinished) return this.#analysis.frameCount(this.#sampleCount);
    const beyondFirst = this.#sampleCount + leadSamples - windowSamples;
    // The end decides how many frames there are; before it, only those are sure that it would have, too.
    const sure = this.#analysis.frameCount(this.#sampleCount);
    return beyondFirst < 0 ? 0 : Math.min(sure, Math.floor(beyondFirst / shiftSamples) + 1);
  }

  /** Copies samples; computes nothing. */
  accept(pcm: Int16Array, offset: number, count: number): void {
    assert(!this.#isFinished, "a finished stream takes no samples");
    if (count === 0) return;
    this.#dropSamples();
    const stored = this.#sampleCount - this.#samplesFrom;
    assert(stored + count <= PENDING_SAMPLES_MAX, "a stream is advanced before it is full");
    this.#samples = grown(this.#samples, stored, stored + count);
    this.#analysis.prepare(pcm, offset, count, this.#previous, this.#samples, stored);
    this.#previous = pcm[offset + count - 1]!;
    this.#sampleCount += count;
  }

  finish(): void {
    this.#isFinished = true;
  }

  /** Copies `count` frames from index `from` on, which must be there, to `target`: f32[count × bins] from `at`. */
  read(from: number, count: number, target: Float32Array, at = 0): void {
    assert(from >= this.#framesFrom && from + count <= this.frameCount, "frames are read that are there");
    this.#compute(from + count);
    const start = (from - this.#framesFrom) * this.bins;
    target.set(this.#features.subarray(start, start + count * this.bins), at);
  }

  /** Frames before this index are not read again. */
  forget(before: number): void {
    const dropped = Math.min(before, this.#computed) - this.#framesFrom;
    if (dropped <= 0) return;
    this.#features.copyWithin(0, dropped * this.bins, (this.#computed - this.#framesFrom) * this.bins);
    this.#framesFrom += dropped;
  }

  #compute(until: number): void {
    const stored = this.#computed - this.#framesFrom;
    const needed = until - this.#framesFrom;
    if (needed > stored) this.#features = grown(this.#features, stored * this.bins, needed * this.bins);
    for (; this.#computed < until; this.#computed += 1) {
      this.#fillWindow(this.#computed * this.#analysis.shiftSamples - this.#analysis.leadSamples);
      this.#analysis.analyse(this.#window, this.#features, (this.#computed - this.#framesFrom) * this.bins);
    }
  }

  #fillWindow(start: number): void {
    const isMirrored = this.#analysis.edges === "mirror";
    for (let i = 0; i < this.#window.length; i += 1) {
      let at = start + i;
      if (isMirrored) at = mirrored(at, this.#sampleCount);
      const isInside = at >= 0 && at < this.#sampleCount;
      this.#window[i] = isInside ? this.#samples[at - this.#samplesFrom]! : 0;
    }
  }

  /** Samples that no frame to come needs. A mirrored end needs those of one window before it. */
  #dropSamples(): void {
    const { shiftSamples, leadSamples, windowSamples } = this.#analysis;
    const needed = this.#computed * shiftSamples - leadSamples - windowSamples;
    const dropped = Math.min(needed, this.#sampleCount) - this.#samplesFrom;
    if (dropped < windowSamples) return;
    this.#samples.copyWithin(0, dropped, this.#sampleCount - this.#samplesFrom);
    this.#samplesFrom += dropped;
  }
}

/** The edge sample is repeated: … 1 0 | 0 1 …; a stream shorter than a window is mirrored again and again, as in Kaldi. */
function mirrored(at: number, count: number): number {
  let position = at;
  while (count > 0 && (position < 0 || position >= count)) {
    position = position < 0 ? -position - 1 : 2 * count - 1 - position;
  }
  return position;
}

function grown(memory: Float32Array, used: number, needed: number): Float32Array {
  if (needed <= memory.length) return memory;
  const larger = new Float32Array(Math.max(needed, 2 * memory.length));
  larger.set(memory.subarray(0, used));
  return larger;
}
