/**
 * The reading half of the actor loop: what stands in the inbound rings becomes frames in the nodes' inboxes. Control
 * frames first, then up to LIMITS.drainRecords of each data ring. Nothing is acknowledged before `ack`.
 */
import { LIMITS } from "../base/limits.js";
import { FRAME_KINDS, FrameView, isPcmTag, type MetaOf } from "../frames/index.js";
import type { CallWords } from "../ring/index.js";
import { type InLane, type InLink, lookAtAll } from "./in-link.js";
import type { CallEntry, LoopCall } from "./loop-call.js";
import type { LoopObserver } from "./loop-observer.js";
import type { LoopSequences } from "./loop-sequences.js";

/** What the loop does with what comes in. */
export interface IntakeHost {
  openCall(slot: number, open: MetaOf<"open">): void;
  abortCall(slot: number, generation: number): void;
  deliverControl(view: FrameView): void;
  /** The call that a record of this slot and generation belongs to, if it is known here. */
  entryOf(slot: number, generation: number): CallEntry | undefined;
  /** A data frame of this call was taken: its sequence numbers are to be saved. */
  taken(call: LoopCall): void;
  deliver(node: number, view: FrameView, call: LoopCall): void;
  /** A record that killed every worker that got it, alone, is left behind. */
  poisoned(call: LoopCall): void;
  /** Holds for one batch. */
  pooledView(): FrameView;
}

export interface IntakeSpec {
  readonly inbound: readonly InLink[];
  readonly words: CallWords;
  readonly sequences: LoopSequences;
  readonly observer: LoopObserver;
  readonly nowUs: () => number;
}

export class Intake {
  readonly #spec: IntakeSpec;
  readonly #host: IntakeHost;
  #isClosed = false;

  constructor(spec: IntakeSpec, host: IntakeHost) {
    this.#spec = spec;
    this.#host = host;
  }

  /** True if a record was published that was not taken. Reads the HEADs of all inbound rings. */
  hasInput(): boolean {
    return lookAtAll(this.#spec.inbound);
  }

  /** What was taken must be run before more is: a suspect record alone, or a queue that needs no company. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes what the last look saw. */
  take(): void {
    const suspect = this.#spec.inbound.find(({ data }) => data.delivery !== "batch")?.data;
    this.#takeControl();
    if (suspect === undefined) {
      for (const link of this.#spec.inbound) this.#takeData(link.data, LIMITS.drainRecords);
      return;
    }
    this.#isClosed = true;
    if (suspect.delivery === "skip") this.#skipPoison(suspect);
    else this.#takeData(suspect, 1);
  }

  ack(): void {
    this.#isClosed = false;
    for (const link of this.#spec.inbound) link.ack();
  }

  #takeControl(): void {
    for (const { priority } of this.#spec.inbound) {
      const { reader } = priority;
      priority.begin();
      while (reader.next()) {
        const view = new FrameView();
        view.load(reader, this.#spec.nowUs());
        if (view.kind === "open") this.#host.openCall(view.slot, view.meta("open"));
        else if (view.kind === "abort") this.#host.abortCall(view.slot, view.generation);
        else this.#host.deliverControl(view);
      }
    }
  }

  #takeData(lane: InLane, recordsMax: number): void {
    const { reader } = lane;
    const { words, sequences, observer } = this.#spec;
    const nowUs = this.#spec.nowUs();
    lane.begin();
    let taken = 0;
    for (; taken < recordsMax && reader.next(); taken++) {
      const { slot, generation } = reader;
      const entry = this.#host.entryOf(slot, generation);
      if (entry === undefined) continue;
      // Pooled views hold for one batch; meta frames are rare, and asynchronous actors keep them as causes.
      const view = isPcmTag(reader.word) ? this.#host.pooledView() : new FrameView();
      view.load(reader, nowUs);
      if (!sequences.accept(view.edge, slot, view.sequence)) {
        observer.duplicate(view.edge);
        continue;
      }
      const node = observer.nodeOfEdge(view.edge);
      const call = entry.handles.get(node);
      if (call === undefined) continue;
      this.#host.taken(call);
      if (FRAME_KINDS[view.kind].interruptible && words.isStale(slot, generation)) {
        observer.stale(node);
        continue;
      }
      this.#host.deliver(node, view, call);
    }
    if (taken === recordsMax) this.#isClosed = true;
  }

  #skipPoison(lane: InLane): void {
    const { reader } = lane;
    lane.begin();
    if (!reader.next()) return;
    const entry = this.#host.entryOf(reader.slot, reader.generation);
    if (entry === undefined) return;
    const view = new FrameView();
    view.load(reader, this.#spec.nowUs());
    const call = entry.handles.get(this.#spec.observer.nodeOfEdge(view.edge));
    if (call === undefined) return;
    this.#spec.sequences.accept(view.edge, view.slot, view.sequence);
    this.#host.poisoned(call);
  }
}
