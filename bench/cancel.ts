/**
 * Question: how soon does work stop after an interruption, when 500 frames are queued for the worker?
 *
 *     main ──500 frames──► worker: 1 ms of work for each
 *       └─ after 50 ms: stop!
 *
 *     post-message   frames are messages, and so is "stop": it stands in the queue behind the frames
 *     generation     the whole runtime: frames in a ring, `call.interrupt()` adds one to a word in shared memory, and the
 *                    actor looks at the call's generation between two frames
 *
 * Measured from the moment before main says stop to the end of the last piece of work. The work is a loop that looks at
 * the clock; nothing can stop a piece that is under way, so half a millisecond is the floor of the median.
 *
 * What it is not: time to silence at the client, which also holds what the client has buffered.
 */
import { Worker } from "node:worker_threads";
import { RuntimeImpl } from "../src/runtime/runtime.js";
import { createLogger } from "../src/telemetry/index.js";
import { chainPlan } from "../test/support/plans.js";
import { type Bench, numberIn, numberOf, type VariantParameters } from "./harness/bench.js";
import { alternate, figure } from "./harness/figures.js";
import { sleep } from "./harness/pace.js";
import { createWorkLog, processUs, WorkLog } from "./modules/work.js";

const MODULE = new URL("./modules/work.js", import.meta.url).href;
const PLAIN_WORKER = new URL("./modules/plain-work.js", import.meta.url);

async function byMessage(parameters: VariantParameters): Promise<Record<string, number>> {
  const buffer = createWorkLog();
  const worker = new Worker(PLAIN_WORKER, { workerData: { log: buffer, workMs: numberIn(parameters, "workMs") } });
  await new Promise((resolve) => worker.once("message", resolve));
  for (let index = 0; index < numberIn(parameters, "frames"); index++) worker.postMessage({ index });
  const stopped = await stopAfter(parameters, new WorkLog(buffer), () => worker.postMessage("stop"));
  await worker.terminate();
  return stopped;
}

async function byGeneration(parameters: VariantParameters): Promise<Record<string, number>> {
  const buffer = createWorkLog();
  const options = { log: buffer, workMs: numberIn(parameters, "workMs") };
  const plan = chainPlan([{ name: "work", actor: "bench-work", worker: 1, options }], { modules: [MODULE] });
  const runtime = new RuntimeImpl(plan, createLogger({ level: "silent" }), undefined);
  await runtime.start();
  const call = await runtime.open("test", { onEvent: () => {} });
  for (let index = 0; index < numberIn(parameters, "frames"); index++) call.say("frame", { end: false });
  const stopped = await stopAfter(parameters, new WorkLog(buffer), () => call.interrupt());
  await runtime.drain();
  return stopped;
}

/** Lets the worker work for a while, stops it, and waits until it is quiet. */
async function stopAfter(
  parameters: VariantParameters,
  log: WorkLog,
  stop: () => void,
): Promise<Record<string, number>> {
  const frames = numberIn(parameters, "frames");
  const workMs = numberIn(parameters, "workMs");
  while (log.count === 0) await sleep(1);
  await sleep(numberIn(parameters, "afterMs"));
  const doneBefore = log.count;
  const stoppedUs = processUs();
  stop();
  do await sleep(50);
  while (processUs() - log.endedUs < 40 * workMs * 1000);
  if (doneBefore >= frames) throw new Error("the queue was empty before the interruption");
  // A worker that had just finished a piece when the word changed stopped at once.
  return { stopMs: Math.max(0.001, (log.endedUs - stoppedUs) / 1000), doneAfter: log.count - doneBefore };
}

const VARIANTS = { "post-message": byMessage, generation: byGeneration };

export const cancelBench: Bench = {
  name: "cancel",
  variants: VARIANTS,
  async run(context) {
    const size = context.isSmoke ? { frames: 60, workMs: 1, afterMs: 5 } : { frames: 500, workMs: 1, afterMs: 50 };
    const samples = await alternate(context, ["post-message", "generation"], context.isSmoke ? 1 : 9, size);
    const of = (variant: keyof typeof VARIANTS, key: string): number[] =>
      samples[variant].map((sample) => numberOf(sample, key));
    const bar = { of: "ratio", must: "be at least", bar: 100, aim: 500 } as const;
    const stop = { bench: cancelBench, metric: "time until work stops", unit: "ms" };
    const done = { bench: cancelBench, metric: "frames worked on after the stop", unit: "frames" };
    return [
      figure({ ...stop, values: of("generation", "stopMs"), baselines: of("post-message", "stopMs"), bar }),
      figure({ ...done, values: of("generation", "doneAfter") }),
      figure({ ...done, metric: `${done.metric}, postMessage`, values: of("post-message", "doneAfter") }),
    ];
  },
};
