/**
 * Question: how much of a turn's time is the runtime's own?
 *
 *     N calls, 20 ms frames ──► vad ─► turn ─► stt ─► agent ─► tts ──► first audio of the reply
 *     open loop                 └─ worker ─┘   worker   I/O     worker        on main, in this process
 *
 * The graph of configs/assistant.yaml, all of it in this process. Every call speaks, waits out the silence that ends its
 * turn, hears the reply and begins again; calls are spread evenly over that cycle and over the 20 ms of a frame. Times
 * are those of the turns' receipts, which begin at the end of speech and end when main hands out the first audio.
 *
 *     light models   models that answer at once (modules/light-models.ts). What is left when the waiting for silence,
 *                    which is by design, is taken off is *all* the runtime's and its actors': rings, wake-ups, batching
 *                    with other calls, JSON, clause splitting. Not even these models' time is taken off.
 *                    Baseline: five bare hops over rings through four threads that do nothing, main to main, measured in
 *                    the same process at the same time: what the system's wake-ups and other threads' time slices cost.
 *     real models    overhead is each stage's time in rings and before its batch, and the way out: end to end, less
 *                    waiting for silence, less computing. When a worker is busy with other calls, a frame waits for it
 *                    in the ring; that is model compute of others, not runtime, and grows with load on any machine.
 *
 * The bar is on the light rows, since only they measure the runtime alone on a machine of any size.
 *
 * What it is not: latency for a caller, who waits for the end of the silence and the models too. `syrinx talk` shows that.
 */
import { readFileSync } from "node:fs";
import { decodeAudio } from "../src/audio/decode.js";
import type { Plan } from "../src/config/plan.js";
import type { CallEvent, ReceiptEvent } from "../src/frames/events.js";
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
import { Pacer, sleep } from "./harness/pace.js";
import { samplePath, shippedPlan, startRuntime } from "./harness/plans.js";
import { Numbers } from "./harness/statistics.js";
import type { Pipe } from "./ring-pipes/pipe.js";
import { openRingChain } from "./ring-pipes/ring-pipe.js";

const FRAME_MS = 20;
/** Threads that a turn goes through before it is back on main: vad, stt, agent, tts. */
const WORKER_HOPS = 4;
/** Milliseconds between two probes of the bare chain. */
const PROBE_MS = 25;
const FRAME_SAMPLES = 320;
const MODULE = new URL("./modules/light-models.js", import.meta.url).href;

interface Load {
  readonly plan: Plan;
  /** What each call says, over and over: speech, then silence until the reply is heard. */
  readonly cycle: Int16Array;
  readonly overheadMs: (receipt: ReceiptEvent) => number;
}

/** Everything but the silence that ended the turn. */
function allButWaiting({ totalMs, stages }: ReceiptEvent): number {
  return totalMs - stages.reduce((sum, stage) => sum + stage.waitMs, 0);
}

/** Everything but that silence and the nodes' computing. */
function allButWorking(receipt: ReceiptEvent): number {
  return receipt.stages.reduce((sum, stage) => sum + stage.queueMs + stage.batchWaitMs, 0) + egressMs(receipt);
}

function egressMs({ stages }: ReceiptEvent): number {
  return stages.find((stage) => stage.stage === "egress")!.computeMs;
}

async function lightLoad(calls: number): Promise<Load> {
  const shipped = await shippedPlan("assistant", calls);
  const models = shipped.models.map((model) => ({ ...model, family: `bench-${model.task}`, options: {} }));
  const cycle = new Int16Array(1.4 * 16_000);
  for (let i = 0; i < 0.3 * 16_000; i++) cycle[i] = i % 2 === 0 ? 8_000 : -8_000;
  return { plan: { ...shipped, models, modules: [MODULE] }, cycle, overheadMs: allButWaiting };
}

async function realLoad(calls: number): Promise<Load> {
  const path = samplePath("timer.wav");
  const { pcm } = await decodeAudio(readFileSync(path), path);
  const cycle = new Int16Array(Math.ceil((pcm.length + 4 * 16_000) / FRAME_SAMPLES) * FRAME_SAMPLES);
  cycle.set(pcm);
  return { plan: await shippedPlan("assistant", calls), cycle, overheadMs: allButWorking };
}

/** Sends a word through idle threads now and then and notes how long it took to come back. */
class Probe {
  readonly hopsMs = new Numbers();
  readonly #word = new Int16Array(FRAME_SAMPLES);
  #pipe: Pipe | undefined;
  #sentMs = 0;
  #isUnderWay = false;

  async open(): Promise<void> {
    this.#pipe = await openRingChain(WORKER_HOPS, () => {
      this.hopsMs.push(performance.now() - this.#sentMs);
      this.#isUnderWay = false;
    });
  }

  /** Every millisecond. */
  tick(tick: number): void {
    if (this.#pipe === undefined || this.#isUnderWay || tick % PROBE_MS !== 0) return;
    this.#isUnderWay = true;
    this.#sentMs = performance.now();
    this.#pipe.send(0, this.#word);
    this.#pipe.flush();
  }

  async close(): Promise<void> {
    await this.#pipe?.close();
  }
}

function loaded(load: (calls: number) => Promise<Load>, hasProbe: boolean) {
  return async (parameters: VariantParameters): Promise<Record<string, number>> => {
    const callCount = numberIn(parameters, "calls");
    const { plan, cycle, overheadMs } = await load(callCount);
    const runtime = await startRuntime(plan);
    const overhead = new Numbers();
    const probe = new Probe();
    if (hasProbe) await probe.open();
    const faults: string[] = [];
    const onEvent = (event: CallEvent): void => {
      if (event.type === "receipt" && event.milestones.firstPcmMs !== undefined) overhead.push(overheadMs(event));
      if (event.type === "error" || event.type === "gap") faults.push(JSON.stringify(event));
    };
    const calls = await Promise.all(Array.from({ length: callCount }, () => runtime.open("assistant", { onEvent })));
    const frameCount = cycle.length / FRAME_SAMPLES;
    const pacer = new Pacer(1, (tick) => {
      probe.tick(tick);
      const round = Math.floor(tick / FRAME_MS);
      for (let index = tick % FRAME_MS; index < callCount; index += FRAME_MS) {
        const frame = (round + Math.floor((index * frameCount) / callCount)) % frameCount;
        calls[index]!.write(cycle.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES));
      }
    });
    pacer.start();
    // The first cycles compile code and fill caches.
    await sleep(numberIn(parameters, "warmMs"));
    for (const numbers of [overhead, pacer.latenessMs, probe.hopsMs]) numbers.clear();
    await sleep(numberIn(parameters, "measureMs"));
    pacer.stop();
    const turns = overhead.count;
    if (turns === 0) throw new Error(`no turn was answered; ${faults.length} faults, first: ${faults[0] ?? "none"}`);
    const sample: Record<string, number> = { turns, lateness: pacer.latenessMs.quantile(0.99) };
    for (const [name, share] of Object.entries(QUANTILES)) {
      sample[name] = overhead.quantile(share);
      if (hasProbe) sample[`floor ${name}`] = probe.hopsMs.quantile(share);
    }
    await probe.close();
    await runtime.drain();
    return sample;
  };
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
const VARIANTS = { light: loaded(lightLoad, true), real: loaded(realLoad, false) };

export const overheadBench: Bench = {
  name: "overhead",
  variants: VARIANTS,
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const figures: Figure[] = [];
    for (const { variant, calls, repeats, warmMs, measureMs, isHeld } of sizes(context.isSmoke)) {
      const samples: Sample[] = [];
      for (let repeat = 0; repeat < repeats; repeat++) {
        context.progress(`${variant} models, ${calls} calls, ${repeat + 1} of ${repeats}`);
        samples.push(await context.variant(variant, { calls, warmMs, measureMs }));
      }
      const of = (key: string): number[] => samples.map((sample) => numberOf(sample, key));
      const turns = of("turns").reduce((sum, count) => sum + count, 0);
      const row = (what: string) => `${what}, ${variant} models, ${calls} calls`;
      const bar = { of: "value", must: "be under", bar: 5, aim: 1 } as const;
      for (const quantile of Object.keys(QUANTILES)) {
        const metric = `${row(quantile)} (${turns} turns)`;
        const baselines = variant === "light" ? { baselines: of(`floor ${quantile}`) } : {};
        const spec = { bench: overheadBench, metric, unit: "ms", values: of(quantile), ...baselines };
        figures.push(figure(isHeld === true && quantile === "p99" ? { ...spec, bar } : spec));
      }
      const lateness = row("lateness p99 of the generator");
      figures.push(figure({ bench: overheadBench, metric: lateness, unit: "ms", values: of("lateness") }));
    }
    return figures;
  },
};

interface Size {
  readonly variant: keyof typeof VARIANTS;
  readonly calls: number;
  readonly repeats: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** The bar is on this row. */
  readonly isHeld?: boolean;
}

function sizes(isSmoke: boolean): readonly Size[] {
  if (isSmoke) return [{ variant: "light", calls: 4, repeats: 1, warmMs: 100, measureMs: 1_800, isHeld: true }];
  const light = { variant: "light", repeats: 5, warmMs: 3_000, measureMs: 8_000 } as const;
  const real = { variant: "real", repeats: 3, warmMs: 6_500, measureMs: 9_000 } as const;
  return [
    { ...light, calls: 1, measureMs: 14_000 },
    { ...light, calls: 20 },
    { ...light, calls: 100, isHeld: true },
    { ...real, calls: 1, measureMs: 19_000 },
    { ...real, calls: 20 },
    { ...real, calls: 100 },
  ];
}
