/**
 * Filters of spectra without weights, for tests of families that take noise out: every sample comes with an echo of the
 * window before, (x[n] + x[n − hop]) / 2, which is right only as long as a call's own spectrum is in its own state.
 */
import { GraphWriter, type Value } from "../support/onnx-writer.js";

export const GTCRN_BINS = 257;
const CONV_FLOATS = 2 * 16 * 16 * 33;

export interface GtcrnShape {
  /** 257 if it is to be taken. */
  readonly bins?: number;
  readonly caches?: readonly string[];
}

/** GTCRN's tensors. `conv_cache` begins with the spectrum before; the other two count the windows, by 1 and by 2. */
export function gtcrnGraph({
  bins = GTCRN_BINS,
  caches = ["conv_cache", "tra_cache", "inter_cache"],
}: GtcrnShape = {}) {
  const graph = new GraphWriter();
  const mix = graph.input("mix", "float32", [1, bins, 1, 2]);
  const [conv, tra, inter] = caches as [string, string, string];
  const convDims = [2, 1, 16, 16, 33];
  const convIn = graph.input(conv, "float32", convDims);
  const flat = graph.node("Reshape", [convIn, graph.ints(CONV_FLOATS)]);
  const before = sliced(graph, flat, 0, 2 * bins);
  const now = graph.node("Reshape", [mix, graph.ints(2 * bins)]);
  graph.output("enh", echoOf(graph, now, before, [1, bins, 1, 2]), "float32", [1, bins, 1, 2]);
  const kept = graph.node("Concat", [now, sliced(graph, flat, 2 * bins, CONV_FLOATS)], { axis: 0 });
  graph.output(`${conv}_out`, graph.node("Reshape", [kept, graph.ints(...convDims)]), "float32", convDims);
  for (const [name, step, dims] of [
    [tra, 1, [2, 3, 1, 1, 16]],
    [inter, 2, [2, 1, 33, 16]],
  ] as const) {
    const counted = graph.node("Add", [graph.input(name, "float32", dims), graph.scalar(step)]);
    graph.output(`${name}_out`, counted, "float32", dims);
  }
  return graph;
}

/** A filter whose batch is free, with a state of its own on each of two axes: the spectrum before, and a count. */
export function batchedFilterGraph(bins: number): GraphWriter {
  const graph = new GraphWriter();
  const dims = ["batch", bins, 2];
  const now = graph.input("spec", "float32", dims);
  const before = graph.input("before", "float32", [1, "batch", 2 * bins]);
  const count = graph.input("count", "float32", ["batch", 1]);
  const past = graph.node("Reshape", [before, graph.ints(-1, bins, 2)]);
  graph.output("filtered", echoOf(graph, now, past, undefined), "float32", dims);
  graph.output("now", graph.node("Reshape", [now, graph.ints(1, -1, 2 * bins)]), "float32", [1, "batch", 2 * bins]);
  graph.output("counted", graph.node("Add", [count, graph.scalar(1)]), "float32", ["batch", 1]);
  return graph;
}

function echoOf(graph: GraphWriter, now: Value, before: Value, dims: readonly number[] | undefined): Value {
  const echo = graph.node("Mul", [graph.node("Add", [now, before]), graph.scalar(0.5)]);
  return dims === undefined ? echo : graph.node("Reshape", [echo, graph.ints(...dims)]);
}

function sliced(graph: GraphWriter, value: Value, from: number, to: number): Value {
  return graph.node("Slice", [value, graph.ints(from), graph.ints(to)]);
}
