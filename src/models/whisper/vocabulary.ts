/** The tokens that steer Whisper, found in a model's tokenizer and generation_config.json. */
import { join } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { readJson } from "../model-folder.js";
import { readHuggingFaceTokenizer } from "../tokenizers/hugging-face.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import type { AlignmentHead } from "./alignment.js";

/** The family's name. */
export const WHISPER = "whisper";

/** Time tokens stand 20 ms apart. */
export const TIME_TOKEN_SAMPLES = 320;
export const TIME_TOKENS = 1501;

/** Older models have these keys in config.json, in which there are many others. */
const generation = z.object({
  is_multilingual: z.boolean().optional(),
  suppress_tokens: z.array(z.int().min(-1)).nullish(),
  begin_suppress_tokens: z.array(z.int().min(0)).nullish(),
  max_length: z.int().min(1).optional(),
  alignment_heads: z.array(z.tuple([z.int().min(0), z.int().min(0)])).nullish(),
  vocab_size: z.int().optional(),
});

/** English models before large-v3 have one token less. */
const MULTILINGUAL_VOCABULARY = 51_865;

export interface WhisperVocabulary {
  readonly tokenizer: Tokenizer;
  readonly start: number;
  readonly end: number;
  readonly noTimestamps: number;
  /** The token of 0 s; those of later times follow. */
  readonly firstTime: number;
  readonly timeTokens: number;
  readonly noSpeech: number | undefined;
  /** Empty if the model knows English alone, and takes no language and no task. */
  readonly languages: ReadonlyMap<string, number>;
  readonly tasks: { readonly transcribe: number; readonly translate: number } | undefined;
  /** Which heads of the decoder follow the speech. */
  readonly alignmentHeads: readonly AlignmentHead[];
  /** Of all prompt and answer tokens. */
  readonly maxTokens: number;
  readonly suppressed: readonly number[];
  readonly suppressedAtStart: readonly number[];
}

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readWhisperVocabulary(folder: string): Promise<WhisperVocabulary> {
  const path = join(folder, "tokenizer.json");
  const tokenizer = await readHuggingFaceTokenizer(path);
  const older = await readJson(folder, "config.json", generation);
  const chosen = { ...older, ...(await readJson(folder, "generation_config.json", generation)) };
  const token = (name: string): number => {
    const id = tokenizer.idOf(name);
    if (id !== undefined) return id;
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: `it has no token ${name}` });
  };
  const isMultilingual =
    chosen.is_multilingual ?? (chosen.vocab_size ?? MULTILINGUAL_VOCABULARY) >= MULTILINGUAL_VOCABULARY;
  const start = token("<|startoftranscript|>");
  const end = token("<|endoftext|>");
  const noTimestamps = token("<|notimestamps|>");
  const firstTime = tokenizer.idOf("<|0.00|>") ?? noTimestamps + 1;
  const tasks = isMultilingual ? { transcribe: token("<|transcribe|>"), translate: token("<|translate|>") } : undefined;
  const languages = new Map(isMultilingual ? languageTokens(tokenizer, start, token("<|translate|>")) : []);
  // Whatever steers is no part of an answer, whether the model's list says so or not.
  const steering = Array.from({ length: noTimestamps - end }, (_, i) => end + 1 + i);
  return {
    tokenizer,
    start,
    end,
    noTimestamps,
    firstTime,
    timeTokens: TIME_TOKENS,
    noSpeech: tokenizer.idOf("<|nospeech|>") ?? tokenizer.idOf("<|nocaptions|>"),
    languages,
    tasks,
    alignmentHeads: (chosen.alignment_heads ?? []).map(([layer, head]) => ({
      output: `cross_attentions.${layer}`,
      head,
    })),
    maxTokens: chosen.max_length ?? 448,
    suppressed: [...new Set([...(chosen.suppress_tokens ?? []), ...steering])].filter((id) => id >= 0 && id !== end),
    suppressedAtStart: chosen.begin_suppress_tokens ?? [],
  };
}

/** Language tokens stand between the start token and the tasks. */
function* languageTokens(tokenizer: Tokenizer, start: number, tasks: number): Generator<[string, number]> {
  for (const code of LANGUAGES) {
    const id = tokenizer.idOf(`<|${code}|>`);
    if (id !== undefined && id > start && id < tasks) yield [code, id];
  }
}

/** As in github.com/openai/whisper, whisper/tokenizer.py. */
const LANGUAGES =
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue".split(
    " ",
  );
