/** What the small recognisers of the tone alphabet have in common: which mel band is which symbol's, and their tables. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FrameAnalysis, FrameStream } from "../../../src/models/front-ends/frame-stream.js";
import type { GraphWriter, Value } from "../../support/onnx-writer.js";
import { TONE_SYMBOLS, tonesOf } from "../../support/tones.js";

/** Symbols of a small recogniser. */
export const SYMBOL_COUNT = TONE_SYMBOLS.length;

/** Mean log energy in the band of a tone over 80 ms: with the tone it is more, in silence less. */
export const VOICED_LOG_ENERGY = -6;

/** The band in which each symbol's tone is loudest. */
export function toneBands(analysis: FrameAnalysis): number[] {
  return [...TONE_SYMBOLS].map((symbol) => {
    const pcm = tonesOf(symbol);
    const stream = new FrameStream(analysis);
    stream.accept(pcm, 0, pcm.length);
    const frame = new Float32Array(stream.bins);
    stream.read(4, 1, frame);
    return frame.indexOf(Math.max(...frame));
  });
}

/** Writes the table: "▁" for the space, the letters, and blank at the beginning or the end. */
export function writeTokens(folder: string, name: string, blankAt: "first" | "last"): void {
  const symbols = [...TONE_SYMBOLS].map((symbol) => (symbol === " " ? "▁" : symbol));
  const all = blankAt === "first" ? ["<blk>", ...symbols] : [...symbols, "<blk>"];
  writeFileSync(join(folder, name), all.map((symbol, id) => `${symbol} ${id}\n`).join(""));
}

/** Frames of the first `length` stay, the others are silence: f32 [batch, bands, frames], as encoders mask their input. */
export function masked(graph: GraphWriter, signal: Value, length: Value): Value {
  const frames = graph.node("Gather", [graph.node("Shape", [signal]), graph.scalar(2, "int64")]);
  const zero = graph.scalar(0, "int64");
  const positions = graph.node("Range", [zero, frames, graph.scalar(1, "int64")]);
  const counts = graph.node("Reshape", [length, graph.ints(-1, 1, 1)]);
  return graph.node("Where", [graph.node("Less", [positions, counts]), signal, graph.scalar(-16)]);
}

/** f32 [batch, bands, frames] to [batch, frames / 8, symbols]: the mean in each symbol's band over 80 ms, less the threshold. */
export function pooledScores(
  graph: GraphWriter,
  signal: Value,
  bands: readonly number[],
  bins: number,
  threshold = VOICED_LOG_ENERGY,
): Value {
  const pooled = graph.node("AveragePool", [signal], { kernel_shape: [8], strides: [8], ceil_mode: 1 });
  return bandScores(graph, graph.node("Transpose", [pooled], { perm: [0, 2, 1] }), bands, bins, threshold);
}

/** f32 [batch, frames, bands] to [batch, frames, symbols]: above 0 in the band of a tone that sounds. */
export function bandScores(
  graph: GraphWriter,
  frames: Value,
  bands: readonly number[],
  bins: number,
  threshold = VOICED_LOG_ENERGY,
): Value {
  const weights = new Float32Array(bins * bands.length);
  for (const [symbol, band] of bands.entries()) weights[band * bands.length + symbol] = 1;
  const chosen = graph.node("MatMul", [frames, graph.constant("bands", weights, [bins, bands.length])]);
  return graph.node("Sub", [chosen, graph.scalar(threshold)]);
}
