/**
 * The `starter-vad` family: the small detector that comes with the package (models/starter/vad.onnx). Input `pcm`
 * f32 [batch, 320] and `state` f32 [batch, floats]; output `prob` f32 [batch, 1] and `nextState`. Features, and all
 * that makes it hear quiet calls like loud ones, are inside the graph.
 */
import { z } from "zod";
import { BatchedStep } from "../gpu/batched-step.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import type { KeptStepTimes } from "../gpu/step-times-file.js";
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
    const stateFloats = packedStateFloats(model, NAME, {
      pcm: { name: "pcm", type: "float32", dims: ["batch", WINDOW_SAMPLES] },
      output: { name: "prob", type: "float32", dims: ["batch", 1] },
    });
    const vad = new StarterVad(model, stateFloats, context);
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
  readonly steps: KeptStepTimes;
  readonly #model: OnnxModel;
  readonly #step: BatchedStep;

  constructor(model: OnnxModel, stateFloats: number, { batchMax, log }: FamilyContext) {
    this.device = model.device;
    this.description = model.description;
    this.stateFloats = stateFloats;
    this.#model = model;
    this.#step = new BatchedStep(model, {
      batchMax,
      log,
      feeds: [
        { name: "pcm", rowDims: [WINDOW_SAMPLES] },
        { name: "state", rowDims: [stateFloats] },
      ],
      fetches: [
        { name: "prob", rowDims: [1] },
        { name: "nextState", rowDims: [stateFloats] },
      ],
    });
    this.steps = this.#step.times;
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    const { batchMax, feeds, fetches } = this.#step;
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      const size = this.#step.sizeFor(rows);
      const windows = pcm.subarray(start * WINDOW_SAMPLES, (start + rows) * WINDOW_SAMPLES);
      feeds.memory("pcm").set(windows);
      for (let row = 0; row < rows; row += 1) feeds.putRow("state", size, row, states[start + row]!);
      await this.#step.run(size);
      for (let row = 0; row < rows; row += 1) fetches.takeRow("nextState", size, row, states[start + row]!);
      probabilities.set(fetches.memory("prob").subarray(0, rows), start);
    }
  }

  warm(): Promise<void> {
    return this.#step.warm();
  }

  release(): Promise<void> {
    return this.#model.release();
  }
}
