/**
 * Recognisers that hear a whole segment at a time. A stream keeps the segment's samples; its one hypothesis comes when the
 * segment is finished. If asked for, what was heard so far is recognised anew at fixed intervals of stream time, so that
 * there are partials: each costs as much as the final of the same length.
 */
import { z } from "zod";
import { assert } from "../base/assert.js";
import { LIMITS } from "../base/limits.js";
import { msToSamples } from "../base/units.js";
import { type BatchRow, chooseRows } from "../gpu/batch-policy.js";
import type { AdvanceReport, Hypothesis, Model, SttModel, SttStream } from "./family.js";

/** Samples of one segment. At it: an assertion failure of the caller. */
const SEGMENT_SAMPLES_LIMIT = msToSamples(LIMITS.segmentMsMax);
const SAMPLES_FIRST = 16_384;
const S16_SCALE = 1 / 32_768;

export const NOTHING_HEARD: Hypothesis = { text: "", words: [], stableChars: 0, confidence: 0 };

export const partialMsOption = z
  .int()
  .min(0)
  .max(10_000)
  .default(0)
  .describe("recognise what was heard so far after every so many milliseconds of stream; 0: only the whole segment");

/** One segment, or the beginning of one, to be recognised. */
export interface Segment {
  /** In [-1, 1], at 16 kHz; at least one sample. */
  readonly pcm: Float32Array;
  /** Looked at between steps; once true, the segment leaves the batch. */
  isStale(): boolean;
}

export interface SegmentReport extends AdvanceReport {
  /** In the order of the segments; undefined for one that became stale. `stableChars` is not looked at. */
  readonly hypotheses: readonly (Omit<Hypothesis, "stableChars"> | undefined)[];
}

/** What a family of this kind does. */
export interface SegmentRecogniser extends Model {
  readonly batchMax: number;
  /** Segments of the same key may be recognised in one batch. Must not depend on what else there is. */
  batchKey(sampleCount: number): number;
  /** Recognises 1 to `batchMax` segments of one key. */
  recognise(segments: readonly Segment[]): Promise<SegmentReport>;
}

/** @param partialSamples stream time between partials; 0: none. */
export function segmentModel(recogniser: SegmentRecogniser, partialSamples: number): SttModel {
  return new SegmentModel(recogniser, partialSamples);
}

class SegmentStream implements SttStream {
  readonly #partialSamples: number;
  #pcm = new Int16Array(SAMPLES_FIRST);
  #count = 0;
  /** Samples that the hypothesis speaks of. */
  #recognised = 0;
  #isFinished = false;
  #heard: Omit<Hypothesis, "stableChars"> = NOTHING_HEARD;

  constructor(partialSamples: number) {
    this.#partialSamples = partialSamples;
  }

  get isReady(): boolean {
    return this.dueSamples > this.#recognised;
  }

  get isDone(): boolean {
    return this.#isFinished && this.#recognised === this.#count;
  }

  /** Samples, from the beginning, that are to be recognised next: a matter of stream time alone. */
  get dueSamples(): number {
    if (this.#isFinished) return this.#count;
    return this.#partialSamples === 0 ? 0 : this.#count - (this.#count % this.#partialSamples);
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    assert(!this.#isFinished, "a finished stream takes no samples");
    const needed = this.#count + count;
    assert(needed <= SEGMENT_SAMPLES_LIMIT, "a segment has an end");
    if (needed > this.#pcm.length) {
      const larger = new Int16Array(Math.min(SEGMENT_SAMPLES_LIMIT, Math.max(needed, 2 * this.#pcm.length)));
      larger.set(this.#pcm.subarray(0, this.#count));
      this.#pcm = larger;
    }
    this.#pcm.set(pcm.subarray(offset, offset + count), this.#count);
    this.#count = needed;
  }

  finish(): void {
    this.#isFinished = true;
  }

  /** What is due, as floats. */
  due(): Float32Array {
    return Float32Array.from(this.#pcm.subarray(0, this.dueSamples), (sample) => sample * S16_SCALE);
  }

  take(heard: Omit<Hypothesis, "stableChars">, sampleCount: number): void {
    this.#heard = heard;
    this.#recognised = sampleCount;
  }

  hypothesis(): Hypothesis {
    const { text, words, confidence } = this.#heard;
    // What is recognised anew may read differently anywhere: nothing of a partial is stable.
    return { text, words, stableChars: this.isDone ? text.length : 0, confidence };
  }
}

class SegmentModel implements SttModel {
  readonly device: string;
  readonly description: string;
  readonly lagSamples = 0;
  readonly #recogniser: SegmentRecogniser;
  readonly #partialSamples: number;

  constructor(recogniser: SegmentRecogniser, partialSamples: number) {
    this.device = recogniser.device;
    this.description = recogniser.description;
    this.#recogniser = recogniser;
    this.#partialSamples = partialSamples;
  }

  createStream(): SttStream {
    return new SegmentStream(this.#partialSamples);
  }

  async advance(
    streams: readonly SttStream[],
    isStale?: (index: number) => boolean,
    dueUs?: (index: number) => number,
  ): Promise<AdvanceReport> {
    let runs = 0;
    let rows = 0;
    for (const batch of this.#batches(waitingOf(streams, isStale, dueUs))) {
      const report = await this.#recogniser.recognise(
        batch.map(({ stream, index }) => ({ pcm: stream.due(), isStale: () => isStale?.(index) ?? false })),
      );
      for (const [place, { stream, sampleCount }] of batch.entries()) {
        const heard = report.hypotheses[place];
        if (heard !== undefined) stream.take(heard, sampleCount);
      }
      runs += report.runs;
      rows += report.rows;
    }
    return { runs, rows };
  }

  release(): Promise<void> {
    return this.#recogniser.release();
  }

  /** Batches of one key each, in the order of their first. */
  #batches(all: readonly Waiting[]): Waiting[][] {
    const open = new Map<number, Waiting[]>();
    const batches: Waiting[][] = [];
    for (const waiting of all) {
      const key = this.#recogniser.batchKey(waiting.sampleCount);
      let batch = open.get(key);
      if (batch === undefined || batch.length === this.#recogniser.batchMax) {
        batch = [];
        open.set(key, batch);
        batches.push(batch);
      }
      batch.push(waiting);
    }
    return batches;
  }
}

interface Waiting {
  readonly stream: SegmentStream;
  readonly index: number;
  readonly sampleCount: number;
}

/** The ready streams, those that are due soonest first. */
function waitingOf(
  streams: readonly SttStream[],
  isStale?: (index: number) => boolean,
  dueUs?: (index: number) => number,
): Waiting[] {
  const ready: Waiting[] = [];
  const rows: BatchRow[] = [];
  for (const [index, stream] of streams.entries()) {
    assert(stream instanceof SegmentStream, "a stream is advanced by the model that made it");
    if (!stream.isReady) continue;
    ready.push({ stream, index, sampleCount: stream.dueSamples });
    rows.push({ call: index, dueUs: dueUs?.(index) ?? 0, weight: 1, isStale: isStale?.(index) === true });
  }
  return chooseRows(rows, rows.length).map((place) => ready[place]!);
}
