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
import { expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { floatTypeOf } from "../encoder-decoder/form.js";
import { type OpenEncoderDecoder, openEncoderDecoder } from "../encoder-decoder/open.js";
import { defineFamily, type FamilyContext, type SttModel } from "../family.js";
import { LogMel, WHISPER_FRAMES } from "../front-ends/log-mel.js";
import { folderOption, precisionOption, readJson } from "../model-folder.js";
import { partialMsOption, segmentModel } from "../segment-stt.js";
import { attentionOf } from "./alignment.js";
import { WhisperRecogniser } from "./recogniser.js";
import { readWhisperVocabulary, type WhisperVocabulary } from "./vocabulary.js";

const NAME = "whisper";
/** Encoder frames: two of the spectrogram make one. */
const HEARD_FRAMES = WHISPER_FRAMES / 2;

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
  wordTimes: z
    .boolean()
    .default(false)
    .describe("times of words from what the decoder looks at; for files that say it, named *_timestamped"),
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
    const watching = chosen.wordTimes ? watchAttention(files, vocabulary) : files;
    const recogniser = new WhisperRecogniser(watching, new LogMel(bins), vocabulary, chosen, context.batchMax);
    await recogniser.recognise([{ pcm: new Float32Array(1600), isStale: () => false }]);
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

/** The decoder with what its alignment heads look at. Throws MODEL_TENSORS_MISMATCH if the files do not say it. */
function watchAttention(files: OpenEncoderDecoder, { alignmentHeads }: WhisperVocabulary): OpenEncoderDecoder {
  const watched = [...new Set(alignmentHeads.map(([layer]) => attentionOf(layer)))];
  for (const { model } of [files.form.first, files.form.later]) {
    const missing = watched.find(
      (name) => !model.outputs.some((output) => output.name === name && output.dims.length === 4),
    );
    if (missing === undefined && watched.length > 0) continue;
    const difference =
      missing === undefined
        ? "generation_config.json: expected alignment_heads, found none, so words have no times"
        : `output ${missing}: expected float32[batch, heads, tokens, frames], found none, so words have no times`;
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family: NAME, difference });
  }
  return { ...files, form: { ...files.form, watched } };
}

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
