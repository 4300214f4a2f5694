/**
 * The actor loop: drain → batch → run → publish → save → acknowledge. The heart of every worker, and the same code in
 * simulations, where nothing but the caller decides when it steps.
 *
 * One `step` gathers and runs:
 * 1. `gather` takes what is in the inbound rings (`intake.ts`): that queue *is* the next batch. While `waitUs` is not 0, a
 *    driver may let it wait for company, and gather again;
 * 2. `run` runs the nodes of this worker in graph order, each on all frames it got, of all calls;
 * 3. it publishes every output (one atomic store per ring), wakes who sleeps;
 * 4. it saves the rows and sequence numbers of the calls touched, then acknowledges the input.
 *
 * The order of 3 and 4 is what loses nothing: dying before the acknowledgement repeats the batch from the rows saved
 * last, and its outputs repeat with the same sequence numbers, so that whoever got them already drops them. For the same
 * reason nothing is published or saved between gathering and running.
 */
import { EDGE_OUT } from "../config/plan.js";
import { FRAME_KINDS, type FrameKind, FrameView, type MetaOf } from "../frames/index.js";
import type { CallWords } from "../ring/index.js";
import type { BatchWindow } from "./batch-window.js";
import { type HostedNode, type InboxItem, processBatch } from "./hosted-node.js";
import type { InLink } from "./in-link.js";
import { Intake, type IntakeHost } from "./intake.js";
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
  /** What waits for the worker's model; without one, nothing ever waits. */
  readonly window: BatchWindow | undefined;
  /** Asks the driver for a step soon: something was emitted outside of one. */
  readonly wake: () => void;
}

export class ActorLoop implements OutHost, IntakeHost {
  readonly #spec: LoopSpec;
  readonly #nodes: ReadonlyMap<number, HostedNode>;
  readonly #outs: ReadonlyMap<number, NodeOut>;
  readonly #links: ReadonlyMap<number, OutLink>;
  readonly #intake: Intake;
  readonly #calls = new LoopCalls();
  readonly #touched = new Set<LoopCall>();
  readonly #pool: FrameView[] = [];
  #pooled = 0;
  #isStepping = false;
  #hasLocalInput = false;
  /** Records were taken and not run yet. */
  #isGathered = false;

  constructor(spec: LoopSpec) {
    this.#spec = spec;
    this.#intake = new Intake(spec, this);
    this.#nodes = new Map(spec.nodes.map((node) => [node.plan.index, node]));
    this.#outs = new Map(spec.nodes.map((node) => [node.plan.index, new NodeOut(this, node)]));
    this.#links = new Map(spec.outbound.map((link) => [link.to, link]));
  }

  /** True if a step would find something to do. Reads the HEADs of all inbound rings. */
  hasInput(): boolean {
    return this.#intake.hasInput() || this.#hasLocalInput;
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
        const isSaved = row?.header[0] === open.born;
        // A node that saves nothing does not know which change it saw last: it takes the latest.
        if (row === undefined || isSaved) call.resumeAt(open, row?.header[1]);
        if (row === undefined || !isSaved) call.state = instance.open(call, this.#outOf(call));
        else call.state = await instance.restore!(call, row.actor, this.#outOf(call));
      }
    }
    this.#publish();
  }

  /**
   * One round of the loop: gathers and runs. Resolves to false if there was nothing to do. Rejects as {@link run}.
   */
  async step(): Promise<boolean> {
    if (!this.gather()) return false;
    await this.run();
    return true;
  }

  /** Takes what has come. True if there is something to run, now or after a wait. */
  gather(): boolean {
    if (this.#intake.isClosed) return true;
    if (!this.hasInput()) {
      if (this.isHolding) this.#retryHeld();
      return this.#isGathered;
    }
    this.#isStepping = true;
    this.#intake.take();
    this.#isStepping = false;
    this.#isGathered = true;
    return true;
  }

  #retryHeld(): void {
    if (!this.#isGathered) this.#publish();
    else for (const link of this.#spec.outbound) link.flush();
  }

  /** Microseconds until what was gathered is to be looked at again; 0: run it. */
  waitUs(): number {
    return this.#intake.isClosed || this.#spec.window === undefined ? 0 : this.#spec.window.waitUs(this.#spec.nowUs());
  }

  /**
   * Runs what was gathered. Rejects with whatever an actor threw: the loop is not usable after that, and nothing was
   * acknowledged.
   */
  async run(): Promise<void> {
    this.#isStepping = true;
    for (const node of this.#spec.nodes) {
      if (node.inbox.length > 0) await this.#runNode(node);
    }
    this.#isStepping = false;
    this.#hasLocalInput = false;
    this.#isGathered = false;
    this.#spec.window?.reset();
    this.#publish();
    this.#intake.ack();
    this.#pooled = 0;
  }

  async #runNode(node: HostedNode): Promise<void> {
    const batch = node.inbox;
    node.inbox = [];
    this.#dropStale(node, batch);
    if (batch.length === 0) return;
    const startedUs = this.#spec.nowUs();
    for (const item of batch) {
      item.startedUs = startedUs;
      item.batchSize = batch.length;
    }
    await processBatch(node.instance, batch, this.#outs.get(node.plan.index)!);
    const endedUs = this.#spec.nowUs();
    const window = node.plan.model === undefined ? undefined : this.#spec.window;
    const callCount = this.#spec.observer.ran(node.plan.index, batch, startedUs, endedUs, window);
    window?.ran(callCount, (endedUs - startedUs) / 1000);
  }

  /** What turned stale, or lost its call, while it waited here. */
  #dropStale(node: HostedNode, batch: InboxItem[]): void {
    let kept = 0;
    for (const item of batch) {
      const { call } = item;
      const isStale = FRAME_KINDS[item.kind].interruptible && call.isStale(item.generation);
      if (isStale) this.#spec.observer.stale(node.plan.index);
      if (!isStale && call.isOpen) batch[kept++] = item;
    }
    batch.length = kept;
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
    row.header[1] = call.optionsVersion;
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
      if (node.plan.model !== undefined) this.#spec.window?.moved(1);
      this.#spec.sequences.open(slot, index, isResumed);
    }
    return [...entry.handles.values()];
  }

  #outOf(call: LoopCall): NodeOut {
    return this.#outs.get(call.node.plan.index)!;
  }

  #end(entry: CallEntry): void {
    for (const call of [...entry.handles.values()]) this.closed(call);
  }

  // What the intake asks of the loop.

  openCall(slot: number, open: MetaOf<"open">): void {
    for (const call of this.#admit(slot, open, false)) call.state = call.node.instance.open(call, this.#outOf(call));
  }

  abortCall(slot: number, generation: number): void {
    const entry = this.#calls.of(slot, generation);
    if (entry !== undefined) this.#end(entry);
  }

  deliverControl(view: FrameView): void {
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

  entryOf(slot: number, generation: number): CallEntry | undefined {
    return this.#calls.of(slot, generation);
  }

  taken(call: LoopCall): void {
    this.#touched.add(call);
  }

  poisoned(call: LoopCall): void {
    this.#spec.observer.poison(call.node.plan.index);
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
    if (node.plan.model !== undefined) this.#spec.window?.note(item, own);
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
    if (call.node.plan.model !== undefined) this.#spec.window?.moved(-1);
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
    if (!this.#isStepping && !this.#isGathered) this.#publish();
  }
}
