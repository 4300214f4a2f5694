/** Work that takes a known time, and a log of it in shared memory. Imported by workers as a user's module. */
import { z } from "zod";
import { type ActorInstance, defineActor } from "../../src/actors/define.js";

/** Microseconds of the clock that all threads and processes of the machine share. */
export function processUs(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

export function createWorkLog(): SharedArrayBuffer {
  return new SharedArrayBuffer(16);
}

/** How many pieces of work were done, and when the last one ended. One thread writes. */
export class WorkLog {
  readonly #words: BigInt64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new BigInt64Array(buffer);
  }

  get count(): number {
    return Number(Atomics.load(this.#words, 0));
  }

  get endedUs(): number {
    return Number(Atomics.load(this.#words, 1)) / 1000;
  }

  done(): void {
    Atomics.store(this.#words, 1, process.hrtime.bigint());
    Atomics.add(this.#words, 0, 1n);
  }
}

/** Keeps the thread busy, without looking at anything but the clock. */
export function workFor(ms: number): void {
  const untilUs = processUs() + ms * 1000;
  while (processUs() < untilUs);
}

interface WorkOptions {
  readonly log: SharedArrayBuffer;
  readonly workMs: number;
}

export const workActor = defineActor({
  name: "bench-work",
  summary: "works on each text",
  inputs: ["text"],
  outputs: [],
  forwards: [],
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
  create: (options: unknown): ActorInstance<undefined> => {
    const { log: buffer, workMs } = options as WorkOptions;
    const log = new WorkLog(buffer);
    return {
      open: () => undefined,
      process(batch, out) {
        for (const item of batch) {
          if (item.kind === "fence" || item.kind === "close") out.forward(item);
          if (item.kind !== "text" || item.call.isStale(item.generation)) continue;
          workFor(workMs);
          log.done();
        }
      },
    };
  },
});
