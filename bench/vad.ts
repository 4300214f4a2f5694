/**
 * Question: how many live streams can one core tell speech from silence in, and what does batching bring?
 *
 *     batch 1:   window of call 1 ─► run, window of call 2 ─► run, …          32 runs of one row
 *     batch 32:  windows of calls 1 … 32 ─► run                                1 run of 32 rows
 *
 * It is the product's `vad` actor that works here, over calls made of arrays: collecting frames, int16 to float32,
 * gathering and scattering of recurrent state, the model, the state machine. Both batch sizes hear the same
 * audio in blocks that take turns in one process, so that a busy machine hits both. A stream needs one window of CPU
 * time per window of audio; streams per core is the quotient. Every call must get the same verdicts either way.
 *
 * The model's own step, without the actor, is measured beside it: it bounds what batching can bring.
 *
 * What it is not: capacity of a server. Rings, events and sockets cost too, and a machine full to the brim is late.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ActorCall, Item, Out } from "../src/actors/define.js";
import { vadActor } from "../src/actors/vad.js";
import { decodeAudio } from "../src/audio/decode.js";
import { createClock } from "../src/base/clock.js";
import { packageRoot } from "../src/base/package-root.js";
import type { FrameKind, MetaOf } from "../src/frames/index.js";
import type { VadModel } from "../src/models/family.js";
import { loadFamily } from "../src/models/registry.js";
import {
  type Bench,
  type BenchContext,
  type Figure,
  numberIn,
  numberOf,
  type Sample,
  type VariantParameters,
} from "./harness/bench.js";
import { figure } from "./harness/figures.js";
import { samplePath } from "./harness/plans.js";
import { median } from "./harness/statistics.js";

const BATCH = 32;
/** Of each call's audio; it is heard again and again. */
const AUDIO_WINDOWS = 100;

type VadInstance = Awaited<ReturnType<typeof vadActor.create>>;
type State = ReturnType<VadInstance["open"]>;

class Call implements ActorCall<State> {
  readonly graph = "bench";
  readonly options = {};
  readonly callId: string;
  state!: State;

  constructor(readonly slot: number) {
    this.callId = `call-${slot}`;
  }

  generation = (): number => 0;
  isStale = (): boolean => false;
  isReplying = (): boolean => false;
  markReplying(): void {}
  interrupt(): void {}
}

class AudioItem implements Item<State> {
  readonly kind = "audio.in";
  readonly generation = 0;
  readonly sequence = 0;
  readonly enqueuedUs = 0;
  position = 0;
  offset = 0;

  constructor(
    readonly call: Call,
    readonly samples: Int16Array,
    readonly count: number,
  ) {}

  meta<K extends FrameKind>(): MetaOf<K> {
    throw new Error("audio has no meta");
  }
}

/** Hashes the verdicts of each call, so that two ways of batching can be compared. */
class Verdicts implements Out<State> {
  readonly hashes = new Int32Array(BATCH);
  count = 0;

  forward(): void {}
  emitAudio(): void {}

  emit(call: { readonly slot: number }, _kind: FrameKind, meta: unknown): void {
    for (const char of JSON.stringify(meta, (key, value: unknown) => (key === "probability" ? undefined : value)))
      this.hashes[call.slot] = (Math.imul(this.hashes[call.slot]!, 31) + char.charCodeAt(0)) | 0;
    this.count++;
  }
}

/** A request with the pauses around it, again and again: the detector has something to decide. */
async function audioOf(windowSamples: number): Promise<Int16Array> {
  const path = samplePath("timer.wav");
  const { pcm: request } = await decodeAudio(readFileSync(path), path);
  return Int16Array.from({ length: (AUDIO_WINDOWS + BATCH) * windowSamples }, (_, i) => request[i % request.length]!);
}

/** One set of calls, served in batches of a given size. */
class Service {
  readonly verdicts = new Verdicts();
  readonly #items: AudioItem[];
  readonly #batches: AudioItem[][] = [];
  readonly #instance: VadInstance;
  readonly #windowSamples: number;
  #window = 0;

  constructor(instance: VadInstance, model: VadModel, samples: Int16Array, batchSize: number) {
    this.#instance = instance;
    this.#windowSamples = model.windowSamples;
    const calls = Array.from({ length: BATCH }, (_, slot) => new Call(slot));
    for (const call of calls) call.state = instance.open(call, this.verdicts);
    this.#items = calls.map((call) => new AudioItem(call, samples, model.windowSamples));
    for (let at = 0; at < BATCH; at += batchSize) this.#batches.push(this.#items.slice(at, at + batchSize));
  }

  /** One window of every call: each call hears another part of the audio. */
  async hear(): Promise<void> {
    for (const [slot, item] of this.#items.entries()) {
      item.position = this.#window * this.#windowSamples;
      item.offset = ((this.#window % AUDIO_WINDOWS) + slot) * this.#windowSamples;
    }
    this.#window++;
    for (const batch of this.#batches) await this.#instance.process(batch, this.verdicts);
  }
}

/** The model's step alone, over the same windows. */
class BareSteps {
  readonly #model: VadModel;
  readonly #batchSize: number;
  readonly #pcm: Float32Array;
  readonly #states: Float32Array[];
  readonly #probabilities = new Float32Array(BATCH);

  constructor(model: VadModel, samples: Int16Array, batchSize: number) {
    this.#model = model;
    this.#batchSize = batchSize;
    this.#pcm = Float32Array.from(samples.subarray(0, BATCH * model.windowSamples), (sample) => sample / 32_768);
    this.#states = Array.from({ length: BATCH }, () => new Float32Array(model.stateFloats));
    for (const state of this.#states) model.resetState(state);
  }

  async hear(): Promise<void> {
    const { windowSamples } = this.#model;
    for (let at = 0; at < BATCH; at += this.#batchSize) {
      const pcm = this.#pcm.subarray(at * windowSamples, (at + this.#batchSize) * windowSamples);
      await this.#model.step(this.#batchSize, pcm, this.#states.slice(at, at + this.#batchSize), this.#probabilities);
    }
  }
}

const WAYS = ["one", "many", "bareOne", "bareMany"] as const;

async function measure(parameters: VariantParameters): Promise<Record<string, number>> {
  const family = (await loadFamily(String(parameters.family)))!;
  const options = family.options.parse(parameters.file === undefined ? {} : { file: parameters.file });
  const clock = createClock();
  const context = { clock, baseFolder: packageRoot(), device: "cpu", batchMax: BATCH, log: () => {} };
  const model = (await family.open(options, context)) as VadModel;
  const audio = await audioOf(model.windowSamples);
  const resources = {
    nodeName: "bench.vad",
    model,
    clock,
    inputKinds: new Set<FrameKind>(["audio.in"]),
    batchMax: BATCH,
    deadlineUs: 0,
  };
  const instance = await vadActor.create(vadActor.options.parse({}), {
    ...resources,
    degradeLevel: () => 0,
    log: () => {},
  });
  const one = new Service(instance, model, audio, 1);
  const many = new Service(instance, model, audio, BATCH);
  const hearers = { one, many, bareOne: new BareSteps(model, audio, 1), bareMany: new BareSteps(model, audio, BATCH) };
  const rounds = numberIn(parameters, "rounds");
  const windows = numberIn(parameters, "windows");
  const cpuUs: Record<(typeof WAYS)[number], number[]> = { one: [], many: [], bareOne: [], bareMany: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const way of round % 2 === 0 ? WAYS : [...WAYS].reverse()) {
      const before = process.cpuUsage();
      for (let window = 0; window < windows; window++) await hearers[way].hear();
      const { user, system } = process.cpuUsage(before);
      // The first round is the warm-up.
      if (round > 0) cpuUs[way].push((user + system) / (windows * BATCH));
    }
  }
  await model.release();
  if (one.verdicts.count === 0) throw new Error("the detector heard no speech in the bench's audio");
  if (one.verdicts.hashes.join() !== many.verdicts.hashes.join()) throw new Error("batching changed the verdicts");
  const windowUs = (model.windowSamples / 16_000) * 1_000_000;
  return Object.fromEntries(WAYS.map((way) => [way, windowUs / median(cpuUs[way])]));
}

export const vadBench: Bench = {
  name: "vad",
  variants: { measure },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const silero = join(packageRoot(), "..", "shared", "models", "vad", "silero_vad_16k_op15.onnx");
    const detectors: { family: string; file?: string }[] = [
      { family: "starter-vad" },
      ...(existsSync(silero) ? [{ family: "silero", file: silero }] : []),
    ];
    const size = context.isSmoke ? { rounds: 1, windows: 20 } : { rounds: 10, windows: 40 };
    const figures: Figure[] = [];
    for (const detector of detectors) {
      const samples: Sample[] = [];
      for (let repeat = 0; repeat < (context.isSmoke ? 1 : 5); repeat++) {
        context.progress(`${detector.family}, ${repeat + 1}`);
        samples.push(await context.variant("measure", { ...(detector as VariantParameters), ...size }));
      }
      const of = (way: (typeof WAYS)[number]): number[] => samples.map((sample) => numberOf(sample, way));
      const bar = { of: "ratio", must: "be at least", bar: 4, aim: 6 } as const;
      const spec = { bench: vadBench, unit: "streams", better: "more" } as const;
      const metric = `streams per core, ${detector.family}, batch ${BATCH} against 1`;
      figures.push(
        figure({ ...spec, metric, values: of("many"), baselines: of("one"), bar }),
        figure({ ...spec, metric: `${metric}, without the actor`, values: of("bareMany"), baselines: of("bareOne") }),
      );
    }
    return figures;
  },
};
