/**
 * The `whisper` family: OpenAI's Whisper and what was distilled from it, tiny to large-v3-turbo, from a folder as it is
 * published for ONNX Runtime (`onnx-community/whisper-*`): `encoder_model` with `decoder_model_merged`, or with
 * `decoder_model` and `decoder_with_past_model`; tokenizer.json, generation_config.json, preprocessor_config.json.
 *
 * Encoder: `input_features` [batch, 80 or 128, 3000], the log mel spectrogram of 30 s → `last_hidden_state` [batch, 1500,
 * width]. The decoder is greedy; segments that wait together share both (`encoder-decoder/`): all have a prompt of the same
 * length, whatever their language, and leave the batch as they end. A segment in which the model hears no speech, and of
 * whose words it is not sure, has no text: github.com/openai/whisper, whisper/transcribe.py.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { msToSamples } from "../../base/units.js";
import type { OnnxTensor } from "../../gpu/batch-buffers.js";
import { expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatTensor } from "../../gpu/tensors.js";
import { CachedDecoder, type Heard, logitsOf } from "../encoder-decoder/cached-decoder.js";
import { floatTypeOf } from "../encoder-decoder/form.js";
import { decodeGreedily, likeliest, logSumExp, type RowRequest, suppress } from "../encoder-decoder/greedy.js";
import { type OpenEncoderDecoder, openEncoderDecoder } from "../encoder-decoder/open.js";
import { defineFamily, type FamilyContext, type SttModel } from "../family.js";
import { LogMel, WHISPER_FRAMES } from "../front-ends/log-mel.js";
import { folderOption, precisionOption, readJson } from "../model-folder.js";
import {
  partialMsOption,
  type Segment,
  type SegmentRecogniser,
  type SegmentReport,
  segmentModel,
} from "../segment-stt.js";
import { timedWords, timestampRule } from "./timestamps.js";
import { readWhisperVocabulary, type WhisperVocabulary } from "./vocabulary.js";

const NAME = "whisper";
/** Encoder frames: two of the spectrogram make one. */
const HEARD_FRAMES = WHISPER_FRAMES / 2;
/** OpenAI's bounds: as likely as this that nobody speaks, and on average less likely than this what was written. */
const NO_SPEECH_MIN = 0.6;
const MEAN_LOG_PROBABILITY_MIN = -1;

const options = z.strictObject({
  folder: folderOption,
  precision: precisionOption,
  language: z
    .string()
    .regex(/^(auto|[a-z]{2,3})$/)
    .default("auto")
    .describe("spoken language, such as en or de; auto asks the model for each segment, at the price of one more step"),
  task: z.enum(["transcribe", "translate"]).default("transcribe").describe("translate: into English"),
  timestamps: z
    .boolean()
    .default(false)
    .describe("let the model say when phrases begin and end, so that words have times; a little slower"),
  partialMs: partialMsOption,
});
type WhisperOptions = z.infer<typeof options>;

export const whisperFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: async (chosen: WhisperOptions, context: FamilyContext): Promise<SttModel> => {
    const folder = resolve(context.baseFolder, chosen.folder);
    const vocabulary = await readWhisperVocabulary(folder);
    checkLanguage(vocabulary, chosen, folder);
    const preprocessor = await readJson(
      folder,
      "preprocessor_config.json",
      z.object({ feature_size: z.int().optional() }),
    );
    const files = await openEncoderDecoder(folder, chosen.precision, context, NAME);
    const bins = melBins(files.encoder, preprocessor.feature_size ?? 80);
    checkEncoder(files.encoder, bins);
    const recogniser = new Whisper(files, new LogMel(bins), vocabulary, chosen, context.batchMax);
    await recogniser.recognise([{ pcm: new Float32Array(1600), isStale: () => false }]);
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

/** A language that a model does not have is a mistake of the configuration, and told before any weights are read. */
function checkLanguage(
  { languages, tasks }: WhisperVocabulary,
  { language, task }: WhisperOptions,
  path: string,
): void {
  const known = tasks === undefined ? ["en"] : [...languages.keys()];
  const isKnown = language === "auto" || known.includes(language);
  if (isKnown && (tasks !== undefined || task === "transcribe")) return;
  const reason = isKnown
    ? "it knows English only, so there is nothing to translate"
    : `it does not know the language ${language}, only ${known.join(", ")}`;
  throw new SyrinxError("MODEL_FILE_INVALID", { path, reason });
}

/** As the file declares, or, if it leaves that open, as its preprocessor's configuration says. */
function melBins(encoder: OnnxModel, otherwise: number): number {
  const declared = encoder.inputs.find(({ name }) => name === "input_features")?.dims[1];
  return typeof declared === "number" ? declared : otherwise;
}

function checkEncoder(encoder: OnnxModel, bins: number): void {
  const type = floatTypeOf(encoder.inputs, "input_features");
  const heard = floatTypeOf(encoder.outputs, "last_hidden_state");
  expectTensors(encoder, NAME, {
    inputs: [{ name: "input_features", type, dims: ["batch", bins, WHISPER_FRAMES] }],
    outputs: [{ name: "last_hidden_state", type: heard, dims: ["batch", HEARD_FRAMES, null] }],
  });
}

class Whisper implements SegmentRecogniser {
  readonly device: string;
  readonly description: string;
  readonly batchMax: number;
  readonly #files: OpenEncoderDecoder;
  readonly #mel: LogMel;
  readonly #vocabulary: WhisperVocabulary;
  readonly #options: WhisperOptions;
  readonly #rule: RowRequest["rule"];
  #features = new Float32Array(0);

  constructor(
    files: OpenEncoderDecoder,
    mel: LogMel,
    vocabulary: WhisperVocabulary,
    chosen: WhisperOptions,
    batchMax: number,
  ) {
    this.device = files.encoder.device;
    this.description = files.models.map(({ description }) => description).join("; ");
    this.batchMax = batchMax;
    this.#files = files;
    this.#mel = mel;
    this.#vocabulary = vocabulary;
    this.#options = chosen;
    this.#rule = answerRule(vocabulary, chosen.timestamps);
  }

  /** All segments are as long: 30 s. */
  batchKey(): number {
    return 0;
  }

  async recognise(segments: readonly Segment[]): Promise<SegmentReport> {
    const heard = await this.#hear(segments);
    const count = segments.length;
    const { tasks } = this.#vocabulary;
    const asks = tasks !== undefined && this.#options.language === "auto";
    const languages = asks ? await this.#askLanguages(heard, count) : segments.map(() => this.#languageToken());
    const noSpeech = segments.map(() => 0);
    const requests = segments.map(({ isStale }, row) => ({
      ...this.#request(this.#prompt(languages[row]!)),
      isStale,
      onPrompt: (logitsBehind: (token: number) => Float32Array) => {
        noSpeech[row] = this.#noSpeech(logitsBehind(0));
      },
    }));
    const { results, runs, rows } = await decodeGreedily(this.#files.form, heard, requests);
    const hypotheses = results.map((result, row) => {
      if (result === undefined) return undefined;
      const isSilent = noSpeech[row]! > NO_SPEECH_MIN && result.meanLogProbability < MEAN_LOG_PROBABILITY_MIN;
      return this.#hypothesis(isSilent ? [] : result.tokens, result.meanLogProbability, segments[row]!.pcm.length);
    });
    return { hypotheses, runs: runs + (asks ? 2 : 1), rows: rows + (asks ? 2 : 1) * count };
  }

  async release(): Promise<void> {
    for (const model of this.#files.models) await model.release();
  }

  async #hear(segments: readonly Segment[]): Promise<Heard> {
    const floats = this.#mel.bins * WHISPER_FRAMES;
    const count = segments.length;
    if (this.#features.length < count * floats) this.#features = new Float32Array(count * floats);
    for (const [row, { pcm }] of segments.entries()) this.#mel.compute(pcm, this.#features, row * floats);
    const { encoder } = this.#files;
    const type = floatTypeOf(encoder.inputs, "input_features");
    const features = this.#features.subarray(0, count * floats);
    const feeds = { input_features: floatTensor(type, features, [count, this.#mel.bins, WHISPER_FRAMES]) };
    const tensor = (await encoder.run(feeds, ["last_hidden_state"])).last_hidden_state as OnnxTensor;
    return { encoder_hidden_states: { tensor, batchAxis: 0 } };
  }

  /** The likeliest language token of each row, after a step of its own: what the steps carry on cannot be taken back. */
  async #askLanguages(heard: Heard, rows: number): Promise<number[]> {
    const { start, languages } = this.#vocabulary;
    const ids = [...languages.values()];
    const decoder = new CachedDecoder(this.#files.form, heard, rows);
    const prompts = Array.from({ length: rows }, () => [start]);
    const logits = await decoder.step(prompts, true);
    return Array.from({ length: rows }, (_, row) => {
      const all = logitsOf(logits, row, 0);
      return ids[likeliest(Float32Array.from(ids, (id) => all[id]!))?.token ?? 0]!;
    });
  }

  #languageToken(): number {
    const { languages } = this.#vocabulary;
    return languages.get(this.#options.language) ?? this.#vocabulary.start;
  }

  #prompt(language: number): number[] {
    const { start, tasks, noTimestamps } = this.#vocabulary;
    const steering = tasks === undefined ? [] : [language, tasks[this.#options.task]];
    return [start, ...steering, ...(this.#options.timestamps ? [] : [noTimestamps])];
  }

  #request(prompt: readonly number[]): Omit<RowRequest, "isStale"> {
    const { end, maxTokens } = this.#vocabulary;
    return { prompt, endToken: end, maxTokens: Math.max(1, maxTokens - prompt.length), rule: this.#rule };
  }

  /** The probability of the token that says that nobody speaks, where the answer begins. */
  #noSpeech(logits: Float32Array): number {
    const { noSpeech } = this.#vocabulary;
    return noSpeech === undefined ? 0 : Math.exp(logits[noSpeech]! - logSumExp(logits));
  }

  #hypothesis(tokens: readonly number[], meanLogProbability: number, sampleCount: number) {
    const { tokenizer, firstTime } = this.#vocabulary;
    const text = tokenizer.decode(tokens.filter((token) => token < firstTime)).trim();
    const confidence = text === "" ? 0 : Math.exp(meanLogProbability);
    const words = this.#options.timestamps ? timedWords(this.#vocabulary, tokens, sampleCount, confidence) : [];
    return { text, words, confidence };
  }
}

function answerRule(vocabulary: WhisperVocabulary, hasTimestamps: boolean): RowRequest["rule"] {
  const { suppressed, suppressedAtStart, firstTime } = vocabulary;
  const plain = suppress(suppressed, suppressedAtStart);
  const times = hasTimestamps ? timestampRule(vocabulary) : undefined;
  return (logits, written) => {
    plain(logits, written);
    if (times === undefined) logits.fill(Number.NEGATIVE_INFINITY, firstTime);
    else times(logits, written);
  };
}
