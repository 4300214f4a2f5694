/**
 * The `firered-vad` family: FireRedVAD's streaming detector at 16 kHz (github.com/FireRedTeam/FireRedVAD, Apache-2.0),
 * from the user's own files. Input `feat` f32 [1, frames, 80], Kaldi's log mel filter bank after normalisation with the
 * statistics of `cmvn`, and `caches_in` f32 [8, 1, 128, 19], what each of 8 layers saw in the 19 frames before. Output
 * `probs` f32 [1, frames, 1] and `caches_out` like `caches_in`. It looks back only.
 *
 * The file declares a batch of 1, so the calls of a step go through it one by one. Nothing is lost on a CPU: with the batch
 * set free in the file's declarations, which its graph bears to the last bit, a call of a step of 4 to 32 took 0.7 to 1.1 ms,
 * alone 0.4 ms.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { BatchBuffers } from "../gpu/batch-buffers.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { defineFamily, type FamilyContext, type VadModel } from "./family.js";
import { type Cmvn, readKaldiCmvn } from "./front-ends/kaldi-cmvn.js";
import { FBANK_CARRY_SAMPLES, FBANK_SHIFT_SAMPLES, KaldiFbank } from "./front-ends/kaldi-fbank.js";

const NAME = "firered-vad";
const MEL_BINS = 80;
/** A run costs nearly the same for 1 frame and for 10; 20 ms are what an event may reasonably wait. */
const WINDOW_FRAMES = 2;
const WINDOW_SAMPLES = WINDOW_FRAMES * FBANK_SHIFT_SAMPLES;
const CACHE_DIMS = [8, 128, 19] as const;
const CACHE_BATCH_AXIS = 1;
const CACHE_FLOATS = CACHE_DIMS[0] * CACHE_DIMS[1] * CACHE_DIMS[2];
/** A window's two frames begin 240 and 80 samples before it: their middle is this much before the window's. */
const LAG_SAMPLES = 120;

const options = z.strictObject({
  file: z.string().min(1).describe("FireRedVAD's streaming file with caches, relative to the configuration's folder"),
  cmvn: z.string().min(1).describe("its Kaldi statistics, cmvn.ark, relative to the configuration's folder"),
});

export const fireredVadFamily = defineFamily({
  name: NAME,
  task: "vad",
  options,
  open: async ({ file, cmvn }: z.infer<typeof options>, context: FamilyContext): Promise<VadModel> => {
    const normaliser = await readKaldiCmvn(resolve(context.baseFolder, cmvn), MEL_BINS);
    const path = resolve(context.baseFolder, file);
    const { device, session, log } = context;
    const trial = { dims: { feat: [1, WINDOW_FRAMES, MEL_BINS] } };
    const model = await openOnnxModel({ path, device, session, trial, log });
    checkTensors(model);
    const vad = new FireredVad(model, normaliser);
    await vad.warm();
    return vad;
  },
});

function checkTensors(model: OnnxModel): void {
  const [layers, channels, frames] = CACHE_DIMS;
  expectTensors(model, NAME, {
    inputs: [
      { name: "feat", type: "float32", dims: [1, "frames", MEL_BINS] },
      { name: "caches_in", type: "float32", dims: [layers, 1, channels, frames] },
    ],
    outputs: [
      { name: "probs", type: "float32", dims: [1, "frames", 1] },
      { name: "caches_out", type: "float32", dims: [layers, 1, channels, frames] },
    ],
  });
}

/** A call's state: the caches, then the last samples of its previous window. */
class FireredVad implements VadModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples = WINDOW_SAMPLES;
  readonly lagSamples = LAG_SAMPLES;
  readonly stateFloats = CACHE_FLOATS + FBANK_CARRY_SAMPLES;
  readonly #model: OnnxModel;
  readonly #cmvn: Cmvn;
  readonly #fbank = new KaldiFbank(MEL_BINS);
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, cmvn: Cmvn) {
    this.device = model.device;
    this.description = model.description;
    this.#model = model;
    this.#cmvn = cmvn;
    const caches = { rowDims: CACHE_DIMS, batchAxis: CACHE_BATCH_AXIS };
    this.#feeds = new BatchBuffers(1, [
      { name: "feat", rowDims: [WINDOW_FRAMES, MEL_BINS] },
      { name: "caches_in", ...caches },
    ]);
    this.#fetches = new BatchBuffers(1, [
      { name: "probs", rowDims: [WINDOW_FRAMES, 1] },
      { name: "caches_out", ...caches },
    ]);
  }

  resetState(state: Float32Array): void {
    state.fill(0, 0, this.stateFloats);
  }

  async step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array) {
    for (let row = 0; row < count; row += 1) {
      const state = states[row]!;
      const start = row * WINDOW_SAMPLES;
      this.#listen(pcm, start, state);
      this.#feeds.putRow("caches_in", 1, 0, state);
      await this.#run();
      this.#fetches.takeRow("caches_out", 1, 0, state);
      KaldiFbank.remember(state, CACHE_FLOATS, pcm, start, WINDOW_SAMPLES);
      probabilities[row] = this.#probability();
    }
  }

  async warm(): Promise<void> {
    await this.#run();
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  #listen(pcm: Float32Array, start: number, state: Float32Array): void {
    const features = this.#feeds.memory("feat");
    this.#fbank.compute(state, CACHE_FLOATS, pcm, start, WINDOW_FRAMES, features);
    this.#cmvn.apply(features, WINDOW_FRAMES);
  }

  /** The mean of the window's frames. FireRedVAD's own post-processing takes that of five. */
  #probability(): number {
    const frames = this.#fetches.memory("probs");
    let sum = 0;
    for (let frame = 0; frame < WINDOW_FRAMES; frame += 1) sum += frames[frame]!;
    return sum / WINDOW_FRAMES;
  }

  async #run(): Promise<void> {
    await this.#model.run(this.#feeds.tensors(1), this.#fetches.tensors(1));
  }
}
