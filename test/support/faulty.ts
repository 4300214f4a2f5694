/**
 * The real families and an actor, each of which fails once at a chosen point: a user's module for the workers. What has
 * failed already stands in shared memory, so that a successor does not fail again.
 */
import { z } from "zod";
import { type ActorInstance, defineActor, perFrame } from "../../src/actors/define.js";
import { AssertionFailure } from "../../src/base/assert.js";
import type { Plan } from "../../src/config/plan.js";
import {
  type DenoiseModel,
  defineFamily,
  type FamilyContext,
  type SttModel,
  type TtsModel,
  type VadModel,
} from "../../src/models/family.js";
import { loadFamily } from "../../src/models/registry.js";

/**
 * When to fail, in shared memory: faults so far, windows or clauses or frames so far, then at which counts to fail. The unit
 * is the family's: windows of a VAD or a denoiser, accepted samples of a recogniser, clauses of a voice.
 */
const FAULTS = 0;
const STEPS = 1;
const FIRST_AT = 2;
const AT_MAX = 4;
const NEVER = 0x7fff_ffff;

export interface Fault {
  readonly words: SharedArrayBuffer;
}

/** The test's end of a fault: it fails nowhere until it is armed. */
export class Sabotage {
  readonly fault: Fault = { words: new SharedArrayBuffer(4 * (FIRST_AT + AT_MAX)) };
  readonly #words = new Int32Array(this.fault.words);

  constructor() {
    this.arm([]);
  }

  /** From now on it fails at each of these counts once. */
  arm(at: readonly number[]): void {
    this.#words.fill(0, 0, FIRST_AT).fill(NEVER, FIRST_AT).set(at, FIRST_AT);
  }

  /** How often it has failed since it was armed. */
  get faultCount(): number {
    return this.#words[FAULTS]!;
  }
}

export const FAULTY_MODULE = import.meta.url;

interface FaultyOptions {
  readonly real: unknown;
  readonly fault: Fault;
}

/** Counts up and fails at each of the counts once, over all incarnations. */
class Fuse {
  readonly #words: Int32Array;

  constructor({ words }: Fault) {
    this.#words = new Int32Array(words);
  }

  reached(count: number): void {
    const words = this.#words;
    if (count < (words[FIRST_AT + words[FAULTS]!] ?? NEVER)) return;
    words[FAULTS]!++;
    // What no actor may catch.
    throw new AssertionFailure("sabotaged");
  }

  /** One more. Those that are done again after a fault count again. */
  step(): void {
    this.#words[STEPS]!++;
    this.reached(this.#words[STEPS]!);
  }
}

const openReal = async (family: string, { real }: FaultyOptions, context: FamilyContext): Promise<unknown> =>
  (await loadFamily(family))!.open(real, context);

/** The same object but for one method. */
function withMethod<T extends object>(target: T, overrides: Partial<T>): T {
  return new Proxy(target, {
    get: (object, key) => {
      if (key in overrides) return overrides[key as keyof T];
      const value: unknown = Reflect.get(object, key, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}

const options = z.any();

export const faultyVad = defineFamily({
  name: "faulty-starter-vad",
  task: "vad",
  options,
  open: async (chosen: FaultyOptions, context): Promise<VadModel> => {
    const model = (await openReal("starter-vad", chosen, context)) as VadModel;
    const fuse = new Fuse(chosen.fault);
    return withMethod(model, {
      step: async (count, pcm, states, probabilities) => {
        fuse.step();
        await model.step(count, pcm, states, probabilities);
      },
    });
  },
});

export const faultyDenoise = defineFamily({
  name: "faulty-gtcrn",
  task: "denoise",
  options,
  open: async (chosen: FaultyOptions, context): Promise<DenoiseModel> => {
    const model = (await openReal("gtcrn", chosen, context)) as DenoiseModel;
    const fuse = new Fuse(chosen.fault);
    return withMethod(model, {
      step: async (count, pcm, states, output) => {
        await model.step(count, pcm, states, output);
        // After states have moved on in this thread's memory, and before anybody heard of it.
        fuse.step();
      },
    });
  },
});

export const faultyStt = defineFamily({
  name: "faulty-starter-ctc",
  task: "stt",
  options,
  open: async (chosen: FaultyOptions, context): Promise<SttModel> => {
    const model = (await openReal("starter-ctc", chosen, context)) as SttModel;
    const fuse = new Fuse(chosen.fault);
    return withMethod(model, {
      createStream: (streamOptions) => {
        const stream = model.createStream(streamOptions);
        const accept = stream.accept.bind(stream);
        let sampleCount = 0;
        stream.accept = (pcm, offset, count) => {
          sampleCount += count;
          fuse.reached(sampleCount);
          accept(pcm, offset, count);
        };
        return stream;
      },
    });
  },
});

export const faultyTts = defineFamily({
  name: "faulty-flite",
  task: "tts",
  options,
  open: async (chosen: FaultyOptions, context): Promise<TtsModel> => {
    const model = (await openReal("flite", chosen, context)) as TtsModel;
    const fuse = new Fuse(chosen.fault);
    return withMethod(model, {
      speak: async (request, emit) => {
        const report = await model.speak(request, emit);
        // After the work and before anybody saw it: the hardest to repeat.
        fuse.step();
        return report;
      },
    });
  },
});

/** Passes a reply on, on the I/O worker, and fails at its n-th piece of text. */
export const faultyRelay = defineActor({
  name: "test-fuse",
  summary: "passes a reply on until it fails",
  inputs: ["text", "reply"],
  outputs: [],
  forwards: ["text", "reply"],
  options,
  thread: "io",
  latencyMs: () => 0,
  create: (chosen: Partial<Fault>): ActorInstance<undefined> => {
    const fuse = chosen.words === undefined ? undefined : new Fuse(chosen as Fault);
    return perFrame(
      () => undefined,
      (item, out) => {
        if (item.kind === "text") fuse?.step();
        out.forward(item);
      },
    );
  },
});

/** The plan with these of its models, or the relay in its midst, made to fail when they are armed. */
export function sabotaged(
  plan: Plan,
  targets: readonly string[],
): { plan: Plan; sabotage: ReadonlyMap<string, Sabotage> } {
  const sabotage = new Map(targets.map((target) => [target, new Sabotage()]));
  const models = plan.models.map((model) => {
    const fault = sabotage.get(model.name)?.fault;
    if (fault === undefined) return model;
    return { ...model, family: `faulty-${model.family}`, options: { real: model.options, fault } };
  });
  const nodes = plan.nodes.map((node) => {
    const fault = node.actor === faultyRelay.name ? sabotage.get(node.actor)?.fault : undefined;
    return fault === undefined ? node : { ...node, options: fault };
  });
  return { plan: { ...plan, models, nodes, modules: [FAULTY_MODULE] }, sabotage };
}
