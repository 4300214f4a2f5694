/**
 * A cache-aware encoder over the tone alphabet with NeMo's tensors, for windows of 25 frames of which 16 are new. It hears
 * each frame of 80 ms twice late: once since it looks at the window's older end, once since `cache_last_time` is a delay
 * line. `cache_last_channel` holds the number of tones and how many frames there were, which has to be
 * `cache_last_channel_len`: else it hears nothing any more.
 */
import { join } from "node:path";
import { NemoMel } from "../../../src/models/front-ends/nemo-mel.js";
import { elementType, GraphWriter, type Value, writeModel } from "../../support/onnx-writer.js";
import { pooledScores, SYMBOL_COUNT, toneBands, writeTokens } from "./tiny-parts.js";
import { ENCODED_WIDTH, numberedTones, type TinyTransducerOptions, writeDecoder } from "./tiny-transducer.js";

const BINS = 80;
const WINDOW = 25;
const SHIFT = 16;
/** By how many frames of 80 ms the text is late. */
export const DELAY_FRAMES = 2;
/** Layers, cached frames, width; and layers, width, cached frames. */
const CHANNEL_DIMS = [2, 3, 4] as const;
const TIME_DIMS = [2, SYMBOL_COUNT, 1] as const;

export interface TinyStreamingOptions extends TinyTransducerOptions {
  /** The file's batch dimensions: free if not given. */
  readonly batch?: "batch" | 1;
  readonly metadata?: Readonly<Record<string, string | number>>;
}

export const STREAMING_METADATA = {
  window_size: WINDOW,
  chunk_shift: SHIFT,
  subsampling_factor: 8,
  normalize_type: "",
  pred_rnn_layers: 2,
  pred_hidden: 4,
  vocab_size: SYMBOL_COUNT,
  cache_last_channel_dim1: CHANNEL_DIMS[0],
  cache_last_channel_dim2: CHANNEL_DIMS[1],
  cache_last_channel_dim3: CHANNEL_DIMS[2],
  cache_last_time_dim1: TIME_DIMS[0],
  cache_last_time_dim2: TIME_DIMS[1],
  cache_last_time_dim3: TIME_DIMS[2],
};

/** Writes encoder, decoder and table. */
export function writeTinyStreaming(folder: string, options: TinyStreamingOptions): void {
  const { layout, batch = "batch", metadata = STREAMING_METADATA } = options;
  const { graph, numbered } = encoder(batch);
  graph.output("outputs", graph.node("Transpose", [numbered], { perm: [0, 2, 1] }), "float32", [
    batch,
    ENCODED_WIDTH,
    "frames",
  ]);
  graph.metadata(metadata);
  writeModel(join(folder, layout === "fused" ? "encoder-model.onnx" : "encoder.onnx"), graph);
  writeDecoder(folder, options);
}

/** The same with a CTC output, in clear. */
export function writeTinyStreamingCtc(folder: string, file = "model.onnx"): void {
  const { graph, numbered } = encoder("batch");
  const scores = graph.node("Slice", [numbered, graph.ints(0), graph.ints(SYMBOL_COUNT), graph.ints(2)]);
  const silence = graph.node("Pad", [scores, graph.ints(0, 0, 0, 0, 0, 1)]);
  graph.output("logprobs", silence, "float32", ["batch", "frames", SYMBOL_COUNT + 1]);
  graph.metadata(STREAMING_METADATA);
  writeModel(join(folder, file), graph);
  writeTokens(folder, "tokens.txt", "last");
}

function encoder(batch: "batch" | 1): { graph: GraphWriter; numbered: Value } {
  const graph = new GraphWriter();
  const signal = graph.input("audio_signal", "float32", [batch, BINS, "time"]);
  const length = graph.input("length", "int64", [batch]);
  const [layers, cached, width] = CHANNEL_DIMS;
  const channel = graph.input("cache_last_channel", "float32", [batch, layers, "cached", width]);
  const time = graph.input("cache_last_time", "float32", [batch, ...TIME_DIMS]);
  const count = graph.input("cache_last_channel_len", "int64", [batch]);

  const older = graph.node("Slice", [signal, graph.ints(1), graph.ints(1 + SHIFT), graph.ints(2)]);
  const scores = pooledScores(graph, older, toneBands(new NemoMel(BINS)), BINS);
  const layer = graph.node("Slice", [time, graph.ints(1), graph.ints(2), graph.ints(1)]);
  const before = graph.node("Reshape", [layer, graph.ints(-1, 1, SYMBOL_COUNT)]);
  const early = graph.node("Slice", [scores, graph.ints(0), graph.ints(-1), graph.ints(1)]);
  const delayed = graph.node("Concat", [before, early], { axis: 1 });

  // Two cells of the cache: frames so far, and tones so far.
  const cells = graph.node("Reshape", [channel, graph.ints(-1, layers * cached * width)]);
  const cell = (index: number) => graph.node("Slice", [cells, graph.ints(index), graph.ints(index + 1), graph.ints(1)]);
  const frames = graph.node("Cast", [graph.node("Reshape", [count, graph.ints(-1, 1)])], {
    to: elementType("float32"),
  });
  const isRight = graph.node("Reshape", [graph.node("Equal", [frames, cell(FRAMES_CELL)]), graph.ints(-1, 1, 1)]);
  const heard = graph.node("Where", [isRight, delayed, graph.scalar(-1)]);
  const tonesBefore = graph.node("Reshape", [cell(TONES_CELL), graph.ints(-1, 1, 1)]);
  const { numbered, numbers } = numberedTones(graph, heard, tonesBefore);

  graph.output("encoded_lengths", newFrames(graph, length), "int64", [batch]);
  const newTones = graph.node("Sub", [lastOf(graph, numbers), cell(TONES_CELL)]);
  const added = graph.node("Add", [
    graph.node("Mul", [newTones, cellMask(graph, TONES_CELL)]),
    graph.node("Mul", [graph.scalar(SHIFT / 8), cellMask(graph, FRAMES_CELL)]),
  ]);
  const next = graph.node("Reshape", [graph.node("Add", [cells, added]), graph.ints(-1, ...CHANNEL_DIMS)]);
  graph.output("cache_last_channel_next", next, "float32", [batch, layers, "cached", width]);
  const late = graph.node("Slice", [scores, graph.ints(-1), graph.ints(WINDOW), graph.ints(1)]);
  const lateLayer = graph.node("Reshape", [late, graph.ints(-1, 1, SYMBOL_COUNT, 1)]);
  const nextTime = graph.node("Concat", [graph.node("Neg", [lateLayer]), lateLayer], { axis: 1 });
  graph.output("cache_last_time_next", nextTime, "float32", [batch, ...TIME_DIMS]);
  const counted = graph.node("Add", [count, graph.scalar(SHIFT / 8, "int64")]);
  graph.output("cache_last_channel_next_len", counted, "int64", [batch]);
  return { graph, numbered };
}

const FRAMES_CELL = 5;
const TONES_CELL = 22;

function cellMask(graph: GraphWriter, index: number): Value {
  const mask = new Float32Array(CHANNEL_DIMS[0] * CHANNEL_DIMS[1] * CHANNEL_DIMS[2]);
  mask[index] = 1;
  return graph.constant("cell", mask, [1, mask.length]);
}

/** f32 [batch, frames, 1] to the last frame's [batch, 1]. */
function lastOf(graph: GraphWriter, numbers: Value): Value {
  const last = graph.node("Slice", [numbers, graph.ints(-1), graph.ints(WINDOW), graph.ints(1)]);
  return graph.node("Reshape", [last, graph.ints(-1, 1)]);
}

/** What a window of `length` frames adds, the first 9 of which are old. */
function newFrames(graph: GraphWriter, length: Value): Value {
  const fresh = graph.node("Sub", [length, graph.scalar(WINDOW - SHIFT, "int64")]);
  return graph.node("Div", [fresh, graph.scalar(8, "int64")]);
}
