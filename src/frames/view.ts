/**
 * A frame in somebody else's memory: what consumers read. Fields are copied from the record's header; PCM stays where it
 * is until the record is acknowledged. PCM views are pooled by their owner, so they hold only during one batch; views of
 * meta frames are made anew and their decoded meta may be kept.
 */
import { decodeMeta, edgeOfWord, FLAG_META, flagsOfWord, kindOfWord, OUT_PREFIX_BYTES } from "./codec.js";
import type { FrameKind, Hop, MetaOf } from "./kinds.js";

/** The memory of a ring and the header fields of the record it stands at. `RingReader` has this shape. */
export interface RecordSource {
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly offset: number;
  readonly byteCount: number;
  readonly word: number;
  readonly slot: number;
  readonly generation: number;
  readonly sequence: number;
  readonly aux: number;
  readonly timestamp: number;
}

const NO_BYTES = new Uint8Array(0);

export class FrameView {
  kind: FrameKind = "audio.in";
  edge = 0;
  flags = 0;
  slot = 0;
  generation = 0;
  sequence = 0;
  position = 0;
  /** When it was written and when it was taken, microseconds of the process clock. */
  enqueuedUs = 0;
  dequeuedUs = 0;
  /** When the batch it is in began. */
  startedUs = 0;
  /** When its node passed it on; 0 before. */
  emittedUs = 0;
  batchSize = 0;
  /** Name of the node it was delivered to. */
  node = "";
  samples: Int16Array = new Int16Array(0);
  /** The same memory as words, for copying. */
  words: Int32Array = new Int32Array(0);
  offset = 0;
  count = 0;
  contextId = 0;
  rateHz = 0;
  /** The same frame as it reached the node before on this thread; its hop goes into the trail. Valid during the batch. */
  via: FrameView | undefined;
  #metaBytes: Uint8Array = NO_BYTES;
  #meta: unknown;

  /** Points this view at the source's current record. Allocates only for a frame with meta. */
  load(source: RecordSource, nowUs: number): void {
    const { word, byteCount, offset } = source;
    this.kind = kindOfWord(word);
    this.edge = edgeOfWord(word);
    this.flags = flagsOfWord(word);
    this.slot = source.slot;
    this.generation = source.generation;
    this.sequence = source.sequence;
    this.position = source.timestamp;
    this.dequeuedUs = nowUs;
    // The written time has 32 bits; the distance to now is far below their range.
    this.enqueuedUs = nowUs - ((nowUs - source.aux) | 0);
    this.via = undefined;
    this.#meta = undefined;
    this.samples = source.i16;
    this.words = source.i32;
    this.contextId = 0;
    this.rateHz = 0;
    if (this.kind !== "audio.in" && this.kind !== "audio.out") {
      this.offset = 0;
      this.count = 0;
      this.#metaBytes = source.u8.slice(offset, offset + byteCount);
      return;
    }
    let start = offset;
    if (this.kind === "audio.out") {
      this.contextId = source.i32[offset >> 2]!;
      this.rateHz = source.i32[(offset >> 2) + 1]!;
      start += OUT_PREFIX_BYTES;
    }
    this.#metaBytes = NO_BYTES;
    if ((this.flags & FLAG_META) !== 0) {
      const metaByteCount = source.i32[start >> 2]!;
      this.#metaBytes = source.u8.slice(start + 4, start + 4 + metaByteCount);
      start += 4 + metaByteCount + padding(metaByteCount);
    }
    this.offset = start >> 1;
    this.count = (offset + byteCount - start) >> 1;
  }

  /** Makes this view the same frame, for the next node on this thread. */
  alias(other: FrameView, edge: number): void {
    this.kind = other.kind;
    this.edge = edge;
    this.flags = other.flags;
    this.slot = other.slot;
    this.generation = other.generation;
    this.sequence = other.sequence;
    this.position = other.position;
    this.samples = other.samples;
    this.words = other.words;
    this.offset = other.offset;
    this.count = other.count;
    this.contextId = other.contextId;
    this.rateHz = other.rateHz;
    this.#metaBytes = other.#metaBytes;
    this.#meta = other.#meta;
    this.via = other;
    this.enqueuedUs = other.emittedUs;
    this.dequeuedUs = other.emittedUs;
  }

  /** Makes this view a new frame made on this thread. `pcm` must be the view's to keep. */
  fill(
    kind: FrameKind,
    edge: number,
    slot: number,
    generation: number,
    position: number,
    nowUs: number,
    meta: unknown,
    pcm?: Int16Array,
  ): void {
    this.kind = kind;
    this.edge = edge;
    this.flags = 0;
    this.slot = slot;
    this.generation = generation;
    this.position = position;
    this.via = undefined;
    this.enqueuedUs = nowUs;
    this.dequeuedUs = nowUs;
    this.#meta = meta;
    this.#metaBytes = NO_BYTES;
    this.samples = pcm ?? new Int16Array(0);
    this.words = new Int32Array(0);
    this.offset = 0;
    this.count = pcm?.length ?? 0;
    const context = meta as { contextId?: number; rateHz?: number };
    this.contextId = context.contextId ?? 0;
    this.rateHz = context.rateHz ?? 0;
  }

  /** The frame's meta; decoded on first use. `kind` is the caller's proof that it looked. */
  meta<K extends FrameKind>(kind: K): MetaOf<K> {
    if (this.kind !== kind) throw new Error(`this frame is ${this.kind}, not ${kind}`);
    if (this.#meta === undefined) {
      if (this.#metaBytes.length > 0) this.#meta = decodeMeta(kind, this.#metaBytes);
      else this.#meta = this.kind === "audio.out" ? { contextId: this.contextId, rateHz: this.rateHz } : {};
    }
    return this.#meta as MetaOf<K>;
  }

  /** The hops that brought this frame to its present node, that node's own not included. Allocates. */
  trailBefore(): Hop[] {
    if (this.via !== undefined) return this.via.trailThrough(this.via.emittedUs);
    if (this.kind === "audio.in") return [];
    return (this.meta(this.kind) as { trail?: Hop[] }).trail ?? [];
  }

  /** {@link trailBefore} and the hop at the present node, left at `emittedUs`. */
  trailThrough(emittedUs: number): Hop[] {
    const { node, enqueuedUs, dequeuedUs, startedUs, batchSize } = this;
    return [...this.trailBefore(), { node, enqueuedUs, dequeuedUs, startedUs, emittedUs, batchSize }];
  }
}

/** Meta JSON is followed by up to 3 zero bytes, so that the samples behind it are aligned. */
export function padding(byteCount: number): number {
  return (4 - (byteCount & 3)) & 3;
}
