/** Kokoro- and Kitten-shaped voices of tones, in a folder with all the files that their families want. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { elementType, GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { slotOf, stretchOdd, tones } from "./tone-voice.js";

export const RATE_HZ = 24_000;
export const ID_COUNT = 180;
export const STYLE_ROWS = 510;
const STYLE_FLOATS = 256;

export interface StyleLayout {
  readonly ids: "tokens" | "input_ids";
  readonly audio: "audio" | "waveform";
  /** Dimensions of the audio. */
  readonly rank: 1 | 2;
  /** Odd ids last two slots, and the graph says so in `duration`. */
  readonly hasDurations?: boolean;
  /** Silence behind all that is said. */
  readonly tailSamples?: number;
}

export const KOKORO: StyleLayout = { ids: "input_ids", audio: "waveform", rank: 2 };
export const SHERPA: StyleLayout = { ids: "tokens", audio: "audio", rank: 1 };
export const KITTEN: StyleLayout = {
  ids: "input_ids",
  audio: "waveform",
  rank: 1,
  hasDurations: true,
  tailSamples: 5000,
};

/** Speaks every id's tone at the level that stands first in the style vector. */
export function writeStyleVoice(path: string, layout: StyleLayout): void {
  const graph = new GraphWriter();
  const ids = graph.input(layout.ids, "int64", [1, "sequence"]);
  const style = graph.input("style", "float32", [1, STYLE_FLOATS]);
  const speed = graph.input("speed", "float32", [1]);
  const level = graph.node("Slice", [style, graph.ints(0), graph.ints(1), graph.ints(1)]);
  const spoken = tones(graph, { rateHz: RATE_HZ, ids, speed, level, idCount: ID_COUNT });
  const flat = graph.node("Reshape", [spoken, graph.ints(-1)]);
  const { audio, durations } = layout.hasDurations ? stretchOdd(graph, ids, spoken) : { audio: flat, durations: "" };
  const tail = graph.constant("tail", new Float32Array(layout.tailSamples ?? 0));
  const whole = graph.node("Concat", [audio, tail], { axis: 0 });
  const shape = layout.rank === 1 ? graph.ints(-1) : graph.ints(1, -1);
  graph.output(layout.audio, graph.node("Reshape", [whole, shape]), "float32", layout.rank === 1 ? ["n"] : [1, "n"]);
  if (durations !== "") {
    const slot = graph.node("Cast", [slotOf(graph, RATE_HZ, speed)], { to: elementType("int64") });
    const samples = graph.node("Mul", [graph.node("Reshape", [durations, graph.ints(-1)]), slot]);
    // What is behind all that is said belongs to the last id.
    const before = graph.node("Slice", [samples, graph.ints(0), graph.ints(-1)]);
    const last = graph.node("Slice", [samples, graph.ints(-1), graph.ints(2 ** 31)]);
    const longer = graph.node("Add", [last, graph.ints(layout.tailSamples ?? 0)]);
    graph.output("duration", graph.node("Concat", [before, longer], { axis: 0 }), "int64", ["sequence"]);
  }
  writeModel(path, graph);
}

/** The level of row `row` of a voice's table: rows and voices can be told apart. */
export const levelOfRow = (row: number, base = 0.2): number => base + row / 2000;

/** A voice's table f32 [rows, 1, 256]. */
export function styleTable(rows = STYLE_ROWS, base = 0.2): Float32Array {
  const table = new Float32Array(rows * STYLE_FLOATS);
  for (let row = 0; row < rows; row += 1) table[row * STYLE_FLOATS] = levelOfRow(row, base);
  return table;
}

export function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}

/** The .npy file of an array. */
export function npyFile(floats: Float32Array, dims: readonly number[], type = "<f4"): Uint8Array {
  const shape = `(${dims.join(", ")}${dims.length === 1 ? "," : ""})`;
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = header.padEnd(117).concat("\n");
  const head = Buffer.alloc(10 + padded.length);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(padded.length, 8);
  head.write(padded, 10, "latin1");
  return Buffer.concat([head, bytesOf(floats)]);
}

export function npzFile(arrays: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(arrays).map(([name, bytes]) => [`${name}.npy`, bytes])));
}

/** misaki's symbols with ids from 1. */
export const SYMBOLS = [...';:,.!?—…"()“” ˈˌabdefhijklmnopstuvwzðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθᵊɐæɾᵻAIOWY'];
export const idOf = (symbol: string): number => SYMBOLS.indexOf(symbol) + 1;
const VOCABULARY = Object.fromEntries(SYMBOLS.map((symbol) => [symbol, idOf(symbol)]));

/** Writes a Kokoro-shaped voice: `model.onnx`, `voices/`, and its vocabulary in all three forms. */
export function writeKokoro(folder: string, layout = KOKORO): void {
  mkdirSync(join(folder, "voices"), { recursive: true });
  writeStyleVoice(join(folder, "model.onnx"), layout);
  writeFileSync(join(folder, "voices", "af_low.bin"), bytesOf(styleTable()));
  writeFileSync(join(folder, "voices", "am_high.bin"), bytesOf(styleTable(STYLE_ROWS, 0.5)));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ vocab: VOCABULARY }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ model: { vocab: VOCABULARY } }));
  writeFileSync(join(folder, "tokens.txt"), SYMBOLS.map((symbol) => `${symbol} ${idOf(symbol)}`).join("\n"));
}
