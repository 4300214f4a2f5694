/** A Supertonic-shaped voice of tones: four graphs, of which every letter becomes a frame of the latent, then a tone. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, type Value, writeModel } from "../../support/onnx-writer.js";
import { tones } from "./tone-voice.js";

export const RATE_HZ = 44_100;
const BASE_SAMPLES = 147;
const COMPRESSION = 6;
/** A frame is a slot of a tone. */
export const FRAME_SAMPLES = BASE_SAMPLES * COMPRESSION;
const LATENT_DIM = 2;
const FRAME_FLOATS = LATENT_DIM * COMPRESSION;

export const LETTERS = [...".,!?'-<>/ abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
export const ID_COUNT = LETTERS.length;
export const idOf = (letter: string): number => LETTERS.indexOf(letter);
export const LEVEL = 0.5;

/** Writes `onnx/` and `voices/` with F1, who takes a frame for each letter, and M1, who takes two. */
export function writeSupertonic(folder: string): void {
  for (const name of ["onnx", "voices"]) mkdirSync(join(folder, name), { recursive: true });
  const file = (name: string): string => join(folder, "onnx", name);
  writeModel(file("duration_predictor.onnx"), durationPredictor());
  writeModel(file("text_encoder.onnx"), textEncoder());
  writeModel(file("vector_estimator.onnx"), vectorEstimator());
  writeModel(file("vocoder.onnx"), vocoder());
  const ae = { sample_rate: RATE_HZ, base_chunk_size: BASE_SAMPLES };
  const ttl = { chunk_compress_factor: COMPRESSION, latent_dim: LATENT_DIM };
  writeFileSync(file("tts.json"), JSON.stringify({ ae, ttl }));
  const indexer = Array.from({ length: 256 }, (_, code) => idOf(String.fromCharCode(code)));
  writeFileSync(file("unicode_indexer.json"), JSON.stringify(indexer));
  writeFileSync(join(folder, "voices", "F1.json"), styleFile(1));
  writeFileSync(join(folder, "voices", "M1.json"), styleFile(2));
}

function styleFile(framesPerLetter: number): string {
  const table = (rows: number, columns: number): object => ({
    dims: [1, rows, columns],
    data: [Array.from({ length: rows }, () => new Array<number>(columns).fill(framesPerLetter))],
    type: "float32",
  });
  return JSON.stringify({ style_ttl: table(50, 256), style_dp: table(8, 16) });
}

function textInputs(graph: GraphWriter): { ids: Value; mask: Value } {
  const ids = graph.input("text_ids", "int64", ["batch_size", "text_length"]);
  return { ids, mask: graph.input("text_mask", "float32", ["batch_size", 1, "text_length"]) };
}

/** Seconds: a frame for each letter, times what the style says. */
function durationPredictor(): GraphWriter {
  const graph = new GraphWriter();
  const { mask } = textInputs(graph);
  const style = graph.input("style_dp", "float32", ["batch_size", 8, 16]);
  const frames = graph.node("Mul", [
    total(graph, mask),
    graph.node("ReduceMean", [style], { axes: [1, 2], keepdims: 0 }),
  ]);
  // A little more than whole frames: the audio's length is rounded down.
  const seconds = graph.node("Mul", [frames, graph.scalar((FRAME_SAMPLES + 1e-3) / RATE_HZ)]);
  graph.output("duration", seconds, "float32", ["batch_size"]);
  return graph;
}

/** f32 [batch]. */
function total(graph: GraphWriter, mask: Value): Value {
  return graph.node("ReduceSum", [mask, graph.ints(1, 2)], { keepdims: 0 });
}

/** The ids themselves, but only where the mask is. */
function textEncoder(): GraphWriter {
  const graph = new GraphWriter();
  const { ids, mask } = textInputs(graph);
  graph.input("style_ttl", "float32", ["batch_size", 50, 256]);
  const numbers = graph.node("Unsqueeze", [graph.node("Cast", [ids], { to: elementType("float32") }), graph.ints(1)]);
  graph.output("text_emb", graph.node("Mul", [numbers, mask]), "float32", ["batch_size", 1, "text_length"]);
  return graph;
}

/**
 * Goes the rest of the way to the letter that belongs to a frame's place, divided by the steps that are left: only the
 * right count of steps in the right order arrives there.
 */
function vectorEstimator(): GraphWriter {
  const graph = new GraphWriter();
  const noisy = graph.input("noisy_latent", "float32", ["batch_size", FRAME_FLOATS, "latent_length"]);
  const embedding = graph.input("text_emb", "float32", ["batch_size", 1, "text_length"]);
  graph.input("style_ttl", "float32", ["batch_size", 50, 256]);
  const latentMask = graph.input("latent_mask", "float32", ["batch_size", 1, "latent_length"]);
  const textMask = graph.input("text_mask", "float32", ["batch_size", 1, "text_length"]);
  const current = graph.input("current_step", "float32", ["batch_size"]);
  const steps = graph.input("total_step", "float32", ["batch_size"]);
  const column = (value: Value): Value => graph.node("Unsqueeze", [value, graph.ints(1, 2)]);
  const perFrame = graph.node("Div", [column(total(graph, textMask)), column(total(graph, latentMask))]);
  const frames = graph.node("Squeeze", [
    graph.node("Slice", [graph.node("Shape", [noisy]), graph.ints(2), graph.ints(3)]),
  ]);
  const places = graph.node("Range", [graph.scalar(0, "int64"), frames, graph.scalar(1, "int64")]);
  const scaled = graph.node("Mul", [graph.node("Cast", [places], { to: elementType("float32") }), perFrame]);
  const raised = graph.node("Add", [scaled, graph.scalar(1e-3)]);
  const last = graph.node("Sub", [column(total(graph, textMask)), graph.scalar(1)]);
  const letter = graph.node("Cast", [graph.node("Min", [raised, last])], { to: elementType("int64") });
  const target = graph.node("GatherElements", [embedding, letter], { axis: 2 });
  const left = column(graph.node("Sub", [steps, current]));
  const move = graph.node("Div", [graph.node("Sub", [target, noisy]), left]);
  const next = graph.node("Mul", [graph.node("Add", [noisy, move]), latentMask]);
  graph.output("denoised_latent", next, "float32", ["batch_size", FRAME_FLOATS, "latent_length"]);
  return graph;
}

/** The tone of the id that stands in all floats of a frame; other numbers are no id, and are loud. */
function vocoder(): GraphWriter {
  const graph = new GraphWriter();
  const latent = graph.input("latent", "float32", ["batch_size", FRAME_FLOATS, "latent_length"]);
  const mean = graph.node("ReduceMean", [latent], { axes: [1], keepdims: 0 });
  const rounded = graph.node("Round", [mean]);
  const ids = graph.node("Cast", [graph.node("Clip", [rounded, graph.scalar(0), graph.scalar(ID_COUNT - 1)])], {
    to: elementType("int64"),
  });
  const spoken = tones(graph, {
    rateHz: RATE_HZ,
    ids,
    speed: graph.scalar(1),
    level: graph.scalar(LEVEL),
    idCount: ID_COUNT,
  });
  const error = graph.node(
    "ReduceMax",
    [graph.node("Abs", [graph.node("Sub", [latent, graph.node("Unsqueeze", [rounded, graph.ints(1)])])])],
    {
      axes: [1],
      keepdims: 0,
    },
  );
  const noise = graph.node("Unsqueeze", [
    graph.node("Floor", [graph.node("Add", [error, graph.scalar(0.99)])]),
    graph.ints(2),
  ]);
  const wave = graph.node("Reshape", [graph.node("Add", [spoken, noise]), graph.ints(0, -1)]);
  graph.output("wav_tts", wave, "float32", ["batch_size", "wav_length"]);
  return graph;
}
