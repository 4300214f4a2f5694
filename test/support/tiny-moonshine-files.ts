/**
 * The Moonshine of tiny-moonshine.ts in the four files of its first publication. Their tensors have an exporter's names, not
 * the same ones in both decoders; what they are goes by their places.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, type Value, writeModel } from "./onnx-writer.js";
import { extendPast, fromHeads, HEAD_SIZE, HEADS, type KeyValues, layers, toHeads, WIDTH } from "./tiny-decoder.js";
import {
  heardFrames,
  TINY_MOONSHINE_VOCABULARY,
  tinyMoonshineLogits,
  tinyTokenizerBin,
  toneFrames,
} from "./tiny-moonshine.js";
import { TONE_FRAME_SAMPLES, TONE_SYMBOLS } from "./tones.js";

export interface TinyFourFilesOptions {
  /** Every row is heard as the sum of all: whoever trusts such a file with a batch mixes calls up. */
  readonly mixesRows?: boolean;
  /** Its vocabulary is sherpa-onnx's tokens.txt. */
  readonly hasTokenTable?: boolean;
  /** At the end of the names of ONNX files. */
  readonly suffix?: string;
}

/** Writes a model's folder. */
export function writeTinyFourFiles(
  folder: string,
  { mixesRows = false, hasTokenTable = false, suffix = "" }: TinyFourFilesOptions = {},
): void {
  mkdirSync(folder, { recursive: true });
  writeModel(join(folder, "preprocess.onnx"), preprocess());
  writeModel(join(folder, `encode${suffix}.onnx`), encode(mixesRows));
  writeModel(join(folder, `uncached_decode${suffix}.onnx`), decode(false));
  writeModel(join(folder, `cached_decode${suffix}.onnx`), decode(true));
  if (!hasTokenTable) {
    writeFileSync(join(folder, "tokenizer.bin"), tinyTokenizerBin());
    return;
  }
  const pieces = ["<unk>", "<s>", "</s>", ...[...TONE_SYMBOLS].map((symbol) => (symbol === " " ? "▁" : symbol))];
  writeFileSync(join(folder, "tokens.txt"), pieces.map((piece, id) => `${piece} ${id}\n`).join(""));
}

function preprocess(): GraphWriter {
  const graph = new GraphWriter();
  const samples = graph.input("args_0", "float32", ["batch", "samples"]);
  graph.output("sequential", toneFrames(graph, samples), "float32", ["batch", "frames", TONE_FRAME_SAMPLES]);
  return graph;
}

/** What it hears ends at the number of frames that it is told. */
function encode(mixesRows: boolean): GraphWriter {
  const graph = new GraphWriter();
  const features = graph.input("args_0", "float32", ["batch", "frames", TONE_FRAME_SAMPLES]);
  const count = graph.input("args_1", "int32", [1]);
  const end = graph.node("Cast", [count], { to: elementType("int64") });
  const told = graph.node("Slice", [heardFrames(graph, features), graph.ints(0), end, graph.ints(1)]);
  const mixed = graph.node("Add", [told, graph.node("ReduceSum", [told, graph.ints(0)], { keepdims: 1 })]);
  graph.output("layer_normalization_12", mixesRows ? mixed : told, "float32", ["batch", "frames", WIDTH]);
  return graph;
}

const HEADS_DIMS = ["batch", HEADS, "length", HEAD_SIZE] as const;

function decode(isCached: boolean): GraphWriter {
  const graph = new GraphWriter();
  const name = (place: number) => `args_${place}${isCached ? "_cached" : ""}`;
  const ids = graph.input(name(0), "int32", ["batch", "tokens"]);
  const heard = graph.input(name(1), "float32", ["batch", "frames", WIDTH]);
  const count = graph.input(name(2), "int32", [1]);
  const given = isCached ? states(graph, name) : undefined;
  const selves = extendPast(graph, ids, given?.selves);
  const cross = given?.cross ?? toHeads(graph, heard, "encoder");
  const scores = tinyMoonshineLogits(graph, ids, selves, fromHeads(graph, cross));
  graph.output(
    isCached ? "functional_22" : "reversible_embedding",
    forToldLength(graph, scores, selves, count),
    "float32",
    ["batch", "tokens", TINY_MOONSHINE_VOCABULARY],
  );
  for (const [i, { value }] of [...selves, ...cross].entries()) {
    graph.output(`${isCached ? "functional_22" : "reversible_embedding"}_${i + 1}`, value, "float32", HEADS_DIMS);
  }
  return graph;
}

/** Keys and values from the fourth input on: those of the tokens, then those of what was heard. */
function states(graph: GraphWriter, name: (place: number) => string): { selves: KeyValues[]; cross: KeyValues[] } {
  const take = (from: number): KeyValues[] =>
    layers().map(([layer, kind], i) => {
      const value = graph.input(name(from + i), "float32", HEADS_DIMS);
      return { name: `${layer}.${kind}`, layer, kind, value };
    });
  const selves = take(3);
  return { selves, cross: take(3 + selves.length) };
}

/** All logits are equal unless the length is that of the tokens so far. */
function forToldLength(graph: GraphWriter, scores: Value, selves: readonly KeyValues[], count: Value): Value {
  const length = graph.node("Gather", [graph.node("Shape", [selves[0]!.value]), graph.ints(2)]);
  const told = graph.node("Equal", [length, graph.node("Cast", [count], { to: elementType("int64") })]);
  return graph.node("Mul", [scores, graph.node("Cast", [told], { to: elementType("float32") })]);
}
