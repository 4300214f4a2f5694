/**
 * The `starter-vad` family: the small detector that comes with the package (models/starter/vad.onnx). Input `pcm`
 * f32 [batch, 320 n] and `state` f32 [batch, floats]; output `prob` f32 [batch, n] and `nextState`. The log-mel front
 * end is inside the graph.
 */
import { z } from "zod";
import { BatchBuffers } from "../gpu/batch-buffers.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { defineFamily, type FamilyContext, type VadModel } from "./family.js";
import { fileOption, modelPath } from "./model-file.js";
import { packedStateFloats } from "./packed-state.js";

const NAME = "starter-vad";
const WINDOW_SAMPLES = 320;
/** A probability speaks of the 400 samples that end this much before its window does. */
const LAG_SAMPLES = 160;

/**
 * The detector was trained on levelled recordings, so its input is scaled by a follower of the call's peak. Measured
 * against Silero on twelve recordings at peaks from 0.5 down to 0.005: it agrees on 94 to 95 % of windows at each.
 */
export const LEVEL = {
  /** The peak that the follower scales to. Higher ones make background noise pass for speech. */
  target: 0.07,
  /** What a call starts from, and the quietest peak that is still raised to the target. */
  floor: 0.005,
  /** Most that the follower rises per window. A door slam must not make the detector deaf to what follows. */
  risePerWindow: 1.5,
  /** Fall per window: by half in 10 s. */
  fallPerWindow: 0.5 ** (WINDOW_SAMPLES / 16_000 / 10),
} as const;

const options = z.strictObject({ file: fileOption });

export const starterVadFamily = defineFamily({
  name: NAME,
  task: "vad",
  options,
  open: async ({ file }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const path = modelPath(file, context.baseFolder, "vad.onnx");
    const model = await openOnnxModel({ path, device: context.device, log: context.log });
    const networkFloats = packedStateFloats(model, NAME, { name: "prob", type: "float32", dims: ["batch", "windows"] });
    const vad = new StarterVad(model, networkFloats, context.batchMax);
    await vad.warm();
    return vad;
  },
});

/** A call's state: the network's, then the level follower's peak. */
class StarterVad implements VadModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples = WINDOW_SAMPLES;
  readonly lagSamples = LAG_SAMPLES;
  readonly stateFloats: number;
  readonly #model: OnnxModel;
  readonly #networkFloats: number;
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;
  readonly #peaks: Float32Array;

  constructor(model: OnnxModel, networkFloats: number, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.stateFloats = networkFloats + 1;
    this.#model = model;
    this.#networkFloats = networkFloats;
    this.#peaks = new Float32Array(batchMax);
    this.#feeds = new BatchBuffers(batchMax, [
      { name: "pcm", rowDims: [WINDOW_SAMPLES] },
      { name: "state", rowDims: [networkFloats] },
    ]);
    this.#fetches = new BatchBuffers(batchMax, [
      { name: "prob", rowDims: [1] },
      { name: "nextState", rowDims: [networkFloats] },
    ]);
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    const { batchMax } = this.#feeds;
    for (let start = 0; start < count; start += batchMax) {
      const rows = Math.min(batchMax, count - start);
      for (let row = 0; row < rows; row += 1) {
        const state = states[start + row]!;
        this.#peaks[row] = this.#level(pcm, (start + row) * WINDOW_SAMPLES, row, state[this.#networkFloats]!);
        this.#feeds.putRow("state", rows, row, state);
      }
      await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
      for (let row = 0; row < rows; row += 1) {
        const state = states[start + row]!;
        this.#fetches.takeRow("nextState", rows, row, state);
        state[this.#networkFloats] = this.#peaks[row]!;
      }
      probabilities.set(this.#fetches.memory("prob").subarray(0, rows), start);
    }
  }

  /** Runs the batch sizes at both ends, so that the first call does not pay for it. */
  async warm(): Promise<void> {
    for (const rows of new Set([1, this.#feeds.batchMax])) {
      await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
    }
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  /** Copies a window into its row at the level that the network expects; returns the follower's new peak. */
  #level(pcm: Float32Array, from: number, row: number, peakBefore: number): number {
    let loudest = 0;
    for (let i = from; i < from + WINDOW_SAMPLES; i += 1) loudest = Math.max(loudest, Math.abs(pcm[i]!));
    const before = Math.max(peakBefore, LEVEL.floor);
    const peak = Math.max(before * LEVEL.fallPerWindow, Math.min(loudest, before * LEVEL.risePerWindow), LEVEL.floor);
    const gain = LEVEL.target / peak;
    const target = this.#feeds.memory("pcm");
    const shift = row * WINDOW_SAMPLES - from;
    for (let i = from; i < from + WINDOW_SAMPLES; i += 1) target[i + shift] = pcm[i]! * gain;
    return peak;
  }
}
