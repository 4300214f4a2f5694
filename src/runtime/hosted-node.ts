/** A node on the worker that hosts it: its actor instance, its inbox of this step and where its frames go. */
import type { ActorInstance, AnyActor, Item, Out, StateRow } from "../actors/define.js";
import type { PlanNode } from "../config/plan.js";
import { FRAME_KIND_NAMES, type FrameKind, type FrameView } from "../frames/index.js";
import type { StateSlab } from "../ring/index.js";
import type { LoopCall } from "./loop-call.js";
import { ROW_HEADER_BYTES } from "./mesh.js";

/** A frame in a node's inbox: the view and the call it belongs to. Implements `Item`. */
export interface InboxItem extends FrameView {
  call: LoopCall;
}

/** What of an inbox item a change of options concerns. */
type ChangeableItem = Item & {
  readonly node: string;
  readonly call: { options: LoopCall["options"]; optionsVersion: number };
};

/** An edge as its producer needs it. */
export interface OutEdge {
  readonly index: number;
  /** Node index, or EDGE_OUT. */
  readonly to: number;
  readonly kinds: ReadonlySet<FrameKind>;
  readonly mayDrop: boolean;
}

/** A row as the actor sees it, and the loop's own header in front of it. */
export interface Row {
  /** `[0]` born generation of the call whose state is in the row; `[1]` the change of its options that it saw last. */
  readonly header: Int32Array;
  readonly actor: StateRow;
}

export class HostedNode {
  readonly plan: PlanNode;
  readonly definition: AnyActor;
  readonly instance: ActorInstance<unknown>;
  readonly outEdges: readonly OutEdge[];
  /** Edges that carry fences to this node: with more than one, a fence counts when it came on each. */
  readonly #inEdgeCount: number;
  readonly inputs: ReadonlySet<FrameKind>;
  inbox: InboxItem[] = [];
  /** Fences and closes of nodes with several in-edges: how often each has come. Bounded by open calls × fences. */
  readonly #arrivals = new Map<string, number>();
  readonly #slab: StateSlab | undefined;
  readonly #rows: (Row | undefined)[] = [];

  constructor(
    plan: PlanNode,
    definition: AnyActor,
    instance: ActorInstance<unknown>,
    outEdges: readonly OutEdge[],
    inEdgeCount: number,
    slab: StateSlab | undefined,
  ) {
    this.plan = plan;
    this.definition = definition;
    this.instance = instance;
    this.outEdges = outEdges;
    this.#inEdgeCount = inEdgeCount;
    this.inputs = new Set([...definition.inputs, "fence", "close"].filter(isKind));
    this.#slab = slab;
  }

  /** Whether a fence or close has now come on all in-edges of a node that joins several. True for any other frame. */
  isLastArrival(view: FrameView, call: LoopCall): boolean {
    if (this.#inEdgeCount < 2 || (view.kind !== "fence" && view.kind !== "close")) return true;
    const id = view.kind === "fence" ? view.meta("fence").id : "";
    const key = `${call.slot}:${call.born}:${view.kind}:${id}`;
    const count = (this.#arrivals.get(key) ?? 0) + 1;
    if (count < this.#inEdgeCount) this.#arrivals.set(key, count);
    else this.#arrivals.delete(key);
    return count >= this.#inEdgeCount;
  }

  /** The slot's row, or `undefined` if the node saves nothing. Views are made once per slot. */
  row(slot: number): Row | undefined {
    if (this.#slab === undefined) return undefined;
    const known = this.#rows[slot];
    if (known !== undefined) return known;
    const { u8 } = this.#slab.row(slot);
    const start = u8.byteOffset + ROW_HEADER_BYTES;
    const byteCount = u8.byteLength - ROW_HEADER_BYTES;
    const row: Row = {
      header: new Int32Array(u8.buffer, u8.byteOffset, ROW_HEADER_BYTES / 4),
      actor: {
        u8: new Uint8Array(u8.buffer, start, byteCount),
        i16: new Int16Array(u8.buffer, start, byteCount >> 1),
        i32: new Int32Array(u8.buffer, start, byteCount >> 2),
        f32: new Float32Array(u8.buffer, start, byteCount >> 2),
      },
    };
    this.#rows[slot] = row;
    return row;
  }
}

function isKind(name: string): name is FrameKind {
  return (FRAME_KIND_NAMES as readonly string[]).includes(name);
}

/**
 * Gives a batch to the actor, in parts where a call's options change: the actor hears of a change behind all frames that
 * stand before its fence, and before all that stand behind.
 */
export async function processBatch(
  instance: ActorInstance<unknown>,
  batch: readonly ChangeableItem[],
  out: Out<unknown>,
): Promise<void> {
  let from = 0;
  for (let at = 0; at < batch.length && instance.configure !== undefined; at++) {
    const item = batch[at]!;
    const change = item.kind === "fence" ? item.meta("fence").change : undefined;
    if (change === undefined) continue;
    await instance.process(batch.slice(from, at + 1), out);
    from = at + 1;
    item.call.optionsVersion = change.version;
    item.call.options = (change.nodes[item.node] ?? {}) as Readonly<Record<string, unknown>>;
    instance.configure(item.call);
  }
  if (from < batch.length) await instance.process(from === 0 ? batch : batch.slice(from), out);
}
