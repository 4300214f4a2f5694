/** The consumer's end of a ring. */
import { assert } from "../base/assert.js";
import {
  ATTEMPTS_WORD,
  AUX_FIELD,
  CONSUMER_GENERATION_WORD,
  GENERATION_FIELD,
  HEAD_WORD,
  LENGTH_FIELD,
  RECORD_HEADER_BYTES,
  RING_HEADER_BYTES,
  recordByteLength,
  SEQUENCE_FIELD,
  SLOT_FIELD,
  SPACE_PARKED_WORD,
  TAIL_WORD,
  TIMESTAMP_FIELD_F64,
  WORD_FIELD,
} from "./layout.js";
import { Ring } from "./ring.js";

/**
 * Reads records: `refresh` → `begin` → `next` until it says false or the batch is large enough → do the work and flush
 * its outputs → `ack`.
 *
 * One thread, one instance at a time. Nothing here blocks and nothing allocates. Header and payload are read by plain
 * loads, ordered by the atomic load of HEAD in {@link refresh}. The payload stays in place, unchanged, until
 * {@link ack}; after it the producer may overwrite the memory at any moment, so nothing may still look at it.
 *
 * **Redelivery.** The read position is private; TAIL, the acknowledged one, is shared. A new RingReader starts at TAIL,
 * so it gives again, from the first unacknowledged record on, what its predecessor read and did not acknowledge: at
 * least once, in order. It is created only after the predecessor's thread has ended.
 *
 * **Poison.** A record that kills its consumer would kill each successor. The ring counts, the owner decides; with N =
 * attempts granted to a whole batch:
 *
 * 1. `attempts < N` at construction: `begin()`, deliver a batch, `ack()`. A death leaves ATTEMPTS one higher.
 * 2. `attempts === N`: some record of the batch is bad, nobody knows which. Deliver the records one by one, each between
 *    `begin(N + 1)` and `ack()`. Those before the bad one are acknowledged now; dying on the bad one leaves it first
 *    in the ring with ATTEMPTS = N + 1.
 * 3. `attempts > N`: the record at TAIL was delivered alone and was fatal. `next()`, report it, `ack()` unprocessed, go
 *    on with 1.
 *
 * So one bad record costs N + 1 deaths, and every good record around it is delivered. A fault that can be caught needs
 * no death: in step 2, catch it, report the record and acknowledge it.
 */
export class RingReader extends Ring {
  /** Times that the batch now at TAIL had been begun when this reader took over: 0, or its deaths so far. */
  readonly attempts: number;

  // The record that `next` moved to. Copies, so they stay right after `ack`; the payload at `offset` does not.

  /** Byte offset of the payload in the views, a multiple of 32. */
  offset = 0;
  /** Payload bytes. */
  byteCount = 0;
  word = 0;
  slot = 0;
  generation = 0;
  sequence = 0;
  aux = 0;
  timestamp = 0;

  readonly #mask: number;
  readonly #consumerGeneration: number;
  /** HEAD when last refreshed. Stale means too far back: records behind it exist already, and wait. */
  #knownHead: number;
  /** Behind the record that `next` moved to. */
  #readPosition: number;
  /** What TAIL holds; this thread alone stores it. */
  #ackedPosition: number;

  /** Takes the ring over from any earlier reader, whose thread must have ended: its next `ack` fails an assertion. */
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
    this.#mask = this.capacityBytes - 1;
    this.#consumerGeneration = (Atomics.add(this.i32, CONSUMER_GENERATION_WORD, 1) + 1) | 0;
    this.#ackedPosition = Atomics.load(this.i32, TAIL_WORD);
    this.#readPosition = this.#ackedPosition;
    this.#knownHead = this.#ackedPosition;
    this.attempts = this.i32[ATTEMPTS_WORD]!;
  }

  /**
   * Looks how far the producer has published, by one atomic load, and returns the bytes between there and the read
   * position (headers and padding included; 0 means that `next` will say false).
   */
  refresh(): number {
    this.#knownHead = Atomics.load(this.i32, HEAD_WORD);
    return (this.#knownHead - this.#readPosition) | 0;
  }

  /**
   * Moves to the next record before the refreshed HEAD and fills in the fields of this object; false, and the fields
   * as they were, when there is none. Does not look at HEAD itself: a batch ends where {@link refresh} saw the end.
   */
  next(): boolean {
    if (this.#readPosition === this.#knownHead) return false;
    const i32 = this.i32;
    let record = RING_HEADER_BYTES + (this.#readPosition & this.#mask);
    if (i32[(record >> 2) + LENGTH_FIELD]! < 0) {
      // Padding is published together with the record behind it, so there is one.
      this.#readPosition = (this.#readPosition + this.capacityBytes - (this.#readPosition & this.#mask)) | 0;
      record = RING_HEADER_BYTES;
    }
    const header = record >> 2;
    const byteCount = i32[header + LENGTH_FIELD]!;
    const behind = (this.#readPosition + recordByteLength(byteCount)) | 0;
    assert(byteCount >= 0 && ((this.#knownHead - behind) | 0) >= 0, "a published record ends before HEAD");
    this.#readPosition = behind;
    this.offset = record + RECORD_HEADER_BYTES;
    this.byteCount = byteCount;
    this.word = i32[header + WORD_FIELD]!;
    this.slot = i32[header + SLOT_FIELD]!;
    this.generation = i32[header + GENERATION_FIELD]!;
    this.sequence = i32[header + SEQUENCE_FIELD]!;
    this.aux = i32[header + AUX_FIELD]!;
    this.timestamp = this.f64[(record >> 3) + TIMESTAMP_FIELD_F64]!;
    return true;
  }

  /**
   * Acknowledges every record that `next` has moved to, by one atomic store of TAIL: they will not come again, their
   * memory is the producer's. Call it once per batch, *after* the outputs of the batch are flushed; the other order
   * loses them when the thread dies in between. Also ends the count of {@link begin}, even when nothing was read.
   *
   * Wakes a producer that sleeps in `waitForSpace`, and costs it nothing to notice when none does. The fence is a check
   * and not a lock: it catches a reader that outlived its replacement, it does not make two readers safe.
   */
  ack(): void {
    const i32 = this.i32;
    assert(
      Atomics.load(i32, CONSUMER_GENERATION_WORD) === this.#consumerGeneration,
      "only the newest reader of a ring acknowledges",
    );
    // Before TAIL: dying between the two stores then makes the batch look new, never the next batch look guilty.
    i32[ATTEMPTS_WORD] = 0;
    this.#ackedPosition = this.#readPosition;
    Atomics.store(i32, TAIL_WORD, this.#readPosition);
    // The other half of the Dekker pair in RingWriter.waitForSpace: TAIL is stored above, the parked word loaded here.
    if (Atomics.load(i32, SPACE_PARKED_WORD) === 0) return;
    if (Atomics.exchange(i32, SPACE_PARKED_WORD, 0) === 1) Atomics.notify(i32, SPACE_PARKED_WORD, 1);
  }

  /**
   * Counts one more delivery of the batch that starts at TAIL and returns the count: 1 for the first. Call it once per
   * batch, after `refresh` found something and before anything that may throw; {@link ack} sets the count back to 0.
   *
   * @param atLeast raises the count to this much: N + 1 marks a record that is delivered alone (see "Poison" above)
   */
  begin(atLeast = 1): number {
    const attempts = Math.max(this.i32[ATTEMPTS_WORD]! + 1, atLeast);
    this.i32[ATTEMPTS_WORD] = attempts;
    return attempts;
  }

  /** Back to TAIL: `next` gives again what it gave since the last `ack`. The count of {@link begin} is unaffected. */
  rewind(): void {
    this.#readPosition = this.#ackedPosition;
  }
}
