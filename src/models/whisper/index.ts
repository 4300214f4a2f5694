/**
 * The `whisper` family: OpenAI's Whisper and what was distilled from it, tiny to large-v3-turbo, from a folder as it is
 * published for ONNX Runtime: by transformers.js (`hub-layout.ts`) or by sherpa-onnx (`sherpa-layout.ts`).
 *
 * The encoder hears the log mel spectrogram of 30 s. The decoder is greedy; segments that wait together share both
 * (`encoder-decoder/`): all have a prompt of the same length, whatever their language, and leave the batch as they end. A
 * segment in which the model hears no speech, and of whose words it is not sure, has no text: github.com/openai/whisper,
 * whisper/transcribe.py.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { msToSamples } from "../../base/units.js";
import { defineFamily, type FamilyContext, type SttModel } from "../family.js";
import { folderOption, precisionOption } from "../model-folder.js";
import { partialMsOption, segmentModel } from "../segment-stt.js";
import { type OpenWhisper, readLayout } from "./layout.js";
import { WhisperRecogniser } from "./recogniser.js";
import { WHISPER, type WhisperVocabulary } from "./vocabulary.js";

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
  name: WHISPER,
  task: "stt",
  options,
  open: async (chosen: WhisperOptions, context: FamilyContext): Promise<SttModel> => {
    const folder = resolve(context.baseFolder, chosen.folder);
    const { precision, wordTimes } = chosen;
    const { vocabulary, open } = await readLayout({ folder, precision, device: context.device });
    checkLanguage(vocabulary, chosen, folder);
    const files = await open(context);
    const watching = wordTimes ? watchAttention(files, vocabulary) : files;
    const recogniser = new WhisperRecogniser(watching, vocabulary, chosen, context.batchMax);
    await recogniser.recognise([{ pcm: new Float32Array(1600), isStale: () => false }]);
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

/** The decoder with what its alignment heads look at. Throws MODEL_TENSORS_MISMATCH if the files do not say it. */
function watchAttention(files: OpenWhisper, { alignmentHeads }: WhisperVocabulary): OpenWhisper {
  const watched = [...new Set(alignmentHeads.map(({ output }) => output))];
  for (const { model } of [files.form.first, files.form.later]) {
    const missing = watched.find(
      (name) => !model.outputs.some((output) => output.name === name && output.dims.length === 4),
    );
    if (missing === undefined && watched.length > 0) continue;
    const difference =
      missing === undefined
        ? "expected alignment_heads in generation_config.json, or n_alignment_heads in the metadata, found none, so words have no times"
        : `output ${missing}: expected float32[batch, heads, tokens, frames], found none, so words have no times`;
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family: WHISPER, difference });
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
