/**
 * Transducers over the tone alphabet with NeMo's tensors. What is heard is in cipher: the predictor's state counts the
 * tokens and sums them, and each token is the tone's symbol less both. So a state that is lost, taken from another call,
 * or moved on by a blank spoils all that follows. The encoder numbers the tones; the joiner emits until it has as many.
 */
import { join } from "node:path";
import { NemoMel } from "../../../src/models/front-ends/nemo-mel.js";
import { elementType, GraphWriter, type Value, writeModel } from "../../support/onnx-writer.js";
import { TONE_SYMBOLS } from "../../support/tones.js";
import { masked, pooledScores, SYMBOL_COUNT, toneBands, writeTokens } from "./tiny-parts.js";

/** Symbols and the number of the tone. */
export const ENCODED_WIDTH = SYMBOL_COUNT + 1;
const BLANK = SYMBOL_COUNT;
const STATE_DIMS = [2, 4] as const;

/** The text whose tones such a transducer hears as `text`. */
export function enciphered(text: string): string {
  let sum = 0;
  return [...text]
    .map((symbol, count) => {
      const id = TONE_SYMBOLS.indexOf(symbol);
      const heard = TONE_SYMBOLS[(id + count + sum) % SYMBOL_COUNT]!;
      sum += id;
      return heard;
    })
    .join("");
}

export interface TinyTransducerOptions {
  readonly layout: "fused" | "split";
  /** 0: no durations. Else tokens last 2 frames if their symbol's index is even, 0 if it is odd. */
  readonly durations?: 0 | 5;
  readonly integers?: "int32" | "int64";
  readonly suffix?: string;
  /** Logits that are missing at the end. */
  readonly missing?: number;
}

/** Writes all files of the layout. */
export function writeTinyTransducer(folder: string, options: TinyTransducerOptions): void {
  const { layout, suffix = "" } = options;
  const encoder = layout === "fused" ? "encoder-model" : "encoder";
  writeModel(join(folder, `${encoder}${suffix}.onnx`), segmentEncoder());
  writeDecoder(folder, options);
}

export function writeDecoder(folder: string, options: TinyTransducerOptions): void {
  const { layout, suffix = "" } = options;
  if (layout === "fused") {
    writeModel(join(folder, `decoder_joint-model${suffix}.onnx`), fusedDecoder(options));
    writeTokens(folder, "vocab.txt", "last");
    return;
  }
  writeModel(join(folder, `decoder${suffix}.onnx`), predictor(options));
  writeModel(join(folder, `joiner${suffix}.onnx`), joiner(options));
  writeTokens(folder, "tokens.txt", "last");
}

function segmentEncoder(): GraphWriter {
  const graph = new GraphWriter();
  const signal = graph.input("audio_signal", "float32", ["batch", 128, "time"]);
  const length = graph.input("length", "int64", ["batch"]);
  const scores = pooledScores(graph, masked(graph, signal, length), toneBands(new NemoMel(128)), 128);
  const { numbered } = numberedTones(graph, scores);
  graph.output("outputs", graph.node("Transpose", [numbered], { perm: [0, 2, 1] }), "float32", [
    "batch",
    ENCODED_WIDTH,
    "frames",
  ]);
  const seven = graph.node("Add", [length, graph.scalar(7, "int64")]);
  const encoded = graph.node("Div", [seven, graph.scalar(8, "int64")]);
  graph.output("encoded_lengths", encoded, "int64", ["batch"]);
  graph.metadata({ normalize_type: "NA", subsampling_factor: 8, pred_rnn_layers: 2, pred_hidden: 4, vocab_size: 28 });
  return graph;
}

/**
 * f32 [batch, frames, symbols] with how many tones there were so far behind them; and that number by itself.
 * @param before f32 [batch, 1, 1], tones before the first frame.
 */
export function numberedTones(
  graph: GraphWriter,
  scores: Value,
  before = graph.scalar(0),
): { numbered: Value; numbers: Value } {
  const loudest = graph.node("ReduceMax", [scores], { axes: [2], keepdims: 1 });
  const isVoiced = graph.node("Cast", [graph.node("Greater", [loudest, graph.scalar(0)])], {
    to: elementType("float32"),
  });
  const numbers = graph.node("Add", [graph.node("CumSum", [isVoiced, graph.scalar(1, "int64")]), before]);
  return { numbered: graph.node("Concat", [scores, numbers], { axis: 2 }), numbers };
}

/** What is known of the tokens so far, f32 [batch, 2]: their count and their sum; and the states with that in them. */
function predict(graph: GraphWriter, { layout, integers = "int32" }: TinyTransducerOptions) {
  const targets = graph.input("targets", integers, ["batch", "tokens"]);
  graph.input("target_length", integers, ["batch"]);
  const names = layout === "fused" ? ["input_states_1", "input_states_2"] : ["states.1", "onnx::Slice_3"];
  const [layers, width] = STATE_DIMS;
  const [one, two] = names.map((name) => graph.input(name, "float32", [layers, "batch", width]));
  const token = graph.node("Cast", [graph.node("Reshape", [targets, graph.ints(1, -1, 1)])], {
    to: elementType("float32"),
  });
  const isToken = graph.node("Cast", [graph.node("Less", [token, graph.scalar(BLANK)])], {
    to: elementType("float32"),
  });
  // Each in a place of its own, so that layers and rows cannot be taken for each other.
  const place = (index: number) => {
    const values = new Float32Array(layers * width);
    values[index] = 1;
    return graph.constant("place", values, [layers, 1, width]);
  };
  const counted = graph.node("Add", [one!, graph.node("Mul", [isToken, place(1)])]);
  const summed = graph.node("Add", [two!, graph.node("Mul", [graph.node("Mul", [token, isToken]), place(6)])]);
  const known = [counted, summed].map((state) => {
    const total = graph.node("ReduceSum", [state, graph.ints(0, 2)], { keepdims: 0 });
    return graph.node("Reshape", [total, graph.ints(-1, 1)]);
  });
  return { known: graph.node("Concat", known, { axis: 1 }), states: [counted, summed] };
}

/** f32 [batch, ENCODED_WIDTH] and [batch, 2] to logits. */
function joined(graph: GraphWriter, frame: Value, known: Value, options: TinyTransducerOptions): Value {
  const column = (value: Value, from: number, to: number) =>
    graph.node("Slice", [value, graph.ints(from), graph.ints(to), graph.ints(1)]);
  const scores = column(frame, 0, SYMBOL_COUNT);
  const left = graph.node("Sub", [column(frame, SYMBOL_COUNT, ENCODED_WIDTH), column(known, 0, 1)]);
  const shift = graph.node("Add", [column(known, 0, 1), column(known, 1, 2)]);
  const symbols = deciphered(graph, scores, shift);
  // Above every score if no tone is left, far below if one is.
  const blank = graph.node("Add", [graph.node("Mul", [left, graph.scalar(-200)]), graph.scalar(100)]);
  const logits = [symbols, blank];
  if (options.durations === 5) logits.push(durations(graph, symbols, left));
  const all = graph.node("Concat", logits, { axis: 1 });
  const width = SYMBOL_COUNT + 1 + (options.durations ?? 0) - (options.missing ?? 0);
  return graph.node("Reshape", [column(all, 0, width), graph.ints(-1, 1, 1, width)]);
}

/** Scores turned back by a number of symbols: f32 [batch, symbols], shift f32 [batch, 1]. */
export function deciphered(graph: GraphWriter, scores: Value, shift: Value): Value {
  const size = SYMBOL_COUNT;
  const turns = new Float32Array(size ** 3);
  for (let by = 0; by < size; by += 1) {
    for (let heard = 0; heard < size; heard += 1) turns[(by * size + heard) * size + ((heard + size - by) % size)] = 1;
  }
  const by = graph.node("Mod", [shift, graph.scalar(size)], { fmod: 1 });
  const index = graph.node("Cast", [graph.node("Reshape", [by, graph.ints(-1)])], { to: elementType("int64") });
  const turn = graph.node("Gather", [graph.constant("turns", turns, [size, size, size]), index], { axis: 0 });
  const row = graph.node("Reshape", [scores, graph.ints(-1, 1, size)]);
  return graph.node("Reshape", [graph.node("MatMul", [row, turn]), graph.ints(-1, size)]);
}

/** Logits of 0 to 4 frames: 2 or 0 for a token by its symbol, 0 for every third blank, 1 for the others. */
function durations(graph: GraphWriter, symbols: Value, left: Value): Value {
  const best = graph.node("ArgMax", [symbols], { axis: 1, keepdims: 1 });
  const isOdd = graph.node("Cast", [graph.node("Mod", [best, graph.scalar(2, "int64")])], { to: elementType("bool") });
  const rowOf = (frames: number) => {
    const row = new Float32Array(5);
    row[frames] = 1;
    return graph.constant("duration", row, [1, 5]);
  };
  const ofToken = graph.node("Where", [isOdd, rowOf(0), rowOf(2)]);
  const ofBlank = graph.node("Where", [isOdd, rowOf(0), rowOf(1)]);
  return graph.node("Where", [graph.node("Greater", [left, graph.scalar(0.5)]), ofToken, ofBlank]);
}

function fusedDecoder(options: TinyTransducerOptions): GraphWriter {
  const graph = new GraphWriter();
  const frames = graph.input("encoder_outputs", "float32", ["batch", ENCODED_WIDTH, "frames"]);
  const { known, states } = predict(graph, options);
  const frame = graph.node("Reshape", [frames, graph.ints(-1, ENCODED_WIDTH)]);
  outputs(
    graph,
    joined(graph, frame, known, options),
    ["batch", "a", "b", "logits"],
    states,
    ["output_states_1", "output_states_2"],
    options,
  );
  return graph;
}

function predictor(options: TinyTransducerOptions): GraphWriter {
  const graph = new GraphWriter();
  const { known, states } = predict(graph, options);
  const predicted = graph.node("Reshape", [known, graph.ints(-1, 2, 1)]);
  outputs(graph, predicted, ["batch", 2, "tokens"], states, ["states", "162"], options);
  return graph;
}

function outputs(
  graph: GraphWriter,
  main: Value,
  dims: readonly (string | number)[],
  states: readonly Value[],
  names: readonly string[],
  { integers = "int32" }: TinyTransducerOptions,
): void {
  graph.output("outputs", main, "float32", dims);
  graph.output("prednet_lengths", "target_length", integers, ["batch"]);
  const [layers, width] = STATE_DIMS;
  for (const [i, name] of names.entries()) graph.output(name, states[i]!, "float32", [layers, "batch", width]);
}

function joiner(options: TinyTransducerOptions): GraphWriter {
  const graph = new GraphWriter();
  const frames = graph.input("encoder_outputs", "float32", ["batch", ENCODED_WIDTH, "frames"]);
  const predicted = graph.input("decoder_outputs", "float32", ["batch", 2, "tokens"]);
  const frame = graph.node("Reshape", [frames, graph.ints(-1, ENCODED_WIDTH)]);
  const known = graph.node("Reshape", [predicted, graph.ints(-1, 2)]);
  graph.output("outputs", joined(graph, frame, known, options), "float32", ["batch", "a", "b", "logits"]);
  return graph;
}
