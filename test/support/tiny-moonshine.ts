/**
 * A Moonshine whose answers can be foretold: it writes the text that tones spell, one symbol for each slot of 160 ms. Files,
 * names, types and ranks are those of `onnx-community/moonshine-*`. A mask that calls samples of the segment padding makes
 * it deaf for them, and padding that no mask tells it of is a z.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, type Value, writeModel } from "./onnx-writer.js";
import {
  columnOf,
  extendPast,
  floatOutput,
  fromHeads,
  ifBranch,
  type KeyValues,
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
import { TONE_FRAME_SAMPLES, TONE_SYMBOLS, toneScores } from "./tones.js";

/** `<unk>`, `<s>`, `</s>`, then the symbols. */
const FIRST_TEXT = 3;
const END = 2;
export const TINY_MOONSHINE_VOCABULARY = FIRST_TEXT + TONE_SYMBOLS.length;

export interface TinyMoonshineOptions {
  /** With `attention_mask` and `encoder_attention_mask`, as newer exports have them. */
  readonly hasMasks?: boolean;
  /** It never ends its answers by itself. */
  readonly isEndless?: boolean;
}

/** Writes a model's folder. */
export function writeTinyMoonshine(
  folder: string,
  { hasMasks = false, isEndless = false }: TinyMoonshineOptions = {},
): void {
  mkdirSync(join(folder, "onnx"), { recursive: true });
  writeModel(join(folder, "onnx", "encoder_model.onnx"), encoder(hasMasks));
  writeModel(join(folder, "onnx", "decoder_model_merged.onnx"), mergedDecoder(hasMasks, isEndless));
  writeFileSync(join(folder, "tokenizer.bin"), tinyTokenizerBin());
}

export function tinyTokenizerBin(): Uint8Array {
  const pieces = ["<unk>", "<s>", "</s>", ...[...TONE_SYMBOLS].map((symbol) => (symbol === " " ? "▁" : symbol))];
  return Buffer.concat(
    pieces.map((piece) => {
      const bytes = Buffer.from(piece);
      return Buffer.concat([Buffer.of(bytes.length), bytes]);
    }),
  );
}

/** f32 [batch, samples] as frames of half a slot; what is over is not heard. */
export function toneFrames(graph: GraphWriter, samples: Value): Value {
  const count = graph.node("Gather", [graph.node("Shape", [samples]), graph.ints(1)]);
  const length = graph.scalar(TONE_FRAME_SAMPLES, "int64");
  const whole = graph.node("Mul", [graph.node("Div", [count, length]), length]);
  const cut = graph.node("Slice", [samples, graph.ints(0), whole, graph.ints(1)]);
  return graph.node("Reshape", [cut, graph.ints(0, -1, TONE_FRAME_SAMPLES)]);
}

const SILENCE_SCORE = 2;

/** The scores of frames in the first columns of WIDTH, scaled so that a tone is about 16 and silence 2. */
export function heardFrames(graph: GraphWriter, frames: Value): Value {
  const scores = toneScores(graph, frames);
  const columns = 1 + TONE_SYMBOLS.length;
  const entries = Array.from({ length: columns }, (_, i): [number, number, number] => [i, i, 2000]);
  return graph.node("MatMul", [scores, matrix(graph, "columns", columns, WIDTH, entries)]);
}

function encoder(hasMasks: boolean): GraphWriter {
  const graph = new GraphWriter();
  const samples = graph.input("input_values", "float32", ["batch_size", "num_samples"]);
  let heard = heardFrames(graph, toneFrames(graph, samples));
  if (hasMasks) {
    const mask = graph.input("attention_mask", "int64", ["batch_size", "num_samples"]);
    heard = masked(graph, heard, mask, columnOf("z"), 30);
  }
  floatOutput(graph, "last_hidden_state", heard, "float32", ["batch_size", "frames", WIDTH]);
  return graph;
}

/** Frames that begin in padding have this symbol. The mask is that of the samples. */
function masked(graph: GraphWriter, heard: Value, mask: Value, column: number, score: number): Value {
  const floats = graph.node("Cast", [mask], { to: elementType("float32") });
  const frames = toneFrames(graph, floats);
  const isHeard = graph.node("Slice", [frames, graph.ints(0), graph.ints(1), graph.ints(2)]);
  const isPadding = graph.node("Sub", [graph.scalar(1), isHeard]);
  const other = matrix(graph, "padding", 1, WIDTH, [[0, column, score]]);
  return graph.node("Add", [graph.node("Mul", [heard, isHeard]), graph.node("Mul", [isPadding, other])]);
}

function mergedDecoder(hasMasks: boolean, isEndless: boolean): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("input_ids", "int64", ["batch_size", "decoder_sequence_length"]);
  const heard = graph.input("encoder_hidden_states", "float32", ["batch_size", "encoder_sequence_length", WIDTH]);
  const selves = pastInputs(graph, "decoder", "float32", "past_decoder_sequence_length");
  const others = pastInputs(graph, "encoder", "float32", "encoder_sequence_length_out");
  const mask = hasMasks ? graph.input("encoder_attention_mask", "int64", ["batch_size", "num_samples"]) : undefined;
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
  let matter = fromHeads(graph, cross);
  if (mask !== undefined) matter = masked(graph, matter, mask, SILENCE_COLUMN, SILENCE_SCORE);
  floatOutput(graph, "logits", tinyMoonshineLogits(graph, ids, present, matter, isEndless), "float32", [
    "batch_size",
    "decoder_sequence_length",
    TINY_MOONSHINE_VOCABULARY,
  ]);
  presentOutputs(graph, present, "float32");
  presentOutputs(
    graph,
    others.map((other, i) => ({ ...other, value: told[i]! })),
    "float32",
  );
  return graph;
}

/** @param heard f32 [batch, frames of half a slot, WIDTH]. */
export function tinyMoonshineLogits(
  graph: GraphWriter,
  ids: Value,
  selves: readonly KeyValues[],
  heard: Value,
  isEndless = false,
): Value {
  const written = readWritten(graph, ids, selves, [FIRST_TEXT, TINY_MOONSHINE_VOCABULARY]);
  const steps = [graph.ints(0), graph.ints(Number.MAX_SAFE_INTEGER), graph.ints(1), graph.ints(2)];
  const even = graph.node("Slice", [heard, ...steps]);
  // One slot of silence behind all others.
  const silence = matrix(graph, "silence", 1, WIDTH, [[0, SILENCE_COLUMN, SILENCE_SCORE]]);
  const batch = graph.node("Slice", [graph.node("Shape", [heard]), graph.ints(0), graph.ints(1)]);
  const shape = graph.node("Concat", [batch, graph.ints(1, WIDTH)], { axis: 0 });
  const slots = graph.node("Concat", [even, graph.node("Expand", [silence, shape])], { axis: 1 });
  const symbols = [...TONE_SYMBOLS].map((symbol, i): [number, number, number] => [columnOf(symbol), FIRST_TEXT + i, 1]);
  const weights = matrix(graph, "tokens", WIDTH, TINY_MOONSHINE_VOCABULARY, [
    ...symbols,
    [SILENCE_COLUMN, isEndless ? 0 : END, 1],
  ]);
  return graph.node("MatMul", [takeSlots(graph, slots, written.slots), weights]);
}
