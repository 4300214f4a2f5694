/** Piper-shaped voices of tones, with their `.onnx.json`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { elementType, GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { slotOf, tones } from "./tone-voice.js";

export const RATE_HZ = 22_050;
/** A third of a slot. */
export const HOP_SAMPLES = 147;
export const NOISE = { noise_scale: 0.5, length_scale: 1, noise_w: 0.25 };

/** Some of Piper's own ids. */
export const SYMBOLS = [..."_^$ !'(),-.:;?abcdefhijklmnoprstuvwzæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒˈˌːθᵻ"];
export const ID_COUNT = SYMBOLS.length;
export const idOf = (symbol: string): number => SYMBOLS.indexOf(symbol);

export interface PiperLayout {
  /** Names of the batch's dimensions, or 1. */
  readonly batch: "batch_size" | 1;
  /** With the frames of each id, as Piper prepares files for alignment. */
  readonly hasFrames?: boolean;
  readonly hasSpeakers?: boolean;
  /** Of the output. */
  readonly rank?: 3 | 4;
}

/**
 * Speaks every id as a tone, at the level of the first scale for `^`, of the last for `$`, and at 1 for all others. Speaker
 * 1 turns the ids around. Of a shorter row the rest is noise: nothing but the frames tells where it ends.
 */
export function writePiper(folder: string, name: string, layout: PiperLayout, config: object = {}): void {
  const { batch, hasFrames = false, hasSpeakers = false, rank = 4 } = layout;
  const graph = new GraphWriter();
  const input = graph.input("input", "int64", [batch, "phonemes"]);
  const lengths = graph.input("input_lengths", "int64", [batch]);
  const scales = graph.input("scales", "float32", [3]);
  const scale = (at: number): string => graph.node("Slice", [scales, graph.ints(at), graph.ints(at + 1)]);
  const speed = graph.node("Div", [graph.scalar(1), scale(1)]);
  const ids = hasSpeakers ? turned(graph, input, graph.input("sid", "int64", [batch])) : input;
  const spoken = tones(graph, { rateHz: RATE_HZ, ids, speed, level: graph.scalar(1), idCount: ID_COUNT });
  const isId = (id: number): string => graph.node("Equal", [input, graph.scalar(id, "int64")]);
  const others = graph.node("Where", [isId(2), scale(2), graph.scalar(1)]);
  const levels = graph.node("Unsqueeze", [graph.node("Where", [isId(1), scale(0), others]), graph.ints(2)]);
  const isThere = thereOf(graph, input, lengths);
  const padding = graph.node("Unsqueeze", [
    graph.node("Where", [isThere, graph.scalar(0), graph.scalar(0.3)]),
    graph.ints(2),
  ]);
  const audio = graph.node("Add", [graph.node("Mul", [spoken, levels]), padding]);
  const shape = rank === 3 ? graph.ints(0, 1, -1) : graph.ints(0, 1, 1, -1);
  const dims = rank === 3 ? [batch, 1, "time"] : [batch, 1, 1, "time"];
  graph.output("output", graph.node("Reshape", [audio, shape]), "float32", dims);
  if (hasFrames) {
    const frames = graph.node("Div", [slotOf(graph, RATE_HZ, speed), graph.scalar(HOP_SAMPLES)]);
    const counts = graph.node("Mul", [graph.node("Cast", [isThere], { to: elementType("float32") }), frames]);
    graph.output("w_ceil", graph.node("Unsqueeze", [counts, graph.ints(1)]), "float32", [batch, 1, "phonemes"]);
  }
  writeModel(join(folder, `${name}.onnx`), graph);
  writeFileSync(join(folder, `${name}.onnx.json`), JSON.stringify({ ...voiceFile(), ...config }));
}

export function voiceFile(): object {
  return {
    audio: { sample_rate: RATE_HZ, quality: "tiny" },
    espeak: { voice: "en-us" },
    inference: NOISE,
    phoneme_type: "espeak",
    phoneme_id_map: Object.fromEntries(SYMBOLS.map((symbol, id) => [symbol, [id]])),
    num_speakers: 1,
    speaker_id_map: {},
    hop_length: HOP_SAMPLES,
  };
}

/** bool [batch, n]: which ids are before their row's end. */
function thereOf(graph: GraphWriter, input: string, lengths: string): string {
  const count = graph.node("Squeeze", [
    graph.node("Slice", [graph.node("Shape", [input]), graph.ints(1), graph.ints(2)]),
  ]);
  const positions = graph.node("Range", [graph.scalar(0, "int64"), count, graph.scalar(1, "int64")]);
  return graph.node("Less", [positions, graph.node("Unsqueeze", [lengths, graph.ints(1)])]);
}

/** Speaker 0 leaves ids alone; speaker 1 takes the last for the first. */
function turned(graph: GraphWriter, ids: string, sid: string): string {
  const speaker = graph.node("Unsqueeze", [sid, graph.ints(1)]);
  const other = graph.node("Sub", [graph.scalar(ID_COUNT - 1, "int64"), ids]);
  return graph.node("Where", [graph.node("Equal", [speaker, graph.scalar(1, "int64")]), other, ids]);
}
