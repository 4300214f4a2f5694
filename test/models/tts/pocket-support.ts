/**
 * A Pocket-shaped voice of tones. Each piece of text becomes one frame of 80 ms, in the tone of its id, and everything that
 * the real graphs hand on matters: the text waits in the language model's state, a frame is only said after the latent of
 * the one before it (NaN before the first), and the decoder counts frames, on which the pitch depends.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeWav } from "../../../src/audio/wav.js";
import { elementType, GraphWriter, type Value, writeModel } from "../../support/onnx-writer.js";
import { tones } from "./tone-voice.js";

export const RATE_HZ = 24_000;
export const FRAME_SAMPLES = 1920;
/** A frame is four slots. */
export const FRAME_SPEED = 0.25;
const LATENT = 32;
/** Of an embedding: the id or 0, a voice's level or 0, 1 for text. */
const WIDTH = 3;
const MEMORY = 256;
export const ID_COUNT = 100;

export const PIECES: Readonly<Record<string, number>> = {
  "<0xC3>": 1,
  "<0xA9>": 2,
  "\u2581": 3,
  "\u2581go": 4,
  "\u2581Go": 5,
  "\u2581on": 6,
  on: 7,
  "\u2581home": 8,
  ".": 9,
  ",": 10,
  o: 11,
  n: 12,
  g: 13,
  "\u2581and": 14,
};
export const SCORES: Readonly<Record<string, number>> = Object.fromEntries(
  Object.keys(PIECES).map((piece) => [piece, piece.length > 2 ? -2 : -5]),
);
/** The voices' recordings are squares of these levels. */
export const LEVELS = { anna: 0.25, otto: 0.5 };

/** Writes the graphs and the vocabulary to `model/`, recordings to `voices/`. */
export function writePocket(folder: string): void {
  for (const name of ["model", "voices"]) mkdirSync(join(folder, name), { recursive: true });
  const file = (name: string): string => join(folder, "model", name);
  writeModel(file("text_conditioner.onnx"), textConditioner());
  writeModel(file("encoder.onnx"), encoder());
  writeModel(file("lm_main.int8.onnx"), languageModel());
  writeModel(file("lm_flow.onnx"), flow());
  writeModel(file("decoder.onnx"), decoder());
  writeFileSync(file("vocab.json"), JSON.stringify(PIECES));
  writeFileSync(file("token_scores.json"), JSON.stringify(SCORES));
  for (const [name, level] of Object.entries(LEVELS)) {
    const pcm = new Int16Array(RATE_HZ / 10).fill(Math.round(level * 32_768));
    writeFileSync(join(folder, "voices", `${name}.wav`), encodeWav(pcm, RATE_HZ));
  }
}

function textConditioner(): GraphWriter {
  const graph = new GraphWriter();
  const ids = graph.input("token_ids", "int64", [1, "text"]);
  const numbers = graph.node("Unsqueeze", [graph.node("Cast", [ids], { to: elementType("float32") }), graph.ints(2)]);
  const zeros = graph.node("Mul", [numbers, graph.scalar(0)]);
  const rows = [numbers, zeros, graph.node("Add", [zeros, graph.scalar(1)])];
  graph.output("embeddings", graph.node("Concat", rows, { axis: 2 }), "float32", [1, "text", WIDTH]);
  return graph;
}

/** One embedding: the recording's level. */
function encoder(): GraphWriter {
  const graph = new GraphWriter();
  const audio = graph.input("audio", "float32", [1, 1, "samples"]);
  const level = graph.node("ReduceMax", [audio], { axes: [2], keepdims: 1 });
  const zero = graph.node("Mul", [level, graph.scalar(0)]);
  graph.output("voice", graph.node("Concat", [zero, level, zero], { axis: 2 }), "float32", [1, "frames", WIDTH]);
  return graph;
}

function languageModel(): GraphWriter {
  const graph = new GraphWriter();
  const sequence = graph.input("sequence", "float32", [1, "frames", LATENT]);
  const embeddings = graph.input("text_embeddings", "float32", [1, "text", WIDTH]);
  const memory = graph.input("state_0", "float32", [1, MEMORY]);
  const count = graph.input("state_1", "int64", [1]);
  const position = graph.input("state_2", "int64", [1]);
  const hasBegun = graph.input("state_3", "bool", [1]);
  const level = graph.input("state_4", "float32", ["one"]);
  const channel = (at: number): Value => {
    return graph.node("Squeeze", [
      graph.node("Slice", [embeddings, graph.ints(at), graph.ints(at + 1), graph.ints(2)]),
      graph.ints(0, 2),
    ]);
  };
  const isText = graph.node("Cast", [channel(2)], { to: elementType("bool") });
  const newIds = graph.node("Compress", [channel(0), isText]);
  const newCount = graph.node("Shape", [newIds]);
  const counted = graph.node("Add", [count, newCount]);
  const flat = graph.node("Reshape", [memory, graph.ints(-1)]);
  const before = graph.node("Slice", [flat, graph.ints(0), count]);
  const behind = graph.node("Slice", [flat, counted, graph.ints(MEMORY)]);
  const remembered = graph.node("Concat", [before, newIds, behind], { axis: 0 });
  const heard = graph.node("Add", [level, graph.node("ReduceSum", [channel(1), graph.ints(0)], { keepdims: 1 })]);
  // A frame's place counts from the first; the latent before it must be what was said there.
  const frames = graph.node("Slice", [graph.node("Shape", [sequence]), graph.ints(1), graph.ints(2)]);
  const at = (place: Value): Value => {
    const inside = graph.node("Min", [graph.node("Max", [place, graph.ints(0)]), graph.ints(MEMORY - 1)]);
    return graph.node("Gather", [remembered, inside]);
  };
  const firsts = graph.node("Slice", [sequence, graph.ints(0), graph.ints(1), graph.ints(2)]);
  const last = graph.node("Reshape", [
    graph.node("ReduceSum", [firsts, graph.ints(1, 2)], { keepdims: 0 }),
    graph.ints(1),
  ]);
  const previous = at(graph.node("Sub", [position, graph.ints(1)]));
  const follows = graph.node("Less", [graph.node("Abs", [graph.node("Sub", [last, previous])]), graph.scalar(0.01)]);
  const isFirst = graph.node("And", [graph.node("Not", [hasBegun]), graph.node("IsNaN", [last])]);
  const isRight = graph.node("Or", [graph.node("And", [hasBegun, follows]), isFirst]);
  const said = graph.node("Where", [isRight, at(position), graph.scalar(0)]);
  const condition = graph.node("Concat", [graph.node("Expand", [said, graph.ints(LATENT - 1)]), heard], { axis: 0 });
  const isOver = graph.node("GreaterOrEqual", [position, counted]);
  const logit = graph.node("Where", [isOver, graph.scalar(4), graph.scalar(-9)]);
  const moved = graph.node("Greater", [frames, graph.ints(0)]);
  const reshape = (value: Value, ...dims: number[]): Value => graph.node("Reshape", [value, graph.ints(...dims)]);
  graph.output("conditioning", reshape(condition, 1, LATENT), "float32", [1, LATENT]);
  graph.output("eos_logit", reshape(logit, 1, 1), "float32", [1, 1]);
  graph.output("out_state_0", reshape(remembered, 1, MEMORY), "float32", [1, MEMORY]);
  graph.output("out_state_1", counted, "int64", [1]);
  graph.output("out_state_2", graph.node("Add", [position, frames]), "int64", [1]);
  graph.output("out_state_3", graph.node("Or", [hasBegun, moved]), "bool", [1]);
  graph.output("out_state_4", heard, "float32", ["one"]);
  return graph;
}

/** The rest of the way to the condition, over the time that is left: only equal steps from 0 to 1 arrive there. */
function flow(): GraphWriter {
  const graph = new GraphWriter();
  const condition = graph.input("c", "float32", [1, LATENT]);
  const start = graph.input("s", "float32", [1, 1]);
  const end = graph.input("t", "float32", [1, 1]);
  const latent = graph.input("x", "float32", [1, LATENT]);
  const left = graph.node("Sub", [graph.scalar(1), start]);
  const hasTime = graph.node("Cast", [graph.node("Greater", [end, start])], { to: elementType("float32") });
  const way = graph.node("Div", [graph.node("Sub", [condition, latent]), left]);
  graph.output("direction", graph.node("Mul", [way, hasTime]), "float32", [1, LATENT]);
  return graph;
}

function decoder(): GraphWriter {
  const graph = new GraphWriter();
  const latent = graph.input("latent", "float32", [1, "frames", LATENT]);
  const count = graph.input("frames_before", "int64", [1]);
  const part = (at: number): Value => {
    return graph.node("Reshape", [
      graph.node("Slice", [latent, graph.ints(at), graph.ints(at + 1), graph.ints(2)]),
      graph.ints(1, -1),
    ]);
  };
  const frames = graph.node("Slice", [graph.node("Shape", [latent]), graph.ints(1), graph.ints(2)]);
  const places = graph.node("Range", [
    graph.scalar(0, "int64"),
    graph.node("Squeeze", [frames]),
    graph.scalar(1, "int64"),
  ]);
  const id = graph.node("Cast", [graph.node("Round", [part(0)])], { to: elementType("int64") });
  const shifted = graph.node("Add", [id, graph.node("Add", [places, count])]);
  const ids = graph.node("Mod", [shifted, graph.scalar(ID_COUNT, "int64")]);
  const spoken = tones(graph, {
    rateHz: RATE_HZ,
    ids,
    speed: graph.scalar(FRAME_SPEED),
    level: graph.scalar(1),
    idCount: ID_COUNT,
  });
  const loud = graph.node("Mul", [spoken, graph.node("Unsqueeze", [part(LATENT - 1), graph.ints(2)])]);
  graph.output("audio", graph.node("Reshape", [loud, graph.ints(1, 1, -1)]), "float32", [1, 1, "samples"]);
  graph.output("frames_after", graph.node("Add", [count, frames]), "int64", [1]);
  return graph;
}
