/** A turn detector without weights, with smart-turn's tensors. */
import { type Dims, GraphWriter } from "../support/onnx-writer.js";

export interface TurnShape {
  readonly batch?: number | "batch";
  /** [80, 800] if it is to be taken. */
  readonly dims?: readonly [number, number];
  readonly output?: string;
}

/** Frames at the end that are looked at. */
export const ENDING_FRAMES = 20;

/** Finished is who is quiet at the end: sigmoid(−4 × the mean of the last 200 ms of features). */
export function smartTurnGraph({ batch = "batch", dims = [80, 800], output = "logits" }: TurnShape = {}): GraphWriter {
  const graph = new GraphWriter();
  const [bins, frames] = dims;
  const features = graph.input("input_features", "float32", [batch, bins, frames] satisfies Dims);
  const ending = graph.node("Slice", [features, graph.ints(frames - ENDING_FRAMES), graph.ints(frames), graph.ints(2)]);
  const rows = graph.node("Reshape", [ending, graph.ints(-1, bins * ENDING_FRAMES)]);
  const mean = graph.node("ReduceMean", [rows], { axes: [1], keepdims: 1 });
  const logit = graph.node("Mul", [mean, graph.scalar(-4)]);
  graph.output(output, graph.node("Sigmoid", [logit]), "float32", [batch, 1]);
  return graph;
}
