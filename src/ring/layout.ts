/**
 * Where everything stands in a ring's shared memory. Every other file of this folder speaks in these names.
 *
 * ```
 *  byte
 *     0 ┌──────────────────────────────────────────────────────┐
 *       │ MAGIC  VERSION  CAPACITY                             │  written once, before the buffer is shared
 *    64 ├──────────────────────────────────────────────────────┤
 *       │ HEAD  DROPPED  HIGH_WATER  PRODUCER_GENERATION       │  only the producer writes this line
 *   128 ├──────────────────────────────────────────────────────┤
 *       │ TAIL  CONSUMER_GENERATION  ATTEMPTS                  │  only the consumer writes this line
 *   192 ├──────────────────────────────────────────────────────┤
 *       │ SPACE_PARKED                                         │  both; touched only when the producer waits for room
 *   256 ├──────────────────────────────────────────────────────┤
 *       │ record │ record │ record │ …           … │ padding   │  CAPACITY bytes, a power of two
 *       └──────────────────────────────────────────────────────┘
 *
 *  one record: 32-byte aligned, never across the end
 *    i32  0        1      2      3            4          5      f64  3
 *       ┌────────┬──────┬──────┬────────────┬──────────┬─────┬───────────┬────────────┬───────┐
 *       │ length │ word │ slot │ generation │ sequence │ aux │ timestamp │ payload …  │ (0–31)│
 *       └────────┴──────┴──────┴────────────┴──────────┴─────┴───────────┴────────────┴───────┘
 *       0        4      8      12           16         20    24          32           32 + length, rounded up
 *
 *     TAIL                read position          HEAD              write position
 *      │ delivered, not acked │ published, unread │ committed, unseen │ free …
 *      └── given again if the ────────────────────┘                   │
 *          consumer dies          vanishes if the producer dies ──────┘
 * ```
 *
 * Positions are free-running 32-bit byte counters: they overflow, and only their differences (`| 0`) and their low bits
 * (`& (capacity - 1)`) are ever used. That is why the capacity is a power of two of at most 2^30.
 *
 * The ring gives no meaning to `word`, `slot`, `generation`, `sequence`, `aux` and `timestamp`: it carries them.
 */
import { assert } from "../base/assert.js";

/** Four cache lines of 64 bytes, so that the producer's stores never take the consumer's line away, nor the reverse. */
export const RING_HEADER_BYTES = 256;
/** Also the alignment of records: the rest of the data area always has room for one header, hence for a padding mark. */
export const RECORD_HEADER_BYTES = 32;
/** Room for a few empty records. Below it: assertion failure in {@link createRingBuffer}. */
export const RING_CAPACITY_MIN_BYTES = 256;
/** Above it the difference of two positions would no longer fit in an int32: assertion failure. */
export const RING_CAPACITY_MAX_BYTES = 2 ** 30;

/** "SYRX", to tell a ring from other shared buffers when one is handed to the wrong constructor. */
export const RING_MAGIC = 0x53595258;
/** Raised whenever this page changes: both ends live in one process, so a mismatch is two copies of the package. */
export const RING_VERSION = 1;

// Indices into the Int32Array over the whole buffer.
export const MAGIC_WORD = 0;
export const VERSION_WORD = 1;
export const CAPACITY_WORD = 2;

/** Position behind the last published record. The atomic store of this word is what publishes everything before it. */
export const HEAD_WORD = 16;
/** Frames that the producer gave up for want of room. Plain, for metrics: a reader may see it late. */
export const DROPPED_WORD = 17;
/** Largest fill, in bytes, at any flush. Plain, for metrics: a reader may see it late. */
export const HIGH_WATER_WORD = 18;
/** One more with each RingWriter: an earlier one may no longer publish. */
export const PRODUCER_GENERATION_WORD = 19;

/** Position before which all records are done with. The atomic store of this word is what frees their memory. */
export const TAIL_WORD = 32;
/** One more with each RingReader: an earlier one may no longer acknowledge. */
export const CONSUMER_GENERATION_WORD = 33;
/** How often the batch that starts at TAIL has been begun. Plain: its next reader is created after this one's death. */
export const ATTEMPTS_WORD = 34;

/** 1 while the producer sleeps on this word for want of room, else 0. */
export const SPACE_PARKED_WORD = 48;

// Within a record: indices of 4-byte words from its start, and of the one 8-byte word.
export const LENGTH_FIELD = 0;
export const WORD_FIELD = 1;
export const SLOT_FIELD = 2;
export const GENERATION_FIELD = 3;
export const SEQUENCE_FIELD = 4;
export const AUX_FIELD = 5;
export const TIMESTAMP_FIELD_F64 = 3;

/** In the length field: no record here, go on at the start of the data area. */
export const PADDING_LENGTH = -1;

/** Bytes that a record with this much payload takes. */
export function recordByteLength(payloadByteCount: number): number {
  return (RECORD_HEADER_BYTES + payloadByteCount + (RECORD_HEADER_BYTES - 1)) & -RECORD_HEADER_BYTES;
}

/**
 * Largest payload that `claim` accepts. A record may take half of the data area: then it fits into an empty ring
 * wherever the positions stand, since the padding before it is always shorter than itself.
 */
export function maxPayloadBytes(capacityBytes: number): number {
  return capacityBytes / 2 - RECORD_HEADER_BYTES;
}

/** Size of the shared buffer of a ring with this capacity. */
export function ringByteLength(capacityBytes: number): number {
  return RING_HEADER_BYTES + capacityBytes;
}

export interface RingOptions {
  /** Initial value of both position counters, a multiple of 32; lets a test start next to the overflow. */
  readonly startPosition?: number;
}

/**
 * An empty ring, to be handed to one RingWriter and one RingReader. Any thread.
 *
 * @param capacityBytes power of two between 256 and 2^30; headers and padding count, so size it with some air
 */
export function createRingBuffer(capacityBytes: number, options: RingOptions = {}): SharedArrayBuffer {
  const startPosition = (options.startPosition ?? 0) | 0;
  assert(isRingCapacity(capacityBytes), `a ring's capacity is a power of two from 256 to 2^30, not ${capacityBytes}`);
  assert(startPosition % RECORD_HEADER_BYTES === 0, `a start position is a multiple of 32, not ${startPosition}`);
  const buffer = new SharedArrayBuffer(ringByteLength(capacityBytes));
  const words = new Int32Array(buffer);
  words[MAGIC_WORD] = RING_MAGIC;
  words[VERSION_WORD] = RING_VERSION;
  words[CAPACITY_WORD] = capacityBytes;
  words[HEAD_WORD] = startPosition;
  words[TAIL_WORD] = startPosition;
  return buffer;
}

export function isRingCapacity(byteCount: number): boolean {
  return (
    byteCount >= RING_CAPACITY_MIN_BYTES &&
    byteCount <= RING_CAPACITY_MAX_BYTES &&
    (byteCount & (byteCount - 1)) === 0 &&
    Number.isInteger(byteCount)
  );
}
