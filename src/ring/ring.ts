/** What both ends of a ring share: the typed views over its memory, and the gauges that anybody may look at. */
import { assert } from "../base/assert.js";
import {
  CAPACITY_WORD,
  DROPPED_WORD,
  HEAD_WORD,
  HIGH_WATER_WORD,
  isRingCapacity,
  MAGIC_WORD,
  RING_HEADER_BYTES,
  RING_MAGIC,
  RING_VERSION,
  ringByteLength,
  TAIL_WORD,
  VERSION_WORD,
} from "./layout.js";

/**
 * A ring looked at from outside. Constructing one writes nothing, so a metrics scrape may hold it on any thread beside
 * the two ends. Its views span the *whole* buffer and live as long as it does: payloads are addressed by byte offset
 * into `u8` (`>> 1` into `i16`, `>> 2` into `i32` and `f32`, `>> 3` into `f64`), which costs no view per record.
 */
export class Ring {
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly capacityBytes: number;

  /** Fails an assertion when the buffer was not made by `createRingBuffer` of this version. */
  constructor(buffer: SharedArrayBuffer) {
    assert(buffer.byteLength > RING_HEADER_BYTES, "a ring's buffer is longer than its header");
    this.u8 = new Uint8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.capacityBytes = this.i32[CAPACITY_WORD]!;
    assert(this.i32[MAGIC_WORD] === RING_MAGIC, "the shared buffer is a ring");
    assert(this.i32[VERSION_WORD] === RING_VERSION, "both ends of the ring know the same layout");
    assert(isRingCapacity(this.capacityBytes), "the ring's capacity is a power of two");
    assert(buffer.byteLength === ringByteLength(this.capacityBytes), "the ring's buffer has the size its header says");
  }

  /**
   * Bytes published and not yet acknowledged, headers and padding included. Two atomic loads, so not for a loop over
   * records. Exact on an end's thread as far as that end's own word goes; elsewhere a snapshot of two moving words.
   */
  get fillBytes(): number {
    // TAIL first: it can only fall behind the HEAD that is read after it, so the difference is never negative. It may
    // come out too large when both moved in between, hence the bound.
    const tail = Atomics.load(this.i32, TAIL_WORD);
    const head = Atomics.load(this.i32, HEAD_WORD);
    return Math.min((head - tail) | 0, this.capacityBytes);
  }

  /** Largest fill at any flush since the ring was made; survives the producer. Plain load, may be late. */
  get highWaterBytes(): number {
    return this.i32[HIGH_WATER_WORD]!;
  }

  /** What the producer counted with `countDropped`, modulo 2^32; survives the producer. Plain load, may be late. */
  get droppedCount(): number {
    return this.i32[DROPPED_WORD]! >>> 0;
  }
}
