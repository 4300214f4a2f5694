/**
 * What an actor is. An actor is a node's code: frames of many calls in, frames out. It never sees a thread, a ring or a
 * socket, so it is tested with arrays (`test/support/run-actor.ts`). One instance serves all calls routed to its worker.
 *
 * Promises that the loop keeps, on every worker:
 * - frames of one call arrive in the order in which its producers wrote them; `open` comes before, nothing after `close`;
 * - stale interruptible frames are dropped before the actor sees them; a call may still turn stale while it works, so
 *   work that takes long looks at `call.isStale(generation)`;
 * - if the worker dies, the frames of the unfinished batch are delivered again to a successor that was given the rows
 *   saved after the last finished batch: an actor whose output depends only on its row and its frames loses nothing;
 * - `fence` and `close` are data: an actor passes them on with `out.forward` once everything before them was emitted.
 */
import type { ZodType } from "zod";
import type { Clock } from "../base/clock.js";
import type { Frame, FrameKind, MetaOf } from "../frames/kinds.js";
import type { ModelOfTask, ModelTask } from "../models/family.js";

/** `compute` blocks its thread in models; `io` lives on an event loop (sockets, timers, promises). */
export type ActorThread = "compute" | "io";

/** One call as one actor sees it. Valid from `open` to `close`, on this worker's thread only. */
export interface ActorCall<State = unknown> {
  readonly slot: number;
  readonly callId: string;
  readonly graph: string;
  /** What the client asked for, for this node: checked against `callOptions`. Replaced before `configure` is called. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What `open` or `restore` returned. */
  state: State;
  /** The call's generation at this instant: shared memory, one atomic load. */
  generation(): number;
  /** True if what was begun under `generation` is of no use any more: interrupted, or the call is gone. */
  isStale(generation: number): boolean;
  /** True from the moment a turn was given to the agent until its reply was heard, ended or was cut off. */
  isReplying(): boolean;
  /** Says that the answer to this turn has begun to be made. */
  markReplying(turnIndex: number): void;
  /** Makes everything interruptible of this call stale, at once and everywhere, and tells the client. O(1). */
  interrupt(reason: "speech" | "restart"): void;
}

/**
 * One frame of a batch. The object and its samples are valid until `process` returns (for asynchronous work: copy).
 * PCM stands at `samples[offset … offset + count)`; `samples` is a view over far more than this frame.
 */
export interface Item<State = unknown> {
  readonly kind: FrameKind;
  readonly call: ActorCall<State>;
  readonly generation: number;
  readonly sequence: number;
  /** When it was written to this node, microseconds of the clock. For deadlines, never for what an actor says. */
  readonly enqueuedUs: number;
  /** Sample position; see `frames/kinds.ts`. */
  readonly position: number;
  readonly samples: Int16Array;
  readonly offset: number;
  readonly count: number;
  /** The meta of a frame whose kind was checked. Decoded on first use. */
  meta<K extends FrameKind>(kind: K): MetaOf<K>;
}

export interface EmitOptions<State = unknown> {
  /** The frame this one follows from: its generation and its trail are inherited. */
  readonly cause?: Item<State>;
  /** Instead of the cause's generation, or the call's at this instant. */
  readonly generation?: number;
  readonly position?: number;
}

/** Where an actor's frames go. Emitting never blocks and never throws; what happens at a full edge is the edge's policy. */
export interface Out<State = unknown> {
  /** Passes a frame on untouched, to every edge that carries its kind. */
  forward(item: Item<State>): void;
  emit<K extends FrameKind>(call: ActorCall<State>, kind: K, meta: MetaOf<K>, options?: EmitOptions<State>): void;
  /** s16 PCM `pcm[offset … offset+count)` of an output context, or of the input (`audio.in`); copied before return. */
  emitAudio(
    call: ActorCall<State>,
    context: { readonly contextId: number; readonly rateHz: number } | undefined,
    pcm: Int16Array,
    offset: number,
    count: number,
    options?: EmitOptions<State>,
  ): void;
  /**
   * Publishes what was emitted so far while the batch goes on: for output that somebody waits for. If the worker dies later
   * in the batch, the batch is repeated, and what was published is dropped as a duplicate. Absent where nobody waits.
   */
  publish?(): void;
}

/**
 * A call's row in shared memory: survives its worker. Views over the same bytes. Not cleared between calls: `restore` is
 * called only after a `save` of the same call, which must not trust what it did not write.
 */
export interface StateRow {
  readonly u8: Uint8Array;
  readonly i16: Int16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
}

export interface ActorInstance<State = unknown> {
  /** A new call. Cheap; allocates the call's state. `out` holds as long as the call. */
  open(call: ActorCall<State>, out: Out<State>): State;
  /** Frames of many calls, in order per call. The one place where models run. */
  process(batch: readonly Item<State>[], out: Out<State>): void | Promise<void>;
  /** The call's options have changed, between two of its frames. Present exactly if the definition has `isLive`. */
  configure?(call: ActorCall<State>): void;
  /** The call is over on this node. */
  close?(call: ActorCall<State>): void;
  /**
   * Writes what a successor needs into the row. Called after each batch that touched the call, when its outputs are
   * published. Plain stores that cannot fail: the row and the call's sequence numbers must change together.
   */
  save?(call: ActorCall<State>, row: StateRow): void;
  /** The successor's `open`: builds the state from what was saved last. May run models (replay). */
  restore?(call: ActorCall<State>, row: StateRow, out: Out<State>): State | Promise<State>;
  /** The worker stops. */
  dispose?(): void | Promise<void>;
}

/** What an actor gets when it is created: once per node per worker. */
export interface ActorResources<Task extends ModelTask = ModelTask> {
  /** `graph.node`, for logs. */
  readonly nodeName: string;
  /** The model named by the node's `model:` key; of no meaning if the definition, or what was chosen, asks for none. */
  readonly model: ModelOfTask[Task];
  readonly clock: Clock;
  /** Frame kinds that reach this node's inputs in this graph. */
  readonly inputKinds: ReadonlySet<FrameKind>;
  /** The largest number of calls in one model step. */
  readonly batchMax: number;
  /** How long after a frame was written its answer should be there, for an actor that chooses among calls. */
  readonly deadlineUs: number;
  /**
   * How far the node's graph is degraded because of load (`base/degrade.ts`), at this instant: shared memory. An actor that
   * says less then must take the level over in `save` and write it into its row: frames that are delivered again must make
   * the same outputs again.
   */
  degradeLevel(): number;
  /** One line to the log: constant message, data in fields, never a transcript or audio. */
  log(level: "debug" | "info" | "warn" | "error", message: string, fields?: Record<string, unknown>): void;
}

export interface ActorDefinition<Options = unknown, State = unknown, Task extends ModelTask = ModelTask> {
  readonly name: string;
  /** One sentence for `syrinx graph` and the generated docs. */
  readonly summary: string;
  /** Kinds that it understands. An edge carries the producer's kinds that the consumer takes. */
  readonly inputs: readonly FrameKind[];
  /** Of the inputs, those without which the node makes no sense; checked before anything starts. */
  readonly requires?: readonly FrameKind[];
  /** Kinds that it originates. */
  readonly outputs: readonly FrameKind[];
  /** Kinds of its inputs that it passes on; `fence` and `close` always. */
  readonly forwards: readonly FrameKind[];
  readonly options: ZodType<Options>;
  /** What a client may set for one call (`ActorCall.options`), a strict object without required keys. Absent: nothing. */
  readonly callOptions?: ZodType;
  /** The same, where it depends on the node's own options. */
  callOptionsFor?(options: Options): ZodType;
  /** Whether it may set that again while the call is open. Absent: no. */
  readonly isLive?: true;
  /** The task of the model it needs, if any; then the node takes a `model:` key and runs on that model's worker. */
  readonly task?: Task;
  /** Whether these options need that model. Absent: all do. */
  needsModel?(options: Options): boolean;
  readonly thread: ActorThread;
  /** Delay it adds by design, for `syrinx graph`'s worst case. */
  latencyMs(options: Options): number;
  /** The delay runs while its producers' does (silence that both wait for): the longer counts, not the sum. */
  readonly latencyOverlaps?: boolean;
  /** Bytes of a call's row in shared memory; 0 or absent if it has no state worth saving. */
  stateBytes?(options: Options): number;
  create(options: Options, resources: ActorResources<Task>): ActorInstance<State> | Promise<ActorInstance<State>>;
}

/** A definition of whatever options and state, as registries hold it. */
// biome-ignore lint/suspicious/noExplicitAny: options and state are existential here; each definition checks its own.
export type AnyActor = ActorDefinition<any, any, any>;

/** The schema of what a client may set for one call on a node with these options. */
export function callOptionsOf(actor: AnyActor, options: unknown): ZodType | undefined {
  return actor.callOptionsFor?.(options) ?? actor.callOptions;
}

/** Declares an actor; exists for the inference of its types and so that users' modules can be recognised. */
export function defineActor<Options, State, Task extends ModelTask = ModelTask>(
  definition: ActorDefinition<Options, State, Task>,
): ActorDefinition<Options, State, Task> & { readonly syrinx: "actor" } {
  return { ...definition, syrinx: "actor" };
}

/** The one-call form: a function from one frame to frames, for actors that need neither batches nor saved state. */
export function perFrame<State>(
  open: () => State,
  handle: (item: Item<State>, out: Out<State>) => void,
): ActorInstance<State> {
  return {
    open,
    process(batch, out) {
      for (const item of batch) {
        if (item.kind === "fence" || item.kind === "close") out.forward(item);
        else handle(item, out);
      }
    },
  };
}

export type { Frame };
