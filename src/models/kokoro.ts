/**
 * The `kokoro` family: Kokoro-82M (hexgrad/Kokoro-82M, Apache-2.0) at 24 kHz, from the user's own files: the ONNX export
 * of either published layout, a voice's style vectors f32 [510, 1, 256], and the vocabulary beside it. The row of the
 * vectors is the number of phonemes. American English needs nothing else; other languages need a phonemizer.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { defineFamily, type FamilyContext, type TtsModel } from "./family.js";
import { openPhonemizer, phonemizerOptions } from "./pronunciation/phonemizer.js";
import { openGraph } from "./tts/open-graph.js";
import { readSymbolTable } from "./tts/phoneme-ids.js";
import { StyleTts } from "./tts/style-tts.js";
import { readStyleVectors } from "./tts/style-vectors.js";
import { SPEED_MAX, SPEED_MIN, VoiceModel } from "./tts/voice-model.js";

const NAME = "kokoro";
const RATE_HZ = 24_000;
/** Of a voice's table: one for each number of phonemes that the network can take. */
export const KOKORO_STYLE_ROWS = 510;
/** The id at both ends. */
const BORDER = [0];

const options = z.strictObject({
  file: z.string().min(1).describe("a Kokoro ONNX file, relative to the configuration's folder"),
  voices: z.string().min(1).describe("a folder of voices (.bin), one of them, or an archive of them"),
  tokens: z.string().min(1).describe("its vocabulary: tokenizer.json, config.json or tokens.txt"),
  voice: z.string().min(1).optional().describe("such as af_heart; by default the first in order"),
  speed: z.number().min(SPEED_MIN).max(SPEED_MAX).default(1).describe("1 is the voice's own pace"),
  ...phonemizerOptions,
});

export const kokoroFamily = defineFamily({
  name: NAME,
  task: "tts",
  options,
  open: async (given: z.infer<typeof options>, context: FamilyContext): Promise<TtsModel> => {
    const inFolder = (path: string): string => resolve(context.baseFolder, path);
    const symbols = await readSymbolTable(inFolder(given.tokens));
    const styles = await readStyleVectors(inFolder(given.voices), KOKORO_STYLE_ROWS);
    const phonemizer = await openPhonemizer(given, "misaki", context.baseFolder);
    const model = await openGraph(inFolder(given.file), context);
    const synthesiser = new StyleTts({
      model,
      family: NAME,
      rateHz: RATE_HZ,
      styles,
      symbols,
      layout: { start: BORDER, between: [], end: BORDER },
      aliases: new Map(),
      paces: new Map(),
      tailSamples: 0,
      phonemize: (text) => phonemizer.phonemize(text),
      styleRow: (symbolCount) => symbolCount,
    });
    const voice = new VoiceModel(synthesiser, { voice: given.voice ?? styles.names[0]!, speed: given.speed });
    await voice.warm();
    return voice;
  },
});
