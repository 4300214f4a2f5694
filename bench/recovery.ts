/**
 * Question: how long does a call wait when the worker that serves it dies?
 *
 *     main ──frames, 20 ms apart──► worker: throws in the middle of a batch ── dies
 *                                   successor: starts, loads its model, resumes the calls, gets the batch again
 *              from the instant before the throw to the successor's first `process`
 *
 *     relay           an actor without a model; baseline: a bare worker thread that says that it is there
 *     recogniser      the real `stt` actor and starter model of configs/transcribe.yaml, killed in mid-sentence;
 *                     baseline: a bare worker thread that opens the same model
 *     with a standby  the same with `standby: true`: the successor has opened its model before; same baseline
 *
 * Each repeat is one death in a fresh process. The transcript after the death must be the one that an undisturbed call
 * gives, and no frame may be missing at the relay.
 *
 * What it is not: recovery from a native fault, which ends the whole process.
 */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { decodeAudio } from "../src/audio/decode.js";
import type { Plan } from "../src/config/plan.js";
import { chainPlan } from "../test/support/plans.js";
import {
  type Bench,
  type BenchContext,
  type Figure,
  numberIn,
  numberOf,
  type VariantParameters,
} from "./harness/bench.js";
import { alternate, figure } from "./harness/figures.js";
import { Pacer } from "./harness/pace.js";
import { samplePath, shippedPlan, startRuntime } from "./harness/plans.js";
import { createFaultLog, FaultLog } from "./modules/faults.js";

const MODULE = new URL("./modules/faults.js", import.meta.url).href;
const BARE = new URL("./modules/bare-worker.js", import.meta.url);
const FRAME_SAMPLES = 320;

async function relay(parameters: VariantParameters): Promise<Record<string, number>> {
  const frameMs = numberIn(parameters, "frameMs");
  const log = createFaultLog(20);
  const plan = chainPlan([{ name: "relay", actor: "bench-fault", worker: 1, options: { log } }], { modules: [MODULE] });
  const frames = 60;
  const transcript = await playThrough(plan, "test", new Int16Array(frames * FRAME_SAMPLES).fill(7), frameMs);
  const faults = new FaultLog(log);
  if (faults.lastPosition !== (frames - 1) * FRAME_SAMPLES || transcript !== "") throw new Error("frames were lost");
  return { recoveryMs: faults.recoveryMs };
}

async function recogniser(parameters: VariantParameters, standby = false): Promise<Record<string, number>> {
  const path = samplePath("timer.wav");
  const { pcm } = await decodeAudio(readFileSync(path), path);
  const shipped = await shippedPlan("transcribe", 4);
  const expected = await playThrough(shipped, "transcribe", pcm, 1);
  const log = createFaultLog(Math.round(pcm.length / FRAME_SAMPLES / 2));
  const nodes = shipped.nodes.map((node) =>
    node.actor === "stt" ? { ...node, actor: "bench-fault-stt", options: { chosen: node.options, log } } : node,
  );
  const models = shipped.models.map((model) => ({ ...model, standby }));
  const transcript = await playThrough(
    { ...shipped, nodes, models, modules: [MODULE] },
    "transcribe",
    pcm,
    numberIn(parameters, "frameMs"),
  );
  if (transcript !== expected || expected === "")
    throw new Error(`after the death it understood “${transcript}”, undisturbed “${expected}”`);
  return { recoveryMs: new FaultLog(log).recoveryMs };
}

/** One call, a frame every so many milliseconds; its final transcripts. */
async function playThrough(plan: Plan, graph: string, pcm: Int16Array, frameMs: number): Promise<string> {
  const runtime = await startRuntime(plan);
  let text = "";
  let resolveEnd: () => void;
  const end = new Promise<void>((resolve) => {
    resolveEnd = resolve;
  });
  const call = await runtime.open(graph, {
    onEvent: (event) => {
      if (event.type === "transcript" && event.final) text += `${event.text} `;
      if (event.type === "mark" || event.type === "finalized" || event.type === "close") resolveEnd();
    },
  });
  const frameCount = Math.floor(pcm.length / FRAME_SAMPLES);
  const pacer = new Pacer(frameMs, (tick) => {
    if (tick < frameCount) call.write(pcm.subarray(tick * FRAME_SAMPLES, (tick + 1) * FRAME_SAMPLES));
    if (tick === frameCount) call.finalize();
  });
  pacer.start();
  await end;
  pacer.stop();
  await runtime.drain();
  return text;
}

async function bareWorker(model: string): Promise<Record<string, number>> {
  const startMs = performance.now();
  const worker = new Worker(BARE, { workerData: { model } });
  await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const recoveryMs = performance.now() - startMs;
  await new Promise((resolve) => worker.once("exit", resolve));
  return { recoveryMs };
}

const VARIANTS = {
  relay,
  "bare worker": () => bareWorker(""),
  recogniser: (parameters: VariantParameters) => recogniser(parameters),
  "recogniser with a standby": (parameters: VariantParameters) => recogniser(parameters, true),
  "bare model worker": () => bareWorker("starter-ctc"),
};

export const recoveryBench: Bench = {
  name: "recovery",
  variants: VARIANTS,
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const names = Object.keys(VARIANTS) as (keyof typeof VARIANTS)[];
    const samples = await alternate(context, names, context.isSmoke ? 1 : 9, {
      frameMs: context.isSmoke ? 2 : 20,
    });
    const of = (name: keyof typeof VARIANTS): number[] => samples[name].map((sample) => numberOf(sample, "recoveryMs"));
    const bar = { of: "value", must: "be under", bar: 500, aim: 100 } as const;
    const spec = { bench: recoveryBench, unit: "ms", bar } as const;
    return [
      figure({ ...spec, metric: "death to next frame, no model", values: of("relay"), baselines: of("bare worker") }),
      figure({
        ...spec,
        metric: "death to next frame, starter recogniser",
        values: of("recogniser"),
        baselines: of("bare model worker"),
      }),
      figure({
        ...spec,
        metric: "death to next frame, starter recogniser with a standby",
        values: of("recogniser with a standby"),
        baselines: of("bare model worker"),
      }),
    ];
  },
};
