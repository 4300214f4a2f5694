/**
 * Sequence numbers of one worker's edges: working copies in private memory, committed to shared memory when a batch is
 * done, so that a successor numbers its repeated outputs as its predecessor did and knows which inputs were done.
 */
import type { PlanEdge } from "../config/plan.js";
import { type EdgeSequences, isAfter } from "../ring/index.js";

export class LoopSequences {
  readonly #shared: EdgeSequences;
  readonly #out: Int32Array[] = [];
  readonly #in: Int32Array[] = [];
  /** Per node index: edges that leave it and edges that reach it. */
  readonly #outEdges = new Map<number, number[]>();
  readonly #inEdges = new Map<number, number[]>();

  constructor(shared: EdgeSequences, edges: readonly PlanEdge[]) {
    this.#shared = shared;
    for (const { index, from, to } of edges) {
      this.#out[index] = new Int32Array(shared.slotCount);
      this.#in[index] = new Int32Array(shared.slotCount);
      this.#outEdges.set(from, [...(this.#outEdges.get(from) ?? []), index]);
      this.#inEdges.set(to, [...(this.#inEdges.get(to) ?? []), index]);
    }
  }

  /** A call opens on a node of this worker: from the beginning, or from where its predecessor was. */
  open(slot: number, node: number, isResumed: boolean): void {
    for (const edge of this.#outEdges.get(node) ?? []) {
      this.#out[edge]![slot] = isResumed ? this.#shared.committedOut(edge, slot) : 0;
      if (!isResumed) this.#shared.setCommittedOut(edge, slot, 0);
    }
    for (const edge of this.#inEdges.get(node) ?? []) {
      this.#in[edge]![slot] = isResumed ? this.#shared.committedIn(edge, slot) : 0;
      if (!isResumed) this.#shared.setCommittedIn(edge, slot, 0);
    }
  }

  /** The number of the next record of the slot on the edge; the first is 1. */
  next(edge: number, slot: number): number {
    const numbers = this.#out[edge]!;
    const sequence = (numbers[slot]! + 1) | 0;
    numbers[slot] = sequence;
    return sequence;
  }

  /** False if the record was seen before. */
  accept(edge: number, slot: number, sequence: number): boolean {
    const numbers = this.#in[edge]!;
    if (!isAfter(sequence, numbers[slot]!)) return false;
    numbers[slot] = sequence;
    return true;
  }

  /** The node's part of a batch is done for this slot. Plain stores, before the acknowledgement. */
  commit(slot: number, node: number): void {
    for (const edge of this.#outEdges.get(node) ?? [])
      this.#shared.setCommittedOut(edge, slot, this.#out[edge]![slot]!);
    for (const edge of this.#inEdges.get(node) ?? []) this.#shared.setCommittedIn(edge, slot, this.#in[edge]![slot]!);
  }
}
