/**
 * Question: how many streams does one worker serve at equal lateness, by how its batches are formed?
 *
 *     streams join by chance, then a frame every 20 ms, come what may
 *       ──► ring ─► actor loop ─► vad, or stt with a final every second ─► ring ──► lag = published − meant to come
 *
 *     none       one row in a run; the queue that formed is drained
 *     queue      what is queued is the batch (`waitMs: 0`, the default)
 *     10, 50 ms  a batch closes when its oldest frame is so old, or when all rows are taken
 *     deadline   earliest deadline first; it closes when the slack is the predicted time of the step (`waitMs` and
 *                `deadlineMs` of the configuration)
 *
 * The same trace goes through each. The largest number of streams is found by bisection: 99 of 100 answers within the
 * limit, nothing dropped, at the second try at the latest. An answer is a frame with its verdict (vad), or a partial or
 * final transcript (stt).
 *
 * Loop, rings, actors and models are the product's; time is the bench's own (`batch-trace/timed-worker.ts`): a step takes
 * the processor time that it takes, so that a busy machine does not decide. `streams by rows` is the model with its
 * decoder alone, in steps of so many rows.
 *
 * What it is not: capacity of a server. Waking a thread, sockets and other workers cost too, and these are not here. With
 * them, fewer and larger steps are worth more than this bench shows.
 */
import { BATCHED_TASKS, type BatchedTask, openStt, openVad } from "./batch-trace/models.js";
import { ROW_COUNTS, rowsVariant } from "./batch-trace/rows.js";
import { type Load, type Outcome, serve, type Way } from "./batch-trace/serve.js";
import { traceAudio } from "./batch-trace/trace.js";
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
import type { Numbers } from "./harness/statistics.js";

const STREAMS_MAX = 4_096;
/** The bisection ends when the interval is this share of its lower end. */
const RESOLUTION = 0.04;

/** Two frames for a verdict; for a transcript, what a reader takes for at once. */
const LIMIT_MS: Readonly<Record<BatchedTask, number>> = { vad: 40, stt: 150 };
/** What waiting may cost. A recogniser has a row for a stream every 160 ms only: little company would come. */
const WAIT_MS: Readonly<Record<BatchedTask, number>> = { vad: 20, stt: 5 };
const BARS: Readonly<Record<BatchedTask, { readonly bar: number; readonly aim: number }>> = {
  vad: { bar: 4, aim: 6 },
  stt: { bar: 1.5, aim: 2 },
};

const WAYS: Readonly<Record<string, (task: BatchedTask) => Way>> = {
  none: () => ({ max: 1, waitMs: 0, deadlineMs: Number.POSITIVE_INFINITY }),
  queue: () => ({ max: 32, waitMs: 0, deadlineMs: Number.POSITIVE_INFINITY }),
  "10 ms": () => ({ max: 32, waitMs: 0, deadlineMs: Number.POSITIVE_INFINITY, windowMs: 10 }),
  "50 ms": () => ({ max: 32, waitMs: 0, deadlineMs: Number.POSITIVE_INFINITY, windowMs: 50 }),
  deadline: (task) => ({ max: 32, waitMs: WAIT_MS[task], deadlineMs: LIMIT_MS[task] }),
};

async function loadOf(parameters: VariantParameters): Promise<Load> {
  const task = BATCHED_TASKS.find((each) => each === parameters.task)!;
  const way = WAYS[String(parameters.way)]!(task);
  const load: Load = {
    task,
    way,
    model: await (task === "vad" ? openVad(way.max) : openStt(way.max)),
    audio: await traceAudio(),
    seed: numberIn(parameters, "seed"),
    joinUs: numberIn(parameters, "joinMs") * 1000,
    measureUs: numberIn(parameters, "measureMs") * 1000,
    limitMs: LIMIT_MS[task],
  };
  // Code is compiled, and the tables learn.
  await serve(load, 4);
  return load;
}

/** The most streams that a way serves within the limit: doubling, then bisection. */
async function search(parameters: VariantParameters): Promise<Sample> {
  const load = await loadOf(parameters);
  const most = numberIn(parameters, "most");
  let good = 0;
  let bad = most + 1;
  let best: Outcome | undefined;
  for (let count = numberIn(parameters, "first"); count > good && count < bad; ) {
    let outcome = await serve(load, count);
    // Once more: a pause of the machine, or of the garbage collector, is not the way's.
    if (!isWithin(outcome, load.limitMs)) outcome = await serve(load, count);
    if (isWithin(outcome, load.limitMs)) {
      good = count;
      best = outcome;
    } else bad = count;
    if (bad - good <= Math.max(1, RESOLUTION * good)) break;
    count = bad > most ? Math.min(most, 2 * good) : Math.floor((good + bad) / 2);
  }
  await load.model.release();
  return { streams: good, ...sampleOf(best) };
}

function isWithin({ lagMs, isOverrun }: Outcome, limitMs: number): boolean {
  return !isOverrun && lagMs.count > 0 && lagMs.quantile(0.99) <= limitMs;
}

/** How late answers are, and how busy the worker is, with a given number of streams. */
async function serveSome(parameters: VariantParameters): Promise<Sample> {
  const load = await loadOf(parameters);
  const outcome = await serve(load, numberIn(parameters, "streams"));
  await load.model.release();
  return sampleOf(outcome);
}

function sampleOf(outcome: Outcome | undefined): Sample {
  const quantile = (numbers: Numbers | undefined, share: number): number =>
    numbers === undefined || numbers.count === 0 ? 0 : numbers.quantile(share);
  return {
    p50: quantile(outcome?.lagMs, 0.5),
    p99: quantile(outcome?.lagMs, 0.99),
    "final p99": quantile(outcome?.finalLagMs, 0.99),
    busy: outcome?.busy ?? 0,
    batch: outcome?.batch ?? 0,
  };
}

interface Size {
  readonly repeats: number;
  readonly joinMs: number;
  readonly measureMs: number;
  readonly rounds: number;
  /** Of each of the streams of a step. */
  readonly audioMs: number;
  readonly ways: readonly string[];
}

const FULL: Size = { repeats: 3, joinMs: 500, measureMs: 3_000, rounds: 5, audioMs: 1_600, ways: Object.keys(WAYS) };
/** The ways differ in one setting of the same code; both ends of it start fewer processes than all five. */
const SMOKE: Size = { repeats: 1, joinMs: 100, measureMs: 1_300, rounds: 1, audioMs: 800, ways: ["none", "deadline"] };
/** Where the doubling begins, and a load that every way carries. */
const COUNTS: Readonly<Record<BatchedTask, { readonly first: number; readonly some: number }>> = {
  vad: { first: 128, some: 60 },
  stt: { first: 16, some: 16 },
};
const QUANTITIES = { p50: "ms", p99: "ms", busy: "cores" } as const;

export const batchingBench: Bench = {
  name: "batching",
  variants: { search, some: serveSome, rows: rowsVariant },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const size = context.isSmoke ? SMOKE : FULL;
    const figures: Figure[] = [];
    for (const task of BATCHED_TASKS) {
      figures.push(...(await searched(context, task, size)), ...(await atSome(context, task, size)));
      figures.push(...(await byRows(context, task, size)));
    }
    return figures;
  },
};

/** One sample of each way, in turns, `size.repeats` times: each repeat is another trace. */
async function eachWay(
  context: BenchContext,
  variant: string,
  task: BatchedTask,
  { repeats, joinMs, measureMs, ways }: Size,
  more: VariantParameters,
): Promise<ReadonlyMap<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(ways.map((way) => [way, []]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [way, own] of samples) {
      context.progress(`${task}, ${variant}, ${way}, ${repeat + 1} of ${repeats}`);
      own.push(await context.variant(variant, { task, way, seed: 100 + repeat, joinMs, measureMs, ...more }));
    }
  }
  return samples;
}

async function searched(context: BenchContext, task: BatchedTask, size: Size): Promise<Figure[]> {
  const samples = await eachWay(context, "search", task, size, {
    ...(context.isSmoke ? { first: 2, most: 4 } : { first: COUNTS[task].first, most: STREAMS_MAX }),
  });
  const of = (way: string): number[] => samples.get(way)!.map((sample) => numberOf(sample, "streams"));
  const bar = { of: "ratio", must: "be at least", bar: BARS[task].bar, aim: BARS[task].aim } as const;
  return size.ways.map((way) => {
    const metric = `streams of ${task} at p99 ≤ ${LIMIT_MS[task]} ms, ${way}`;
    const spec = { bench: batchingBench, metric, unit: "streams", better: "more", values: of(way) } as const;
    if (way === "none") return figure(spec);
    const compared = { ...spec, baselines: of("none") };
    return figure(way === "deadline" ? { ...compared, bar } : compared);
  });
}

async function atSome(context: BenchContext, task: BatchedTask, size: Size): Promise<Figure[]> {
  const streams = context.isSmoke ? 4 : COUNTS[task].some;
  const samples = await eachWay(context, "some", task, size, { streams });
  return size.ways.flatMap((way) =>
    Object.entries(QUANTITIES).map(([name, unit]) => {
      const of = (key: string): number[] => samples.get(key)!.map((sample) => numberOf(sample, name));
      const metric = `${streams} streams of ${task}, ${name}, ${way}`;
      const spec = { bench: batchingBench, metric, unit, values: of(way) };
      return figure(way === "none" ? spec : { ...spec, baselines: of("none") });
    }),
  );
}

async function byRows(context: BenchContext, task: BatchedTask, { repeats, rounds, audioMs }: Size): Promise<Figure[]> {
  const samples: Sample[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    context.progress(`${task}, by rows, ${repeat + 1} of ${repeats}`);
    samples.push(await context.variant("rows", { task, rounds, audioMs }));
  }
  const of = (rows: number): number[] => samples.map((sample) => numberOf(sample, `rows ${rows}`));
  return ROW_COUNTS.map((rows) => {
    const metric = `streams of ${task} per core, steps of ${rows}`;
    const spec = { bench: batchingBench, metric, unit: "streams", better: "more", values: of(rows) } as const;
    return figure(rows === 1 ? spec : { ...spec, baselines: of(1) });
  });
}
