/**
 * The `silero` family: Silero VAD v5 and v6 at 16 kHz, from the user's own file. Input `input` f32 [batch, 64 + 512],
 * where the first 64 samples are the end of the window before (without them it runs, and is wrong), `state`
 * f32 [2, batch, 128] and, in some exports, `sr` i64 []. Output `output` f32 [batch, 1] and `stateN` like `state`.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { GRAPH_RATE_HZ } from "../base/units.js";
import { BatchBuffers, int64Scalar, type OnnxTensors } from "../gpu/batch-buffers.js";
import { warmBuckets } from "../gpu/buckets.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { defineFamily, type FamilyContext, type VadModel } from "./family.js";

const NAME = "silero";
const WINDOW_SAMPLES = 512;
const CONTEXT_SAMPLES = 64;
const INPUT_SAMPLES = CONTEXT_SAMPLES + WINDOW_SAMPLES;
const RECURRENT_DIMS = [2, 128] as const;
const RECURRENT_FLOATS = RECURRENT_DIMS[0] * RECURRENT_DIMS[1];

const options = z.strictObject({
  file: z.string().min(1).describe("a Silero VAD v5 or v6 file, relative to the configuration's folder"),
});

export const sileroFamily = defineFamily({
  name: NAME,
  task: "vad",
  options,
  open: async ({ file }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const path = resolve(context.baseFolder, file);
    const { device, session, batchMax, log } = context;
    const [layers, floats] = RECURRENT_DIMS;
    const trial = {
      dims: { input: [batchMax, INPUT_SAMPLES], state: [layers, batchMax, floats] },
      values: { sr: int64Scalar(GRAPH_RATE_HZ) },
    };
    const model = await openOnnxModel({ path, device, session, trial, log });
    const vad = new SileroVad(model, takesSampleRate(model), batchMax);
    await vad.warm();
    return vad;
  },
});

/** Checks the tensors and tells which of the two layouts the file has. */
function takesSampleRate(model: OnnxModel): boolean {
  const hasRate = model.inputs.some(({ name }) => name === "sr");
  const rate: ExpectedTensor[] = hasRate ? [{ name: "sr", type: "int64", dims: [] }] : [];
  expectTensors(model, NAME, {
    inputs: [
      { name: "input", type: "float32", dims: ["batch", INPUT_SAMPLES] },
      { name: "state", type: "float32", dims: [RECURRENT_DIMS[0], "batch", RECURRENT_DIMS[1]] },
      ...rate,
    ],
    outputs: [
      { name: "output", type: "float32", dims: ["batch", 1] },
      { name: "stateN", type: "float32", dims: [RECURRENT_DIMS[0], "batch", RECURRENT_DIMS[1]] },
    ],
  });
  return hasRate;
}

/** A call's state: the recurrent floats, then the last samples of its previous window. */
class SileroVad implements VadModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples = WINDOW_SAMPLES;
  readonly lagSamples = 0;
  readonly stateFloats = RECURRENT_FLOATS + CONTEXT_SAMPLES;
  readonly #model: OnnxModel;
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;
  readonly #rate: OnnxTensors;

  constructor(model: OnnxModel, hasRate: boolean, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.#model = model;
    this.#rate = hasRate ? { sr: int64Scalar(GRAPH_RATE_HZ) } : {};
    const recurrent = { rowDims: RECURRENT_DIMS, batchAxis: 1 };
    this.#feeds = new BatchBuffers(batchMax, [
      { name: "input", rowDims: [INPUT_SAMPLES] },
      { name: "state", ...recurrent },
    ]);
    this.#fetches = new BatchBuffers(batchMax, [
      { name: "output", rowDims: [1] },
      { name: "stateN", ...recurrent },
    ]);
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    const { batchMax } = this.#feeds;
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      const size = this.#model.rowsFor(rows, batchMax);
      for (let row = 0; row < rows; row += 1) this.#gather(size, row, pcm, start + row, states[start + row]!);
      await this.#run(size);
      for (let row = 0; row < rows; row += 1) this.#scatter(size, row, states[start + row]!);
      probabilities.set(this.#fetches.memory("output").subarray(0, rows), start);
    }
  }

  async warm(): Promise<void> {
    await warmBuckets(this.#feeds.batchMax, (rows) => this.#run(rows));
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  #gather(size: number, row: number, pcm: Float32Array, window: number, state: Float32Array): void {
    const input = this.#feeds.memory("input");
    input.set(state.subarray(RECURRENT_FLOATS, this.stateFloats), row * INPUT_SAMPLES);
    const samples = pcm.subarray(window * WINDOW_SAMPLES, (window + 1) * WINDOW_SAMPLES);
    input.set(samples, row * INPUT_SAMPLES + CONTEXT_SAMPLES);
    this.#feeds.putRow("state", size, row, state);
  }

  #scatter(size: number, row: number, state: Float32Array): void {
    this.#fetches.takeRow("stateN", size, row, state);
    const end = (row + 1) * INPUT_SAMPLES;
    state.set(this.#feeds.memory("input").subarray(end - CONTEXT_SAMPLES, end), RECURRENT_FLOATS);
  }

  async #run(rows: number): Promise<void> {
    await this.#model.run({ ...this.#feeds.tensors(rows), ...this.#rate }, this.#fetches.tensors(rows));
  }
}
