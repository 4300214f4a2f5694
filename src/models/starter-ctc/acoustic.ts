/**
 * The acoustic half of `starter-ctc`: PCM of many segments to log-probabilities of phones, batched. Input `pcm`
 * f32 [batch, 640 n] and `state` f32 [batch, floats]; output `logp` f32 [batch, 2 n, labels], one row per slot of
 * 20 ms and `delaySlots` late, and `nextState`. The log-mel front end is inside the graph.
 */
import { assert } from "../../base/assert.js";
import { LIMITS } from "../../base/limits.js";
import { msToSamples } from "../../base/units.js";
import { BatchBuffers } from "../../gpu/batch-buffers.js";
import { warmBuckets } from "../../gpu/buckets.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import type { AdvanceReport } from "../family.js";
import { packedStateFloats } from "../packed-state.js";

export const SLOT_SAMPLES = 320;
/** Samples of one row of one run: 160 ms. Longer is not faster per second of audio, and later. */
export const CHUNK_SAMPLES = 2560;
/** The network sees six frames of 40 ms ahead, so its first slots speak of time before the stream. */
export const DELAY_SLOTS = 12;
const CHUNK_SLOTS = CHUNK_SAMPLES / SLOT_SAMPLES;
/** Zeros behind the last sample that bring out everything the network holds back, and one frame of 40 ms more. */
const FLUSH_SAMPLES = (DELAY_SLOTS + 2) * SLOT_SAMPLES;
/** Samples that may wait for the model in one stream. At it: an assertion failure of the caller. */
export const PENDING_SAMPLES_MAX = 2 * msToSamples(LIMITS.segmentMsMax);
const PENDING_SAMPLES_FIRST = 4 * CHUNK_SAMPLES;

/**
 * The network was trained on recordings levelled to their peak, give or take 10 dB, and on some that begin too loud: a
 * stream knows its peak only so far. The first run waits for so many samples (no word can come out sooner), and each run
 * is scaled by the peak so far. On 80 synthetic sentences, 9.3 to 9.5 % of phones are wrong at every peak from 1 down to
 * 0.005. Waiting 480 ms instead of 640 cost an earlier network three points of words: the pre-roll's silence set the gain.
 */
export const LEVEL = { targetPeak: 0.5, floorPeak: 0.005, firstSamples: 4 * CHUNK_SAMPLES } as const;
const S16_SCALE = 1 / 32768;

/** Receives the log-probabilities of a stream's next slots: `slotCount` rows of `labelCount` floats from `from`. */
export type LogProbabilitySink = (logp: Float32Array, from: number, slotCount: number) => void;

/** One segment's audio and network state. Deterministic in the samples, however they are cut into writes and runs. */
export class AcousticStream {
  readonly state: Float32Array;
  readonly sink: LogProbabilitySink;
  #pending = new Int16Array(PENDING_SAMPLES_FIRST);
  #pendingCount = 0;
  #acceptedCount = 0;
  #runs = 0;
  #loudest = 0;
  #isFinished = false;

  constructor(stateFloats: number, sink: LogProbabilitySink) {
    this.state = new Float32Array(stateFloats);
    this.sink = sink;
  }

  /** Samples accepted so far. */
  get sampleCount(): number {
    return this.#acceptedCount;
  }

  get isReady(): boolean {
    if (this.#isFinished) return !this.isDone;
    return this.#pendingCount >= (this.#runs === 0 ? LEVEL.firstSamples : CHUNK_SAMPLES);
  }

  get isDone(): boolean {
    if (!this.#isFinished) return false;
    return this.#acceptedCount === 0 || this.#runs * CHUNK_SAMPLES >= this.#acceptedCount + FLUSH_SAMPLES;
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    assert(!this.#isFinished, "a finished stream takes no samples");
    const needed = this.#pendingCount + count;
    assert(needed <= PENDING_SAMPLES_MAX, "a stream is advanced before it is full");
    if (needed > this.#pending.length) {
      const larger = new Int16Array(Math.min(PENDING_SAMPLES_MAX, Math.max(needed, 2 * this.#pending.length)));
      larger.set(this.#pending.subarray(0, this.#pendingCount));
      this.#pending = larger;
    }
    this.#pending.set(pcm.subarray(offset, offset + count), this.#pendingCount);
    this.#pendingCount = needed;
    this.#acceptedCount += count;
  }

  finish(): void {
    this.#isFinished = true;
  }

  /** Writes the next chunk, levelled, zeros where the segment has ended. */
  fill(target: Float32Array, at: number): void {
    const count = Math.min(CHUNK_SAMPLES, this.#pendingCount);
    const heard = Math.min(this.#runs === 0 ? LEVEL.firstSamples : CHUNK_SAMPLES, this.#pendingCount);
    for (let i = 0; i < heard; i += 1) this.#loudest = Math.max(this.#loudest, Math.abs(this.#pending[i]!));
    const gain = (LEVEL.targetPeak * S16_SCALE) / Math.max(LEVEL.floorPeak, this.#loudest * S16_SCALE);
    for (let i = 0; i < count; i += 1) target[at + i] = this.#pending[i]! * gain;
    target.fill(0, at + count, at + CHUNK_SAMPLES);
  }

  /** The chunk went through the model. Returns how many of its slots lie before the stream's beginning. */
  consume(): number {
    const count = Math.min(CHUNK_SAMPLES, this.#pendingCount);
    this.#pending.copyWithin(0, count, this.#pendingCount);
    this.#pendingCount -= count;
    const early = DELAY_SLOTS - this.#runs * CHUNK_SLOTS;
    this.#runs += 1;
    return Math.max(0, Math.min(CHUNK_SLOTS, early));
  }
}

export class AcousticModel {
  readonly model: OnnxModel;
  readonly #labelCount: number;
  readonly #stateFloats: number;
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  /** Throws MODEL_TENSORS_MISMATCH. */
  constructor(model: OnnxModel, family: string, labelCount: number, batchMax: number) {
    this.model = model;
    this.#labelCount = labelCount;
    this.#stateFloats = packedStateFloats(model, family, {
      name: "logp",
      type: "float32",
      dims: ["batch", "slots", labelCount],
    });
    this.#feeds = new BatchBuffers(batchMax, [
      { name: "pcm", rowDims: [CHUNK_SAMPLES] },
      { name: "state", rowDims: [this.#stateFloats] },
    ]);
    this.#fetches = new BatchBuffers(batchMax, [
      { name: "logp", rowDims: [CHUNK_SLOTS, labelCount] },
      { name: "nextState", rowDims: [this.#stateFloats] },
    ]);
  }

  createStream(sink: LogProbabilitySink): AcousticStream {
    return new AcousticStream(this.#stateFloats, sink);
  }

  warm(): Promise<void> {
    return warmBuckets(this.#feeds.batchMax, (rows) => this.#run(rows));
  }

  /**
   * Runs the network until no stream is ready. Each pass takes one chunk of each ready stream, so that a stream with
   * much audio does not hold up the others. A stale stream is left where it is.
   */
  async advance(streams: readonly AcousticStream[], isStale?: (index: number) => boolean): Promise<AdvanceReport> {
    const batch: AcousticStream[] = [];
    let runs = 0;
    let rows = 0;
    let wasReady = true;
    while (wasReady) {
      wasReady = false;
      for (let index = 0; index <= streams.length; index += 1) {
        const stream = streams[index];
        if (stream?.isReady && !isStale?.(index)) batch.push(stream);
        const isFull = batch.length === this.#feeds.batchMax || stream === undefined;
        if (!isFull || batch.length === 0) continue;
        await this.#step(batch);
        wasReady = true;
        runs += 1;
        rows += batch.length;
        batch.length = 0;
      }
    }
    return { runs, rows };
  }

  async #step(batch: readonly AcousticStream[]): Promise<void> {
    const size = this.model.rowsFor(batch.length, this.#feeds.batchMax);
    for (const [row, stream] of batch.entries()) {
      stream.fill(this.#feeds.memory("pcm"), row * CHUNK_SAMPLES);
      this.#feeds.putRow("state", size, row, stream.state);
    }
    await this.#run(size);
    const logp = this.#fetches.memory("logp");
    for (const [row, stream] of batch.entries()) {
      this.#fetches.takeRow("nextState", size, row, stream.state);
      const early = stream.consume();
      const from = (row * CHUNK_SLOTS + early) * this.#labelCount;
      if (early < CHUNK_SLOTS) stream.sink(logp, from, CHUNK_SLOTS - early);
    }
  }

  async #run(rows: number): Promise<void> {
    await this.model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
  }
}
