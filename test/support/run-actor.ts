/**
 * An actor run with arrays instead of threads, rings and sockets. Keeps the promises that the actor loop makes
 * (`src/actors/define.ts`), and none beyond: samples are scrambled after each batch, stale frames are dropped, and the
 * worker may be killed after any batch or in the middle of one.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  ActorCall,
  ActorInstance,
  ActorResources,
  AnyActor,
  EmitOptions,
  Item,
  Out,
  StateRow,
} from "../../src/actors/define.js";
import { SimulatedClock } from "../../src/base/clock.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import { FRAME_KINDS, type Frame, type FrameKind, type MetaOf } from "../../src/frames/kinds.js";
import { processBatch } from "../../src/runtime/hosted-node.js";
import { FakeCall, FakeItem } from "./fake-call.js";

/** One thing that happens to one call. */
export interface Step {
  /** Index of the call; 0 if absent. */
  readonly call?: number;
  readonly frame?: Frame;
  /** Something done to the call between two batches, as if by another thread. */
  readonly act?: (call: FakeCall) => void;
}

export interface RunOptions {
  readonly model?: unknown;
  readonly calls?: number;
  /** Kinds that reach the node; default: all that it takes. */
  readonly inputKinds?: readonly FrameKind[];
  readonly callOptions?: Readonly<Record<string, unknown>>;
  /** Largest batch; sizes are drawn from 1 to this. Default: everything in one batch. */
  readonly batchMax?: number;
  readonly seed?: number;
  /** Chance that the worker dies after a batch, and in the middle of one. */
  readonly killAfter?: number;
  readonly killDuring?: number;
  /** How far the graph is degraded. Default: not at all. */
  readonly degradeLevel?: () => number;
}

/** What an actor emitted or passed on, without its trail. */
export interface Emitted<K extends FrameKind = FrameKind> {
  readonly call: number;
  readonly kind: K;
  readonly meta: MetaOf<K>;
  readonly pcm: readonly number[];
  readonly position: number;
  readonly generation: number;
}

export class ActorRun {
  readonly calls: FakeCall[];
  readonly emitted: Emitted[] = [];
  readonly logs: { level: string; message: string; fields: Record<string, unknown> | undefined }[] = [];
  /** How many of `emitted` were published when an actor did not wait for its batch's end, in order. */
  readonly published: number[] = [];
  /** Emitted after the call's `close` was passed on: the runtime would drop it, an actor should not try. */
  emittedAfterClose = 0;
  readonly clock = new SimulatedClock();
  readonly #definition: AnyActor;
  readonly #options: unknown;
  readonly #run: RunOptions;
  readonly #chance: Prng;
  readonly #rows: StateRow[];
  /** Of each call that was saved, its options then. */
  readonly #saved = new Map<number, FakeCall["options"]>();
  /** What an edge would carry to this node. */
  readonly #inputKinds: ReadonlySet<FrameKind>;
  #worker: Worker | undefined;
  #sequence = 0;

  constructor(definition: AnyActor, options: unknown, run: RunOptions = {}) {
    this.#definition = definition;
    this.#options = definition.options.parse(options);
    this.#run = run;
    this.#chance = seeded(run.seed ?? 1);
    this.#inputKinds = new Set<FrameKind>([...(run.inputKinds ?? definition.inputs), "fence", "close"]);
    this.calls = Array.from({ length: run.calls ?? 1 }, (_, slot) => new FakeCall(slot, run.callOptions ?? {}));
    const byteCount = Math.ceil((definition.stateBytes?.(this.#options) ?? 0) / 64) * 64;
    this.#rows = this.calls.map(() => rowOf(byteCount));
  }

  async start(): Promise<void> {
    this.#worker = new Worker(this, await this.#create());
    for (const call of this.calls) call.state = this.#worker.instance.open(call, this.#worker);
    await this.settle();
    this.#save();
  }

  /** Runs a script, cut into batches as the seed has it. */
  async play(steps: readonly Step[]): Promise<void> {
    let batch: Step[] = [];
    let size = this.#nextSize();
    for (const step of steps) {
      if (step.act !== undefined) {
        await this.#deliver(batch);
        batch = [];
        step.act(this.calls[step.call ?? 0]!);
        continue;
      }
      batch.push(step);
      if (batch.length < size) continue;
      await this.#deliver(batch);
      batch = [];
      size = this.#nextSize();
    }
    await this.#deliver(batch);
  }

  /** Waits until an actor that works on its own has nothing more to say for now. */
  async settle(): Promise<void> {
    if (this.#definition.thread === "compute") return;
    for (let quiet = 0, before = -1; quiet < 4; quiet++) {
      if (this.#worker!.count !== before) quiet = 0;
      before = this.#worker!.count;
      await nextTurn();
    }
  }

  /** The worker dies now, and another goes on from the rows. */
  async kill(): Promise<void> {
    this.#worker!.isAlive = false;
    const instance = await this.#create();
    const worker = new Worker(this, instance);
    this.#worker = worker;
    for (const call of this.calls) {
      if (!call.isOpen) continue;
      const isSaved = instance.restore !== undefined && this.#saved.has(call.slot);
      call.options = this.#saved.get(call.slot) ?? call.options;
      call.state = isSaved
        ? await instance.restore!(call, this.#rows[call.slot]!, worker)
        : instance.open(call, worker);
    }
    await this.settle();
  }

  /** The call is gone at once, whatever was under way. */
  abort(index: number): void {
    const call = this.calls[index]!;
    call.isOpen = false;
    this.#worker!.instance.close?.(call);
  }

  async stop(): Promise<void> {
    this.#worker!.isAlive = false;
    await this.#worker!.instance.dispose?.();
  }

  of<K extends FrameKind>(kind: K, call = 0): Emitted<K>[] {
    return this.emitted.filter((frame) => frame.kind === kind && frame.call === call) as Emitted<K>[];
  }

  async #deliver(steps: readonly Step[]): Promise<void> {
    if (steps.length === 0) return;
    // A worker that is killed in the middle has published the first of its outputs; its successor makes all of them
    // again, and whoever got the first ones drops them by their sequence numbers.
    if (this.#chance.next() < (this.#run.killDuring ?? 0)) {
      const worker = this.#worker!;
      const before = this.emitted.length;
      const shadow = this.calls.map((call) => call.isOpen);
      await this.#process(worker, steps);
      const published = this.#chance.integer(before, this.emitted.length + 1);
      const kept = new Map<number, number>();
      for (const frame of this.emitted.slice(before, published)) kept.set(frame.call, (kept.get(frame.call) ?? 0) + 1);
      this.emitted.length = published;
      for (const [index, call] of this.calls.entries()) call.isOpen = shadow[index]!;
      await this.kill();
      this.#worker!.alreadyPublished = kept;
    }
    await this.#process(this.#worker!, steps);
    this.#worker!.alreadyPublished = new Map();
    this.#save();
    if (this.#chance.next() < (this.#run.killAfter ?? 0)) await this.kill();
  }

  async #process(worker: Worker, steps: readonly Step[]): Promise<void> {
    const items = steps
      .map((step) => new FakeItem(this.calls[step.call ?? 0]!, this.#sequence++, step.frame!, this.clock.nowUs()))
      .filter((item) => item.call.isOpen && this.#inputKinds.has(item.kind));
    await processBatch(worker.instance, items, worker);
    // In the ring this memory would be written over by now.
    for (const item of items) item.samples.fill(31_000);
    await this.settle();
  }

  #save(): void {
    const { instance } = this.#worker!;
    if (instance.save === undefined) return;
    for (const call of this.calls) {
      if (!call.isOpen) continue;
      instance.save(call, this.#rows[call.slot]!);
      this.#saved.set(call.slot, call.options);
    }
  }

  #nextSize(): number {
    const { batchMax } = this.#run;
    return batchMax === undefined ? Number.POSITIVE_INFINITY : this.#chance.integer(1, batchMax + 1);
  }

  async #create(): Promise<ActorInstance<unknown>> {
    const resources: ActorResources = {
      nodeName: "test.node",
      model: this.#run.model as never,
      clock: this.clock,
      inputKinds: this.#inputKinds,
      batchMax: 32,
      deadlineUs: 100_000,
      degradeLevel: () => this.#run.degradeLevel?.() ?? 0,
      log: (level, message, fields) => this.logs.push({ level, message, fields }),
    };
    return this.#definition.create(this.#options, resources);
  }
}

/** One life of the actor: where its frames go while it lives. */
class Worker implements Out<unknown> {
  isAlive = true;
  /** Frames per call that a predecessor published from the batch that is delivered again. */
  alreadyPublished = new Map<number, number>();
  count = 0;

  constructor(
    readonly run: ActorRun,
    readonly instance: ActorInstance<unknown>,
  ) {}

  forward(item: Item<unknown>): void {
    const { call, kind, generation, position } = item;
    const pcm = item.samples.slice(item.offset, item.offset + item.count);
    this.#push(call as FakeCall, kind, item.meta(kind), pcm, position, generation);
  }

  emit<K extends FrameKind>(call: ActorCall, kind: K, meta: MetaOf<K>, options: EmitOptions<unknown> = {}): void {
    const { generation = options.cause?.generation ?? call.generation(), position = 0 } = options;
    // What a ring would do: encode it and check it.
    const checked = FRAME_KINDS[kind].meta.parse(JSON.parse(JSON.stringify(meta))) as MetaOf<K>;
    this.#push(call as FakeCall, kind, checked, new Int16Array(0), position, generation);
  }

  emitAudio(
    call: ActorCall,
    context: { readonly contextId: number; readonly rateHz: number } | undefined,
    pcm: Int16Array,
    offset: number,
    count: number,
    options: EmitOptions<unknown> = {},
  ): void {
    const { generation = options.cause?.generation ?? call.generation(), position = 0 } = options;
    if (count <= 0 || offset < 0 || offset + count > pcm.length)
      throw new Error("an audio frame outside of its samples");
    const kind = context === undefined ? "audio.in" : "audio.out";
    this.#push(call as FakeCall, kind, { ...context }, pcm.slice(offset, offset + count), position, generation);
  }

  publish(): void {
    if (this.isAlive) this.run.published.push(this.run.emitted.length);
  }

  #push(call: FakeCall, kind: FrameKind, meta: unknown, pcm: Int16Array, position: number, generation: number): void {
    if (!this.isAlive) return;
    this.count++;
    if (FRAME_KINDS[kind].interruptible && call.isStale(generation)) return;
    if (!call.isOpen) {
      this.run.emittedAfterClose++;
      return;
    }
    const published = this.alreadyPublished.get(call.slot) ?? 0;
    if (published > 0) this.alreadyPublished.set(call.slot, published - 1);
    else {
      const { trail: _, ...bare } = meta as Record<string, unknown>;
      const frame = { call: call.slot, kind, meta: bare, pcm: [...pcm], position, generation };
      this.run.emitted.push(frame as unknown as Emitted);
    }
    if (kind !== "close") return;
    call.isOpen = false;
    this.instance.close?.(call);
  }
}

/** Starts, plays and settles: the usual case. */
export async function runActor(
  definition: AnyActor,
  options: unknown,
  steps: readonly Step[],
  run: RunOptions = {},
): Promise<ActorRun> {
  const made = new ActorRun(definition, options, run);
  await made.start();
  await made.play(steps);
  return made;
}

function rowOf(byteCount: number): StateRow {
  const buffer = new SharedArrayBuffer(byteCount);
  return {
    u8: new Uint8Array(buffer),
    i16: new Int16Array(buffer),
    i32: new Int32Array(buffer),
    f32: new Float32Array(buffer),
  };
}
