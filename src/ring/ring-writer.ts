/** The producer's end of a ring. */
import { assert } from "../base/assert.js";
import {
  AUX_FIELD,
  DROPPED_WORD,
  GENERATION_FIELD,
  HEAD_WORD,
  HIGH_WATER_WORD,
  LENGTH_FIELD,
  maxPayloadBytes,
  PADDING_LENGTH,
  PRODUCER_GENERATION_WORD,
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

const NOTHING_CLAIMED = -1;

/**
 * Writes records: `claim` → fill the payload in place → `commit`, as often as there is something to say, then one
 * `flush`, then ring the consumer's bell.
 *
 * One thread, one instance at a time. Nothing here blocks except {@link waitForSpace}, nothing allocates, and a full
 * ring is an answer (−1), not an error: what it means is for the owner of the edge to decide.
 *
 * Between flushes all stores are plain. They become visible together, by the single atomic store of HEAD in
 * {@link flush}; until then the consumer cannot see that they happened. So when the producer dies, records that were
 * claimed or committed and not flushed are as if they had never been: a new RingWriter resumes at HEAD.
 */
export class RingWriter extends Ring {
  /** Largest `byteCount` that `claim` accepts: half of the ring, less one header. */
  readonly maxPayloadBytes: number;

  readonly #mask: number;
  readonly #producerGeneration: number;
  /** Behind the last committed record; private until a flush. */
  #writePosition: number;
  /** What HEAD holds; this thread alone stores it. */
  #publishedPosition: number;
  /** TAIL when last looked at. Stale means too far back, so a claim that it allows is always safe. */
  #knownTail: number;
  /** Payload bytes of the open claim, or NOTHING_CLAIMED. */
  #claimedBytes = NOTHING_CLAIMED;
  /** Bytes to mark as padding before the open claim's record. */
  #claimedPadding = 0;

  /** Takes the ring over from any earlier writer, which must have ended: its next flush fails an assertion. */
  constructor(buffer: SharedArrayBuffer) {
    super(buffer);
    this.maxPayloadBytes = maxPayloadBytes(this.capacityBytes);
    this.#mask = this.capacityBytes - 1;
    this.#publishedPosition = Atomics.load(this.i32, HEAD_WORD);
    this.#writePosition = this.#publishedPosition;
    this.#knownTail = Atomics.load(this.i32, TAIL_WORD);
    this.#producerGeneration = (Atomics.add(this.i32, PRODUCER_GENERATION_WORD, 1) + 1) | 0;
    // The predecessor may have died asleep.
    Atomics.store(this.i32, SPACE_PARKED_WORD, 0);
  }

  /**
   * Reserves room for one record and returns the byte offset of its payload in the views (a multiple of 32), or −1 when
   * the ring is full. Touches no shared memory but, when the known TAIL leaves no room, TAIL itself.
   *
   * One claim at a time, ended by {@link commit} or {@link abandon}. The payload's old bytes are those of records long
   * acknowledged: write all that is committed. More than `maxPayloadBytes` is an assertion failure.
   */
  claim(byteCount: number): number {
    assert(this.#claimedBytes === NOTHING_CLAIMED, "a claim is committed or abandoned before the next");
    assert(
      byteCount >= 0 && byteCount <= this.maxPayloadBytes && (byteCount | 0) === byteCount,
      "a record takes at most half of its ring",
    );
    const recordBytes = recordByteLength(byteCount);
    const start = this.#writePosition & this.#mask;
    const toEnd = this.capacityBytes - start;
    const padding = recordBytes > toEnd ? toEnd : 0;
    if (padding + recordBytes > this.#knownFreeBytes() && padding + recordBytes > this.#refreshFreeBytes()) return -1;
    this.#claimedBytes = byteCount;
    this.#claimedPadding = padding;
    return RING_HEADER_BYTES + RECORD_HEADER_BYTES + (padding === 0 ? start : 0);
  }

  /**
   * Ends the open claim with the first `byteCount` bytes of its payload, at most as many as were claimed; the rest goes
   * back to the ring. Plain stores: nobody sees the record before {@link flush}.
   *
   * All numbers but `timestamp` (a double) are int32; the ring carries them without looking.
   */
  commit(
    byteCount: number,
    word: number,
    slot: number,
    generation: number,
    sequence: number,
    aux: number,
    timestamp: number,
  ): void {
    assert(byteCount >= 0 && byteCount <= this.#claimedBytes, "a commit takes no more than the open claim");
    const i32 = this.i32;
    if (this.#claimedPadding > 0) {
      // Only now, so that an abandoned claim leaves no trace.
      i32[(RING_HEADER_BYTES + (this.#writePosition & this.#mask)) >> 2] = PADDING_LENGTH;
      this.#writePosition = (this.#writePosition + this.#claimedPadding) | 0;
    }
    const record = RING_HEADER_BYTES + (this.#writePosition & this.#mask);
    const header = record >> 2;
    i32[header + LENGTH_FIELD] = byteCount;
    i32[header + WORD_FIELD] = word;
    i32[header + SLOT_FIELD] = slot;
    i32[header + GENERATION_FIELD] = generation;
    i32[header + SEQUENCE_FIELD] = sequence;
    i32[header + AUX_FIELD] = aux;
    this.f64[(record >> 3) + TIMESTAMP_FIELD_F64] = timestamp;
    this.#writePosition = (this.#writePosition + recordByteLength(byteCount)) | 0;
    this.#claimedBytes = NOTHING_CLAIMED;
  }

  /** Forgets the open claim, if there is one. The ring is as before it. */
  abandon(): void {
    this.#claimedBytes = NOTHING_CLAIMED;
  }

  /**
   * Publishes every committed record by one atomic store of HEAD; an open claim stays open. True when there was
   * something to publish: then the caller rings the consumer's bell, in this order, or a wake-up may be lost.
   */
  flush(): boolean {
    if (this.#writePosition === this.#publishedPosition) return false;
    assert(
      this.i32[PRODUCER_GENERATION_WORD] === this.#producerGeneration,
      "only the newest writer of a ring publishes to it",
    );
    this.#noteHighWater();
    this.#publishedPosition = this.#writePosition;
    Atomics.store(this.i32, HEAD_WORD, this.#writePosition);
    return true;
  }

  /** Counts frames that the owner of the edge gave up, usually because `claim` said −1. Plain store, single writer. */
  countDropped(count = 1): void {
    this.i32[DROPPED_WORD] = this.i32[DROPPED_WORD]! + count;
  }

  /** Bytes not acknowledged, committed and unpublished ones included. One atomic load; can only have shrunk since. */
  get usedBytes(): number {
    return this.capacityBytes - this.#refreshFreeBytes();
  }

  /**
   * Bytes free at least: one atomic load, and the consumer may have freed more since. A record needs its header and,
   * at the end of the data area, padding as well: only `claim` knows whether it fits.
   */
  get freeBytes(): number {
    return this.#refreshFreeBytes();
  }

  /**
   * Sleeps until `claim(byteCount)` would succeed, or `timeoutMs` have passed: then false. **Blocks the thread** in
   * `Atomics.wait`: for compute workers only, never on main or on a thread whose event loop others need. A stop request
   * does not end it, so keep the timeout well under the time that a cooperative stop is given.
   *
   * The consumer makes room only for what it can see. Therefore the caller flushes *and rings the bell* first: a bell
   * that is not rung leaves both threads asleep until one of them times out. (What is left unpublished is published
   * here all the same, as a consumer that is awake will still find it.)
   *
   * No wake-up is lost (Dekker): this thread stores SPACE_PARKED, then loads TAIL; the consumer's `ack` stores TAIL,
   * then loads SPACE_PARKED. All four are sequentially consistent, so at least one of the two sees the other's store.
   */
  waitForSpace(byteCount: number, timeoutMs: number): boolean {
    this.flush();
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      if (this.#hasSpaceFor(byteCount)) return true;
      Atomics.store(this.i32, SPACE_PARKED_WORD, 1);
      const leftMs = deadlineMs - performance.now();
      if (this.#hasSpaceFor(byteCount) || leftMs <= 0) break;
      // The consumer resets the word before it notifies; "not-equal" means that it did so before we slept.
      Atomics.wait(this.i32, SPACE_PARKED_WORD, 1, leftMs);
    }
    Atomics.store(this.i32, SPACE_PARKED_WORD, 0);
    return this.#hasSpaceFor(byteCount);
  }

  #hasSpaceFor(byteCount: number): boolean {
    const offset = this.claim(byteCount);
    if (offset >= 0) this.abandon();
    return offset >= 0;
  }

  #knownFreeBytes(): number {
    return this.capacityBytes - ((this.#writePosition - this.#knownTail) | 0);
  }

  #refreshFreeBytes(): number {
    this.#knownTail = Atomics.load(this.i32, TAIL_WORD);
    return this.#knownFreeBytes();
  }

  /**
   * By the known TAIL the fill only ever comes out too large, so an old mark that it does not pass stands. Only a new
   * mark costs an atomic load, at most about one per high-water mark's worth of bytes.
   */
  #noteHighWater(): void {
    const mark = this.i32[HIGH_WATER_WORD]!;
    if (this.capacityBytes - this.#knownFreeBytes() <= mark) return;
    const fillBytes = this.capacityBytes - this.#refreshFreeBytes();
    if (fillBytes > mark) this.i32[HIGH_WATER_WORD] = fillBytes;
  }
}
