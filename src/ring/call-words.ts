/**
 * What every thread may ask about a call at any moment, without a message: four int32 words per call slot.
 *
 * ```
 *  slot k:  GENERATION  BORN  REPLY_STARTED  REPLY_FINISHED        16 bytes at 16 k
 *
 *  GENERATION   5 … 6 … 7 ………… 8 … 9          only ever grows, whoever lives in the slot
 *               │       │        └ release: all of this call is stale
 *               │       └ interruption: what was made for 5 and 6 is stale
 *               └ open: BORN = 5, so records of 4 and older are foreign: a former call's
 * ```
 *
 * Interruption is one atomic addition and chases nothing: every loop compares the generation that a record carries with
 * the slot's. All words are free-running int32 and compared by difference, so they may overflow; a record older than
 * 2^31 bumps would look new, which no record in a bounded queue can be.
 *
 * Accesses are atomic (about 20 ns): once per record or per decode step, not per sample. Slots share cache lines on
 * purpose, as the words change a few times per turn.
 */
import { assert } from "../base/assert.js";

const WORDS_PER_SLOT = 4;
const GENERATION = 0;
const BORN = 1;
const REPLY_STARTED = 2;
const REPLY_FINISHED = 3;

/** All slots at generation 0, born at 0: nothing is stale before the first `open`, so open a slot before its use. */
export function createCallWordsBuffer(slotCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slotCount * WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT);
}

/** Any thread, any number of instances over one buffer. Never blocks. A slot out of range throws a RangeError. */
export class CallWords {
  readonly slotCount: number;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.slotCount = this.#words.length / WORDS_PER_SLOT;
    assert(Number.isInteger(this.slotCount), "a call-words buffer holds whole slots");
  }

  /** The slot's present generation: what new records are stamped with. */
  generation(slot: number): number {
    return Atomics.load(this.#words, slot * WORDS_PER_SLOT + GENERATION);
  }

  /** Interrupts: everything stamped before is stale from here on. Any thread; returns the new generation. */
  bump(slot: number): number {
    return (Atomics.add(this.#words, slot * WORDS_PER_SLOT + GENERATION, 1) + 1) | 0;
  }

  /** Gives the slot to a new call and returns its first generation. Only the thread that owns the call table. */
  open(slot: number): number {
    const at = slot * WORDS_PER_SLOT;
    Atomics.store(this.#words, at + REPLY_STARTED, 0);
    Atomics.store(this.#words, at + REPLY_FINISHED, 0);
    // The former call's records are stale by the bump before they turn foreign by the store: never neither.
    const born = this.bump(slot);
    Atomics.store(this.#words, at + BORN, born);
    return born;
  }

  /** First generation of the call that the slot was last opened for. */
  born(slot: number): number {
    return Atomics.load(this.#words, slot * WORDS_PER_SLOT + BORN);
  }

  /** The call is over: all its records are stale. The slot may be opened again at once. Owner of the table only. */
  release(slot: number): void {
    this.bump(slot);
  }

  /** The record was made before the slot's last bump. */
  isStale(slot: number, generation: number): boolean {
    return ((generation - this.generation(slot)) | 0) < 0;
  }

  /** The record was made for a call that had the slot before the present one. Foreign implies stale. */
  isForeign(slot: number, generation: number): boolean {
    return ((generation - this.born(slot)) | 0) < 0;
  }

  /** Reply `number` (1, 2, … within the call) has begun. One thread stores this word. */
  setReplyStarted(slot: number, number: number): void {
    Atomics.store(this.#words, slot * WORDS_PER_SLOT + REPLY_STARTED, number);
  }

  /** The last reply that has begun. */
  replyStarted(slot: number): number {
    return Atomics.load(this.#words, slot * WORDS_PER_SLOT + REPLY_STARTED);
  }

  /** Reply `number` and all before it are over: played out, or interrupted. One thread stores this word. */
  setReplyFinished(slot: number, number: number): void {
    Atomics.store(this.#words, slot * WORDS_PER_SLOT + REPLY_FINISHED, number);
  }

  /** A reply has begun that is not over. */
  isReplying(slot: number): boolean {
    const at = slot * WORDS_PER_SLOT;
    // Finished first: it never overtakes started, so a reply that ends in between is reported as running, late at most.
    const finished = Atomics.load(this.#words, at + REPLY_FINISHED);
    return ((Atomics.load(this.#words, at + REPLY_STARTED) - finished) | 0) > 0;
  }
}
