/** The calls that are open on one worker, by slot. */
import type { CallEntry, LoopCall } from "./loop-call.js";

export class LoopCalls {
  readonly #entries: (CallEntry | undefined)[] = [];

  at(slot: number): CallEntry | undefined {
    return this.#entries[slot];
  }

  /**
   * The call that a record of this slot and generation belongs to; `undefined` if it is not known here, or if the slot
   * serves another call by now: what was written before that call opened is not its business.
   */
  of(slot: number, generation: number): CallEntry | undefined {
    const entry = this.#entries[slot];
    return entry !== undefined && ((generation - entry.born) | 0) >= 0 ? entry : undefined;
  }

  add(entry: CallEntry): void {
    this.#entries[entry.slot] = entry;
  }

  /** One node is done with its call; with the last of them the call is gone from this worker. */
  remove(call: LoopCall): void {
    const entry = this.#entries[call.slot];
    if (entry === undefined || entry.born !== call.born) return;
    entry.handles.delete(call.node.plan.index);
    if (entry.handles.size === 0) this.#entries[call.slot] = undefined;
  }

  get openCount(): number {
    return this.#entries.reduce((count, entry) => (entry === undefined ? count : count + 1), 0);
  }
}
