/**
 * The `piper` family: VITS voices as Piper publishes them (rhasspy/piper-voices; each voice has its own licence, in its
 * model card), from the user's own `.onnx` and `.onnx.json`. Input `input` int64 [batch, n]: `^`, then each phoneme with
 * a pad behind it, then `$`; `input_lengths` int64 [batch]; `scales` f32 [3]: noise, length, noise of the durations; `sid`
 * int64 [batch] where there are several speakers. Output `output` f32, rank 3 or 4, and in files prepared for alignment the
 * frames of each id. Without those nothing tells how long each row of a batch is, so only files that have them are batched.
 */
import { basename, resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import { float32Tensor, floatsOf, int64Tensor, numbersOf } from "../gpu/tensors.js";
import { defineFamily, type FamilyContext, type TtsModel } from "./family.js";
import { openPhonemizer, type Phonemizer, phonemizerOptions } from "./pronunciation/phonemizer.js";
import { openGraph } from "./tts/open-graph.js";
import {
  encodeWords,
  type IdLayout,
  isSaid,
  packWords,
  parseJson,
  readTextFile,
  type SymbolTable,
} from "./tts/phoneme-ids.js";
import {
  SPEED_MAX,
  SPEED_MIN,
  type Synthesiser,
  type SynthesisRow,
  type Utterance,
  VoiceModel,
} from "./tts/voice-model.js";

const NAME = "piper";
/** Bounds how long one run takes; the network itself has no limit. */
const SYMBOLS_MAX = 500;

const options = z.strictObject({
  file: z.string().min(1).describe("a Piper voice, .onnx, relative to the configuration's folder"),
  config: z.string().min(1).optional().describe("its .onnx.json; by default beside it"),
  voice: z.string().min(1).optional().describe("a speaker of a voice with several; by default its first"),
  speed: z.number().min(SPEED_MIN).max(SPEED_MAX).default(1).describe("1 is the voice's own pace"),
  ...phonemizerOptions,
  language: phonemizerOptions.language.removeDefault().optional().describe("by default the voice's own"),
});

const voiceFile = z.object({
  audio: z.object({ sample_rate: z.number().int().positive() }),
  espeak: z.object({ voice: z.string() }).optional(),
  inference: z
    .object({
      noise_scale: z.number().default(0.667),
      length_scale: z.number().positive().default(1),
      noise_w: z.number().default(0.8),
    })
    .prefault({}),
  phoneme_type: z.enum(["espeak", "text"]).default("espeak"),
  phoneme_id_map: z.record(z.string(), z.array(z.number().int().min(0)).min(1)),
  num_speakers: z.number().int().min(1).default(1),
  speaker_id_map: z.record(z.string(), z.number().int().min(0)).default({}),
  hop_length: z.number().int().positive().default(256),
});
type VoiceFile = z.infer<typeof voiceFile>;

export const piperFamily = defineFamily({
  name: NAME,
  task: "tts",
  options,
  open: async (given: z.infer<typeof options>, context: FamilyContext): Promise<TtsModel> => {
    const path = resolve(context.baseFolder, given.file);
    const config = await readVoiceFile(resolve(context.baseFolder, given.config ?? `${given.file}.json`));
    const phonemizer = await phonemizerOf(config, given, context.baseFolder);
    const model = await openGraph(path, context);
    const synthesiser = new Piper(model, config, phonemizer, context.batchMax);
    const voice = new VoiceModel(synthesiser, { voice: given.voice ?? synthesiser.voices[0]!, speed: given.speed });
    await voice.warm();
    return voice;
  },
});

async function readVoiceFile(path: string): Promise<VoiceFile> {
  const parsed = voiceFile.safeParse(parseJson(path, await readTextFile(path)));
  if (!parsed.success) throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: z.prettifyError(parsed.error) });
  const missing = ["_", "^", "$"].filter((symbol) => parsed.data.phoneme_id_map[symbol] === undefined);
  if (missing.length === 0) return parsed.data;
  throw new SyrinxError("MODEL_FILE_INVALID", {
    path,
    reason: `its phoneme_id_map has no ${missing.join(" and no ")}`,
  });
}

async function phonemizerOf(
  config: VoiceFile,
  { language, phonemizer }: z.infer<typeof options>,
  baseFolder: string,
): Promise<Phonemizer> {
  if (config.phoneme_type === "text") return SPELLING;
  return openPhonemizer({ language: language ?? config.espeak?.voice ?? "en-us", phonemizer }, "espeak", baseFolder);
}

/** For voices that learnt from letters. */
const SPELLING: Phonemizer = {
  phonemize: async (text) => {
    return text.split(/\s+/u).flatMap((word) => (word === "" ? [] : [{ text: word, phonemes: word }]));
  },
};

/** Marks that Piper's voices do not have, and what is said for them. */
const MARKS: Readonly<Record<string, string>> = { "—": ",", "…": ".", "“": '"', "”": '"' };

interface PiperPlan {
  readonly ids: readonly number[];
  readonly speaker: number;
}

class Piper implements Synthesiser<PiperPlan> {
  readonly device: string;
  readonly description: string;
  readonly rateHz: number;
  readonly voices: readonly string[];
  readonly batchMax: number;
  readonly #model: OnnxModel;
  readonly #config: VoiceFile;
  readonly #phonemizer: Phonemizer;
  readonly #symbols: SymbolTable;
  readonly #layout: IdLayout;
  readonly #speakers: ReadonlyMap<string, number>;
  readonly #hasSpeakers: boolean;
  /** Of the output that has the frames of each id. */
  readonly #framesName: string | undefined;

  constructor(model: OnnxModel, config: VoiceFile, phonemizer: Phonemizer, batchMax: number) {
    checkTensors(model);
    this.#model = model;
    this.#config = config;
    this.#phonemizer = phonemizer;
    const map = config.phoneme_id_map;
    this.#symbols = symbolsOf(map);
    this.#layout = { start: [...map["^"]!, ...map._!], between: map._!, end: map.$! };
    this.#speakers = speakersOf(config, basename(model.path, ".onnx"));
    this.#hasSpeakers = model.inputs.some(({ name }) => name === "sid");
    this.#framesName = model.outputs.find(({ name }) => name !== "output")?.name;
    this.device = model.device;
    this.description = model.description;
    this.rateHz = config.audio.sample_rate;
    this.voices = [...this.#speakers.keys()];
    const isBatched = takesBatch(model) && this.#framesName !== undefined;
    this.batchMax = isBatched ? batchMax : 1;
  }

  async plan(text: string, voice: string): Promise<readonly Utterance<PiperPlan>[]> {
    const words = (await this.#phonemizer.phonemize(text)).map(({ text: written, phonemes }) => {
      return { text: written, phonemes: phonemes.normalize("NFD") };
    });
    return packWords(words, SYMBOLS_MAX).flatMap((group) => {
      if (!group.some(isSaid)) return [];
      const { ids, words: placed } = encodeWords(group, this.#symbols, this.#layout);
      return [{ plan: { ids, speaker: this.#speakers.get(voice)! }, words: placed, unitCount: ids.length }];
    });
  }

  /** The scales are one tensor for the whole batch, so rows of different speed are run apart. */
  async synthesise(
    rows: readonly SynthesisRow<PiperPlan>[],
    emit: (row: number, pcm: Float32Array) => void,
  ): Promise<readonly (ArrayLike<number> | undefined)[]> {
    const durations = new Array<ArrayLike<number> | undefined>(rows.length).fill(undefined);
    for (const speed of new Set(rows.map((row) => row.speed))) {
      const indices = rows.flatMap((row, index) => (row.speed === speed && !row.isStale() ? [index] : []));
      if (indices.length === 0) continue;
      const spoken = await this.#run(
        indices.map((index) => rows[index]!.plan),
        speed,
      );
      for (const [at, index] of indices.entries()) {
        emit(index, spoken[at]!.pcm);
        durations[index] = spoken[at]!.durations;
      }
    }
    return durations;
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  async #run(plans: readonly PiperPlan[], speed: number): Promise<Spoken[]> {
    const { noise_scale: noise, length_scale: length, noise_w: durationNoise } = this.#config.inference;
    const rowCount = plans.length;
    const idCount = Math.max(...plans.map(({ ids }) => ids.length));
    const pad = this.#config.phoneme_id_map._![0]!;
    const ids = plans.flatMap((plan) => Array.from({ length: idCount }, (_, at) => plan.ids[at] ?? pad));
    const outputs = await this.#model.run({
      input: int64Tensor(ids, [rowCount, idCount]),
      input_lengths: int64Tensor(plans.map((plan) => plan.ids.length)),
      scales: float32Tensor(Float32Array.of(noise, length / speed, durationNoise)),
      ...(this.#hasSpeakers ? { sid: int64Tensor(plans.map(({ speaker }) => speaker)) } : {}),
    });
    const pcm = floatsOf(outputs.output);
    const rowSamples = pcm.length / rowCount;
    const frames = this.#framesName === undefined ? undefined : numbersOf(outputs[this.#framesName]!);
    return plans.map((plan, row) => {
      const samples = pcm.subarray(row * rowSamples, (row + 1) * rowSamples);
      const durations = frames
        ?.subarray(row * idCount, row * idCount + plan.ids.length)
        .map((count) => count * this.#config.hop_length);
      const sampleCount = durations?.reduce((sum, count) => sum + count, 0) ?? rowSamples;
      return { pcm: levelled(samples.subarray(0, Math.round(sampleCount))), durations };
    });
  }
}

interface Spoken {
  readonly pcm: Float32Array;
  readonly durations: Float64Array | undefined;
}

/** Brings the peak to full scale, as Piper itself does: the voices' own levels differ widely. */
function levelled(pcm: Float32Array): Float32Array {
  let peak = 0;
  for (const sample of pcm) peak = Math.max(peak, Math.abs(sample));
  return peak < SILENT_PEAK ? pcm : pcm.map((sample) => sample / peak);
}
const SILENT_PEAK = 1e-8;

/** Some files are exported for one text at a time. */
function takesBatch(model: OnnxModel): boolean {
  return model.inputs.find(({ name }) => name === "input")?.dims[0] !== 1;
}

function checkTensors(model: OnnxModel): void {
  const batch = takesBatch(model) ? "batch" : 1;
  const hasSpeakers = model.inputs.some(({ name }) => name === "sid");
  const sid: ExpectedTensor[] = hasSpeakers ? [{ name: "sid", type: "int64", dims: [batch] }] : [];
  const rank = model.outputs.find(({ name }) => name === "output")?.dims.length === 3 ? 3 : 4;
  expectTensors(model, NAME, {
    inputs: [
      { name: "input", type: "int64", dims: [batch, "phonemes"] },
      { name: "input_lengths", type: "int64", dims: [batch] },
      { name: "scales", type: "float32", dims: [3] },
      ...sid,
    ],
    outputs: [{ name: "output", type: "float32", dims: new Array<null>(rank).fill(null) }],
  });
}

function symbolsOf(map: VoiceFile["phoneme_id_map"]): SymbolTable {
  const symbols = new Map<string, readonly number[]>(Object.entries(map));
  for (const [mark, known] of Object.entries(MARKS)) {
    const ids = symbols.get(known);
    if (ids !== undefined && !symbols.has(mark)) symbols.set(mark, ids);
  }
  return symbols;
}

/** Speakers by name, by number where they have none, by the file's name where there is one. */
function speakersOf({ num_speakers: count, speaker_id_map: named }: VoiceFile, fileName: string): Map<string, number> {
  const entries = Object.entries(named);
  if (entries.length > 0) return new Map(entries);
  if (count === 1) return new Map([[fileName, 0]]);
  return new Map(Array.from({ length: count }, (_, id) => [String(id), id]));
}
