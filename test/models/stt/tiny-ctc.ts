/** A recogniser of the tone alphabet with the tensors of NeMo's CTC models. */
import { join } from "node:path";
import { NemoMel } from "../../../src/models/front-ends/nemo-mel.js";
import { GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { masked, pooledScores, SYMBOL_COUNT, toneBands, writeTokens } from "./tiny-parts.js";

export interface TinyCtcOptions {
  readonly bins?: 80 | 128;
  /** sherpa-onnx's metadata; onnx-asr's files have none. Without normalisation if not given. */
  readonly metadata?: Readonly<Record<string, string | number>>;
  readonly file?: string;
  readonly symbolCount?: number;
  /** What a tone's band must exceed; log energy if not given. */
  readonly threshold?: number;
}

/** Writes `model.onnx` and `tokens.txt`. */
export function writeTinyCtc(folder: string, options: TinyCtcOptions = {}): void {
  const { bins = 80, file = "model.onnx", metadata = { normalize_type: "NA", subsampling_factor: 8 } } = options;
  const graph = new GraphWriter();
  const signal = graph.input("audio_signal", "float32", ["batch", bins, "time"]);
  const length = graph.input("length", "int64", ["batch"]);
  const bands = toneBands(new NemoMel(bins));
  const scores = pooledScores(graph, masked(graph, signal, length), bands, bins, options.threshold);
  const silence = graph.node("Pad", [scores, graph.ints(0, 0, 0, 0, 0, 1)]);
  const width = options.symbolCount ?? SYMBOL_COUNT + 1;
  const cut = graph.node("Slice", [silence, graph.ints(0), graph.ints(width), graph.ints(2)]);
  graph.output("logprobs", graph.node("LogSoftmax", [cut], { axis: -1 }), "float32", ["batch", "frames", width]);
  graph.metadata(metadata);
  writeModel(join(folder, file), graph);
  writeTokens(folder, "tokens.txt", "last");
}
