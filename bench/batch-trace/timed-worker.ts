/**
 * One worker of the product on a clock of the bench's own: the real actor loop, rings, actor and model, on this thread.
 * While a step runs, the clock moves by the processor time that it takes; between steps, the bench moves it. So other
 * work on the machine makes nothing late, and a load that a quiet machine carries is carried here.
 */
import { findActor } from "../../src/actors/registry.js";
import type { Clock } from "../../src/base/clock.js";
import { FRAME_SAMPLES } from "../../src/base/units.js";
import { EDGE_IN, EDGE_OUT, type Plan } from "../../src/config/plan.js";
import { type FrameKind, FrameView, type MetaOf } from "../../src/frames/index.js";
import { DEFAULT_SESSION } from "../../src/gpu/session-settings.js";
import type { Model, ModelTask } from "../../src/models/family.js";
import { CallWords } from "../../src/ring/index.js";
import { buildLoop } from "../../src/runtime/entry/build-loop.js";
import { writeAudioFrame, writeMetaFrame } from "../../src/runtime/frame-writer.js";
import { InLink } from "../../src/runtime/in-link.js";
import type { ActorLoop } from "../../src/runtime/loop.js";
import { createLoopStats, createLoopStatsBuffer } from "../../src/runtime/loop-stats.js";
import { createMesh, MAIN_THREAD } from "../../src/runtime/mesh.js";
import { type Envelope, OutLink } from "../../src/runtime/out-link.js";

export interface BatchWay {
  readonly max: number;
  readonly waitMs: number;
  /** Infinity: the actor knows of no deadlines. */
  readonly deadlineMs: number;
  readonly options: unknown;
}

/** A frame as it left the worker. */
export interface Answer {
  readonly slot: number;
  readonly kind: FrameKind;
  readonly view: FrameView;
}

const EMPTY_WORDS = new Int32Array(0);
const RING_BYTES = 16 << 20;

class MovedClock implements Clock {
  readonly baseNs = 0n;
  #nowUs = 0;
  #runningSinceMs: number | undefined;

  nowUs(): number {
    return this.#runningSinceMs === undefined
      ? this.#nowUs
      : this.#nowUs + Math.round((performance.now() - this.#runningSinceMs) * 1000);
  }

  moveTo(us: number): void {
    this.#nowUs = Math.max(this.#nowUs, us);
  }

  /** Processor time of the work, in microseconds; the clock has moved by so much. */
  async runs(work: () => Promise<void>): Promise<number> {
    this.#runningSinceMs = performance.now();
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    this.#runningSinceMs = undefined;
    this.#nowUs += user + system;
    return user + system;
  }
}

export class TimedWorker {
  readonly loop: ActorLoop;
  readonly clock: MovedClock;
  droppedCount = 0;
  readonly #out: OutLink;
  readonly #in: InLink[];
  readonly #words: CallWords;
  readonly #arrival: { us: number };
  readonly #sequences: number[] = [];
  readonly #view = new FrameView();

  private constructor(
    loop: ActorLoop,
    clock: MovedClock,
    out: OutLink,
    inbound: InLink[],
    words: CallWords,
    arrival: { us: number },
  ) {
    this.loop = loop;
    this.clock = clock;
    this.#out = out;
    this.#in = inbound;
    this.#words = words;
    this.#arrival = arrival;
  }

  static async start(task: ModelTask, model: Model, way: BatchWay, streamCount: number): Promise<TimedWorker> {
    const plan = onePlan(task, way, streamCount);
    const worker = plan.workers[0]!;
    const mesh = createMesh(plan, "bench", 0n, RING_BYTES);
    const clock = new MovedClock();
    const doorbell = { postMessage: () => {} };
    const { loop } = await buildLoop({
      plan,
      mesh,
      workerIndex: worker.index,
      clock,
      model,
      findActor,
      observer: createLoopStats(plan, worker, createLoopStatsBuffer(plan, worker)),
      doorbellTo: () => doorbell,
      wake: () => {},
      log: () => {},
    });
    const arrival = { us: 0 };
    const link = mesh.links.find(({ from }) => from === MAIN_THREAD)!;
    const out = new OutLink(link, mesh.bells[worker.index]!, "hold", () => arrival.us, doorbell);
    const inbound = mesh.links.filter(({ to }) => to === MAIN_THREAD).map((each) => new InLink(each));
    return new TimedWorker(loop, clock, out, inbound, new CallWords(mesh.words), arrival);
  }

  open(slot: number): void {
    const born = this.#words.open(slot);
    const open: MetaOf<"open"> = { callId: String(slot), graph: "bench", born, placement: [1], options: {} };
    writeMetaFrame(this.#out, this.#envelope("open", slot, 0, 0), "open", open);
    this.#sequences[slot] = 0;
  }

  audio(slot: number, position: number, atUs: number, samples: Int16Array, offset: number): void {
    this.#arrival.us = atUs;
    const source = { samples, words: EMPTY_WORDS, offset, count: FRAME_SAMPLES };
    const envelope = this.#envelope("audio.in", slot, position, this.#nextSequence(slot));
    if (!writeAudioFrame(this.#out, envelope, source, undefined, undefined, true)) this.droppedCount++;
  }

  finalize(slot: number, id: string, atUs: number): void {
    this.#arrival.us = atUs;
    const envelope = this.#envelope("fence", slot, 0, this.#nextSequence(slot));
    writeMetaFrame(this.#out, envelope, "fence", { id, reason: "finalize" });
  }

  flush(): void {
    this.#out.flush();
  }

  /** Reads what the worker has published. The view holds until the next. */
  receive(take: (view: FrameView) => void): void {
    for (const link of this.#in) {
      if (!link.look()) continue;
      for (const lane of [link.priority, link.data]) {
        lane.begin();
        while (lane.reader.next()) {
          this.#view.load(lane.reader, this.clock.nowUs());
          take(this.#view);
        }
        lane.ack();
      }
    }
  }

  #nextSequence(slot: number): number {
    this.#sequences[slot] = this.#sequences[slot]! + 1;
    return this.#sequences[slot];
  }

  #envelope(kind: FrameKind, slot: number, position: number, sequence: number): Envelope {
    return { kind, flags: 0, edge: 0, slot, generation: this.#words.generation(slot), sequence, position };
  }
}

/** One node of one model, fed by main and heard by it. */
function onePlan(task: ModelTask, { max, waitMs, deadlineMs, options }: BatchWay, maxCalls: number): Plan {
  const actor = findActor(task)!;
  const parsed = actor.options.parse(options);
  const edge = { graph: "bench", onFull: "drop-newest" } as const;
  return {
    version: 1,
    baseFolder: ".",
    server: {
      host: "",
      port: 0,
      maxCalls,
      apiKeys: undefined,
      idleTimeoutMs: 0,
      logLevel: "silent",
      logContent: false,
    },
    models: [
      {
        name: "model",
        family: "",
        task,
        options: {},
        device: "cpu",
        replicas: 1,
        standby: false,
        batchMax: max,
        batchWaitMs: waitMs,
        batchDeadlineMs: deadlineMs,
        session: DEFAULT_SESSION,
      },
    ],
    nodes: [
      {
        index: 0,
        graph: "bench",
        name: task,
        actor: task,
        options: parsed,
        model: "model",
        workers: [1],
        stateBytes: actor.stateBytes?.(parsed) ?? 0,
        latencyMs: 0,
      },
    ],
    edges: [
      { ...edge, index: 0, from: EDGE_IN, to: 0, kinds: ["audio.in", "fence", "close"] },
      {
        ...edge,
        index: 1,
        from: 0,
        to: EDGE_OUT,
        kinds: ["audio.in", "transcript.partial", "transcript.final", "fence"],
      },
    ],
    graphs: [
      {
        name: "bench",
        nodes: [0],
        accepts: ["audio.in"],
        finalizeEdges: [1],
        terminalEdges: [1],
        hasAgent: false,
        latencyMs: 0,
      },
    ],
    // A worker that waits in its event loop never blocks on a full ring, which one thread could not survive.
    workers: [{ index: 1, name: "model/0", thread: "io", model: "model", nodes: [0] }],
    routes: [],
    modules: [],
  };
}
