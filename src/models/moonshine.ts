/**
 * The `moonshine` family: Useful Sensors' Moonshine of the first generation, tiny and base, from a folder as it is published
 * for ONNX Runtime (`onnx-community/moonshine-*-ONNX`, or the `.ort` files of Moonshine's own packages): `encoder_model`
 * with `decoder_model_merged`; tokenizer.json or tokenizer.bin.
 *
 * Encoder: `input_values` f32 [batch, samples] → `last_hidden_state` [batch, frames, width]; it costs as much as the audio
 * is long. Newer files take masks (`attention_mask` int64 [batch, samples], and as `encoder_attention_mask`, of samples
 * too, the decoder), so that segments of any lengths share a batch. Without masks only those of one length can: each is
 * drawn out with silence to a multiple of 250 ms, alone as in a batch, so that its text does not depend on company.
 *
 * An answer has at most 6.5 tokens for each second of audio, as in github.com/moonshine-ai/moonshine: it may fall into loops.
 */
import { join, resolve } from "node:path";
import { z } from "zod";
import { GRAPH_RATE_HZ, msToSamples } from "../base/units.js";
import type { OnnxTensors } from "../gpu/batch-buffers.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import { floatTensor, maskTensor } from "../gpu/tensors.js";
import type { Heard } from "./encoder-decoder/cached-decoder.js";
import { floatTypeOf } from "./encoder-decoder/form.js";
import { decodeGreedily, suppress } from "./encoder-decoder/greedy.js";
import { type OpenEncoderDecoder, openEncoderDecoder } from "./encoder-decoder/open.js";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { exists, folderOption, precisionOption } from "./model-folder.js";
import {
  partialMsOption,
  type Segment,
  type SegmentRecogniser,
  type SegmentReport,
  segmentModel,
} from "./segment-stt.js";
import { readHuggingFaceTokenizer } from "./tokenizers/hugging-face.js";
import { readBinTokenizer } from "./tokenizers/pieces.js";
import type { Tokenizer } from "./tokenizers/tokenizer.js";

const NAME = "moonshine";
const START_TOKEN = 1;
const END_TOKEN = 2;
const TOKENS_PER_SECOND = 6.5;
/** What the encoder must have to say anything at all. */
const SAMPLES_MIN = msToSamples(250);
const LENGTH_STEP_SAMPLES = msToSamples(250);
const RULE = suppress([START_TOKEN]);

const options = z.strictObject({ folder: folderOption, precision: precisionOption, partialMs: partialMsOption });

export const moonshineFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: async (chosen: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> => {
    const folder = resolve(context.baseFolder, chosen.folder);
    const tokenizer = await readMoonshineTokenizer(folder);
    const files = await openEncoderDecoder(folder, chosen.precision, context, NAME);
    checkEncoder(files.encoder);
    const recogniser = new Moonshine(files, tokenizer, context.batchMax);
    await recogniser.recognise([{ pcm: new Float32Array(GRAPH_RATE_HZ), isStale: () => false }]);
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readMoonshineTokenizer(folder: string): Promise<Tokenizer> {
  const binary = join(folder, "tokenizer.bin");
  if (await exists(binary)) return readBinTokenizer(binary);
  return readHuggingFaceTokenizer(join(folder, "tokenizer.json"));
}

const hasInput = (model: OnnxModel, input: string): boolean => model.inputs.some(({ name }) => name === input);

function checkEncoder(encoder: OnnxModel): void {
  const mask = { name: "attention_mask", type: "int64", dims: ["batch", "samples"] } as const;
  const heard = floatTypeOf(encoder.outputs, "last_hidden_state");
  const type = floatTypeOf(encoder.inputs, "input_values");
  expectTensors(encoder, NAME, {
    inputs: [
      { name: "input_values", type, dims: ["batch", "samples"] },
      ...(hasInput(encoder, mask.name) ? [mask] : []),
    ],
    outputs: [{ name: "last_hidden_state", type: heard, dims: ["batch", null, null] }],
  });
}

class Moonshine implements SegmentRecogniser {
  readonly device: string;
  readonly description: string;
  readonly batchMax: number;
  readonly #files: OpenEncoderDecoder;
  readonly #tokenizer: Tokenizer;
  /** Both files can tell samples from padding. */
  readonly #hasMasks: boolean;

  constructor(files: OpenEncoderDecoder, tokenizer: Tokenizer, batchMax: number) {
    this.device = files.encoder.device;
    this.description = files.models.map(({ description }) => description).join("; ");
    this.batchMax = batchMax;
    this.#files = files;
    this.#tokenizer = tokenizer;
    this.#hasMasks =
      hasInput(files.encoder, "attention_mask") && hasInput(files.form.first.model, "encoder_attention_mask");
  }

  batchKey(sampleCount: number): number {
    return this.#hasMasks ? 0 : drawnOut(sampleCount);
  }

  async recognise(segments: readonly Segment[]): Promise<SegmentReport> {
    const requests = segments.map(({ pcm, isStale }) => ({
      prompt: [START_TOKEN],
      endToken: END_TOKEN,
      maxTokens: Math.ceil((TOKENS_PER_SECOND * Math.max(SAMPLES_MIN, pcm.length)) / GRAPH_RATE_HZ),
      rule: RULE,
      isStale,
    }));
    const heard = await this.#hear(segments);
    const { results, runs, rows } = await decodeGreedily(this.#files.form, heard, requests);
    const hypotheses = results.map((result) => {
      if (result === undefined) return undefined;
      const text = this.#tokenizer.decode(result.tokens).trim();
      return { text, words: [], confidence: text === "" ? 0 : Math.exp(result.meanLogProbability) };
    });
    return { hypotheses, runs: runs + 1, rows: rows + segments.length };
  }

  async release(): Promise<void> {
    for (const model of this.#files.models) await model.release();
  }

  async #hear(segments: readonly Segment[]): Promise<Heard> {
    const lengthOf = ({ pcm }: Segment): number =>
      this.#hasMasks ? Math.max(SAMPLES_MIN, pcm.length) : drawnOut(pcm.length);
    const lengths = segments.map(lengthOf);
    const length = Math.max(...lengths);
    const samples = new Float32Array(segments.length * length);
    for (const [row, { pcm }] of segments.entries()) samples.set(pcm, row * length);
    const { encoder } = this.#files;
    const values = floatTensor(floatTypeOf(encoder.inputs, "input_values"), samples, [segments.length, length]);
    // A file may want a mask although the other has none: then it says that all is heard.
    const feeds: OnnxTensors = { input_values: values };
    if (hasInput(encoder, "attention_mask")) feeds.attention_mask = maskTensor(lengths, length);
    const outputs = await encoder.run(feeds, ["last_hidden_state"]);
    return {
      encoder_hidden_states: { tensor: outputs.last_hidden_state!, batchAxis: 0 },
      encoder_attention_mask: { tensor: maskTensor(lengths, length), batchAxis: 0 },
    };
  }
}

/** Samples with the silence that stands behind them in files without masks. */
function drawnOut(sampleCount: number): number {
  return Math.ceil(Math.max(SAMPLES_MIN, sampleCount) / LENGTH_STEP_SAMPLES) * LENGTH_STEP_SAMPLES;
}
