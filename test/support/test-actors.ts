/** Actors with assertable semantics, imported by workers as a user's module. */
import { z } from "zod";
import { type ActorCall, type ActorInstance, defineActor, perFrame } from "../../src/actors/define.js";

/** Passes audio on, fence and close too. */
export const relay = defineActor({
  name: "test-relay",
  summary: "passes audio on",
  inputs: ["audio.in"],
  outputs: [],
  forwards: ["audio.in"],
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
  create: (): ActorInstance<undefined> =>
    perFrame(
      () => undefined,
      (item, out) => out.forward(item),
    ),
});

/** How a test makes an actor fail: words in shared memory, so that a successor knows what its predecessor did. */
export interface Sabotage {
  /** `[0]`: faults still to come; `[1]`: frames seen by all incarnations; `[2]`: incarnations. */
  readonly words: SharedArrayBuffer;
  /** Fails on the frame whose first sample is this. */
  readonly atSample?: number;
  /** Fails when created. */
  readonly atStart?: boolean;
  /** Fills the heap instead of throwing. */
  readonly outOfMemory?: boolean;
}

export function sabotage(faults: number, where: Omit<Sabotage, "words">): { options: Sabotage; words: Int32Array } {
  const words = new SharedArrayBuffer(16);
  const view = new Int32Array(words);
  view[0] = faults;
  return { options: { words, ...where }, words: view };
}

function maybeFail(plan: Sabotage, words: Int32Array): void {
  if (Atomics.load(words, 0) <= 0) return;
  Atomics.sub(words, 0, 1);
  if (plan.outOfMemory === true) {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(100_000).fill({}));
  }
  throw new Error("sabotaged");
}

interface SumState {
  sum: number;
  frames: number;
  factor: number;
}

const sumOptions = z.strictObject({ factor: z.number().int().optional().describe("What samples are multiplied by.") });
const factorOf = (call: ActorCall): number => sumOptions.parse(call.options).factor ?? 1;

/**
 * Folds every sample of a call into a hash that depends on their order, and says it as a final transcript at each fence:
 * a frame lost, doubled or out of order changes the text.
 */
export const sum = defineActor({
  name: "test-sum",
  summary: "hashes audio",
  inputs: ["audio.in"],
  outputs: ["transcript.final"],
  forwards: [],
  options: z.any(),
  callOptions: sumOptions,
  isLive: true,
  thread: "compute",
  latencyMs: () => 0,
  stateBytes: () => 64,
  create: (options: unknown): ActorInstance<SumState> => {
    const plan = options as Partial<Sabotage>;
    const words = plan.words === undefined ? undefined : new Int32Array(plan.words);
    if (words !== undefined) Atomics.add(words, 2, 1);
    if (words !== undefined && plan.atStart === true) maybeFail(plan as Sabotage, words);
    return {
      open: (call) => ({ sum: 0, frames: 0, factor: factorOf(call) }),
      configure(call) {
        call.state.factor = factorOf(call);
      },
      process(batch, out) {
        for (const item of batch) {
          const { state } = item.call;
          if (item.kind === "audio.in") {
            if (words !== undefined) Atomics.add(words, 1, 1);
            if (words !== undefined && plan.atSample === item.samples[item.offset]) maybeFail(plan as Sabotage, words);
            for (let i = 0; i < item.count; i++)
              state.sum = (Math.imul(state.sum, 31) + state.factor * item.samples[item.offset + i]!) | 0;
            state.frames++;
            continue;
          }
          if (item.kind === "fence" && item.meta("fence").reason !== "configure")
            out.emit(item.call, "transcript.final", sumTranscript(state), { cause: item });
          out.forward(item);
        }
      },
      save(call, row) {
        row.i32[0] = call.state.sum;
        row.i32[1] = call.state.frames;
      },
      restore: (call, row) => ({ sum: row.i32[0]!, frames: row.i32[1]!, factor: factorOf(call) }),
    };
  },
});

function sumTranscript(state: SumState) {
  return {
    segmentId: 0,
    turnIndex: 0,
    text: `${state.frames}:${state.sum}`,
    words: [],
    stableChars: 0,
    startSample: 0,
    endSample: 0,
    confidence: 1,
  };
}

/** What `test-sum` says after these samples, in frames of the given size. */
export function expectedSum(frames: readonly (Int16Array | Int32Array)[]): string {
  let hash = 0;
  for (const pcm of frames) for (const sample of pcm) hash = (Math.imul(hash, 31) + sample) | 0;
  return `${frames.length}:${hash}`;
}
