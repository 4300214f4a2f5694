/**
 * The `smart-turn` family: smart-turn v3's detector of finished turns (github.com/pipecat-ai/smart-turn, BSD-2-Clause),
 * Whisper's encoder with a head, from the user's own file. Input `input_features` f32 [batch, 80, 800], Whisper's log mel
 * spectrogram of the last 8 s; its one output f32 [batch, 1], a probability already whatever its name is.
 *
 * A shorter turn stands at the end of the window, zeros before it, and the whole window is brought to mean 0 and variance
 * 1 before the spectrogram: `WhisperFeatureExtractor` of github.com/huggingface/transformers with `do_normalize`.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { BatchBuffers } from "../gpu/batch-buffers.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { defineFamily, type FamilyContext, type TurnModel } from "./family.js";
import { LogMel } from "./front-ends/log-mel.js";

const NAME = "smart-turn";
const INPUT = "input_features";
const MEL_BINS = 80;
const FRAMES = 800;
/** Keeps silence finite. */
const VARIANCE_MIN = 1e-7;

const options = z.strictObject({
  file: z.string().min(1).describe("a smart-turn v3 file, relative to the configuration's folder"),
});

export const smartTurnFamily = defineFamily({
  name: NAME,
  task: "turn",
  options,
  open: async ({ file }: z.infer<typeof options>, context: FamilyContext): Promise<TurnModel> => {
    const path = resolve(context.baseFolder, file);
    const { device, session, log } = context;
    // One row, which files whose batch is fixed take too.
    const trial = { dims: { [INPUT]: [1, MEL_BINS, FRAMES] } };
    const model = await openOnnxModel({ path, device, session, trial, log });
    const output = checkTensors(model);
    const isBatched = typeof model.inputs[0]!.dims[0] === "string";
    const turn = new SmartTurn(model, output, isBatched ? context.batchMax : 1);
    await turn.warm();
    return turn;
  },
});

/** Returns the output's name, which differs between exports. */
function checkTensors(model: OnnxModel): string {
  const output = model.outputs[0]?.name ?? "logits";
  expectTensors(model, NAME, {
    inputs: [{ name: INPUT, type: "float32", dims: [null, MEL_BINS, FRAMES] }],
    outputs: [{ name: output, type: "float32", dims: [null, 1] }],
  });
  return output;
}

class SmartTurn implements TurnModel {
  readonly device: string;
  readonly description: string;
  readonly windowSamples: number;
  readonly #model: OnnxModel;
  readonly #output: string;
  readonly #features = new TurnFeatures();
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, output: string, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.windowSamples = this.#features.windowSamples;
    this.#model = model;
    this.#output = output;
    this.#feeds = new BatchBuffers(batchMax, [{ name: INPUT, rowDims: [MEL_BINS, FRAMES] }]);
    this.#fetches = new BatchBuffers(batchMax, [{ name: output, rowDims: [1] }]);
  }

  async judge(sounds: readonly Float32Array[], probabilities: Float32Array): Promise<void> {
    const { batchMax } = this.#feeds;
    const features = this.#feeds.memory(INPUT);
    for (let start = 0; start < sounds.length; start += batchMax) {
      const rows = Math.min(batchMax, sounds.length - start);
      for (let row = 0; row < rows; row += 1) {
        this.#features.compute(sounds[start + row]!, features, row * MEL_BINS * FRAMES);
      }
      await this.#run(rows);
      const found = this.#fetches.memory(this.#output);
      // A quantised sigmoid may leave its range by a rounding.
      for (let row = 0; row < rows; row += 1) probabilities[start + row] = Math.min(1, Math.max(0, found[row]!));
    }
  }

  /** The largest batch is run too: a step that allocates first would be a call's. */
  async warm(): Promise<void> {
    for (const rows of new Set([1, this.#feeds.batchMax])) await this.#run(rows);
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  async #run(rows: number): Promise<void> {
    await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
  }
}

/** What smart-turn hears of the end of a turn. */
export class TurnFeatures {
  readonly #mel = new LogMel(MEL_BINS, FRAMES);
  readonly #window = new Float32Array(this.#mel.clipSamples);

  get windowSamples(): number {
    return this.#window.length;
  }

  /**
   * @param sound samples in [-1, 1]; of more than a window, the last are heard.
   * @param target f32: 80 × 800 values are written from `at`, one row for each band.
   */
  compute(sound: Float32Array, target: Float32Array, at: number): void {
    const window = this.#window;
    const heard = sound.subarray(Math.max(0, sound.length - window.length));
    window.fill(0, 0, window.length - heard.length);
    window.set(heard, window.length - heard.length);
    let sum = 0;
    for (const sample of window) sum += sample;
    const mean = sum / window.length;
    let squares = 0;
    for (const sample of window) squares += (sample - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / window.length + VARIANCE_MIN);
    for (let i = 0; i < window.length; i += 1) window[i] = (window[i]! - mean) * scale;
    this.#mel.compute(window, target, at);
  }
}
