/**
 * How far each call has come on each edge, in shared memory, so that a successor knows what its dead predecessor had
 * already sent and seen: two free-running int32 per (edge, call slot).
 *
 * ```
 *  [ committedOut: edge 0: slot 0, 1, 2 … │ edge 1: … ][ committedIn: edge 0: slot 0, 1, 2 … │ edge 1: … ]
 *    written by the edge's producer                      written by the edge's consumer
 * ```
 *
 * Plain accesses. Each word has one writing thread and is read by that thread and its successors only, who are created
 * after it has ended; another thread (a metric) may read a late value. The halves keep the two ends of an edge off each
 * other's cache lines.
 */
import { assert } from "../base/assert.js";

/** All zero: nothing was sent, so the first record of a call on an edge has sequence 1. */
export function createEdgeSequencesBuffer(edgeCount: number, slotCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(edgeCount * slotCount * 2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Whether `sequence` comes after `committed`, across the overflow: false means a duplicate. */
export function isAfter(sequence: number, committed: number): boolean {
  return ((sequence - committed) | 0) > 0;
}

export class EdgeSequences {
  readonly edgeCount: number;
  readonly slotCount: number;
  readonly #words: Int32Array;
  /** Index of the first `committedIn` word. */
  readonly #inBase: number;

  /** The counts as given to {@link createEdgeSequencesBuffer}. */
  constructor(buffer: SharedArrayBuffer, edgeCount: number, slotCount: number) {
    this.#words = new Int32Array(buffer);
    this.#inBase = edgeCount * slotCount;
    assert(this.#words.length === this.#inBase * 2, "a sequences buffer has two words per edge and slot");
    this.edgeCount = edgeCount;
    this.slotCount = slotCount;
  }

  /** Sequence of the last record that the producer has published for the slot on the edge. */
  committedOut(edge: number, slot: number): number {
    return this.#words[this.#index(edge, slot)]!;
  }

  setCommittedOut(edge: number, slot: number, sequence: number): void {
    this.#words[this.#index(edge, slot)] = sequence;
  }

  /** Sequence of the last record that the consumer has done with; records not after it are duplicates. */
  committedIn(edge: number, slot: number): number {
    return this.#words[this.#inBase + this.#index(edge, slot)]!;
  }

  setCommittedIn(edge: number, slot: number, sequence: number): void {
    this.#words[this.#inBase + this.#index(edge, slot)] = sequence;
  }

  /** Both words back to 0, for a slot that is opened again; before either end has seen a record of the new call. */
  reset(edge: number, slot: number): void {
    this.setCommittedOut(edge, slot, 0);
    this.setCommittedIn(edge, slot, 0);
  }

  #index(edge: number, slot: number): number {
    assert(
      edge >= 0 && edge < this.edgeCount && slot >= 0 && slot < this.slotCount,
      "the edge and the slot are in the table",
    );
    return edge * this.slotCount + slot;
  }
}
