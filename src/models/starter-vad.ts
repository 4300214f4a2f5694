/**
 * The `starter-vad` family: the small detector that comes with the package (models/starter/vad.onnx). Input `pcm`
 * f32 [batch, 320 n] and `state` f32 [batch, floats]; output `prob` f32 [batch, n] and `nextState`. Features, and all
 * that makes it hear quiet calls like loud ones, are inside the graph.
 */
import { z } from "zod";
import { BatchBuffers } from "../gpu/batch-buffers.js";
import { warmBuckets } from "../gpu/buckets.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { defineFamily, type FamilyContext, type VadModel } from "./family.js";
import { fileOption, modelPath } from "./model-file.js";
import { packedStateFloats } from "./packed-state.js";

const NAME = "starter-vad";
const WINDOW_SAMPLES = 320;
/** A probability speaks of the 320 samples that begin this much before its window does. */
const LAG_SAMPLES = 240;

const options = z.strictObject({ file: fileOption });

export const starterVadFamily = defineFamily({
  name: NAME,
  task: "vad",
  options,
  open: async ({ file }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const path = modelPath(file, context.baseFolder, "vad.onnx");
    const { device, session, batchMax, log } = context;
    const trial = { dims: { pcm: [batchMax, WINDOW_SAMPLES], state: [batchMax, null] } };
    const model = await openOnnxModel({ path, device, session, trial, log });
    const stateFloats = packedStateFloats(model, NAME, { name: "prob", type: "float32", dims: ["batch", "windows"] });
    const vad = new StarterVad(model, stateFloats, batchMax);
    await vad.warm();
    return vad;
  },
});

class StarterVad implements VadModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples = WINDOW_SAMPLES;
  readonly lagSamples = LAG_SAMPLES;
  readonly stateFloats: number;
  readonly #model: OnnxModel;
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, stateFloats: number, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.stateFloats = stateFloats;
    this.#model = model;
    this.#feeds = new BatchBuffers(batchMax, [
      { name: "pcm", rowDims: [WINDOW_SAMPLES] },
      { name: "state", rowDims: [stateFloats] },
    ]);
    this.#fetches = new BatchBuffers(batchMax, [
      { name: "prob", rowDims: [1] },
      { name: "nextState", rowDims: [stateFloats] },
    ]);
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    const { batchMax } = this.#feeds;
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      const windows = pcm.subarray(start * WINDOW_SAMPLES, (start + rows) * WINDOW_SAMPLES);
      this.#feeds.memory("pcm").set(windows);
      const size = this.#model.rowsFor(rows, batchMax);
      for (let row = 0; row < rows; row += 1) this.#feeds.putRow("state", size, row, states[start + row]!);
      await this.#run(size);
      for (let row = 0; row < rows; row += 1) this.#fetches.takeRow("nextState", size, row, states[start + row]!);
      probabilities.set(this.#fetches.memory("prob").subarray(0, rows), start);
    }
  }

  warm(): Promise<void> {
    return warmBuckets(this.#feeds.batchMax, (rows) => this.#run(rows));
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  async #run(rows: number): Promise<void> {
    await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
  }
}
