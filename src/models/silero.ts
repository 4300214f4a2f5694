/**
 * The `silero` family: Silero VAD v4, v5 and v6 at 16 kHz, from the user's own file, whose tensors' names tell which.
 *
 *     v5, v6   `input` f32 [batch, 64 + 512], `state` f32 [2, batch, 128]           → `output` f32 [batch, 1], `stateN`
 *     v4       `input` f32 [batch, 512 … 1536], `h` and `c` f32 [2, batch, 64]      → `output` f32 [batch, 1], `hn`, `cn`
 *
 * The 64 samples are the end of the window before: without them v5 and v6 run, and are wrong. Most exports also want the
 * sample rate, `sr` i64 [].
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { GRAPH_RATE_HZ } from "../base/units.js";
import { int64Scalar } from "../gpu/batch-buffers.js";
import { BatchedStep } from "../gpu/batched-step.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import type { KeptStepTimes } from "../gpu/step-times-file.js";
import type { TrialShape } from "../gpu/trial.js";
import { defineFamily, type FamilyContext, type VadModel } from "./family.js";

const NAME = "silero";
const WINDOW_SAMPLES = 512;
/** What v4 was trained with at 16 kHz; longer windows are cheaper and slower to notice. */
const V4_WINDOWS = [512, 768, 1024, 1536] as const;

const options = z.strictObject({
  file: z.string().min(1).describe("a Silero VAD v4, v5 or v6 file, relative to the configuration's folder"),
  windowSamples: z
    .literal(V4_WINDOWS)
    .default(WINDOW_SAMPLES)
    .describe("Samples that v4 hears at a time; v5 and v6 take 512 alone."),
});

/** A recurrent tensor f32 [rowDims[0], batch, rowDims[1]], which comes back under another name. */
interface Recurrent {
  readonly input: string;
  readonly output: string;
  readonly rowDims: readonly [number, number];
}

/** How a version of the file is fed. */
interface Layout {
  /** Samples of the window before that stand in front of a window. */
  readonly contextSamples: number;
  readonly recurrent: readonly Recurrent[];
}

const V4: Layout = {
  contextSamples: 0,
  recurrent: [
    { input: "h", output: "hn", rowDims: [2, 64] },
    { input: "c", output: "cn", rowDims: [2, 64] },
  ],
};
const V5: Layout = { contextSamples: 64, recurrent: [{ input: "state", output: "stateN", rowDims: [2, 128] }] };

export const sileroFamily = defineFamily({
  name: NAME,
  task: "vad",
  options,
  open: async ({ file, windowSamples }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const path = resolve(context.baseFolder, file);
    const { device, session, batchMax, log } = context;
    const trial = (inputs: ReadonlySet<string>): TrialShape => trialOf(inputs, windowSamples, batchMax);
    const model = await openOnnxModel({ path, device, session, trial, log });
    const vad = new SileroVad(model, layoutOf(model, windowSamples), windowSamples, context);
    await vad.warm();
    return vad;
  },
});

/** Tells the version by the tensors' names, and checks all of them. */
function layoutOf(model: OnnxModel, windowSamples: number): Layout {
  const has = (name: string): boolean => model.inputs.some((input) => input.name === name);
  const layout = has("h") && has("c") ? V4 : V5;
  if (layout === V5 && has("state") && windowSamples !== WINDOW_SAMPLES) {
    const difference = `a file with \`state\`, v5 or v6, hears ${WINDOW_SAMPLES} samples at a time, not ${windowSamples}`;
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family: NAME, difference });
  }
  const recurrent = (which: "input" | "output"): ExpectedTensor[] =>
    layout.recurrent.map((tensor) => ({
      name: tensor[which],
      type: "float32",
      dims: [tensor.rowDims[0], "batch", tensor.rowDims[1]],
    }));
  const rate: ExpectedTensor[] = has("sr") ? [{ name: "sr", type: "int64", dims: [] }] : [];
  expectTensors(model, NAME, {
    inputs: [
      { name: "input", type: "float32", dims: ["batch", layout.contextSamples + windowSamples] },
      ...recurrent("input"),
      ...rate,
    ],
    outputs: [{ name: "output", type: "float32", dims: ["batch", 1] }, ...recurrent("output")],
  });
  return layout;
}

/** How to try a file before it is known to be right: by the version whose tensors it has. */
function trialOf(inputs: ReadonlySet<string>, windowSamples: number, batchMax: number): TrialShape {
  const { contextSamples, recurrent } = inputs.has("h") ? V4 : V5;
  const states = recurrent.map(({ input, rowDims: [layers, floats] }) => [input, [layers, batchMax, floats]] as const);
  return {
    dims: { input: [batchMax, contextSamples + windowSamples], ...Object.fromEntries(states) },
    values: { sr: int64Scalar(GRAPH_RATE_HZ) },
  };
}

/** Where a recurrent tensor stands in a call's state. */
interface Placed extends Recurrent {
  readonly at: number;
}

/** A call's state: the recurrent floats, then the last samples of its previous window. */
class SileroVad implements VadModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples: number;
  readonly lagSamples = 0;
  readonly stateFloats: number;
  readonly steps: KeptStepTimes;
  readonly #model: OnnxModel;
  readonly #contextSamples: number;
  readonly #contextAt: number;
  readonly #recurrent: readonly Placed[];
  readonly #step: BatchedStep;

  constructor(model: OnnxModel, layout: Layout, windowSamples: number, { batchMax, log }: FamilyContext) {
    this.device = model.device;
    this.description = model.description;
    this.windowSamples = windowSamples;
    this.#model = model;
    this.#contextSamples = layout.contextSamples;
    let at = 0;
    this.#recurrent = layout.recurrent.map((tensor) => {
      const placed = { ...tensor, at };
      at += tensor.rowDims[0] * tensor.rowDims[1];
      return placed;
    });
    this.#contextAt = at;
    this.stateFloats = at + layout.contextSamples;
    const hasRate = model.inputs.some(({ name }) => name === "sr");
    this.#step = new BatchedStep(model, {
      batchMax,
      log,
      feeds: [
        { name: "input", rowDims: [layout.contextSamples + windowSamples] },
        ...layout.recurrent.map(({ input, rowDims }) => ({ name: input, rowDims, batchAxis: 1 })),
      ],
      fetches: [
        { name: "output", rowDims: [1] },
        ...layout.recurrent.map(({ output, rowDims }) => ({ name: output, rowDims, batchAxis: 1 })),
      ],
      constants: hasRate ? { sr: int64Scalar(GRAPH_RATE_HZ) } : {},
    });
    this.steps = this.#step.times;
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    const { batchMax, fetches } = this.#step;
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      const size = this.#step.sizeFor(rows);
      for (let row = 0; row < rows; row += 1) this.#gather(size, row, pcm, start + row, states[start + row]!);
      await this.#step.run(size);
      for (let row = 0; row < rows; row += 1) this.#scatter(size, row, states[start + row]!);
      probabilities.set(fetches.memory("output").subarray(0, rows), start);
    }
  }

  warm(): Promise<void> {
    return this.#step.warm();
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  #gather(size: number, row: number, pcm: Float32Array, window: number, state: Float32Array): void {
    const { feeds } = this.#step;
    const input = feeds.memory("input");
    const start = row * (this.#contextSamples + this.windowSamples);
    input.set(state.subarray(this.#contextAt, this.stateFloats), start);
    const samples = pcm.subarray(window * this.windowSamples, (window + 1) * this.windowSamples);
    input.set(samples, start + this.#contextSamples);
    for (const { input: name, at } of this.#recurrent) feeds.putRow(name, size, row, state.subarray(at));
  }

  #scatter(size: number, row: number, state: Float32Array): void {
    const { feeds, fetches } = this.#step;
    for (const { output, at } of this.#recurrent) fetches.takeRow(output, size, row, state.subarray(at));
    const end = (row + 1) * (this.#contextSamples + this.windowSamples);
    state.set(feeds.memory("input").subarray(end - this.#contextSamples, end), this.#contextAt);
  }
}
