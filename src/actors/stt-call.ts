/**
 * One call as the recogniser sees it: what it needs of the stream so far, and how that survives the worker.
 *
 * A recogniser's own state is large and the model's affair, so it is not saved. The row is a journal instead: the PCM of
 * the segment under way, from which a successor's fresh stream computes the same text. Saving appends what is new.
 *
 * ```
 *   header           pre-roll ring           journal
 *   16 i32 words     500 ms, s16             LIMITS.segmentMsMax, s16; pages are touched as they are used
 * ```
 */
import { LIMITS } from "../base/limits.js";
import { msToSamples } from "../base/units.js";
import type { SttModel, SttStream, SttStreamOptions } from "../models/family.js";
import type { StateRow } from "./define.js";

/** Audio before the speech that is remembered while nobody speaks. */
export const PRE_ROLL_MS = 500;
export const SEGMENT_SAMPLES_MAX = msToSamples(LIMITS.segmentMsMax);

const RING_SAMPLES = msToSamples(PRE_ROLL_MS);
const HEADER_WORDS = 16;
const RING_AT = HEADER_WORDS * 2;
const JOURNAL_AT = RING_AT + RING_SAMPLES;
export const STT_ROW_BYTES = (JOURNAL_AT + SEGMENT_SAMPLES_MAX) * 2;

const FRESH_SAMPLES = 3_200;

export interface Segment {
  /** Position of its first sample. */
  readonly start: number;
  readonly stream: SttStream;
  /** Samples given to the stream. */
  count: number;
  /** Hash of the text at the last place where a partial was due; 0: no text. */
  textHash: number;
  /** A partial of this segment was emitted. */
  isKnown: boolean;
  /** Since when the stream waits for a step with room for it; undefined if it does not. */
  leftOutUs: number | undefined;
}

export class SttCall {
  /** Position after the last sample heard. */
  position = 0;
  isSpeaking = false;
  /** Ends of turns seen: the index of the present turn. */
  turnCount = 0;
  /** Segments of which something was emitted. */
  segmentCount = 0;
  /** Partials come so many times more seldom than configured. Changes with `save` alone, so that a repeated batch repeats. */
  partialFactor = 1;
  segment: Segment | undefined;
  isClosed = false;
  /** For segments that begin from now on, and for the one under way if a successor hears it again. */
  streamOptions: SttStreamOptions;
  readonly #model: SttModel;
  readonly #ring = new Int16Array(RING_SAMPLES);
  /** Samples since the last segment ended; the ring holds the last of them. */
  #idleCount = 0;
  #idleSaved = 0;
  /** Samples of the segment that are not in the row yet. */
  #fresh = new Int16Array(0);
  #freshCount = 0;
  #journalCount = 0;

  constructor(model: SttModel, streamOptions: SttStreamOptions) {
    this.#model = model;
    this.streamOptions = streamOptions;
  }

  /** Since when its stream is ready and not run, microseconds: from `nowUs` on, if not longer. */
  leftOutSince(nowUs: number): number {
    const { segment } = this;
    if (segment === undefined) return nowUs;
    segment.leftOutUs ??= nowUs;
    return segment.leftOutUs;
  }

  /** Opens a segment that begins at `start`, or as near to it as is remembered and not part of the segment before. */
  openSegment(start: number): void {
    const heard = Math.min(this.#idleCount, RING_SAMPLES, Math.max(0, this.position - start));
    const stream = this.#model.createStream(this.streamOptions);
    this.segment = {
      start: this.position - heard,
      stream,
      count: 0,
      textHash: 0,
      isKnown: false,
      leftOutUs: undefined,
    };
    const from = (this.#idleCount - heard) % RING_SAMPLES;
    const before = Math.min(heard, RING_SAMPLES - from);
    this.#accept(this.segment, this.#ring, from, before);
    this.#accept(this.segment, this.#ring, 0, heard - before);
  }

  endSegment(): void {
    this.segment = undefined;
    this.forgetIdle();
    this.#freshCount = 0;
    this.#journalCount = 0;
  }

  /** No pre-roll reaches back behind this. */
  forgetIdle(): void {
    this.#idleCount = 0;
    this.#idleSaved = 0;
  }

  /** Hears samples: for the segment, or to remember. At most {@link SEGMENT_SAMPLES_MAX} per segment. */
  hear(pcm: Int16Array, offset: number, count: number): void {
    this.position += count;
    if (this.segment !== undefined) {
      this.#accept(this.segment, pcm, offset, count);
      return;
    }
    const ring = this.#ring;
    for (let index = 0, at = this.#idleCount % RING_SAMPLES; index < count; index++) {
      ring[at] = pcm[offset + index]!;
      at = at + 1 === RING_SAMPLES ? 0 : at + 1;
    }
    this.#idleCount += count;
  }

  save(row: StateRow): void {
    const { segment } = this;
    if (segment === undefined) this.#saveIdle(row);
    else if (this.#freshCount > 0) {
      row.i16.set(this.#fresh.subarray(0, this.#freshCount), JOURNAL_AT + this.#journalCount);
      this.#journalCount += this.#freshCount;
      this.#freshCount = 0;
    }
    const words = row.i32;
    words[0] = this.position;
    words[1] = Number(this.isSpeaking);
    words[2] = this.turnCount;
    words[3] = this.segmentCount;
    words[4] = this.#idleCount;
    words[5] = Number(segment !== undefined);
    words[6] = segment?.start ?? 0;
    words[7] = segment?.count ?? 0;
    words[8] = segment?.textHash ?? 0;
    words[9] = Number(segment?.isKnown ?? false);
    words[10] = this.partialFactor;
  }

  /** Reads a row. Runs no model: the stream computes when its next batch does, together with all other calls. */
  restore(row: StateRow): void {
    const words = row.i32;
    this.position = words[0]!;
    this.isSpeaking = words[1] === 1;
    this.turnCount = words[2]!;
    this.segmentCount = words[3]!;
    this.#idleCount = words[4]!;
    this.#idleSaved = this.#idleCount;
    this.partialFactor = words[10]!;
    this.#ring.set(row.i16.subarray(RING_AT, RING_AT + RING_SAMPLES));
    if (words[5] !== 1) return;
    const stream = this.#model.createStream(this.streamOptions);
    const count = words[7]!;
    stream.accept(row.i16, JOURNAL_AT, count);
    this.segment = {
      start: words[6]!,
      stream,
      count,
      textHash: words[8]!,
      isKnown: words[9] === 1,
      leftOutUs: undefined,
    };
    this.#journalCount = count;
  }

  #saveIdle(row: StateRow): void {
    const fresh = Math.min(RING_SAMPLES, this.#idleCount - this.#idleSaved);
    const from = (this.#idleCount - fresh) % RING_SAMPLES;
    const before = Math.min(fresh, RING_SAMPLES - from);
    row.i16.set(this.#ring.subarray(from, from + before), RING_AT + from);
    row.i16.set(this.#ring.subarray(0, fresh - before), RING_AT);
    this.#idleSaved = this.#idleCount;
  }

  #accept(segment: Segment, pcm: Int16Array, offset: number, count: number): void {
    segment.stream.accept(pcm, offset, count);
    segment.count += count;
    if (this.#freshCount + count > this.#fresh.length) {
      const grown = new Int16Array(Math.max(FRESH_SAMPLES, 2 * (this.#freshCount + count)));
      grown.set(this.#fresh.subarray(0, this.#freshCount));
      this.#fresh = grown;
    }
    this.#fresh.set(pcm.subarray(offset, offset + count), this.#freshCount);
    this.#freshCount += count;
  }
}
