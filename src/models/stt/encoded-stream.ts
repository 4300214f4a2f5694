/**
 * Streams of recognisers that are made of a front-end, an encoder and a transcriber. The encoder hears a whole segment at
 * once (`SegmentStream`) or window by window with caches (`WindowStream`); the rest is the same.
 */
import { assert } from "../../base/assert.js";
import type { Rows } from "../../gpu/row-tensors.js";
import type { Hypothesis, SttStream } from "../family.js";
import { type FrameAnalysis, FrameStream } from "../front-ends/frame-stream.js";
import type { TokenTable } from "./token-table.js";
import type { Transcriber } from "./transcriber.js";
import { hypothesisOf } from "./words.js";

const NOTHING: Hypothesis = { text: "", words: [], stableChars: 0, confidence: 0 };

export interface StreamParts<T extends Transcriber> {
  readonly analysis: FrameAnalysis;
  readonly transcriber: T;
  readonly table: TokenTable;
  /** Samples that one encoder frame stands for. */
  readonly encoderFrameSamples: number;
}

export abstract class EncodedStream<T extends Transcriber> implements SttStream {
  readonly transcriber: T;
  protected readonly frames: FrameStream;
  readonly #table: TokenTable;
  readonly #encoderFrameSamples: number;
  #sampleCount = 0;
  #isFinished = false;
  #known: Hypothesis = NOTHING;
  #isKnown = true;

  constructor({ analysis, transcriber, table, encoderFrameSamples }: StreamParts<T>) {
    this.frames = new FrameStream(analysis);
    this.transcriber = transcriber;
    this.#table = table;
    this.#encoderFrameSamples = encoderFrameSamples;
  }

  get isReady(): boolean {
    return this.transcriber.isPending || this.hasInput;
  }

  get isDone(): boolean {
    return this.#isFinished && !this.isReady;
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    this.#sampleCount += count;
    this.frames.accept(pcm, offset, count);
  }

  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.end();
  }

  /** Of all frames that the transcriber has been through; while it is on its way, the one before. */
  hypothesis(): Hypothesis {
    if (this.#isKnown || this.transcriber.isPending) return this.#known;
    const timing = { frameSamples: this.#encoderFrameSamples, sampleCount: this.#sampleCount };
    const found = hypothesisOf(this.transcriber.tokens, this.#table, timing);
    this.#known = { ...found, stableChars: this.isRevised ? 0 : found.text.length };
    this.#isKnown = true;
    return this.#known;
  }

  /** The encoder's answer: f32[count × width]. */
  push(frames: Float32Array, count: number): void {
    this.#isKnown = false;
    if (count > 0) this.transcriber.push(frames, count);
  }

  protected get sampleCount(): number {
    return this.#sampleCount;
  }

  protected get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Frames wait for the encoder. */
  protected abstract get hasInput(): boolean;

  /** What has been said may still be said otherwise. */
  protected abstract get isRevised(): boolean;

  protected abstract end(): void;
}

/** Frames of which a deviation can be computed. A shorter segment says nothing. */
const FRAMES_MIN = 2;

/**
 * When a segment is recognised before its end: after `firstSamples`, then whenever it has grown by as much, or by a
 * quarter if that is more. So all these runs together hear at most some five times the segment, however long it is.
 */
export class PartialSchedule {
  readonly #firstSamples: number;
  #due: number;

  /** @param firstSamples infinite: never. */
  constructor(firstSamples: number) {
    this.#firstSamples = firstSamples;
    this.#due = firstSamples;
  }

  isDue(sampleCount: number): boolean {
    return sampleCount >= this.#due;
  }

  /** The last mark at or before `sampleCount`, so that a partial does not depend on when it is asked for. */
  last(sampleCount: number): number {
    let mark = this.#due;
    for (let next = this.#after(mark); next <= sampleCount; next = this.#after(next)) mark = next;
    return mark;
  }

  /** The marks up to `sampleCount` are behind. */
  pass(sampleCount: number): void {
    while (this.#due <= sampleCount) this.#due = this.#after(this.#due);
  }

  #after(mark: number): number {
    return mark + Math.max(this.#firstSamples, Math.floor(mark / 4));
  }
}

export class SegmentStream<T extends Transcriber> extends EncodedStream<T> {
  readonly #schedule: PartialSchedule;
  readonly #analysis: FrameAnalysis;
  #isHeard = false;

  constructor(parts: StreamParts<T>, partialSamples: number) {
    super(parts);
    this.#analysis = parts.analysis;
    this.#schedule = new PartialSchedule(partialSamples);
  }

  /** How many frames the run that is due hears. */
  get dueFrames(): number {
    return this.isFinished ? this.frames.frameCount : this.#wholeFrames(this.#schedule.last(this.sampleCount));
  }

  /** The frames of the run that is due: f32[count × bins]. The transcriber begins anew. */
  take(): { features: Float32Array; count: number } {
    const count = this.dueFrames;
    this.#schedule.pass(this.sampleCount);
    this.#isHeard = this.isFinished;
    const features = new Float32Array(count * this.frames.bins);
    this.frames.read(0, count, features);
    this.transcriber.reset();
    return { features, count };
  }

  protected get hasInput(): boolean {
    if (this.isFinished) return !this.#isHeard && this.frames.frameCount >= FRAMES_MIN;
    return this.#schedule.isDue(this.sampleCount);
  }

  protected get isRevised(): boolean {
    return !this.#isHeard;
  }

  protected end(): void {
    this.frames.finish();
  }

  #wholeFrames(sampleCount: number): number {
    const { leadSamples, windowSamples, shiftSamples } = this.#analysis;
    return Math.floor((sampleCount + leadSamples - windowSamples) / shiftSamples) + 1;
  }
}

/** How a streaming encoder takes its frames: windows of `frames`, each `shift` after the one before. */
export interface Windows {
  readonly frames: number;
  readonly shift: number;
  /** Frames of silence before the stream's first, at the beginning of the first window. */
  readonly lead: number;
  /** Frames of silence behind the last: what the network holds back comes out. */
  readonly flush: number;
}

export class WindowStream<T extends Transcriber> extends EncodedStream<T> {
  /** The encoder's caches. */
  readonly caches: Rows;
  readonly #windows: Windows;
  readonly #analysis: FrameAnalysis;
  readonly #silence: Float32Array;
  #taken = 0;
  /** Windows of the whole stream, once it is known. */
  #total = Number.POSITIVE_INFINITY;

  /** @param caches rows that are this stream's own. */
  constructor(parts: StreamParts<T>, windows: Windows, caches: Rows) {
    super(parts);
    this.caches = caches;
    this.#windows = windows;
    this.#analysis = parts.analysis;
    this.#silence = new Float32Array(this.frames.bins);
    parts.analysis.analyse(new Float32Array(parts.analysis.windowSamples), this.#silence, 0);
  }

  /** The next window: f32[frames × bins] from `at`. */
  take(target: Float32Array, at: number): void {
    const { frames, shift } = this.#windows;
    const { bins } = this.frames;
    const end = this.#endOf(this.#taken);
    const missing = Math.max(0, frames - end);
    for (let frame = 0; frame < missing; frame += 1) target.set(this.#silence, at + frame * bins);
    this.frames.read(end - frames + missing, frames - missing, target, at + missing * bins);
    this.frames.forget(end - frames + shift);
    this.#taken += 1;
  }

  protected get hasInput(): boolean {
    return this.#taken < this.#total && this.#endOf(this.#taken) <= this.frames.frameCount;
  }

  protected get isRevised(): boolean {
    return false;
  }

  /** Silence fills the last window. */
  protected end(): void {
    const { shift, flush } = this.#windows;
    const { shiftSamples, windowSamples } = this.#analysis;
    const wanted = this.sampleCount === 0 ? 0 : this.#analysis.frameCount(this.sampleCount) + flush;
    this.#total = wanted === 0 ? 0 : Math.max(1, Math.ceil((wanted - this.#endOf(0)) / shift) + 1);
    if (this.#total > 0) {
      const samples = this.#endOf(this.#total - 1) * shiftSamples + windowSamples - this.sampleCount;
      const silence = new Int16Array(Math.max(0, samples));
      this.frames.accept(silence, 0, silence.length);
    }
    this.frames.finish();
  }

  /** The frame behind a window's last. */
  #endOf(window: number): number {
    const { frames, shift, lead } = this.#windows;
    return window * shift + frames - lead;
  }
}

/** Rows of an encoder's output for its streams: [batch, frames, width] as it is, [batch, width, frames] turned. */
export function shareOutFrames(
  { data, dims }: { data: Float32Array; dims: readonly number[] },
  row: number,
  count: number,
  isTimeLast: boolean,
): Float32Array {
  const [, one, two] = dims;
  assert(one !== undefined && two !== undefined, "an encoder's output has three dimensions");
  const start = row * one * two;
  if (!isTimeLast) return data.slice(start, start + count * two);
  const frames = new Float32Array(count * one);
  for (let channel = 0; channel < one; channel += 1) {
    for (let frame = 0; frame < count; frame += 1) {
      frames[frame * one + channel] = data[start + channel * two + frame]!;
    }
  }
  return frames;
}
