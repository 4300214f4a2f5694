/**
 * A streaming Zipformer over the tone alphabet with sherpa-onnx's tensors: two layers of six caches. One cache holds
 * whether the last frame had a tone, for a token comes where a tone begins; all the others count the windows, and if they
 * do not agree with `processed_lens` nothing is heard any more. What is heard is in cipher by the last two tokens.
 */
import { join } from "node:path";
import { IcefallFbank } from "../../../src/models/front-ends/icefall-fbank.js";
import { elementType, GraphWriter, type Value, writeModel } from "../../support/onnx-writer.js";
import { TONE_SYMBOLS } from "../../support/tones.js";
import { bandScores, SYMBOL_COUNT, toneBands, writeTokens } from "./tiny-parts.js";
import { deciphered } from "./tiny-transducer.js";

const BINS = 80;
const T = 45;
const CHUNK = 32;
const FRAMES = CHUNK / 4;
export const ZIPFORMER_METADATA = { model_type: "zipformer2", T, decode_chunk_len: CHUNK };
/** Holds the voiced flag. */
const FLAG = "cached_conv1_0";

/** A cache's dimensions and where its batch is. */
const CACHES: readonly (readonly [name: string, dims: readonly number[], batchAxis: number])[] = [0, 1].flatMap(
  (layer) =>
    [
      [`cached_key_${layer}`, [4, 3], 1],
      [`cached_nonlin_attn_${layer}`, [1, 4, 6], 1],
      [`cached_val1_${layer}`, [4, 5], 1],
      [`cached_val2_${layer}`, [4, 5], 1],
      [`cached_conv1_${layer}`, [8, 3], 0],
      [`cached_conv2_${layer}`, [8, 3], 0],
    ] as const,
);
const EMBED = ["embed_states", [128, 3, 19], 0] as const;

/** The text whose tones such a transducer hears as `text`. */
export function encipheredByTwo(text: string): string {
  const ids = [...text].map((symbol) => TONE_SYMBOLS.indexOf(symbol));
  return ids.map((id, i) => TONE_SYMBOLS[(id + (ids[i - 1] ?? 0) + 2 * (ids[i - 2] ?? 0)) % SYMBOL_COUNT]!).join("");
}

export interface TinyZipformerOptions {
  readonly output?: "encoder_out" | "log_probs";
  readonly metadata?: Readonly<Record<string, string | number>>;
}

/** Writes all files, under the names of a published model. */
export function writeTinyZipformer(folder: string, options: TinyZipformerOptions = {}): void {
  const { output = "encoder_out", metadata = ZIPFORMER_METADATA } = options;
  const graph = encoder(output);
  graph.metadata(metadata);
  const name = output === "log_probs" ? "ctc" : "encoder";
  writeModel(join(folder, `${name}-epoch-99-avg-1-chunk-16-left-128.onnx`), graph);
  writeTokens(folder, "tokens.txt", "first");
  if (output === "log_probs") return;
  writeModel(join(folder, "decoder-epoch-99-avg-1-chunk-16-left-128.onnx"), decoder());
  writeModel(join(folder, "joiner-epoch-99-avg-1-chunk-16-left-128.onnx"), joiner());
}

function withBatch(dims: readonly number[], axis: number): (number | string)[] {
  return [...dims.slice(0, axis), "N", ...dims.slice(axis)];
}

function encoder(output: "encoder_out" | "log_probs"): GraphWriter {
  const graph = new GraphWriter();
  const x = graph.input("x", "float32", ["N", T, BINS]);
  const windows: Value[] = [];
  let flag: Value = "";
  for (const [index, [name, dims, axis]] of [...CACHES, EMBED].entries()) {
    const cache = graph.input(name, "float32", withBatch(dims, axis));
    const sum = graph.node("ReduceSum", [cache, graph.ints(...dims.map((_, i) => (i < axis ? i : i + 1)))], {
      keepdims: 0,
    });
    if (name === FLAG) flag = sum;
    else {
      windows.push(sum);
      const next = graph.node("Add", [cache, placeIn(graph, dims, axis, index)]);
      graph.output(`new_${name}`, next, "float32", withBatch(dims, axis));
    }
  }
  const processed = graph.input("processed_lens", "int64", ["N"]);
  const nextProcessed = graph.node("Add", [processed, graph.scalar(FRAMES, "int64")]);
  graph.output("new_processed_lens", nextProcessed, "int64", ["N"]);

  const scores = heardIf(graph, agreed(graph, windows, processed), framesOf(graph, x));
  const loudest = graph.node("ReduceMax", [scores], { axes: [2], keepdims: 1 });
  const isVoiced = graph.node("Cast", [graph.node("Greater", [loudest, graph.scalar(0)])], {
    to: elementType("float32"),
  });
  const early = graph.node("Slice", [isVoiced, graph.ints(0), graph.ints(-1), graph.ints(1)]);
  const before = graph.node("Concat", [graph.node("Reshape", [flag, graph.ints(-1, 1, 1)]), early], { axis: 1 });
  const last = graph.node("Slice", [isVoiced, graph.ints(-1), graph.ints(T), graph.ints(1)]);
  const nextFlag = graph.node("Mul", [last, placeIn(graph, [8, 3], 0, 7)]);
  graph.output(`new_${FLAG}`, nextFlag, "float32", ["N", 8, 3]);

  if (output === "log_probs") {
    const blank = graph.node("Mul", [loudest, graph.scalar(0)]);
    const all = graph.node("LogSoftmax", [graph.node("Concat", [blank, scores], { axis: 2 })], { axis: 2 });
    graph.output(output, all, "float32", ["N", "frames", SYMBOL_COUNT + 1]);
  } else {
    const begins = graph.node("Relu", [graph.node("Sub", [isVoiced, before])]);
    const encoded = graph.node("Concat", [scores, begins], { axis: 2 });
    graph.output(output, encoded, "float32", ["N", "frames", SYMBOL_COUNT + 1]);
  }
  return graph;
}

/** Zeros and a one, in a place that differs from cache to cache; 1 for the batch. */
function placeIn(graph: GraphWriter, dims: readonly number[], axis: number, index: number): Value {
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  values[(5 * index + 1) % values.length] = 1;
  return graph.constant("place", values, [...dims.slice(0, axis), 1, ...dims.slice(axis)]);
}

/** f32 [N, T, BINS] to scores of frames of 40 ms, those of the window's first 32 frames. */
function framesOf(graph: GraphWriter, x: Value): Value {
  const chunk = graph.node("Slice", [x, graph.ints(0), graph.ints(CHUNK), graph.ints(1)]);
  const turned = graph.node("Transpose", [chunk], { perm: [0, 2, 1] });
  const pooled = graph.node("AveragePool", [turned], { kernel_shape: [4], strides: [4] });
  const frames = graph.node("Transpose", [pooled], { perm: [0, 2, 1] });
  return bandScores(graph, frames, toneBands(new IcefallFbank(BINS)), BINS);
}

/** Whether all caches of a row counted the same windows: bool [N, 1, 1]. */
function agreed(graph: GraphWriter, counts: readonly Value[], processed: Value): Value {
  const frames = graph.node("Cast", [processed], { to: elementType("float32") });
  const expected = graph.node("Div", [frames, graph.scalar(FRAMES)]);
  const off = counts.map((count) => graph.node("Abs", [graph.node("Sub", [count, expected])]));
  const isRight = graph.node("Less", [graph.node("Sum", off), graph.scalar(0.5)]);
  return graph.node("Reshape", [isRight, graph.ints(-1, 1, 1)]);
}

function heardIf(graph: GraphWriter, condition: Value, scores: Value): Value {
  return graph.node("Where", [condition, scores, graph.scalar(-1)]);
}

/** y [N, 2], the older token first, to the shift of the cipher. */
function decoder(): GraphWriter {
  const graph = new GraphWriter();
  const y = graph.input("y", "int64", ["N", 2]);
  const tokens = graph.node("Cast", [y], { to: elementType("float32") });
  const symbols = graph.node("Relu", [graph.node("Sub", [tokens, graph.scalar(1)])]);
  const shift = graph.node("MatMul", [symbols, graph.constant("weights", [2, 0, 1, 0], [2, 2])]);
  graph.output("decoder_out", shift, "float32", ["N", 2]);
  graph.metadata({ context_size: 2, vocab_size: SYMBOL_COUNT + 1 });
  return graph;
}

function joiner(): GraphWriter {
  const graph = new GraphWriter();
  const frame = graph.input("encoder_out", "float32", ["N", SYMBOL_COUNT + 1]);
  const predicted = graph.input("decoder_out", "float32", ["N", 2]);
  const column = (value: Value, from: number, to: number) =>
    graph.node("Slice", [value, graph.ints(from), graph.ints(to), graph.ints(1)]);
  const shift = graph.node("ReduceSum", [predicted, graph.ints(1)], { keepdims: 1 });
  const symbols = deciphered(graph, column(frame, 0, SYMBOL_COUNT), shift);
  const begins = column(frame, SYMBOL_COUNT, SYMBOL_COUNT + 1);
  const blank = graph.node("Add", [graph.node("Mul", [begins, graph.scalar(-200)]), graph.scalar(100)]);
  const logit = graph.node("Concat", [blank, symbols], { axis: 1 });
  graph.output("logit", logit, "float32", ["N", SYMBOL_COUNT + 1]);
  graph.metadata({ joiner_dim: SYMBOL_COUNT + 1 });
  return graph;
}
