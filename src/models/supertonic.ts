/**
 * The `supertonic` family: Supertonic 1, 2 and 3 (github.com/supertone-inc/supertonic; code MIT, weights OpenRAIL-M) from
 * the user's own folders: four graphs with `tts.json` and `unicode_indexer.json`, and the voices' styles. It reads letters,
 * not phonemes. The duration of a text comes first, then its latent is refined from noise in a few steps, then decoded.
 * Names, masks and the order of things are those of its py/helper.py. All graphs take a batch.
 */
import { readdir, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import type { OnnxTensor } from "../gpu/batch-buffers.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import { float32Tensor, floatsOf, int64Tensor } from "../gpu/tensors.js";
import { defineFamily, type FamilyContext, type TtsModel } from "./family.js";
import { refine } from "./tts/flow-loop.js";
import { normals } from "./tts/noise.js";
import { openGraph } from "./tts/open-graph.js";
import { parseJson, readTextFile } from "./tts/phoneme-ids.js";
import { type LetterIndex, planLetters } from "./tts/supertonic-text.js";
import {
  SPEED_MAX,
  SPEED_MIN,
  type Synthesiser,
  type SynthesisRow,
  type Utterance,
  VoiceModel,
} from "./tts/voice-model.js";

const NAME = "supertonic";
/** Letters of one run, as in its own chunks. */
const LETTERS_MAX = 300;
const STEPS_MAX = 50;
/** Any: the noise is the same for every text, so the same text sounds the same. */
const NOISE_SEED = 1;

const options = z.strictObject({
  folder: z.string().min(1).describe("of the four graphs, tts.json and unicode_indexer.json"),
  voices: z.string().min(1).describe("a folder of voice styles (.json), or one of them"),
  voice: z.string().min(1).optional().describe("such as F1; by default the first in order"),
  speed: z.number().min(SPEED_MIN).max(SPEED_MAX).default(1).describe("1 is the voice's own pace"),
  language: z
    .string()
    .min(2)
    .max(3)
    .optional()
    .describe("such as en or ko; versions 2 and 3 want it, version 1 has none"),
  steps: z.number().int().min(1).max(STEPS_MAX).default(5).describe("more sound better and take longer; 2 is fast"),
});

export const supertonicFamily = defineFamily({
  name: NAME,
  task: "tts",
  options,
  open: async (given: z.infer<typeof options>, context: FamilyContext): Promise<TtsModel> => {
    const folder = resolve(context.baseFolder, given.folder);
    const settings = await readSettings(join(folder, "tts.json"));
    const letters = await readLetters(join(folder, "unicode_indexer.json"));
    const styles = await readStyles(resolve(context.baseFolder, given.voices));
    const graphs = await openGraphs(folder, context);
    const synthesiser = new Supertonic(graphs, settings, letters, styles, given, context.batchMax);
    const voice = new VoiceModel(synthesiser, { voice: given.voice ?? synthesiser.voices[0]!, speed: given.speed });
    await voice.warm();
    return voice;
  },
});

const GRAPHS = ["duration_predictor", "text_encoder", "vector_estimator", "vocoder"] as const;
type Graphs = Readonly<Record<(typeof GRAPHS)[number], OnnxModel>>;

async function openGraphs(folder: string, context: FamilyContext): Promise<Graphs> {
  const open = (name: (typeof GRAPHS)[number]): Promise<OnnxModel> => openGraph(join(folder, `${name}.onnx`), context);
  const graphs = {
    duration_predictor: await open("duration_predictor"),
    text_encoder: await open("text_encoder"),
    vector_estimator: await open("vector_estimator"),
    vocoder: await open("vocoder"),
  };
  const f32 = (name: string, ...dims: ExpectedTensor["dims"]): ExpectedTensor => ({ name, type: "float32", dims });
  const ids: ExpectedTensor = { name: "text_ids", type: "int64", dims: ["batch", "letters"] };
  const mask = f32("text_mask", "batch", 1, "letters");
  const ttl = f32("style_ttl", "batch", null, null);
  expectTensors(graphs.duration_predictor, NAME, {
    inputs: [ids, f32("style_dp", "batch", null, null), mask],
    outputs: [f32("duration", null)],
  });
  expectTensors(graphs.text_encoder, NAME, { inputs: [ids, ttl, mask], outputs: [f32("text_emb", null, null, null)] });
  const noisy = f32("noisy_latent", "batch", null, "frames");
  const steps = [f32("current_step", "batch"), f32("total_step", "batch")];
  const latentMask = f32("latent_mask", "batch", 1, "frames");
  expectTensors(graphs.vector_estimator, NAME, {
    inputs: [noisy, f32("text_emb", "batch", null, "letters"), ttl, latentMask, mask, ...steps],
    outputs: [f32("denoised_latent", null, null, null)],
  });
  expectTensors(graphs.vocoder, NAME, {
    inputs: [f32("latent", "batch", null, "frames")],
    outputs: [f32("wav_tts", null, null)],
  });
  return graphs;
}

interface Settings {
  readonly rateHz: number;
  /** Samples of one frame of the latent. */
  readonly frameSamples: number;
  /** Floats of one frame. */
  readonly frameFloats: number;
}

const settingsFile = z.object({
  ae: z.object({ sample_rate: z.number().int().positive(), base_chunk_size: z.number().int().positive() }),
  ttl: z.object({ chunk_compress_factor: z.number().int().positive(), latent_dim: z.number().int().positive() }),
});

async function readSettings(path: string): Promise<Settings> {
  const { ae, ttl } = await readChecked(path, settingsFile);
  return {
    rateHz: ae.sample_rate,
    frameSamples: ae.base_chunk_size * ttl.chunk_compress_factor,
    frameFloats: ttl.latent_dim * ttl.chunk_compress_factor,
  };
}

async function readLetters(path: string): Promise<LetterIndex> {
  const ids = z.union([z.array(z.number().int()), z.record(z.string(), z.number().int())]);
  return new Map(Object.entries(await readChecked(path, ids)).map(([code, id]) => [Number(code), id]));
}

interface Style {
  readonly ttl: OnnxTensor;
  readonly dp: OnnxTensor;
}

const nested = z.array(z.array(z.array(z.number()))).length(1);
const styleFile = z.object({ style_ttl: z.object({ data: nested }), style_dp: z.object({ data: nested }) });

async function readStyles(path: string): Promise<ReadonlyMap<string, Style>> {
  const found = await stat(path).catch((error: unknown) => {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  });
  const files = found.isDirectory() ? (await readdir(path)).sort().map((name) => join(path, name)) : [path];
  const styles = new Map<string, Style>();
  for (const file of files.filter((name) => extname(name) === ".json")) {
    const { style_ttl: ttl, style_dp: dp } = await readChecked(file, styleFile);
    styles.set(basename(file, ".json"), { ttl: tensorOf(ttl.data), dp: tensorOf(dp.data) });
  }
  if (styles.size === 0) throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it holds no voice styles" });
  return styles;
}

function tensorOf(data: readonly (readonly (readonly number[])[])[]): OnnxTensor {
  return float32Tensor(Float32Array.from(data.flat(2)), [1, data[0]!.length, data[0]![0]?.length ?? 0]);
}

async function readChecked<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(parseJson(path, await readTextFile(path)));
  if (parsed.success) return parsed.data;
  throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: z.prettifyError(parsed.error) });
}

interface SupertonicPlan {
  readonly ids: readonly number[];
  readonly style: Style;
}

class Supertonic implements Synthesiser<SupertonicPlan> {
  readonly device: string;
  readonly description: string;
  readonly rateHz: number;
  readonly voices: readonly string[];
  readonly #noise: Float32Array[] = [];
  readonly #nextNormal = normals(NOISE_SEED);

  constructor(
    private readonly graphs: Graphs,
    private readonly settings: Settings,
    private readonly letters: LetterIndex,
    private readonly styles: ReadonlyMap<string, Style>,
    private readonly given: { readonly language?: string | undefined; readonly steps: number },
    readonly batchMax: number,
  ) {
    this.device = graphs.vector_estimator.device;
    this.description = graphs.vector_estimator.description;
    this.rateHz = settings.rateHz;
    this.voices = [...styles.keys()];
  }

  async plan(text: string, voice: string): Promise<readonly Utterance<SupertonicPlan>[]> {
    const style = this.styles.get(voice)!;
    return planLetters(text, this.letters, this.given.language, LETTERS_MAX).map(({ ids, words }) => {
      return { plan: { ids, style }, words, unitCount: ids.length };
    });
  }

  async synthesise(
    rows: readonly SynthesisRow<SupertonicPlan>[],
    emit: (row: number, pcm: Float32Array) => void,
  ): Promise<readonly undefined[]> {
    const batch = rows.length;
    const letterCount = Math.max(...rows.map(({ plan }) => plan.ids.length));
    const ids = rows.flatMap(({ plan }) => Array.from({ length: letterCount }, (_, at) => plan.ids[at] ?? 0));
    const text_ids = int64Tensor(ids, [batch, letterCount]);
    const text_mask = maskOf(rows.map(({ plan }) => plan.ids.length));
    const style_ttl = stacked(rows.map(({ plan }) => plan.style.ttl));
    const style_dp = stacked(rows.map(({ plan }) => plan.style.dp));
    const { duration } = await this.graphs.duration_predictor.run({ text_ids, style_dp, text_mask });
    const sampleCounts = rows.map(({ speed }, row) => Math.floor((floatsOf(duration)[row]! / speed) * this.rateHz));
    const { text_emb } = await this.graphs.text_encoder.run({ text_ids, style_ttl, text_mask });
    const frameCounts = sampleCounts.map((count) => Math.max(1, Math.ceil(count / this.settings.frameSamples)));
    const latent_mask = maskOf(frameCounts);
    const conditions = { text_emb: text_emb!, style_ttl, text_mask, latent_mask };
    const state = { latent: this.#noisyLatent(frameCounts), conditions };
    const refined = await refine(
      state,
      this.given.steps,
      async (latent, given, index) => {
        const count = latent.dims[0]!;
        const outputs = await this.graphs.vector_estimator.run({
          ...given,
          noisy_latent: latent,
          current_step: float32Tensor(new Float32Array(count).fill(index)),
          total_step: float32Tensor(new Float32Array(count).fill(this.given.steps)),
        });
        return outputs.denoised_latent!;
      },
      (row) => rows[row]!.isStale(),
    );
    if (refined.rows.length > 0) {
      const wav = floatsOf((await this.graphs.vocoder.run({ latent: refined.latent })).wav_tts);
      const rowSamples = wav.length / refined.rows.length;
      for (const [at, row] of refined.rows.entries()) {
        emit(row, wav.subarray(at * rowSamples, at * rowSamples + Math.min(rowSamples, sampleCounts[row]!)));
      }
    }
    return new Array<undefined>(batch).fill(undefined);
  }

  async release(): Promise<void> {
    for (const name of GRAPHS) await this.graphs[name].release();
  }

  /** f32 [batch, floats, frames]: noise up to each row's end. A frame's noise depends on its place alone. */
  #noisyLatent(frameCounts: readonly number[]): OnnxTensor {
    const { frameFloats } = this.settings;
    const frames = Math.max(...frameCounts);
    while (this.#noise.length < frames) {
      this.#noise.push(Float32Array.from({ length: frameFloats }, () => this.#nextNormal()));
    }
    const latent = new Float32Array(frameCounts.length * frameFloats * frames);
    for (const [row, count] of frameCounts.entries()) {
      for (let frame = 0; frame < count; frame += 1) {
        const noise = this.#noise[frame]!;
        for (let i = 0; i < frameFloats; i += 1) latent[(row * frameFloats + i) * frames + frame] = noise[i]!;
      }
    }
    return float32Tensor(latent, [frameCounts.length, frameFloats, frames]);
  }
}

/** f32 [batch, 1, longest]: 1 up to each row's length. */
function maskOf(lengths: readonly number[]): OnnxTensor {
  const longest = Math.max(...lengths);
  const mask = new Float32Array(lengths.length * longest);
  for (const [row, length] of lengths.entries()) mask.fill(1, row * longest, row * longest + length);
  return float32Tensor(mask, [lengths.length, 1, longest]);
}

/** Tensors [1, …] of one shape as one [batch, …]. */
function stacked(tensors: readonly OnnxTensor[]): OnnxTensor {
  const floats = tensors.map(floatsOf);
  const all = new Float32Array(floats.reduce((sum, { length }) => sum + length, 0));
  for (const [row, each] of floats.entries()) all.set(each, row * floats[0]!.length);
  return float32Tensor(all, [tensors.length, ...tensors[0]!.dims.slice(1)]);
}
