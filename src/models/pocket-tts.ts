/**
 * The `pocket-tts` family: Kyutai's Pocket TTS (100 M parameters, CC-BY-4.0) at 24 kHz, from the user's own folder in the
 * layout of sherpa-onnx: `text_conditioner`, `lm_main`, `lm_flow`, `decoder`, `encoder`, each `.onnx` or `.int8.onnx`, and
 * `vocab.json` with `token_scores.json`. A voice is a recording of somebody who agreed to lend it.
 *
 * The language model hears the voice, then the text, and then says frames of 80 ms: from the last one's latent (NaN before
 * the first) to what conditions the next, which the flow makes of noise; the decoder turns it into 1920 samples. One text
 * at a time; audio leaves from the first frame on. The pace is the voice's own: a speed is not heeded.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { z } from "zod";
import { decodeAudio } from "../audio/decode.js";
import { s16ToF32 } from "../audio/pcm.js";
import { SyrinxError } from "../base/errors.js";
import type { OnnxTensor, OnnxTensors } from "../gpu/batch-buffers.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import { float32Tensor, floatsOf, int64Tensor } from "../gpu/tensors.js";
import { defineFamily, type FamilyContext, type TtsModel } from "./family.js";
import { CarriedState } from "./tts/carried-state.js";
import { type FrameSource, speakFrames } from "./tts/codec-loop.js";
import { normals } from "./tts/noise.js";
import { openGraph } from "./tts/open-graph.js";
import { readSentencePieces, type SentencePieces } from "./tts/sentence-pieces.js";
import type { PlacedWord } from "./tts/spans.js";
import { type Synthesiser, type SynthesisRow, type Utterance, VoiceModel } from "./tts/voice-model.js";

const NAME = "pocket-tts";
const RATE_HZ = 24_000;
const LATENT_FLOATS = 32;
/** 40 s. At it: the text ends, whatever is left of it. */
const FRAMES_MAX = 500;
/** The end is likely from this logit on, and so many frames come behind it. */
const END_LOGIT = -4;
const FRAMES_AFTER_END = 3;
/** The noise's variance, in Kyutai's words the temperature. */
const NOISE_VARIANCE = 0.7;
const NOISE_SEED = 1;
/** Of a voice's recording; what is behind it is not listened to. */
const VOICE_SECONDS_MAX = 30;
const STEPS_MAX = 16;

const options = z.strictObject({
  folder: z.string().min(1).describe("of the five graphs, vocab.json and token_scores.json"),
  voices: z.string().min(1).describe("a folder of recordings (WAV, FLAC, MP3), one for each voice, or one of them"),
  voice: z.string().min(1).optional().describe("a recording's name without its ending; by default the first in order"),
  steps: z.number().int().min(1).max(STEPS_MAX).default(1).describe("of the flow for each frame"),
});

export const pocketTtsFamily = defineFamily({
  name: NAME,
  task: "tts",
  options,
  open: async (given: z.infer<typeof options>, context: FamilyContext): Promise<TtsModel> => {
    const folder = resolve(context.baseFolder, given.folder);
    const pieces = await readSentencePieces(join(folder, "vocab.json"), join(folder, "token_scores.json"));
    const recordings = await listRecordings(resolve(context.baseFolder, given.voices));
    const synthesiser = new PocketTts(await openGraphs(folder, context), pieces, recordings, given.steps);
    const voice = new VoiceModel(synthesiser, { voice: given.voice ?? synthesiser.voices[0]!, speed: 1 });
    await voice.warm();
    return voice;
  },
});

const GRAPHS = ["text_conditioner", "lm_main", "lm_flow", "decoder", "encoder"] as const;
type GraphName = (typeof GRAPHS)[number];
type Graphs = Readonly<Record<GraphName, OnnxModel>>;

async function openGraphs(folder: string, context: FamilyContext): Promise<Graphs> {
  const graphs = {
    text_conditioner: await openSmaller(folder, "text_conditioner", context),
    lm_main: await openSmaller(folder, "lm_main", context),
    lm_flow: await openSmaller(folder, "lm_flow", context),
    decoder: await openSmaller(folder, "decoder", context),
    encoder: await openSmaller(folder, "encoder", context),
  };
  expectRanks(graphs.text_conditioner, ["int64:2"], ["float32:3"]);
  expectRanks(graphs.lm_flow, ["float32:2", "float32:2", "float32:2", "float32:2"], ["float32:2"]);
  expectRanks(graphs.encoder, ["float32:3"], ["float32:3"]);
  expectRanks(graphs.lm_main, ["float32:3", "float32:3"], ["float32:2", "float32:2"]);
  expectRanks(graphs.decoder, ["float32:3"], ["float32:3"]);
  return graphs;
}

/** The smaller file of the two, if both are there. */
async function openSmaller(folder: string, name: GraphName, context: FamilyContext): Promise<OnnxModel> {
  const small = join(folder, `${name}.int8.onnx`);
  const hasSmall = await stat(small).then(
    () => true,
    () => false,
  );
  return openGraph(hasSmall ? small : join(folder, `${name}.onnx`), context);
}

/** Exports differ in names, not in order: the first tensors are checked where they stand, as `type:rank`. */
function expectRanks(model: OnnxModel, inputs: readonly string[], outputs: readonly string[]): void {
  const expected = (found: OnnxModel["inputs"], wanted: readonly string[], kind: string) =>
    wanted.map((form, at) => {
      const [type = "", rank] = form.split(":");
      return { name: found[at]?.name ?? `${kind} ${at}`, type, dims: new Array<null>(Number(rank)).fill(null) };
    });
  expectTensors(model, NAME, {
    inputs: [...expected(model.inputs, inputs, "input"), ...model.inputs.slice(inputs.length)],
    outputs: expected(model.outputs, outputs, "output"),
  });
}

const RECORDINGS = [".wav", ".flac", ".mp3"];

/** Paths by the voices' names. */
async function listRecordings(path: string): Promise<ReadonlyMap<string, string>> {
  const found = await stat(path).catch((error: unknown) => {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  });
  const files = found.isDirectory() ? (await readdir(path)).sort().map((name) => join(path, name)) : [path];
  const recordings = files.filter((file) => RECORDINGS.includes(extname(file).toLowerCase()));
  if (recordings.length > 0) return new Map(recordings.map((file) => [basename(file, extname(file)), file]));
  throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it holds no recordings (WAV, FLAC, MP3)" });
}

async function readRecording(path: string): Promise<OnnxTensor> {
  const { pcm } = await decodeAudio(await readFile(path), path, RATE_HZ);
  const count = Math.min(pcm.length, VOICE_SECONDS_MAX * RATE_HZ);
  const floats = new Float32Array(count);
  s16ToF32(pcm, 0, count, floats, 0);
  return float32Tensor(floats, [1, 1, count]);
}

interface PocketPlan {
  readonly ids: readonly number[];
  readonly voice: string;
}

class PocketTts implements Synthesiser<PocketPlan> {
  readonly device: string;
  readonly description: string;
  readonly rateHz = RATE_HZ;
  readonly voices: readonly string[];
  readonly batchMax = 1;
  readonly isStreaming = true;
  /** Of the language model, after it heard a voice. */
  readonly #heard = new Map<string, CarriedState>();
  readonly #silence: CarriedState;
  readonly #deaf: CarriedState;

  constructor(
    private readonly graphs: Graphs,
    private readonly pieces: SentencePieces,
    private readonly recordings: ReadonlyMap<string, string>,
    private readonly stepCount: number,
  ) {
    this.device = graphs.lm_main.device;
    this.description = graphs.lm_main.description;
    this.voices = [...recordings.keys()];
    this.#deaf = CarriedState.zeros(graphs.lm_main, NAME, { inputs: 2, outputs: 2 });
    this.#silence = CarriedState.zeros(graphs.decoder, NAME, { inputs: 1, outputs: 1 });
  }

  async plan(text: string, voice: string): Promise<readonly Utterance<PocketPlan>[]> {
    if (!/[\p{L}\p{N}]/u.test(text)) return [];
    const { sentence, words } = sentenceOf(text);
    return [{ plan: { ids: this.pieces.encode(sentence), voice }, words, unitCount: sentence.length }];
  }

  async synthesise(
    rows: readonly SynthesisRow<PocketPlan>[],
    emit: (row: number, pcm: Float32Array) => void,
  ): Promise<readonly undefined[]> {
    const row = rows[0]!;
    const { ids, voice } = row.plan;
    const [embeddings] = await this.#run("text_conditioner", [int64Tensor(ids, [1, ids.length])]);
    const told = await this.#listen(await this.#voice(voice), embeddings!);
    await speakFrames(
      this.#frames(told),
      () => row.isStale(),
      (pcm) => emit(0, pcm),
    );
    return [undefined];
  }

  async release(): Promise<void> {
    for (const name of GRAPHS) await this.graphs[name].release();
  }

  /** The state after hearing a voice; a recording is listened to once. */
  async #voice(name: string): Promise<CarriedState> {
    const known = this.#heard.get(name);
    if (known !== undefined) return known;
    const [embeddings] = await this.#run("encoder", [await readRecording(this.recordings.get(name)!)]);
    const heard = await this.#listen(this.#deaf, embeddings!);
    this.#heard.set(name, heard);
    return heard;
  }

  async #listen(state: CarriedState, embeddings: OnnxTensor): Promise<CarriedState> {
    const nothing = float32Tensor(new Float32Array(0), [1, 0, LATENT_FLOATS]);
    const [, , outputs] = await this.#main(state, nothing, embeddings);
    return state.after(outputs);
  }

  #frames(told: CarriedState): FrameSource {
    const noise = normals(NOISE_SEED);
    const width = this.graphs.lm_main.inputs[1]!.dims[2];
    const noText = float32Tensor(new Float32Array(0), [1, 0, typeof width === "number" ? width : EMBEDDING_FLOATS]);
    let [main, decoder] = [told, this.#silence];
    let latent = new Float32Array(LATENT_FLOATS).fill(Number.NaN);
    let frame = 0;
    let end = FRAMES_MAX;
    return {
      next: async () => {
        const [condition, logit, outputs] = await this.#main(
          main,
          float32Tensor(latent, [1, 1, LATENT_FLOATS]),
          noText,
        );
        main = main.after(outputs);
        if (floatsOf(logit)[0]! > END_LOGIT) end = Math.min(end, frame + FRAMES_AFTER_END);
        if (frame >= end) return undefined;
        frame += 1;
        latent = await this.#flow(condition, noise);
        return latent;
      },
      decode: async (latents) => {
        const joined = new Float32Array(latents.length * LATENT_FLOATS);
        for (const [at, each] of latents.entries()) joined.set(each, at * LATENT_FLOATS);
        const given = float32Tensor(joined, [1, latents.length, LATENT_FLOATS]);
        const [audio, outputs] = await this.#decode(given, decoder);
        decoder = decoder.after(outputs);
        return floatsOf(audio);
      },
    };
  }

  async #main(
    state: CarriedState,
    sequence: OnnxTensor,
    embeddings: OnnxTensor,
  ): Promise<readonly [condition: OnnxTensor, logit: OnnxTensor, outputs: OnnxTensors]> {
    const { lm_main: model } = this.graphs;
    const [first, second] = model.inputs;
    const outputs = await model.run({ [first!.name]: sequence, [second!.name]: embeddings, ...state.feeds });
    return [outputs[model.outputs[0]!.name]!, outputs[model.outputs[1]!.name]!, outputs];
  }

  async #decode(latents: OnnxTensor, state: CarriedState): Promise<readonly [audio: OnnxTensor, outputs: OnnxTensors]> {
    const { decoder: model } = this.graphs;
    const outputs = await model.run({ [model.inputs[0]!.name]: latents, ...state.feeds });
    return [outputs[model.outputs[0]!.name]!, outputs];
  }

  /** From noise to a frame's latent, in equal steps of Euler's method. */
  async #flow(condition: OnnxTensor, noise: () => number): Promise<Float32Array<ArrayBuffer>> {
    const latent = Float32Array.from({ length: LATENT_FLOATS }, () => Math.sqrt(NOISE_VARIANCE) * noise());
    for (let step = 0; step < this.stepCount; step += 1) {
      const time = (at: number): OnnxTensor => float32Tensor(Float32Array.of(at / this.stepCount), [1, 1]);
      const given = float32Tensor(latent.slice(), [1, LATENT_FLOATS]);
      const [direction] = await this.#run("lm_flow", [condition, time(step), time(step + 1), given]);
      const floats = floatsOf(direction);
      for (let i = 0; i < LATENT_FLOATS; i += 1) latent[i] = latent[i]! + floats[i]! / this.stepCount;
    }
    return latent;
  }

  /** Feeds by position, and the outputs in their order. */
  async #run(name: GraphName, inputs: readonly OnnxTensor[]): Promise<OnnxTensor[]> {
    const model = this.graphs[name];
    const feeds = Object.fromEntries(inputs.map((tensor, at) => [model.inputs[at]!.name, tensor]));
    const outputs = await model.run(feeds);
    return model.outputs.map((output) => outputs[output.name]!);
  }
}

/** The width of a piece's embedding where a file does not say it. */
const EMBEDDING_FLOATS = 1024;

/** The model learnt from sentences: they begin with a capital and end with a mark. */
function sentenceOf(text: string): { sentence: string; words: readonly PlacedWord[] } {
  const plain = text.trim().replace(/\s+/gu, " ");
  const ended = /[\p{L}\p{N}]$/u.test(plain) ? `${plain}.` : plain;
  const words = [...plain.matchAll(/\S+/gu)].map(({ 0: word, index }) => {
    return { text: word, from: index, to: index + word.length };
  });
  return { sentence: ended.charAt(0).toUpperCase() + ended.slice(1), words };
}
