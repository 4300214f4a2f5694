/**
 * A streaming Moonshine whose answers can be foretold: it writes the text that tones spell, one symbol for each slot of
 * 160 ms. The five files, their names, types and ranks are those of github.com/moonshine-ai/moonshine. What goes astray
 * between its networks changes the text:
 *
 * - the frontend is 20 ms late: a chunk's last frame is kept for the next one, and frames are counted twice over;
 * - the encoder is silent about frames behind which it does not see 16 more, so speech must end 320 ms before the segment;
 * - the adapter writes a frame's number beside it, and the decoder is deaf for frames that are not where they belong.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, type Value, writeModel } from "./onnx-writer.js";
import { extendPast, fromHeads, HEAD_SIZE, HEADS, type KeyValues, LAYERS, layers, toHeads } from "./tiny-decoder.js";
import {
  heardFrames,
  TINY_MOONSHINE_VOCABULARY,
  tinyMoonshineLogits,
  tinyTokenizerBin,
  toneFrames,
} from "./tiny-moonshine.js";

const FRAME = 320;
const LOOKAHEAD = 16;
/** 80 × 4 samples are a frame. */
const KEPT_DIMS = [1, 80, 4] as const;
/** Beside the samples of a frame its number. */
const MEMORY_WIDTH = FRAME + 1;

/** Writes a model's folder. */
export function writeTinyMoonshineStreaming(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, graph: GraphWriter) => writeModel(join(folder, `${name}.onnx`), graph);
  write("frontend", frontend());
  write("encoder", encoder());
  write("adapter", adapter());
  write("cross_kv", crossKv());
  write("decoder_kv", decoderKv());
  const config = {
    encoder_dim: FRAME,
    decoder_dim: MEMORY_WIDTH,
    depth: LAYERS,
    nheads: HEADS,
    head_dim: HEAD_SIZE,
    vocab_size: TINY_MOONSHINE_VOCABULARY,
    bos_id: 1,
    eos_id: 2,
    frame_len: 80,
    total_lookahead: LOOKAHEAD,
    d_model_frontend: KEPT_DIMS[1],
    c1: KEPT_DIMS[1],
    max_seq_len: 448,
  };
  writeFileSync(join(folder, "streaming_config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer.bin"), tinyTokenizerBin());
}

const lengthOf = (graph: GraphWriter, value: Value): Value =>
  graph.node("Gather", [graph.node("Shape", [value]), graph.ints(1)]);

function frontend(): GraphWriter {
  const graph = new GraphWriter();
  const audio = graph.input("audio_chunk", "float32", [1, "chunk_len"]);
  const buffer = graph.input("sample_buffer", "float32", [1, 79]);
  const bufferLength = graph.input("sample_len", "int64", [1]);
  const kept = graph.input("conv1_buffer", "float32", KEPT_DIMS);
  const counted = graph.input("conv2_buffer", "float32", KEPT_DIMS);
  const count = graph.input("frame_count", "int64", [1]);
  const before = graph.node("Slice", [buffer, graph.ints(0), bufferLength, graph.ints(1)]);
  const samples = graph.node("Concat", [before, audio], { axis: 1 });
  const length = lengthOf(graph, samples);
  const frames = graph.node("Div", [length, graph.ints(FRAME)]);
  const whole = graph.node("Mul", [frames, graph.ints(FRAME)]);
  const cut = graph.node("Slice", [samples, graph.ints(0), whole, graph.ints(1)]);
  const fresh = graph.node("Reshape", [cut, graph.ints(1, -1, FRAME)]);
  const late = graph.node("Concat", [graph.node("Reshape", [kept, graph.ints(1, 1, FRAME)]), fresh], { axis: 1 });
  const features = graph.node("Slice", [late, graph.ints(0), frames, graph.ints(1)]);
  const last = graph.node("Slice", [late, frames, graph.ints(Number.MAX_SAFE_INTEGER), graph.ints(1)]);
  // Both counts of frames agree, or nothing is heard.
  const mean = graph.node("ReduceMean", [counted], { axes: [1, 2], keepdims: 0 });
  const agrees = graph.node("Equal", [graph.node("Cast", [mean], { to: elementType("int64") }), count]);
  graph.output(
    "features",
    graph.node("Mul", [features, graph.node("Cast", [agrees], { to: elementType("float32") })]),
    "float32",
    [1, "num_features", FRAME],
  );
  graph.output("sample_buffer_out", graph.node("Mul", [buffer, graph.scalar(0)]), "float32", [1, 79]);
  graph.output("sample_len_out", graph.node("Mul", [bufferLength, graph.ints(0)]), "int64", [1]);
  graph.output("conv1_buffer_out", graph.node("Reshape", [last, graph.ints(...KEPT_DIMS)]), "float32", KEPT_DIMS);
  const total = graph.node("Add", [count, frames]);
  const floats = graph.node("Cast", [total], { to: elementType("float32") });
  graph.output("conv2_buffer_out", graph.node("Expand", [floats, graph.ints(...KEPT_DIMS)]), "float32", KEPT_DIMS);
  graph.output("frame_count_out", total, "int64", [1]);
  return graph;
}

function encoder(): GraphWriter {
  const graph = new GraphWriter();
  const features = graph.input("features", "float32", [1, "num_features", FRAME]);
  const length = lengthOf(graph, features);
  const known = graph.node("Max", [graph.node("Sub", [length, graph.ints(LOOKAHEAD)]), graph.ints(0)]);
  const seen = graph.node("Slice", [features, graph.ints(0), known, graph.ints(1)]);
  const rest = graph.node("Slice", [features, known, length, graph.ints(1)]);
  const encoded = graph.node("Concat", [seen, graph.node("Mul", [rest, graph.scalar(0)])], { axis: 1 });
  graph.output("encoded", encoded, "float32", [1, "num_features", FRAME]);
  return graph;
}

/** float32 [1, n, 1]: 0, 1, 2, … for the rows of a value. */
function numbers(graph: GraphWriter, value: Value): Value {
  const scalar = graph.node("Squeeze", [lengthOf(graph, value), graph.ints(0)]);
  const range = graph.node("Range", [graph.scalar(0, "int64"), scalar, graph.scalar(1, "int64")]);
  return graph.node("Reshape", [graph.node("Cast", [range], { to: elementType("float32") }), graph.ints(1, -1, 1)]);
}

function adapter(): GraphWriter {
  const graph = new GraphWriter();
  const encoded = graph.input("encoded", "float32", [1, "num_frames", FRAME]);
  const offset = graph.input("pos_offset", "int64", [1]);
  const first = graph.node("Cast", [offset], { to: elementType("float32") });
  const positions = graph.node("Add", [numbers(graph, encoded), first]);
  const memory = graph.node("Concat", [encoded, positions], { axis: 2 });
  graph.output("memory", memory, "float32", [1, "num_frames", MEMORY_WIDTH]);
  return graph;
}

const KEY_VALUE_DIMS = (length: string) => [LAYERS, 1, HEADS, length, HEAD_SIZE] as const;

function crossKv(): GraphWriter {
  const graph = new GraphWriter();
  const memory = graph.input("memory", "float32", [1, "num_frames", MEMORY_WIDTH]);
  const [samples, positions] = graph.nodes("Split", [memory, graph.ints(FRAME, 1)], 2, { axis: 2 });
  const isThere = graph.node("Equal", [positions!, numbers(graph, memory)]);
  const heard = graph.node("Mul", [samples!, graph.node("Cast", [isThere], { to: elementType("float32") })]);
  const stream = graph.node("Reshape", [heard, graph.ints(1, -1)]);
  const onTime = graph.node("Slice", [stream, graph.ints(FRAME), graph.ints(Number.MAX_SAFE_INTEGER), graph.ints(1)]);
  stack(graph, toHeads(graph, heardFrames(graph, toneFrames(graph, onTime)), "encoder"), "k_cross", "v_cross");
  return graph;
}

/** Keys and values of all layers as two outputs. */
function stack(graph: GraphWriter, all: readonly KeyValues[], keys: string, values: string): void {
  for (const [name, wanted] of [
    [keys, "key"],
    [values, "value"],
  ] as const) {
    const parts = all
      .filter(({ kind }) => kind === wanted)
      .map(({ value }) => graph.node("Unsqueeze", [value, graph.ints(0)]));
    graph.output(name, graph.node("Concat", parts, { axis: 0 }), "float32", KEY_VALUE_DIMS("length"));
  }
}

/** And back from two inputs. */
function unstack(graph: GraphWriter, keys: string, values: string, length: string): KeyValues[] {
  const inputs = {
    key: graph.input(keys, "float32", KEY_VALUE_DIMS(length)),
    value: graph.input(values, "float32", KEY_VALUE_DIMS(length)),
  };
  return layers().map(([layer, kind]) => {
    const value = graph.node("Gather", [inputs[kind], graph.scalar(layer, "int64")], { axis: 0 });
    return { name: `${layer}.${kind}`, layer, kind, value };
  });
}

function decoderKv(): GraphWriter {
  const graph = new GraphWriter();
  const token = graph.input("token", "int64", [1, "token_len"]);
  const selves = unstack(graph, "k_self", "v_self", "cache_len");
  const cross = unstack(graph, "out_k_cross", "out_v_cross", "cross_len");
  const present = extendPast(graph, token, selves);
  const logits = tinyMoonshineLogits(graph, token, present, fromHeads(graph, cross));
  graph.output("logits", logits, "float32", [1, "token_len", TINY_MOONSHINE_VOCABULARY]);
  stack(graph, present, "out_k_self", "out_v_self");
  return graph;
}
