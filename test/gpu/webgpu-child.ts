/**
 * A process of its own, because the Vulkan loader reads its variables when it is first used, and because a driver may
 * take a process with it. Opens every family that has its files here on WebGPU and on the CPU, gives both the same
 * audio, and prints how far apart they were, as one line of JSON.
 */
import { join } from "node:path";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { int64Scalar } from "../../src/gpu/batch-buffers.js";
import { openOnnxModel } from "../../src/gpu/onnx-model.js";
import { InferenceSession } from "../../src/gpu/ort.js";
import { runTrial, trialFeeds } from "../../src/gpu/trial.js";
import type { VadModel } from "../../src/models/family.js";
import { fireredVadFamily } from "../../src/models/firered-vad.js";
import { sileroFamily } from "../../src/models/silero.js";
import { starterCtcFamily } from "../../src/models/starter-ctc/index.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";
import { babble, familyContext, openFamily, readWav, sharedFile, toFloats } from "../models/family-support.js";

export interface WebGpuReport {
  /** The greatest difference of a probability, by family; undefined where its files are not here. */
  readonly vads: Readonly<Record<string, number>>;
  readonly texts: readonly [cpu: string, webgpu: string];
  readonly device: string;
  readonly why: readonly string[];
  /** How far off Silero is in the provider's default layout, as a trial sees it; undefined without its file. */
  readonly defaultLayout?: number;
  /** Code of the error that an int8 file ended with. */
  readonly int8: string;
}

const BATCH_MAX = 4;
/** Not a bucket: the batch is filled up to 4. */
const CALLS = 3;
const WINDOWS = 6;
/** "What is the weather": a software driver takes half a second for 160 ms of three calls. */
const SPEECH_SAMPLES = 20_000;

const why: string[] = [];
const onWebGpu = {
  ...familyContext(BATCH_MAX),
  device: "webgpu",
  log: (_level: string, _message: string, fields: Record<string, unknown> = {}) => void why.push(String(fields.why)),
};
const onCpu = familyContext(BATCH_MAX);

async function probabilities(vad: VadModel): Promise<Float32Array> {
  const found = new Float32Array(CALLS * WINDOWS);
  const states = Array.from({ length: CALLS }, () => new Float32Array(vad.stateFloats));
  for (const state of states) vad.resetState(state);
  const calls = states.map((_, seed) => toFloats(babble(seed + 1, WINDOWS * vad.windowSamples)));
  for (let window = 0; window < WINDOWS; window += 1) {
    const pcm = new Float32Array(CALLS * vad.windowSamples);
    for (const [call, samples] of calls.entries()) {
      pcm.set(samples.subarray(window * vad.windowSamples, (window + 1) * vad.windowSamples), call * vad.windowSamples);
    }
    await vad.step(CALLS, pcm, states, found.subarray(window * CALLS));
  }
  return found;
}

async function vadDifference(open: (context: typeof onCpu) => Promise<VadModel>): Promise<number> {
  const [cpu, webgpu] = [await open(onCpu), await open(onWebGpu)];
  const [expected, found] = [await probabilities(cpu), await probabilities(webgpu)];
  await cpu.release();
  await webgpu.release();
  return Math.max(...expected.map((probability, i) => Math.abs(probability - found[i]!)));
}

async function textOn(context: typeof onCpu): Promise<{ text: string; device: string }> {
  const model = await openFamily(starterCtcFamily, {}, context);
  const pcm = readWav(join(packageRoot(), "samples", "question.wav")).subarray(0, SPEECH_SAMPLES);
  const streams = Array.from({ length: CALLS }, () => model.createStream({}));
  for (const stream of streams) {
    stream.accept(pcm, 0, pcm.length);
    stream.finish();
  }
  await model.advance(streams);
  await model.release();
  return { text: streams.map((stream) => stream.hypothesis().text).join(" / "), device: model.device };
}

async function int8Refusal(path: string): Promise<string> {
  return openOnnxModel({ path, device: "webgpu", log: () => {} }).then(
    () => "none",
    (error: unknown) => (isSyrinxError(error) ? error.code : String(error)),
  );
}

/** A session as `executionProviders` would make it without naming the layout. */
async function inDefaultLayout(path: string): Promise<number> {
  const cpu = await InferenceSession.create(path, { logSeverityLevel: 3 });
  const webgpu = await InferenceSession.create(path, { executionProviders: ["webgpu"], logSeverityLevel: 3 });
  const dims = { input: [BATCH_MAX, 576], state: [2, BATCH_MAX, 128] };
  const feeds = trialFeeds(cpu.inputMetadata, { dims, values: { sr: int64Scalar(16_000) } });
  return (await runTrial(cpu, webgpu, feeds!)).difference;
}

const silero = sharedFile("models", "vad", "silero_vad_16k_op15.onnx");
const firered = sharedFile("models", "vad", "fireredvad_stream_vad_with_cache.onnx");
const cmvn = sharedFile("models", "vad", "fireredvad_cmvn.ark");
const vads: Record<string, number> = {
  "starter-vad": await vadDifference((context) => openFamily(starterVadFamily, {}, context)),
};
if (silero !== undefined) {
  vads.silero = await vadDifference((context) => openFamily(sileroFamily, { file: silero }, context));
}
if (firered !== undefined && cmvn !== undefined) {
  const options = { file: firered, cmvn };
  vads["firered-vad"] = await vadDifference((context) => openFamily(fireredVadFamily, options, context));
}
const [cpu, webgpu] = [await textOn(onCpu), await textOn(onWebGpu)];
const report: WebGpuReport = {
  vads,
  texts: [cpu.text, webgpu.text],
  device: webgpu.device,
  why,
  ...(silero !== undefined && { defaultLayout: await inDefaultLayout(silero) }),
  int8: await int8Refusal(process.argv[2]!),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
