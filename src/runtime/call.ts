/**
 * One call on the main thread: PCM in, events out, and the bookkeeping that only main can do: what was heard, what an
 * interruption makes void, when a turn's time is accounted for, when the slot is free again.
 */
import { reasonOf, SyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import { FRAME_SAMPLES, GRAPH_RATE_HZ } from "../base/units.js";
import { EDGE_IN, EDGE_OUT } from "../config/plan.js";
import type { CallEvent } from "../frames/events.js";
import { encodeMeta, FLAG_GAP, type FrameView, type MetaOf } from "../frames/index.js";
import type { Call } from "./api.js";
import { CallEvents } from "./call-events.js";
import type { CallOptions, NodeOptions } from "./call-options.js";
import type { CallSpec } from "./call-spec.js";
import { EventQueue } from "./event-queue.js";
import type { MutablePcm } from "./frame-writer.js";
import type { HubCall } from "./hub.js";

interface Entrance {
  readonly edge: number;
  readonly worker: number;
  readonly kinds: ReadonlySet<string>;
}

export class CallImpl implements Call, HubCall {
  readonly slot: number;
  readonly born: number;
  readonly callId: string;
  readonly graph: string;
  readonly inputRateHz: number;
  readonly options: CallOptions;
  readonly #spec: CallSpec;
  readonly #entrances: readonly Entrance[];
  readonly #events: CallEvents;
  readonly #queue: EventQueue | undefined;
  readonly #resampled: Int16Array;
  readonly #closed: Promise<void>;
  #resolveClosed: () => void = () => {};
  /** Reused for every frame. */
  readonly #source: MutablePcm = { samples: new Int16Array(0), words: new Int32Array(0), offset: 0, count: 0 };
  #position = 0;
  #gapSamples = 0;
  #fenceCount = 0;
  #contextCount = 0;
  #askCount = 0;
  #state: "open" | "closing" | "closed" = "open";
  #lastInputUs: number;
  readonly #closeArrivals = new Set<number>();
  /** Of a call that closes: when a worker last had something for it. */
  #lastHeardUs = 0;

  constructor(spec: CallSpec) {
    this.#spec = spec;
    this.slot = spec.slot;
    this.born = spec.born;
    this.callId = spec.callId;
    this.graph = spec.graph.name;
    this.inputRateHz = spec.inputRateHz;
    this.options = spec.options;
    const workerOf = (node: number): number => spec.placement[spec.graph.nodes.indexOf(node)]!;
    this.#entrances = spec.edges
      .filter((edge) => edge.graph === spec.graph.name && edge.from === EDGE_IN)
      .map((edge) => ({ edge: edge.index, worker: workerOf(edge.to), kinds: new Set<string>(edge.kinds) }));
    this.#queue = spec.onEvent === undefined ? new EventQueue() : undefined;
    this.#resampled = new Int16Array(spec.inputResampler === undefined ? 0 : LIMITS.audioFrameSamples * 8);
    this.#lastInputUs = spec.hub.clock.nowUs();
    this.#closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const toldEdges = spec.edges.filter((edge) => edge.graph === spec.graph.name && edge.to === EDGE_OUT);
    this.#events = new CallEvents({
      call: this,
      hub: spec.hub,
      graph: spec.graph,
      createOutputResampler: spec.createOutputResampler,
      reportPlayback: spec.reportPlayback,
      told: new Set(toldEdges.flatMap((edge) => edge.kinds)),
      deliver: (event) => this.deliver(event.type === "receipt" ? spec.account(event) : event),
      measure: spec.measure,
      onHeard: spec.onHeard,
      informWorkers: (meta) => this.#toWorkers("interrupt", meta),
      onClosePassed: (edge) => this.#closePassed(edge),
      onFatal: (code) => this.#end("error", code),
    });
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  write(pcm: Int16Array): boolean {
    this.#assertOpen();
    const resampler = this.#spec.inputResampler;
    this.#lastInputUs = this.#spec.hub.clock.nowUs();
    if (resampler === undefined) return this.#writeFrames(pcm, pcm.length);
    let isWhole = true;
    for (let at = 0; at < pcm.length; at += LIMITS.audioFrameSamples) {
      const count = Math.min(LIMITS.audioFrameSamples, pcm.length - at);
      const made = resampler.process(pcm, at, count, this.#resampled);
      isWhole = this.#writeFrames(this.#resampled, made) && isWhole;
    }
    return isWhole;
  }

  say(text: string, options: { readonly contextId?: number; readonly end?: boolean } = {}): void {
    this.#assertOpen();
    if (!this.#spec.graph.accepts.includes("text")) throw new SyrinxError("CALL_TEXT_REFUSED", { graph: this.graph });
    const contextId = options.contextId ?? this.#contextCount;
    for (let at = 0; at < text.length; at += LIMITS.textChars) {
      this.#broadcast("text", { contextId, text: text.slice(at, at + LIMITS.textChars) });
    }
    if (options.end === false) return;
    this.#contextCount = Math.max(this.#contextCount, contextId + 1);
    this.#broadcast("reply", { what: "end", contextId, turnIndex: -1, reason: "completed" });
  }

  ask(text: string, { id = `ask-${this.#askCount}`, answer = true }: Parameters<Call["ask"]>[1] = {}): string {
    this.#assertOpen();
    const reason = this.#whyNotAsk(text);
    if (reason !== undefined) throw new SyrinxError("CALL_ASK_REFUSED", { reason });
    const turnIndex = answer ? this.#events.asked() : -1;
    const meta = { id, index: this.#askCount++, text, wantsAnswer: answer, turnIndex };
    this.#toWorkers("ask", meta);
    return id;
  }

  #whyNotAsk(text: string): string | undefined {
    if (!this.#spec.graph.accepts.includes("ask")) return `graph ${this.graph} has no agent`;
    if (text.trim() === "") return "there is no text";
    return text.length > ASK_CHARS_MAX ? `it has more than ${ASK_CHARS_MAX} characters` : undefined;
  }

  finalize(id: string = `finalize-${this.#fenceCount}`): string {
    this.#assertOpen();
    this.#fenceCount++;
    this.#flushResampler();
    this.#events.finalizeAsked(id);
    this.#broadcast("fence", { id, reason: "finalize" });
    return id;
  }

  mark(id: string): void {
    this.#assertOpen();
    this.#fenceCount++;
    this.#broadcast("fence", { id, reason: "mark" });
  }

  configure(nodes: NodeOptions): void {
    this.#assertOpen();
    const change = this.options.change(nodes);
    this.#broadcast("fence", { id: `syrinx-configure-${change.version}`, reason: "configure", change });
  }

  interrupt(): void {
    this.#assertOpen();
    this.#spec.hub.words.bump(this.slot);
    this.#events.interrupted("client");
  }

  playback(contextId: number, playedMs: number): void {
    this.#events.playback(contextId, playedMs);
  }

  close(): Promise<void> {
    if (this.#state === "open") {
      this.#state = "closing";
      this.#flushResampler();
      this.#broadcast("close", {});
      this.#lastHeardUs = this.#spec.hub.clock.nowUs();
    }
    return this.#closed;
  }

  abort(code?: string): void {
    this.#end(code === undefined ? "client" : "error", code);
  }

  /** The server goes away: like `abort`, with the reason that clients understand. */
  drained(): void {
    this.#end("drain");
  }

  /** An error of this call alone: it is told, and with `fatal` the call ends. */
  fail(error: SyrinxError): void {
    const { code, message, hint } = error;
    this.deliver({ type: "error", code, message, hint, fatal: true });
    this.#end("error", code);
  }

  [Symbol.asyncIterator](): AsyncIterator<CallEvent> {
    if (this.#queue === undefined) throw new SyrinxError("CALL_EVENTS_TAKEN", { callId: this.callId });
    return this.#queue;
  }

  receive(view: FrameView): void {
    if (this.#state === "closing") this.#lastHeardUs = this.#spec.hub.clock.nowUs();
    this.#events.receive(view);
  }

  sweep(nowUs: number): void {
    if (this.#state === "closing" && nowUs - this.#lastHeardUs >= LIMITS.callCloseMs * 1000) {
      this.#end("client");
      return;
    }
    this.#events.sweep(nowUs);
    const isStalled = nowUs - this.#lastInputUs > LIMITS.inputStallMs * 1000;
    // Stream time stands still when a client stops sending: a turn that waits for silence would wait for ever.
    if (this.#state === "open" && isStalled && this.#events.takeOpenSpeech()) {
      this.#broadcast("fence", { id: STALL_FENCE, reason: "finalize" });
    }
  }

  /**
   * No frame reaches across a multiple of 20 ms of stream time. A verdict stands behind the frame that settles it, so it
   * falls on the same sample however the caller cuts its audio, and with it everything that is said.
   */
  #writeFrames(samples: Int16Array, sampleCount: number): boolean {
    let isWhole = true;
    for (let at = 0; at < sampleCount; ) {
      const count = Math.min(FRAME_SAMPLES - (this.#position % FRAME_SAMPLES), sampleCount - at);
      isWhole = this.#writeFrame(samples, at, count) && isWhole;
      at += count;
    }
    return isWhole;
  }

  #writeFrame(samples: Int16Array, offset: number, count: number): boolean {
    if (count === 0) return true;
    const { hub } = this.#spec;
    let isWhole = true;
    const gap = this.#gapSamples;
    const meta = gap > 0 ? encodeMeta("audio.in", { gapSamples: gap }) : undefined;
    const source = this.#source;
    source.samples = samples;
    source.offset = offset;
    source.count = count;
    for (const entrance of this.#entrances) {
      if (!entrance.kinds.has("audio.in")) continue;
      const flags = gap > 0 ? FLAG_GAP : 0;
      isWhole = hub.sendAudio(entrance.worker, this, entrance.edge, source, this.#position, flags, meta) && isWhole;
    }
    this.#position += count;
    if (isWhole) {
      this.#events.arrived(this.#position);
      if (gap > 0) this.deliver({ type: "gap", durationMs: (gap * 1000) / GRAPH_RATE_HZ });
      this.#gapSamples = 0;
    } else {
      this.#gapSamples += count;
    }
    return isWhole;
  }

  #flushResampler(): void {
    const made = this.#spec.inputResampler?.flush(this.#resampled) ?? 0;
    this.#writeFrames(this.#resampled, made);
  }

  #broadcast<K extends "text" | "reply" | "fence" | "close">(kind: K, meta: MetaOf<K>): void {
    for (const entrance of this.#entrances) {
      if (!entrance.kinds.has(kind)) continue;
      if (this.#spec.hub.sendMeta(entrance.worker, this, entrance.edge, kind, meta, this.#position)) continue;
      this.fail(new SyrinxError("CALL_OVERLOADED", { callId: this.callId }));
      return;
    }
  }

  /** Past all edges: to every node that takes the kind. */
  #toWorkers<K extends "interrupt" | "ask">(kind: K, meta: MetaOf<K>): void {
    for (const worker of new Set(this.#spec.placement)) {
      this.#spec.hub.sendMeta(worker, this, undefined, kind, meta);
    }
  }

  #closePassed(edge: number): void {
    this.#closeArrivals.add(edge);
    if (this.#spec.graph.terminalEdges.every((terminal) => this.#closeArrivals.has(terminal))) this.#end("client");
  }

  /** Tells the owner, in the order of the calls of this. */
  deliver(event: CallEvent): void {
    if (this.#state === "closed") return;
    this.#spec.observe(event);
    if (this.#queue !== undefined) {
      this.#queue.push(event);
      return;
    }
    try {
      this.#spec.onEvent!(event);
    } catch (error) {
      this.#spec.onFault(this, new Error(`onEvent threw: ${reasonOf(error)}`));
    }
  }

  #end(reason: "client" | "error" | "drain" | "idle", code?: string): void {
    if (this.#state === "closed") return;
    const wasGraceful = this.#state === "closing" && reason === "client";
    this.#events.ending();
    // Whoever was told the last receipt may have ended the call because of it.
    if (this.isClosed) return;
    const { hub } = this.#spec;
    // Ends the call on workers where it is still open; where `close` passed, nobody knows the call any more.
    for (const worker of new Set(this.#spec.placement)) {
      hub.sendMeta(worker, this, undefined, "abort", { code: code ?? reason });
    }
    hub.remove(this);
    hub.words.release(this.slot);
    this.deliver({ type: "close", reason, ...(code === undefined ? {} : { code }) });
    this.#state = "closed";
    this.#spec.onReleased(
      this,
      reason === "drain" ? "drained" : wasGraceful || reason === "client" ? "completed" : "error",
    );
    this.#resolveClosed();
  }

  #assertOpen(): void {
    if (this.#state !== "open") throw new SyrinxError("CALL_CLOSED", { callId: this.callId });
  }
}

/** Characters of one question in writing. At it: CALL_ASK_REFUSED. */
export const ASK_CHARS_MAX = LIMITS.priorityTextChars;

/** The id of the fence that main puts in when a client stops sending in the middle of speech; not told to anybody. */
export const STALL_FENCE = "syrinx-stall";
