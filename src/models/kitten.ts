/**
 * The `kitten` family: KittenTTS nano, micro and mini (github.com/KittenML/KittenTTS, Apache-2.0) at 24 kHz, from the
 * user's own files: the ONNX export, `voices.npz` with f32 [rows, 256] for each voice, and optionally its `config.json`,
 * which gives voices their people's names and their pace. The row of the vectors is the number of the text's characters.
 * Ids, ends and what is cut off at the end are those of kittentts/onnx_model.py.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { defineFamily, type FamilyContext, type TtsModel } from "./family.js";
import { openPhonemizer, type PhonemeWord, phonemizerOptions } from "./pronunciation/phonemizer.js";
import { openGraph } from "./tts/open-graph.js";
import { parseJson, readTextFile, type SymbolTable } from "./tts/phoneme-ids.js";
import { StyleTts } from "./tts/style-tts.js";
import { readStyleVectors } from "./tts/style-vectors.js";
import { SPEED_MAX, SPEED_MIN, VoiceModel } from "./tts/voice-model.js";

const NAME = "kitten";
const RATE_HZ = 24_000;
const PAD = 0;
/** The ellipsis that every text ends with. */
const ENDING = 10;
/** What the network adds to every text. */
const TAIL_SAMPLES = 5000;

/** StyleTTS 2's symbols in the order of their ids; of the double quotes the last counts. */
const SYMBOLS =
  '$;:,.!?¡¿—…"«»"" ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz' +
  "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'\u0329'ᵻ";
const SYMBOL_TABLE: SymbolTable = new Map([...SYMBOLS].map((symbol, id) => [symbol, [id]]));

const options = z.strictObject({
  file: z.string().min(1).describe("a KittenTTS ONNX file, relative to the configuration's folder"),
  voices: z.string().min(1).describe("its voices.npz"),
  config: z.string().min(1).optional().describe("its config.json, for the voices' names and paces"),
  voice: z.string().min(1).optional().describe("such as Bella or expr-voice-2-f; by default the first in order"),
  speed: z.number().min(SPEED_MIN).max(SPEED_MAX).default(1).describe("1 is the voice's own pace"),
  ...phonemizerOptions,
});

export const kittenFamily = defineFamily({
  name: NAME,
  task: "tts",
  options,
  open: async (given: z.infer<typeof options>, context: FamilyContext): Promise<TtsModel> => {
    const inFolder = (path: string): string => resolve(context.baseFolder, path);
    const { aliases, paces } = given.config === undefined ? PLAIN : await readConfig(inFolder(given.config));
    const styles = await readStyleVectors(inFolder(given.voices), 1);
    const phonemizer = await openPhonemizer(given, "espeak", context.baseFolder);
    const model = await openGraph(inFolder(given.file), context);
    const synthesiser = new StyleTts({
      model,
      family: NAME,
      rateHz: RATE_HZ,
      styles,
      symbols: SYMBOL_TABLE,
      layout: { start: [PAD], between: [], end: [ENDING, PAD] },
      aliases: new Map([...aliases].filter(([, name]) => styles.names.includes(name))),
      paces,
      tailSamples: TAIL_SAMPLES,
      phonemize: async (text) => (await phonemizer.phonemize(text)).map(apart),
      styleRow: (_, text) => text.length,
    });
    const voice = given.voice ?? synthesiser.voices[0]!;
    const opened = new VoiceModel(synthesiser, { voice, speed: given.speed });
    await opened.warm();
    return opened;
  },
});

/** The network learnt from phonemes with a space on both sides of each mark. */
function apart({ text, phonemes }: PhonemeWord): PhonemeWord {
  const spaced = phonemes.replace(/[^\p{L}\p{M}\p{N}\s]/gu, " $& ").replace(/\s+/g, " ");
  return { text, phonemes: spaced.trim() };
}

interface KittenConfig {
  readonly aliases: ReadonlyMap<string, string>;
  readonly paces: ReadonlyMap<string, number>;
}

const PLAIN: KittenConfig = { aliases: new Map(), paces: new Map() };
const configFile = z.object({
  voice_aliases: z.record(z.string(), z.string()).default({}),
  speed_priors: z.record(z.string(), z.number().positive()).default({}),
});

async function readConfig(path: string): Promise<KittenConfig> {
  const parsed = configFile.safeParse(parseJson(path, await readTextFile(path)));
  if (!parsed.success) throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: z.prettifyError(parsed.error) });
  const { voice_aliases: aliases, speed_priors: paces } = parsed.data;
  return { aliases: new Map(Object.entries(aliases)), paces: new Map(Object.entries(paces)) };
}
