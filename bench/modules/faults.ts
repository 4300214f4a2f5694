/** Actors that die once, and say in shared memory when. Imported by workers as a user's module. */
import { z } from "zod";
import { type ActorInstance, defineActor, type Item, perFrame } from "../../src/actors/define.js";
import { sttActor } from "../../src/actors/stt.js";
import type { SttCall } from "../../src/actors/stt-call.js";

const AT_FRAME = 0;
const FRAMES_SEEN = 1;
const DIED_NS = 2;
const RESUMED_NS = 3;
const LAST_POSITION = 4;
const WORD_COUNT = 5;

/** @param atFrame the audio frame, counted from 1, on which the first incarnation dies */
export function createFaultLog(atFrame: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(WORD_COUNT * BigInt64Array.BYTES_PER_ELEMENT);
  new BigInt64Array(buffer)[AT_FRAME] = BigInt(atFrame);
  return buffer;
}

type Heard = Pick<Item, "kind" | "position">;

export class FaultLog {
  readonly #words: BigInt64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new BigInt64Array(buffer);
  }

  /** Worker: audio arrives. Throws once. */
  heard(batch: readonly Heard[]): void {
    const words = this.#words;
    const audio = batch.filter((item) => item.kind === "audio.in");
    if (audio.length === 0) return;
    const hasDied = Atomics.load(words, DIED_NS) !== 0n;
    if (hasDied && Atomics.load(words, RESUMED_NS) === 0n) Atomics.store(words, RESUMED_NS, process.hrtime.bigint());
    const seen = Atomics.add(words, FRAMES_SEEN, BigInt(audio.length)) + BigInt(audio.length);
    if (!hasDied && seen >= Atomics.load(words, AT_FRAME)) {
      Atomics.store(words, DIED_NS, process.hrtime.bigint());
      throw new Error("the bench's fault");
    }
    Atomics.store(words, LAST_POSITION, BigInt(audio.at(-1)!.position));
  }

  /** Of the last frame that was processed without a fault. */
  get lastPosition(): number {
    return Number(Atomics.load(this.#words, LAST_POSITION));
  }

  get recoveryMs(): number {
    const [died, resumed] = [Atomics.load(this.#words, DIED_NS), Atomics.load(this.#words, RESUMED_NS)];
    if (died === 0n || resumed === 0n) throw new Error("the worker did not die, or was not replaced");
    return Number(resumed - died) / 1e6;
  }
}

export const faultActor = defineActor({
  name: "bench-fault",
  summary: "dies once",
  inputs: ["audio.in"],
  outputs: [],
  forwards: [],
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
  create: (options: unknown): ActorInstance<undefined> => {
    const log = new FaultLog((options as { log: SharedArrayBuffer }).log);
    const inner = perFrame(
      () => undefined,
      () => {},
    );
    return {
      ...inner,
      process(batch, out) {
        log.heard(batch);
        return inner.process(batch, out);
      },
    };
  },
});

interface FaultOptions {
  readonly chosen: Parameters<typeof sttActor.create>[0];
  readonly log: SharedArrayBuffer;
}

export const faultStt = defineActor<unknown, SttCall, "stt">({
  ...sttActor,
  name: "bench-fault-stt",
  options: z.any(),
  latencyMs: () => 0,
  async create(options: unknown, resources) {
    const { chosen, log: buffer } = options as FaultOptions;
    const log = new FaultLog(buffer);
    const inner = await sttActor.create(chosen, resources);
    return {
      ...inner,
      process(batch, out) {
        log.heard(batch);
        return inner.process(batch, out);
      },
    };
  },
});
