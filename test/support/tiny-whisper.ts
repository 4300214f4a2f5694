/**
 * A Whisper whose answers can be foretold: it writes the text that tones spell, one symbol for each slot of 160 ms. Files,
 * names, types and ranks are those of `onnx-community/whisper-*`. Beyond that:
 *
 * - audio that begins with the tone of ' is German, and in German y and z change places, as on its keyboards;
 * - translated, a and b change places;
 * - audio that begins with the tone of x is no speech, and whatever is written of it is a guess;
 * - with timestamps, times stand where a slot is silent or a space.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LogMel } from "../../src/models/front-ends/log-mel.js";
import { type DType, elementType, GraphWriter, type Value, writeModel } from "./onnx-writer.js";
import {
  columnOf,
  extendPast,
  floatInput,
  floatOutput,
  fromHeads,
  HEADS,
  hasWritten,
  ifBranch,
  type KeyValues,
  LAYERS,
  matrix,
  nothing,
  pastInputs,
  presentOutputs,
  readWritten,
  SILENCE_COLUMN,
  takeSlots,
  toHeads,
  WIDTH,
} from "./tiny-decoder.js";
import { TONE_SYMBOLS, tonesOf } from "./tones.js";

export const FRAMES = 1500;
export const END = TONE_SYMBOLS.length;
const SPECIAL = [
  "<|endoftext|>",
  "<|startoftranscript|>",
  "<|en|>",
  "<|de|>",
  "<|translate|>",
  "<|transcribe|>",
  "<|startoflm|>",
  "<|startofprev|>",
  "<|nospeech|>",
  "<|notimestamps|>",
];
export const idOf = (token: string): number => END + SPECIAL.indexOf(token);
export const FIRST_TIME = END + SPECIAL.length;
const TIMES = 1501;
export const VOCABULARY = FIRST_TIME + TIMES;
/** Of the encoder, 20 ms each, and as many time tokens. */
export const FRAMES_PER_SLOT = 8;
/** Between the loudness of a tone's band, about 1.2, and that of its neighbours. */
const SILENCE = 0.5;
const NEVER = -50;

export interface TinyWhisperOptions {
  readonly form?: "merged" | "two-files";
  /** Of what the encoder says, the caches and the logits. */
  readonly dtype?: "float32" | "float16";
  readonly bins?: 80 | 128;
  readonly isMultilingual?: boolean;
  /** Says what it looks at: head 1 of layer 1 at the slot that it writes, all others everywhere. */
  readonly hasAttention?: boolean;
  /** At the end of the names of ONNX files. */
  readonly suffix?: string;
}

/** Writes a model's folder. */
export function writeTinyWhisper(folder: string, options: TinyWhisperOptions = {}): void {
  const {
    form = "merged",
    dtype = "float32",
    bins = 80,
    isMultilingual = true,
    hasAttention = false,
    suffix = "",
  } = options;
  mkdirSync(join(folder, "onnx"), { recursive: true });
  const write = (name: string, graph: GraphWriter) => writeModel(join(folder, "onnx", `${name}${suffix}.onnx`), graph);
  write("encoder_model", encoder(bins, dtype));
  if (form === "merged") write("decoder_model_merged", mergedDecoder(dtype, hasAttention));
  else {
    write("decoder_model", decoderAlone(dtype, hasAttention));
    write("decoder_with_past_model", decoderWithPast(dtype, hasAttention));
  }
  const json = (name: string, content: unknown) => writeFileSync(join(folder, name), JSON.stringify(content));
  json("tokenizer.json", tokenizer());
  json("preprocessor_config.json", { feature_size: bins, sampling_rate: 16_000 });
  json("generation_config.json", {
    is_multilingual: isMultilingual,
    begin_suppress_tokens: [TONE_SYMBOLS.indexOf(" ")],
    suppress_tokens: [],
    max_length: 448,
    ...(hasAttention ? { alignment_heads: [[1, 1]] } : {}),
  });
}

function tokenizer(): unknown {
  const letters = [...TONE_SYMBOLS].map((symbol, id) => [symbol === " " ? "Ġ" : symbol, id]);
  const times = Array.from({ length: TIMES }, (_, i) => `<|${(i * 0.02).toFixed(2)}|>`);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    version: "1.0",
    added_tokens: [...SPECIAL, ...times].map((content, i) => ({
      id: END + i,
      content,
      special: i < SPECIAL.length,
      ...flags,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
    model: { type: "BPE", unk_token: null, vocab: Object.fromEntries(letters), merges: [] },
  };
}

/** Where in the spectrogram a symbol's tone is loudest. */
function loudestBand(symbol: string, bins: number): number {
  const logMel = new LogMel(bins, 16);
  const features = new Float32Array(bins * 16);
  logMel.compute(
    Float32Array.from(tonesOf(symbol), (sample) => sample / 32_768),
    features,
  );
  const bands = Array.from({ length: bins }, (_, bin) => features[bin * 16 + 4]!);
  return bands.indexOf(Math.max(...bands));
}

function encoder(bins: number, dtype: DType): GraphWriter {
  const graph = new GraphWriter();
  const features = graph.input("input_features", "float32", ["batch_size", bins, 2 * FRAMES]);
  floatOutput(graph, "last_hidden_state", heardFrames(graph, features, bins), dtype, ["batch_size", FRAMES, WIDTH]);
  return graph;
}

/** What it says of a frame is the loudness of each symbol's band: mean of two frames of the spectrogram. */
export function heardFrames(graph: GraphWriter, features: Value, bins: number): Value {
  const frames = graph.node("Transpose", [features], { perm: [0, 2, 1] });
  const pairs = graph.node("Reshape", [frames, graph.ints(0, FRAMES, 2 * bins)]);
  const entries = [...TONE_SYMBOLS].flatMap((symbol) => {
    const band = loudestBand(symbol, bins);
    return [band, bins + band].map((row): [number, number, number] => [row, columnOf(symbol), 0.5]);
  });
  const loudness = graph.node("MatMul", [pairs, matrix(graph, "bands", 2 * bins, WIDTH, entries)]);
  const silence = matrix(graph, "silence", 1, WIDTH, [[0, SILENCE_COLUMN, SILENCE]]);
  return graph.node("Add", [loudness, silence]);
}

function mergedDecoder(dtype: DType, hasAttention: boolean): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("input_ids", "int64", ["batch_size", "decoder_sequence_length"]);
  const heard = floatInput(graph, "encoder_hidden_states", dtype, ["batch_size", "encoder_sequence_length / 2", WIDTH]);
  const selves = pastInputs(graph, "decoder", dtype, "past_decoder_sequence_length");
  const others = pastInputs(graph, "encoder", dtype, "encoder_sequence_length_out");
  const isCached = graph.input("use_cache_branch", "bool", [1]);
  const names = others.map(({ name }) => name);
  const fresh = (body: GraphWriter) => toHeads(body, heard, "encoder").map(({ value }) => value);
  const used = ifBranch(
    graph,
    isCached,
    names,
    (body) => others.map(({ value }) => body.node("Identity", [value])),
    fresh,
  );
  const told = ifBranch(graph, isCached, names, (body) => others.map(() => nothing(body)), fresh);
  const present = extendPast(graph, ids, selves);
  const cross = others.map((other, i) => ({ ...other, value: used[i]! }));
  floatOutput(graph, "logits", logits(graph, ids, present, cross), dtype, LOGITS_DIMS);
  if (hasAttention) attentionOutputs(graph, ids, present, dtype);
  presentOutputs(graph, present, dtype);
  presentOutputs(
    graph,
    others.map((other, i) => ({ ...other, value: told[i]! })),
    dtype,
  );
  return graph;
}

const LOGITS_DIMS = ["batch_size", "decoder_sequence_length", VOCABULARY] as const;

function decoderAlone(dtype: DType, hasAttention: boolean): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("input_ids", "int64", ["batch_size", "decoder_sequence_length"]);
  const heard = floatInput(graph, "encoder_hidden_states", dtype, ["batch_size", FRAMES, WIDTH]);
  const cross = toHeads(graph, heard, "encoder");
  const present = extendPast(graph, ids, undefined);
  floatOutput(graph, "logits", logits(graph, ids, present, cross), dtype, LOGITS_DIMS);
  if (hasAttention) attentionOutputs(graph, ids, present, dtype);
  presentOutputs(graph, [...present, ...cross], dtype);
  return graph;
}

function decoderWithPast(dtype: DType, hasAttention: boolean): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("input_ids", "int64", ["batch_size", 1]);
  const selves = pastInputs(graph, "decoder", dtype, "past_decoder_sequence_length");
  const cross = pastInputs(graph, "encoder", dtype, FRAMES);
  const present = extendPast(graph, ids, selves);
  floatOutput(graph, "logits", logits(graph, ids, present, cross), dtype, LOGITS_DIMS);
  if (hasAttention) attentionOutputs(graph, ids, present, dtype);
  presentOutputs(graph, present, dtype);
  return graph;
}

function attentionOutputs(graph: GraphWriter, ids: Value, selves: readonly KeyValues[], dtype: DType): void {
  const [everywhere, following] = looks(graph, ids, selves);
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const heads = [everywhere, layer === 1 ? following : everywhere];
    const dims = ["batch_size", HEADS, "decoder_sequence_length", FRAMES] as const;
    floatOutput(graph, `cross_attentions.${layer}`, graph.node("Concat", heads, { axis: 1 }), dtype, dims);
  }
}

/** What two heads look at, f32 [batch, 1, n, FRAMES]: everything, and the slot that is written. */
export function looks(graph: GraphWriter, ids: Value, selves: readonly KeyValues[]): readonly [Value, Value] {
  const { slots } = readWritten(graph, ids, selves, [0, END]);
  const wanted = graph.node("Unsqueeze", [
    graph.node("Cast", [slots], { to: elementType("float32") }),
    graph.ints(1, 3),
  ]);
  const slotOfFrame = Float32Array.from({ length: FRAMES }, (_, frame) => Math.floor(frame / FRAMES_PER_SLOT));
  const distance = graph.node("Abs", [graph.node("Sub", [wanted, graph.constant("slotOfFrame", slotOfFrame)])]);
  const isLooked = graph.node("Cast", [graph.node("Less", [distance, graph.scalar(0.5)])], {
    to: elementType("float32"),
  });
  const everywhere = graph.node("Add", [graph.node("Mul", [isLooked, graph.scalar(0)]), graph.scalar(1 / FRAMES)]);
  return [everywhere, graph.node("Div", [isLooked, graph.scalar(FRAMES_PER_SLOT)])];
}

export function logits(
  graph: GraphWriter,
  ids: Value,
  selves: readonly KeyValues[],
  cross: readonly KeyValues[],
): Value {
  const written = readWritten(graph, ids, selves, [0, END]);
  // A tone lies in the third of a slot's eight frames.
  const [start, end, axis, step] = [graph.ints(2), graph.ints(FRAMES), graph.ints(1), graph.ints(FRAMES_PER_SLOT)];
  const slots = graph.node("Slice", [fromHeads(graph, cross), start, end, axis, step]);
  const first = graph.node("Slice", [slots, graph.ints(0), graph.ints(1), graph.ints(1)]);
  let scores = takeSlots(graph, slots, written.slots);
  scores = swapped(graph, scores, "y", "z", hasWritten(graph, written, idOf("<|de|>")));
  scores = swapped(graph, scores, "a", "b", hasWritten(graph, written, idOf("<|translate|>")));
  const answer = graph.node("Mul", [answers(graph, scores, written.slots), certainty(graph, first)]);
  const isStart = graph.node("Equal", [ids, graph.scalar(idOf("<|startoftranscript|>"), "int64")]);
  return graph.node("Where", [graph.node("Unsqueeze", [isStart, graph.ints(2)]), languages(graph, first), answer]);
}

/** Two symbols change places if `condition` is 1. */
function swapped(graph: GraphWriter, scores: Value, one: string, two: string, condition: Value): Value {
  const [a, b] = [columnOf(one), columnOf(two)];
  const change = matrix(graph, "swap", WIDTH, WIDTH, [
    [a, a, -1],
    [a, b, 1],
    [b, b, -1],
    [b, a, 1],
  ]);
  return graph.node("Add", [scores, graph.node("Mul", [graph.node("MatMul", [scores, change]), condition])]);
}

function answers(graph: GraphWriter, scores: Value, slots: Value): Value {
  const symbols = [...TONE_SYMBOLS].map((symbol, id): [number, number, number] => [columnOf(symbol), id, 20]);
  const weights = matrix(graph, "tokens", WIDTH, VOCABULARY, [...symbols, [SILENCE_COLUMN, END, 20]]);
  const bias = Float32Array.from({ length: VOCABULARY }, (_, id) => (id <= END ? 0 : NEVER));
  const texts = graph.node("Add", [graph.node("MatMul", [scores, weights]), graph.constant("bias", bias)]);
  const loudest = graph.node("ArgMax", [scores], { axis: 2, keepdims: 1 });
  const isPause = graph.node("Less", [loudest, graph.scalar(columnOf(" ") + 1, "int64")]);
  const height = graph.node("Mul", [graph.node("Cast", [isPause], { to: elementType("float32") }), graph.scalar(90)]);
  const at = graph.node("Mul", [slots, graph.scalar(FRAMES_PER_SLOT, "int64")]);
  const oneHot = graph.node("OneHot", [at, graph.scalar(TIMES, "int64"), graph.constant("offOn", [0, 1])], {
    axis: -1,
  });
  const times = graph.node("Pad", [graph.node("Mul", [oneHot, height]), graph.ints(0, 0, FIRST_TIME, 0, 0, 0)]);
  return graph.node("Add", [texts, times]);
}

/** 1, or nearly 0 if the first slot has the tone of x: all tokens are then about as likely. */
function certainty(graph: GraphWriter, first: Value): Value {
  const loudest = graph.node("ArgMax", [first], { axis: 2, keepdims: 1 });
  const isGuess = graph.node("Equal", [loudest, graph.scalar(columnOf("x"), "int64")]);
  return graph.node("Where", [isGuess, graph.scalar(0.01), graph.scalar(1)]);
}

/** What is said behind the first token of a prompt: the language, and whether anybody speaks. */
function languages(graph: GraphWriter, first: Value): Value {
  const weights = matrix(graph, "languages", WIDTH, VOCABULARY, [
    [columnOf("'"), idOf("<|de|>"), 20],
    [columnOf("x"), idOf("<|nospeech|>"), 60],
  ]);
  const bias = new Float32Array(VOCABULARY).fill(NEVER);
  bias[idOf("<|en|>")] = 20 * SILENCE;
  bias[idOf("<|de|>")] = 0;
  bias[idOf("<|nospeech|>")] = 0;
  return graph.node("Add", [graph.node("MatMul", [first, weights]), graph.constant("languageBias", bias)]);
}
