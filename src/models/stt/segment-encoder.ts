/**
 * NeMo's encoders that hear a whole segment: f32 [batch, bands, frames] and the frames of each row, the rest zeros, to
 * [batch, width, frames / subsampling] (`outputs`, before a transducer) or [batch, frames / subsampling, symbols]
 * (`logprobs`, of a CTC model).
 */
import { assert } from "../../base/assert.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatsOf, integersOf } from "../../gpu/row-tensors.js";
import { float32Tensor, int64Tensor, integerTensor, integerTypeOf } from "../../gpu/tensors.js";
import type { TrialShape } from "../../gpu/trial.js";
import { normalisePerFeature } from "../front-ends/nemo-mel.js";
import { type SegmentStream, shareOutFrames } from "./encoded-stream.js";
import { firstRun, fixedDim, inputOf } from "./model-folder.js";
import type { NemoFacts } from "./nemo-facts.js";
import type { Transcriber } from "./transcriber.js";

export interface SegmentOutput {
  readonly name: "outputs" | "logprobs";
  /** The output with the frames of each row; without one they are computed. */
  readonly lengths: "encoded_lengths" | undefined;
  readonly isTimeLast: boolean;
}

/** Rows of a run, each at least half as long as the longest: so at most half of what is computed is padding. */
const LENGTH_RATIO_MIN = 0.5;
/** A second. */
const FIRST_RUN_FRAMES = 100;

/** How to try such an encoder before it is known to be right: a second of one segment. */
export const SEGMENT_ENCODER_TRIAL: TrialShape = {
  dims: { audio_signal: [1, null, FIRST_RUN_FRAMES] },
  values: { length: int64Tensor([FIRST_RUN_FRAMES]) },
};

export class SegmentEncoder {
  readonly batchMax: number;
  readonly #model: OnnxModel;
  readonly #facts: NemoFacts;
  readonly #output: SegmentOutput;

  /** Throws MODEL_TENSORS_MISMATCH. */
  constructor(model: OnnxModel, family: string, facts: NemoFacts, output: SegmentOutput, batchMax: number) {
    const length = inputOf(model, "length");
    expectTensors(model, family, {
      inputs: [
        { name: "audio_signal", type: "float32", dims: [null, facts.melBins, "frames"] },
        { name: "length", type: integerTypeOf(length), dims: [null] },
      ],
      outputs: [
        { name: output.name, type: "float32", dims: [null, null, null] },
        ...(output.lengths === undefined ? [] : [{ name: output.lengths, type: "int64", dims: [null] }]),
      ],
    });
    this.batchMax = fixedDim(inputOf(model, "audio_signal"), 0) ?? batchMax;
    this.#model = model;
    this.#facts = facts;
    this.#output = output;
  }

  /** Runs over silence. Returns the width of an output frame. Throws MODEL_FILE_INVALID. */
  async warm(): Promise<number> {
    const { melBins } = this.#facts;
    const features = new Float32Array(FIRST_RUN_FRAMES * melBins);
    const { data, dims } = await firstRun(this.#model, () => this.#run([{ features, count: FIRST_RUN_FRAMES }]));
    assert(dims.length === 3 && data.length > 0, "an encoder gives frames");
    return dims[this.#output.isTimeLast ? 1 : 2]!;
  }

  /** One run over those of the batch that go well together. Returns how many. */
  async encode(batch: readonly SegmentStream<Transcriber>[]): Promise<number> {
    const longest = Math.max(...batch.map(({ dueFrames }) => dueFrames));
    const taken = batch.filter(({ dueFrames }) => dueFrames >= LENGTH_RATIO_MIN * longest);
    const segments = taken.map((stream) => stream.take());
    const result = await this.#run(segments);
    for (const [row, stream] of taken.entries()) {
      const count = result.counts[row]!;
      stream.push(shareOutFrames(result, row, count, this.#output.isTimeLast), count);
    }
    return taken.length;
  }

  async #run(segments: readonly { features: Float32Array; count: number }[]) {
    const { melBins, normalise, subsampling } = this.#facts;
    const frames = Math.max(...segments.map(({ count }) => count));
    const signal = new Float32Array(segments.length * melBins * frames);
    for (const [row, { features, count }] of segments.entries()) {
      if (normalise === "per-feature") normalisePerFeature(features, count, melBins);
      turn(features, count, melBins, signal.subarray(row * melBins * frames, (row + 1) * melBins * frames), frames);
    }
    const lengths = segments.map(({ count }) => count);
    const outputs = await this.#model.run({
      audio_signal: float32Tensor(signal, [segments.length, melBins, frames]),
      length: integerTensor(integerTypeOf(inputOf(this.#model, "length")), lengths, [segments.length]),
    });
    const { data, dims } = floatsOf(outputs, this.#output.name);
    const available = dims[this.#output.isTimeLast ? 2 : 1]!;
    const told =
      this.#output.lengths === undefined
        ? lengths.map((count) => Math.floor((count - 1) / subsampling) + 1)
        : integersOf(outputs, this.#output.lengths);
    return { data, dims, counts: told.map((count) => Math.min(count, available)) };
  }
}

/** f32[count × bins] to f32[bins × frames]. */
function turn(features: Float32Array, count: number, bins: number, target: Float32Array, frames: number): void {
  for (let frame = 0; frame < count; frame += 1) {
    for (let bin = 0; bin < bins; bin += 1) target[bin * frames + frame] = features[frame * bins + bin]!;
  }
}
