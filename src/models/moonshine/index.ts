/**
 * The `moonshine` family: Useful Sensors' Moonshine of the first generation, tiny and base, from a folder as it is published:
 * for transformers.js (`hub-layout.ts`) or by its makers and for sherpa-onnx in four files (`four-file-layout.ts`), with
 * tokenizer.json, tokenizer.bin or tokens.txt.
 *
 * The encoder costs as much as the audio is long. Files with masks take segments of any lengths in a batch. Without masks only
 * those of one length can share one: each is drawn out with silence to a multiple of 250 ms, alone as in a batch, so that its
 * text does not depend on company.
 *
 * An answer has at most 6.5 tokens for each second of audio, as in github.com/moonshine-ai/moonshine: it may fall into loops.
 */
import { join, resolve } from "node:path";
import { z } from "zod";
import { GRAPH_RATE_HZ, msToSamples } from "../../base/units.js";
import type { Heard } from "../encoder-decoder/cached-decoder.js";
import { decodeGreedily, suppress } from "../encoder-decoder/greedy.js";
import { defineFamily, type FamilyContext, type SttModel } from "../family.js";
import { exists, folderOption, precisionOption } from "../model-folder.js";
import {
  partialMsOption,
  type Segment,
  type SegmentRecogniser,
  type SegmentReport,
  segmentModel,
} from "../segment-stt.js";
import { readHuggingFaceTokenizer } from "../tokenizers/hugging-face.js";
import { readBinTokenizer, readPieceTable } from "../tokenizers/pieces.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { hasFourFiles, openFourFiles } from "./four-file-layout.js";
import { openHubFiles } from "./hub-layout.js";
import { MOONSHINE, type OpenMoonshine, SAMPLES_MIN } from "./open-moonshine.js";

const START_TOKEN = 1;
const END_TOKEN = 2;
const TOKENS_PER_SECOND = 6.5;
const LENGTH_STEP_SAMPLES = msToSamples(250);
const RULE = suppress([START_TOKEN]);

const options = z.strictObject({ folder: folderOption, precision: precisionOption, partialMs: partialMsOption });

export const moonshineFamily = defineFamily({
  name: MOONSHINE,
  task: "stt",
  options,
  open: async (chosen: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> => {
    const folder = resolve(context.baseFolder, chosen.folder);
    const tokenizer = await readMoonshineTokenizer(folder);
    const search = { folder, precision: chosen.precision, device: context.device };
    const open = (await hasFourFiles(search)) ? openFourFiles : openHubFiles;
    const files = await open(search, context);
    const recogniser = new Moonshine(files, tokenizer, context.batchMax);
    await recogniser.recognise([{ pcm: new Float32Array(GRAPH_RATE_HZ), isStale: () => false }]);
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readMoonshineTokenizer(folder: string): Promise<Tokenizer> {
  const binary = join(folder, "tokenizer.bin");
  if (await exists(binary)) return readBinTokenizer(binary);
  const table = join(folder, "tokens.txt");
  if (await exists(table)) return readPieceTable(table);
  return readHuggingFaceTokenizer(join(folder, "tokenizer.json"));
}

class Moonshine implements SegmentRecogniser {
  readonly device: string;
  readonly description: string;
  readonly batchMax: number;
  readonly #files: OpenMoonshine;
  readonly #tokenizer: Tokenizer;

  constructor(files: OpenMoonshine, tokenizer: Tokenizer, batchMax: number) {
    this.device = files.device;
    this.description = files.models.map(({ description }) => description).join("; ");
    this.batchMax = Math.min(batchMax, files.form.batchMax);
    this.#files = files;
    this.#tokenizer = tokenizer;
  }

  batchKey(sampleCount: number): number {
    return this.#files.hasMasks ? 0 : drawnOut(sampleCount);
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

  #hear(segments: readonly Segment[]): Promise<Heard> {
    const lengthOf = ({ pcm }: Segment): number =>
      this.#files.hasMasks ? Math.max(SAMPLES_MIN, pcm.length) : drawnOut(pcm.length);
    const lengths = segments.map(lengthOf);
    const length = Math.max(...lengths);
    const samples = new Float32Array(segments.length * length);
    for (const [row, { pcm }] of segments.entries()) samples.set(pcm, row * length);
    return this.#files.hear(samples, lengths, length);
  }
}

/** Samples with the silence that stands behind them in files without masks. */
function drawnOut(sampleCount: number): number {
  return Math.ceil(Math.max(SAMPLES_MIN, sampleCount) / LENGTH_STEP_SAMPLES) * LENGTH_STEP_SAMPLES;
}
