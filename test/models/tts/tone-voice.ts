/**
 * Voices of tones: small graphs with the inputs and outputs of real voices, in which every phoneme id is a tone of its own
 * pitch for one slot of 20 ms, so that what was said can be read back id by id. A slot is shorter at a higher speed. Pitches
 * lie on a grid of 50 Hz: every tone has whole periods in a slot at speed 1, so no tone leaks into another's reading.
 */
import assert from "node:assert/strict";
import type { GraphWriter, Value } from "../../support/onnx-writer.js";
import { elementType } from "../../support/onnx-writer.js";

export const SLOT_MS = 20;
const GRID_HZ = 1000 / SLOT_MS;
const LOWEST_HZ = 200;

/** How many ids have a tone below half the rate. */
export function toneIdsMax(rateHz: number): number {
  return Math.floor((rateHz / 2 - LOWEST_HZ) / GRID_HZ) - 1;
}

export function pitchOf(id: number): number {
  return LOWEST_HZ + id * GRID_HZ;
}

export function slotSamplesOf(rateHz: number, speed = 1): number {
  return Math.floor(Math.fround((rateHz * SLOT_MS) / 1000 / Math.fround(speed)));
}

export interface ToneGraph {
  readonly rateHz: number;
  /** int64 [batch, n]. */
  readonly ids: Value;
  /** f32, one element: the factor on a slot's length is its inverse. */
  readonly speed: Value;
  /** f32: one element, or one for each of the batch. */
  readonly level: Value;
  readonly idCount: number;
}

/** f32 [batch, n, slot]: the tone of each id. */
export function tones(graph: GraphWriter, { rateHz, ids, speed, level, idCount }: ToneGraph): Value {
  const pitches = graph.constant(
    "pitches",
    Float32Array.from({ length: idCount }, (_, id) => pitchOf(id)),
  );
  const hz = graph.node("Unsqueeze", [graph.node("Gather", [pitches, ids]), graph.ints(2)]);
  const slot = slotOf(graph, rateHz, speed);
  const at = graph.node("Range", [graph.scalar(0), slot, graph.scalar(1)]);
  const seconds = graph.node("Mul", [at, graph.scalar((2 * Math.PI) / rateHz)]);
  return graph.node("Mul", [
    graph.node("Sin", [graph.node("Mul", [hz, seconds])]),
    graph.node("Reshape", [level, graph.ints(-1, 1, 1)]),
  ]);
}

/** f32 []: samples of a slot. */
export function slotOf(graph: GraphWriter, rateHz: number, speed: Value): Value {
  const samples = graph.node("Div", [
    graph.scalar((rateHz * SLOT_MS) / 1000),
    graph.node("Reshape", [speed, graph.ints(1)]),
  ]);
  return graph.node("Squeeze", [graph.node("Floor", [samples])]);
}

/**
 * Makes ids with an odd number last two slots: their tone, then silence. f32 [1, n, slot] becomes f32 [samples]; also
 * int64 [1, n], the slots of each id.
 */
export function stretchOdd(graph: GraphWriter, ids: Value, spoken: Value): { audio: Value; durations: Value } {
  const isOdd = graph.node("Mod", [ids, graph.scalar(2, "int64")]);
  const durations = graph.node("Add", [isOdd, graph.scalar(1, "int64")]);
  const silence = graph.node("Mul", [spoken, graph.scalar(0)]);
  const both = graph.node("Concat", [spoken, silence], { axis: 2 });
  // Which samples of the two slots are there: all of the first, of the second those of odd ids.
  const first = graph.node("Cast", [graph.node("Add", [silence, graph.scalar(1)])], { to: elementType("bool") });
  const odd = graph.node("Unsqueeze", [graph.node("Cast", [isOdd], { to: elementType("float32") }), graph.ints(2)]);
  const second = graph.node("Cast", [graph.node("Add", [silence, odd])], { to: elementType("bool") });
  const there = graph.node("Concat", [first, second], { axis: 2 });
  const flat = (value: Value): Value => graph.node("Reshape", [value, graph.ints(-1)]);
  return { audio: graph.node("Compress", [flat(both), flat(there)]), durations };
}

/** The ids of slots from the beginning, and -1 for a silent one. */
export function readIds(pcm: Int16Array, rateHz: number, idCount: number, speed = 1): number[] {
  const slot = slotSamplesOf(rateHz, speed);
  assert.equal(pcm.length % slot, 0, `${pcm.length} samples are whole slots of ${slot}`);
  const ids: number[] = [];
  for (let start = 0; start < pcm.length; start += slot) {
    const samples = pcm.subarray(start, start + slot);
    const energies = Array.from({ length: idCount }, (_, id) => energyAt(samples, pitchOf(id), rateHz));
    const loudest = Math.max(...energies);
    ids.push(loudest < SILENCE_ENERGY ? -1 : energies.indexOf(loudest));
  }
  return ids;
}

const SILENCE_ENERGY = 1e-6;

function energyAt(samples: Int16Array, hz: number, rateHz: number): number {
  // Goertzel's recurrence.
  const factor = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let [one, two] = [0, 0];
  for (const sample of samples) [one, two] = [sample / 32_768 + factor * one - two, one];
  return (one * one + two * two - factor * one * two) / samples.length ** 2;
}

/** The tones' peak, from the mean square of slots that are not silent. */
export function levelOf(pcm: Int16Array): number {
  let sum = 0;
  for (const sample of pcm) sum += (sample / 32_768) ** 2;
  return Math.sqrt((2 * sum) / pcm.length);
}

/** One array of all the pieces that a voice emits. */
export class Recorder {
  readonly #pieces: Int16Array[] = [];
  readonly take = (piece: Int16Array): void => {
    this.#pieces.push(piece.slice());
  };

  get pieceLengths(): number[] {
    return this.#pieces.map((piece) => piece.length);
  }

  get pcm(): Int16Array {
    const pcm = new Int16Array(this.#pieces.reduce((total, piece) => total + piece.length, 0));
    let at = 0;
    for (const piece of this.#pieces) {
      pcm.set(piece, at);
      at += piece.length;
    }
    return pcm;
  }
}
