/**
 * Where a node's frames go: to the inbox of the next node when that lives on the same worker, into a ring when it does
 * not. The loop's side of `Out`. Runs on the worker; the only code between an actor and the rings.
 */
import type { ActorCall, EmitOptions, Item, Out } from "../actors/define.js";
import { LIMITS } from "../base/limits.js";
import { EDGE_OUT } from "../config/plan.js";
import {
  encodeMeta,
  FLAG_GAP,
  FRAME_KINDS,
  type FrameKind,
  FrameView,
  type Hop,
  type MetaOf,
} from "../frames/index.js";
import { type MutablePcm, writeAudioFrame, writeMetaFrame } from "./frame-writer.js";
import type { HostedNode, InboxItem, OutEdge } from "./hosted-node.js";
import type { LoopCall } from "./loop-call.js";
import type { Envelope, OutLink } from "./out-link.js";

/** What the loop does for a node's output. */
export interface OutHost {
  nowUs(): number;
  /** The thread that hosts `node` for this call: its link, or `undefined` if that is this thread. */
  linkTo(call: LoopCall, node: number): OutLink | undefined;
  /** Next sequence number of the call on the edge. */
  nextSequence(edge: number, slot: number): number;
  /** Puts a frame into a node's inbox on this thread. */
  deliver(node: number, view: FrameView, call: LoopCall): void;
  pooledView(): FrameView;
  /** A frame of this call leaves its node: its state is to be saved. */
  touch(call: LoopCall): void;
  /** Publishes all that this thread has emitted so far. A death behind it is like one between publishing and saving. */
  publish(): void;
  /** The node passed `close` on: its handle is gone after this. */
  closed(call: LoopCall): void;
  lost(call: LoopCall, kind: FrameKind): void;
}

const KINDS_WITH_TRAIL: ReadonlySet<FrameKind> = new Set([
  "audio.out",
  "vad",
  "turn",
  "transcript.final",
  "text",
  "reply",
]);

export class NodeOut implements Out<unknown> {
  readonly #host: OutHost;
  readonly #node: HostedNode;
  /** Reused for every record: encoding copies it. */
  readonly #envelope: Envelope = {
    kind: "audio.in",
    flags: 0,
    edge: 0,
    slot: 0,
    generation: 0,
    sequence: 0,
    position: 0,
  };

  readonly #source: MutablePcm = { samples: new Int16Array(0), words: new Int32Array(0), offset: 0, count: 0 };

  constructor(host: OutHost, node: HostedNode) {
    this.#host = host;
    this.#node = node;
  }

  forward(item: Item<unknown>): void {
    const view = item as InboxItem;
    const { call } = view;
    if (!call.isOpen) return;
    this.#host.touch(call);
    view.emittedUs = this.#host.nowUs();
    for (const edge of this.#node.outEdges) {
      if (!edge.kinds.has(view.kind)) continue;
      const link = this.#host.linkTo(call, edge.to);
      if (link === undefined) {
        const next = view.count > 0 ? this.#host.pooledView() : new FrameView();
        next.alias(view, edge.index);
        this.#host.deliver(edge.to, next, call);
      } else if (view.kind === "audio.in" || view.kind === "audio.out") {
        this.#writePcm(link, edge, call, view);
      } else {
        const meta = view.meta(view.kind);
        const sent = KINDS_WITH_TRAIL.has(view.kind) ? { ...meta, trail: view.trailThrough(view.emittedUs) } : meta;
        this.#writeMeta(link, edge, call, view.kind, sent as MetaOf<FrameKind>, view.generation, view.position);
      }
    }
    if (view.kind === "close") this.#host.closed(call);
  }

  emit<K extends FrameKind>(target: ActorCall, kind: K, meta: MetaOf<K>, options: EmitOptions<unknown> = {}): void {
    const call = target as LoopCall;
    if (!call.isOpen) return;
    const generation = this.#generationOf(call, options);
    if (FRAME_KINDS[kind].interruptible && call.isStale(generation)) return;
    this.#host.touch(call);
    const nowUs = this.#host.nowUs();
    const position = options.position ?? 0;
    const sent = this.#withTrail(kind, meta, options, nowUs);
    if (kind === "error") {
      // Errors go to main by the priority lane, whatever the graph's edges are.
      const { message, hint, ...rest } = sent as MetaOf<"error">;
      const cut = (text: string): string => text.slice(0, LIMITS.priorityTextChars / 2);
      this.emitUrgent(call, "error", { ...rest, message: cut(message), hint: cut(hint) });
      return;
    }
    for (const edge of this.#node.outEdges) {
      if (!edge.kinds.has(kind)) continue;
      const link = this.#host.linkTo(call, edge.to);
      if (link === undefined) {
        const next = new FrameView();
        next.fill(kind, edge.index, call.slot, generation, position, nowUs, sent);
        this.#host.deliver(edge.to, next, call);
      } else {
        this.#writeMeta(link, edge, call, kind, sent, generation, position);
      }
    }
    if (kind === "close") this.#host.closed(call);
  }

  publish(): void {
    this.#host.publish();
  }

  /** A priority frame to main, ahead of everything. The caller flushes. */
  emitUrgent<K extends FrameKind>(call: LoopCall, kind: K, meta: MetaOf<K>): void {
    this.#writeMeta(this.#host.linkTo(call, EDGE_OUT)!, undefined, call, kind, meta, call.generation(), 0);
  }

  emitAudio(
    target: ActorCall,
    context: { readonly contextId: number; readonly rateHz: number } | undefined,
    pcm: Int16Array,
    offset: number,
    count: number,
    options: EmitOptions<unknown> = {},
  ): void {
    const call = target as LoopCall;
    if (!call.isOpen) return;
    const kind = context === undefined ? "audio.in" : "audio.out";
    const generation = this.#generationOf(call, options);
    if (FRAME_KINDS[kind].interruptible && call.isStale(generation)) return;
    this.#host.touch(call);
    const nowUs = this.#host.nowUs();
    const position = options.position ?? 0;
    // Only a context's first frame tells how it came to be: the receipt needs no more, and the others stay free of JSON.
    const isFirst = context !== undefined && position === 0;
    const meta = isFirst ? this.#withTrail("audio.out", { ...context }, options, nowUs) : undefined;
    for (const edge of this.#node.outEdges) {
      if (!edge.kinds.has(kind)) continue;
      const link = this.#host.linkTo(call, edge.to);
      if (link === undefined) {
        const next = new FrameView();
        const copy = pcm.slice(offset, offset + count);
        next.fill(kind, edge.index, call.slot, generation, position, nowUs, meta ?? { ...context }, copy);
        this.#host.deliver(edge.to, next, call);
        continue;
      }
      this.#fillEnvelope(edge.index, call, kind, generation, position);
      const bytes = meta === undefined ? undefined : encodeMeta("audio.out", meta);
      this.#source.samples = pcm;
      this.#source.offset = offset;
      this.#source.count = count;
      if (!writeAudioFrame(link, this.#envelope, this.#source, context, bytes, edge.mayDrop))
        this.#host.lost(call, kind);
    }
  }

  #writePcm(link: OutLink, edge: OutEdge, call: LoopCall, view: FrameView): void {
    this.#fillEnvelope(edge.index, call, view.kind, view.generation, view.position);
    let bytes: Uint8Array | undefined;
    if (view.kind === "audio.out") {
      if (view.position === 0) {
        const meta = { ...view.meta("audio.out"), trail: view.trailThrough(view.emittedUs) };
        bytes = encodeMeta("audio.out", meta);
      }
    } else if ((view.flags & FLAG_GAP) !== 0) {
      this.#envelope.flags = FLAG_GAP;
      bytes = encodeMeta("audio.in", view.meta("audio.in"));
    }
    const context = view.kind === "audio.out" ? view : undefined;
    if (!writeAudioFrame(link, this.#envelope, view, context, bytes, edge.mayDrop)) this.#host.lost(call, view.kind);
  }

  #writeMeta<K extends FrameKind>(
    link: OutLink,
    edge: OutEdge | undefined,
    call: LoopCall,
    kind: K,
    meta: MetaOf<K>,
    generation: number,
    position: number,
  ): void {
    this.#fillEnvelope(edge?.index, call, kind, generation, position);
    if (!writeMetaFrame(link, this.#envelope, kind, meta)) this.#host.lost(call, kind);
  }

  #fillEnvelope(edge: number | undefined, call: LoopCall, kind: FrameKind, generation: number, position: number): void {
    const envelope = this.#envelope;
    envelope.kind = kind;
    envelope.flags = 0;
    envelope.edge = edge ?? 0;
    envelope.slot = call.slot;
    envelope.generation = generation;
    envelope.sequence = edge === undefined ? 0 : this.#host.nextSequence(edge, call.slot);
    envelope.position = position;
  }

  #generationOf(call: LoopCall, options: EmitOptions<unknown>): number {
    return options.generation ?? options.cause?.generation ?? call.generation();
  }

  #withTrail<K extends FrameKind>(kind: K, meta: MetaOf<K>, options: EmitOptions<unknown>, nowUs: number): MetaOf<K> {
    if (options.cause === undefined || !KINDS_WITH_TRAIL.has(kind)) return meta;
    const trail: Hop[] = (options.cause as InboxItem).trailThrough(nowUs);
    return { ...meta, trail };
  }
}
