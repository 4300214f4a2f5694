/**
 * The actor loop: drain → batch → run → publish → save → acknowledge. The heart of every worker, and the same code in
 * simulations, where nothing but the caller decides when it steps.
 *
 * One `step`:
 * 1. look at all inbound rings; take control frames, then up to LIMITS.drainRecords of each data ring: that queue *is*
 *    the next batch;
 * 2. run the nodes of this worker in graph order, each on all frames it got, of all calls;
 * 3. publish every output (one atomic store per ring), wake who sleeps;
 * 4. save the rows and sequence numbers of the calls touched, then acknowledge the input.
 *
 * The order of 3 and 4 is what loses nothing: dying before the acknowledgement repeats the batch from the rows saved
 * last, and its outputs repeat with the same sequence numbers, so that whoever got them already drops them.
 */
import { LIMITS } from "../base/limits.js";
import { EDGE_OUT } from "../config/plan.js";
import { FRAME_KINDS, type FrameKind, FrameView, isPcmTag, type MetaOf } from "../frames/index.js";
import type { CallWords } from "../ring/index.js";
import type { HostedNode, InboxItem } from "./hosted-node.js";
import { type InLane, type InLink, lookAtAll } from "./in-link.js";
import { type CallEntry, LoopCall } from "./loop-call.js";
import { LoopCalls } from "./loop-calls.js";
import type { LoopObserver } from "./loop-observer.js";
import type { LoopSequences } from "./loop-sequences.js";
import { MAIN_THREAD } from "./mesh.js";
import { NodeOut, type OutHost } from "./node-out.js";
import type { OutLink } from "./out-link.js";

export interface LoopSpec {
  readonly workerIndex: number;
  /** In graph order: producers before consumers. */
  readonly nodes: readonly HostedNode[];
  readonly inbound: readonly InLink[];
  readonly outbound: readonly OutLink[];
  readonly words: CallWords;
  readonly sequences: LoopSequences;
  readonly nowUs: () => number;
  /** Graph name → node indices in the order of `open.placement`, and whether it can reply. */
  readonly graphs: ReadonlyMap<string, { readonly nodes: readonly number[]; readonly hasAgent: boolean }>;
  readonly observer: LoopObserver;
  /** Asks the driver for a step soon: something was emitted outside of one. */
  readonly wake: () => void;
}

export class ActorLoop implements OutHost {
  readonly #spec: LoopSpec;
  readonly #nodes: ReadonlyMap<number, HostedNode>;
  readonly #outs: ReadonlyMap<number, NodeOut>;
  readonly #links: ReadonlyMap<number, OutLink>;
  readonly #calls = new LoopCalls();
  readonly #touched = new Set<LoopCall>();
  readonly #pool: FrameView[] = [];
  #pooled = 0;
  #isStepping = false;
  #hasLocalInput = false;

  constructor(spec: LoopSpec) {
    this.#spec = spec;
    this.#nodes = new Map(spec.nodes.map((node) => [node.plan.index, node]));
    this.#outs = new Map(spec.nodes.map((node) => [node.plan.index, new NodeOut(this, node)]));
    this.#links = new Map(spec.outbound.map((link) => [link.to, link]));
  }

  /** True if a step would find something to do. Reads the HEADs of all inbound rings. */
  hasInput(): boolean {
    return lookAtAll(this.#spec.inbound) || this.#hasLocalInput;
  }

  /** True while frames wait for room in a full ring: step again soon. */
  get isHolding(): boolean {
    return this.#spec.outbound.some((link) => link.isHolding);
  }

  get openCallCount(): number {
    return this.#calls.openCount;
  }

  /** Opens the calls that a predecessor served, from their saved rows. Before the first step. */
  async resume(opens: readonly { readonly slot: number; readonly open: MetaOf<"open"> }[]): Promise<void> {
    for (const { slot, open } of opens) {
      for (const call of this.#admit(slot, open, true)) {
        const { instance } = call.node;
        const row = instance.restore === undefined ? undefined : call.node.row(slot);
        if (row === undefined || row.header[0] !== open.born) call.state = instance.open(call, this.#outOf(call));
        else call.state = await instance.restore!(call, row.actor, this.#outOf(call));
      }
    }
    this.#publish();
  }

  /**
   * One round of the loop. Resolves to false if there was nothing to do. Rejects with whatever an actor threw: the loop
   * is not usable after that, and nothing was acknowledged.
   */
  async step(): Promise<boolean> {
    const suspect = this.#lookForInput();
    if (suspect === undefined) return false;
    this.#isStepping = true;
    this.#takeControl();
    if (suspect === "none") {
      for (const link of this.#spec.inbound) this.#takeData(link.data, LIMITS.drainRecords);
    } else if (suspect.delivery === "skip") {
      this.#skipPoison(suspect);
    } else {
      this.#takeData(suspect, 1);
    }
    for (const node of this.#spec.nodes) {
      if (node.inbox.length > 0) await this.#runNode(node);
    }
    this.#isStepping = false;
    this.#hasLocalInput = false;
    this.#publish();
    for (const link of this.#spec.inbound) link.ack();
    this.#pooled = 0;
    return true;
  }

  /** `undefined`: nothing to do. A lane: its first record must be delivered alone, or skipped. */
  #lookForInput(): InLane | "none" | undefined {
    if (!this.hasInput()) {
      if (this.isHolding) this.#publish();
      return undefined;
    }
    for (const link of this.#spec.inbound) {
      if (link.data.delivery !== "batch") return link.data;
    }
    return "none";
  }

  #takeControl(): void {
    for (const link of this.#spec.inbound) {
      const { reader } = link.priority;
      link.priority.begin();
      while (reader.next()) {
        const view = new FrameView();
        view.load(reader, this.#spec.nowUs());
        if (view.kind === "open") this.#open(view.slot, view.meta("open"));
        else if (view.kind === "abort") this.#abort(view.slot, view.generation);
        else this.#deliverControl(view);
      }
    }
  }

  #takeData(lane: InLane, recordsMax: number): void {
    const { reader } = lane;
    const { words, sequences, observer } = this.#spec;
    const nowUs = this.#spec.nowUs();
    lane.begin();
    for (let taken = 0; taken < recordsMax && reader.next(); taken++) {
      const { slot, generation } = reader;
      const entry = this.#calls.of(slot, generation);
      if (entry === undefined) continue;
      // Pooled views hold for one batch; meta frames are rare, and asynchronous actors keep them as causes.
      const view = isPcmTag(reader.word) ? this.pooledView() : new FrameView();
      view.load(reader, nowUs);
      if (!sequences.accept(view.edge, slot, view.sequence)) {
        observer.duplicate(view.edge);
        continue;
      }
      const node = observer.nodeOfEdge(view.edge);
      const call = entry.handles.get(node);
      if (call === undefined) continue;
      this.#touched.add(call);
      if (FRAME_KINDS[view.kind].interruptible && words.isStale(slot, generation)) {
        observer.stale(node);
        continue;
      }
      this.deliver(node, view, call);
    }
  }

  async #runNode(node: HostedNode): Promise<void> {
    const batch = node.inbox;
    node.inbox = [];
    const startedUs = this.#spec.nowUs();
    for (const item of batch) {
      item.startedUs = startedUs;
      item.batchSize = batch.length;
    }
    await node.instance.process(batch, this.#outs.get(node.plan.index)!);
    this.#spec.observer.ran(node.plan.index, batch, startedUs, this.#spec.nowUs());
  }

  publish(): void {
    for (const link of this.#spec.outbound) link.flush();
  }

  /** Publishes what was emitted and saves what was touched. Outputs first: see the head of this file. */
  #publish(): void {
    this.publish();
    for (const call of this.#touched) {
      if (call.isOpen) this.#save(call);
      this.#spec.sequences.commit(call.slot, call.node.plan.index);
    }
    this.#touched.clear();
  }

  #save(call: LoopCall): void {
    const { instance } = call.node;
    const row = instance.save === undefined ? undefined : call.node.row(call.slot);
    if (row === undefined) return;
    instance.save!(call, row.actor);
    row.header[0] = call.born;
  }

  #open(slot: number, open: MetaOf<"open">): void {
    for (const call of this.#admit(slot, open, false)) call.state = call.node.instance.open(call, this.#outOf(call));
  }

  /** Makes the handles of a call on this worker's nodes; none if it is known already, or gone already. */
  #admit(slot: number, open: MetaOf<"open">, isResumed: boolean): LoopCall[] {
    const before = this.#calls.at(slot);
    if (before?.born === open.born || this.#spec.words.born(slot) !== open.born) return [];
    if (before !== undefined) this.#end(before);
    const graph = this.#spec.graphs.get(open.graph)!;
    const workerOf = new Map(graph.nodes.map((index, position) => [index, open.placement[position]!]));
    const entry: CallEntry = { open, slot, born: open.born, workerOf, handles: new Map() };
    this.#calls.add(entry);
    for (const [index, worker] of workerOf) {
      const node = this.#nodes.get(index);
      if (node === undefined || worker !== this.#spec.workerIndex) continue;
      entry.handles.set(index, new LoopCall(this, node, open, slot, graph.hasAgent));
      this.#spec.observer.opened(index);
      this.#spec.sequences.open(slot, index, isResumed);
    }
    return [...entry.handles.values()];
  }

  #outOf(call: LoopCall): NodeOut {
    return this.#outs.get(call.node.plan.index)!;
  }

  #abort(slot: number, generation: number): void {
    const entry = this.#calls.of(slot, generation);
    if (entry !== undefined) this.#end(entry);
  }

  #end(entry: CallEntry): void {
    for (const call of [...entry.handles.values()]) this.closed(call);
  }

  #deliverControl(view: FrameView): void {
    const entry = this.#calls.of(view.slot, view.generation);
    if (entry === undefined) return;
    for (const call of entry.handles.values()) {
      if (!call.node.inputs.has(view.kind)) continue;
      const copy = new FrameView();
      copy.alias(view, view.edge);
      copy.via = undefined;
      this.deliver(call.node.plan.index, copy, call);
    }
  }

  /** The record killed every worker that got it, alone: it is reported to its call and left behind. */
  #skipPoison(lane: InLane): void {
    const { reader } = lane;
    lane.begin();
    if (!reader.next()) return;
    const entry = this.#calls.of(reader.slot, reader.generation);
    if (entry === undefined) return;
    const view = new FrameView();
    view.load(reader, this.#spec.nowUs());
    const node = this.#spec.observer.nodeOfEdge(view.edge);
    const call = entry.handles.get(node);
    if (call === undefined) return;
    this.#spec.sequences.accept(view.edge, view.slot, view.sequence);
    this.#spec.observer.poison(node);
    const meta = { code: "CALL_POISON", message: "", hint: "", node: call.node.plan.name, fatal: true };
    this.#outOf(call).emit(call, "error", meta);
  }

  // What nodes' outputs and calls ask of the loop.

  get words(): CallWords {
    return this.#spec.words;
  }

  nowUs(): number {
    return this.#spec.nowUs();
  }

  linkTo(call: LoopCall, node: number): OutLink | undefined {
    if (node === EDGE_OUT) return this.#links.get(MAIN_THREAD)!;
    const worker = this.#calls.at(call.slot)!.workerOf.get(node)!;
    return worker === this.#spec.workerIndex ? undefined : this.#links.get(worker)!;
  }

  nextSequence(edge: number, slot: number): number {
    return this.#spec.sequences.next(edge, slot);
  }

  deliver(nodeIndex: number, view: FrameView, call: LoopCall): void {
    const node = this.#nodes.get(nodeIndex)!;
    // A frame that comes from another node of this worker belongs to that node's handle; here it gets this node's own.
    const own = call.node === node ? call : this.#calls.at(call.slot)?.handles.get(nodeIndex);
    if (own === undefined || !node.isLastArrival(view, own)) return;
    const item = view as InboxItem;
    item.call = own;
    item.node = node.plan.name;
    node.inbox.push(item);
    this.#touched.add(own);
    if (this.#isStepping) return;
    this.#hasLocalInput = true;
    this.#spec.wake();
  }

  pooledView(): FrameView {
    const view = this.#pool[this.#pooled] ?? new FrameView();
    this.#pool[this.#pooled++] = view;
    return view;
  }

  touch(call: LoopCall): void {
    this.#touched.add(call);
    this.#spec.observer.emitted(call.node.plan.index);
    if (!this.#isStepping) this.#spec.wake();
  }

  closed(call: LoopCall): void {
    if (!call.isOpen) return;
    call.isOpen = false;
    call.node.instance.close?.(call);
    this.#spec.observer.closed(call.node.plan.index);
    this.#calls.remove(call);
  }

  lost(call: LoopCall, kind: FrameKind): void {
    this.#spec.observer.lost(call.node.plan.index, kind);
  }

  announceInterrupt(call: LoopCall, reason: "speech" | "restart"): void {
    this.#outOf(call).emitUrgent(call, "interrupt", { reason, contextId: -1, playedMs: 0, spokenText: "" });
    this.#links.get(MAIN_THREAD)!.flush();
  }

  /** Publishes what was emitted outside of a step. The driver calls it when `wake` asked and no step is under way. */
  publishNow(): void {
    if (!this.#isStepping) this.#publish();
  }
}
