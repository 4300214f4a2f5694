/**
 * Question: what does one more call cost while nobody speaks?
 *
 *     20 calls ──► 2 minutes of audio in all, so that rings, tensors and code are paged in; closed
 *     RSS ──► open 200 calls through the assistant graph, 1 s of room noise each, all of it processed ──► RSS
 *
 * Resident memory of the whole process, all threads. Shared tables (rings, rows of saved state) are allocated for the
 * most calls at the start but take memory only as they are touched, so a slot's first use is in the figure.
 *
 * What it is not: the cost of speech (a recogniser's beam, a transcript) or a search for leaks: that is the churn test.
 */
import { seeded } from "../src/base/prng.js";
import type { CallEvent } from "../src/frames/events.js";
import type { Call } from "../src/runtime/api.js";
import type { RuntimeImpl } from "../src/runtime/runtime.js";
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
import { sleep } from "./harness/pace.js";
import { shippedPlan, startRuntime } from "./harness/plans.js";

const SEED = 99;
const WARM_CALLS = 20;

/** A call and what its marks resolve. */
class QuietCall {
  call!: Call;
  #onMark: (() => void) | undefined;

  async open(runtime: RuntimeImpl): Promise<void> {
    const onEvent = (event: CallEvent): void => {
      if (event.type === "mark" || event.type === "close") this.#onMark?.();
    };
    this.call = await runtime.open("assistant", { onEvent });
  }

  /** Resolves when the graph has taken all of it. */
  async hear(pcm: Int16Array): Promise<void> {
    if (!this.call.write(pcm)) throw new Error("a ring was full");
    const marked = new Promise<void>((resolve) => {
      this.#onMark = resolve;
    });
    this.call.mark("heard");
    await marked;
    if (this.call.isClosed) throw new Error("a call ended by itself");
  }
}

async function openCalls(runtime: RuntimeImpl, count: number): Promise<QuietCall[]> {
  const calls = Array.from({ length: count }, () => new QuietCall());
  for (const call of calls) await call.open(runtime);
  return calls;
}

/** RSS once it has stopped falling: garbage is collected, and workers are idle. */
async function settledBytes(): Promise<number> {
  await sleep(200);
  globalThis.gc?.();
  await sleep(200);
  return process.memoryUsage.rss();
}

async function measure(parameters: VariantParameters): Promise<Record<string, number>> {
  const callCount = numberIn(parameters, "calls");
  const warmSeconds = numberIn(parameters, "warmSeconds");
  const prng = seeded(SEED);
  const second = Int16Array.from({ length: 16_000 }, () => prng.integer(-20, 21));
  const runtime = await startRuntime(await shippedPlan("assistant", callCount + WARM_CALLS));
  const warm = await openCalls(runtime, WARM_CALLS);
  for (let round = 0; round < warmSeconds; round++) await Promise.all(warm.map((quiet) => quiet.hear(second)));
  await Promise.all(warm.map((quiet) => quiet.call.close()));
  const before = await settledBytes();
  const idle = await openCalls(runtime, callCount);
  for (const quiet of idle) await quiet.hear(second);
  const after = await settledBytes();
  if (runtime.capacity().activeCalls !== callCount) throw new Error("not all calls are open");
  await runtime.drain();
  return { kib: (after - before) / 1024 / callCount, mib: before / 2 ** 20 };
}

export const memoryBench: Bench = {
  name: "memory",
  variants: { measure },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const size = context.isSmoke ? { calls: 20, warmSeconds: 1 } : { calls: 200, warmSeconds: 8 };
    const samples: Sample[] = [];
    for (let repeat = 0; repeat < (context.isSmoke ? 1 : 5); repeat++) {
      context.progress(`${repeat + 1}`);
      samples.push(await context.variant("measure", size));
    }
    const of = (key: string): number[] => samples.map((sample) => numberOf(sample, key));
    const bar = { of: "value", must: "be under", bar: 256, aim: 64 } as const;
    return [
      figure({ bench: memoryBench, metric: "RSS per additional idle call", unit: "KiB", values: of("kib"), bar }),
      figure({ bench: memoryBench, metric: "RSS before them, models loaded", unit: "MiB", values: of("mib") }),
    ];
  },
};
