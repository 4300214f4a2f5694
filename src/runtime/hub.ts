/**
 * Main's end of every ring. Never blocks, never runs a model: it moves frames between calls and rings, in bursts.
 *
 * Outbound: calls write into the links; one flush at the end of the event-loop turn publishes the whole burst. Inbound: a
 * worker's doorbell message starts a drain that goes on until all rings are empty, with a turn of the event loop after
 * each {@link DRAIN_RECORDS_PER_TURN} records so that sockets stay served.
 */
import { BroadcastChannel } from "node:worker_threads";
import type { Clock } from "../base/clock.js";
import type { Plan } from "../config/plan.js";
import { type FRAME_KINDS, FrameView, type MetaOf } from "../frames/index.js";
import { Bell, CallWords, type Doorbell, isAfter } from "../ring/index.js";
import { type PcmSource, writeAudioFrame, writeMetaFrame } from "./frame-writer.js";
import { InLink, lookAtAll } from "./in-link.js";
import { doorbellName, MAIN_THREAD, type Mesh } from "./mesh.js";
import { type Envelope, OutLink } from "./out-link.js";

const DRAIN_RECORDS_PER_TURN = 2048;
/** How soon frames that a full ring refused are tried again, and how often reply ends and stalls are looked at. */
const SWEEP_MS = 50;

/** A call as the hub sees it. */
export interface HubCall {
  readonly slot: number;
  readonly born: number;
  /** A frame of this call, in order, foreign and duplicate ones removed. Must not throw. Valid until it returns. */
  receive(view: FrameView): void;
  /** Time passes: called every {@link SWEEP_MS}. */
  sweep(nowUs: number): void;
}

export class Hub {
  readonly words: CallWords;
  readonly clock: Clock;
  readonly calls: (HubCall | undefined)[];
  readonly #bell: Bell;
  readonly #inbound: readonly InLink[];
  readonly #outbound = new Map<number, OutLink>();
  readonly #doorbells: BroadcastChannel[] = [];
  readonly #seen: Int32Array[];
  readonly #sent: Int32Array[];
  readonly #view = new FrameView();
  readonly #sweeper: NodeJS.Timeout;
  readonly #envelope: Envelope = {
    kind: "audio.in",
    flags: 0,
    edge: 0,
    slot: 0,
    generation: 0,
    sequence: 0,
    position: 0,
  };
  #flushScheduled = false;
  #drainScheduled = false;
  #isStopped = false;
  /** Messages that workers sent to wake main. Frames never travel in them; a test counts. */
  doorbellCount = 0;

  constructor(plan: Plan, mesh: Mesh, clock: Clock) {
    this.clock = clock;
    this.words = new CallWords(mesh.words);
    this.calls = new Array<HubCall | undefined>(mesh.slotCount).fill(undefined);
    this.#bell = new Bell(mesh.bells[MAIN_THREAD]!);
    const depths = workerDepths(plan);
    this.#inbound = mesh.links
      .filter((link) => link.to === MAIN_THREAD)
      .sort((a, b) => depths.get(a.from)! - depths.get(b.from)!)
      .map((link) => new InLink(link));
    this.#seen = plan.edges.map(() => new Int32Array(mesh.slotCount));
    this.#sent = plan.edges.map(() => new Int32Array(mesh.slotCount));
    for (const link of mesh.links.filter((candidate) => candidate.from === MAIN_THREAD)) {
      const worker = plan.workers.find((candidate) => candidate.index === link.to)!;
      let port: Doorbell | undefined;
      if (worker.thread === "io") {
        const channel = new BroadcastChannel(doorbellName(mesh, link.to));
        channel.unref();
        this.#doorbells.push(channel);
        port = channel;
      }
      this.#outbound.set(link.to, new OutLink(link, mesh.bells[link.to]!, "hold", () => clock.nowUs(), port));
    }
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
    this.#bell.prepareToPark("port");
  }

  /** A worker rang. Called for each doorbell message. */
  rung(): void {
    this.doorbellCount++;
    this.#drain();
  }

  /** A call begins in this slot: its edges count from 1 again. */
  admit(call: HubCall): void {
    for (const numbers of this.#seen) numbers[call.slot] = 0;
    for (const numbers of this.#sent) numbers[call.slot] = 0;
    this.calls[call.slot] = call;
  }

  remove(call: HubCall): void {
    if (this.calls[call.slot] === call) this.calls[call.slot] = undefined;
  }

  /** A frame without PCM to a worker. Returns false if even holding it back had its limit: the call must be aborted. */
  sendMeta<K extends keyof typeof FRAME_KINDS>(
    worker: number,
    call: HubCall,
    edge: number | undefined,
    kind: K,
    meta: MetaOf<K>,
    position = 0,
  ): boolean {
    this.#fill(call, edge, kind, position);
    const isSent = writeMetaFrame(this.#outbound.get(worker)!, this.#envelope, kind, meta);
    this.#scheduleFlush();
    return isSent;
  }

  /** PCM to a worker; false if its ring was full and the samples are dropped. Allocates nothing without `meta`. */
  sendAudio(
    worker: number,
    call: HubCall,
    edge: number,
    source: PcmSource,
    position: number,
    flags: number,
    meta: Uint8Array | undefined,
  ): boolean {
    this.#fill(call, edge, "audio.in", position);
    this.#envelope.flags = flags;
    const isSent = writeAudioFrame(this.#outbound.get(worker)!, this.#envelope, source, undefined, meta, true);
    this.#scheduleFlush();
    return isSent;
  }

  /** Publishes now instead of at the end of this turn. */
  flush(): void {
    this.#flushScheduled = false;
    for (const link of this.#outbound.values()) link.publishUrgent();
    for (const link of this.#outbound.values()) link.flush();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#sweeper);
    for (const channel of this.#doorbells) channel.close();
  }

  /** Fill, high-water mark and drops of every ring that starts or ends on main, for metrics. */
  get outbound(): ReadonlyMap<number, OutLink> {
    return this.#outbound;
  }

  #fill(call: HubCall, edge: number | undefined, kind: keyof typeof FRAME_KINDS, position: number): void {
    const envelope = this.#envelope;
    envelope.kind = kind;
    envelope.flags = 0;
    envelope.edge = edge ?? 0;
    envelope.slot = call.slot;
    envelope.generation = this.words.generation(call.slot);
    envelope.position = position;
    if (edge === undefined) return;
    const numbers = this.#sent[edge]!;
    numbers[call.slot] = (numbers[call.slot]! + 1) | 0;
    envelope.sequence = numbers[call.slot]!;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flushLater);
  }

  readonly #flushLater = (): void => this.flush();

  readonly #drainLater = (): void => {
    this.#drainScheduled = false;
    this.#drain();
  };

  #drain(): void {
    if (this.#isStopped || this.#drainScheduled) return;
    this.#bell.cancelPark();
    let budget = DRAIN_RECORDS_PER_TURN;
    for (;;) {
      if (!lookAtAll(this.#inbound)) {
        this.#bell.prepareToPark("port");
        // The second look of the Dekker pair: see Bell.
        if (!lookAtAll(this.#inbound)) return;
        this.#bell.cancelPark();
      }
      for (const link of this.#inbound) budget -= this.#take(link);
      if (budget > 0) continue;
      this.#drainScheduled = true;
      setImmediate(this.#drainLater);
      return;
    }
  }

  /** Everything up to the HEAD that was seen: a rest left behind would be told after what followed from it. */
  #take(link: InLink): number {
    const nowUs = this.clock.nowUs();
    let taken = 0;
    for (const lane of [link.priority, link.data]) {
      const { reader } = lane;
      lane.begin();
      for (; reader.next(); taken++) {
        const call = this.calls[reader.slot];
        if (call === undefined || ((reader.generation - call.born) | 0) < 0) continue;
        this.#view.load(reader, nowUs);
        if (lane === link.data && !this.#isNew(this.#view)) continue;
        call.receive(this.#view);
      }
      lane.ack();
    }
    return taken;
  }

  /** Drops what a worker's successor sent once more. */
  #isNew(view: FrameView): boolean {
    const numbers = this.#seen[view.edge]!;
    if (!isAfter(view.sequence, numbers[view.slot]!)) return false;
    numbers[view.slot] = view.sequence;
    return true;
  }

  #sweep(): void {
    const nowUs = this.clock.nowUs();
    for (const call of this.calls) call?.sweep(nowUs);
    for (const link of this.#outbound.values()) if (link.isHolding) this.flush();
    // A doorbell can be lost with the worker that rang it; nothing waits longer than one sweep for that.
    this.#drain();
  }
}

/**
 * How far down its graphs each worker stands. What a worker tells main comes before what another worker makes of its
 * output: it publishes to main first, main looks at the HEADs of those further down first, and takes from those further
 * up first. So a final transcript is told before the reply to it, whichever worker is faster.
 */
function workerDepths(plan: Plan): ReadonlyMap<number, number> {
  const depthOf = (node: number): number => Math.max(...plan.graphs.map((graph) => graph.nodes.indexOf(node)));
  return new Map(plan.workers.map((worker) => [worker.index, Math.max(0, ...worker.nodes.map(depthOf))]));
}
