/**
 * The tone alphabet: PCM in which every symbol is a tone in a slot of its own, so that a small graph can recognise text
 * exactly. A slot is 160 ms: 10 ms of silence, 60 ms of the symbol's tone, then silence. So of a grid of 80 ms every even
 * frame holds one whole tone and every odd one is silent. Tones lie at least 150 Hz and nearly two of 80 mel bands apart.
 */
import assert from "node:assert/strict";
import type { GraphWriter, Value } from "./onnx-writer.js";

const TONE_START_MS = 10;
const TONE_MS = 60;
const FADE_MS = 5;
const PEAK = 8000;
const MIN_STEP_HZ = 150;
const MIN_STEP_RATIO = 0.075;
/** Whole periods in a frame of 80 ms. */
const GRID_HZ = 12.5;

/** The symbols by the pitch of their tones; the position is the symbol's index. */
export const TONE_SYMBOLS = " abcdefghijklmnopqrstuvwxyz'";
export const TONE_HZ: readonly number[] = pitches(TONE_SYMBOLS.length);

/** At 16 kHz; see `toneSlotSamples` for other rates. */
export const SLOT_SAMPLES = 2560;
/** Half a slot: what a graph looks at as one frame. */
export const TONE_FRAME_SAMPLES = SLOT_SAMPLES / 2;

function pitches(count: number): number[] {
  const hz: number[] = [];
  for (let pitch = 400; hz.length < count; pitch += Math.max(MIN_STEP_HZ, MIN_STEP_RATIO * pitch)) {
    hz.push(Math.round(pitch / GRID_HZ) * GRID_HZ);
  }
  return hz;
}

export const toneSlotSamples = (rateHz: number): number => (rateHz * 160) / 1000;

/** s16 PCM of the text's tones, one slot for each symbol. Throws for a symbol that has no tone. */
export function tonesOf(text: string, rateHz = 16_000): Int16Array {
  const slot = toneSlotSamples(rateHz);
  const pcm = new Int16Array(slot * text.length);
  for (const [index, symbol] of [...text].entries()) {
    const hz = TONE_HZ[TONE_SYMBOLS.indexOf(symbol)];
    assert.ok(hz !== undefined, `${JSON.stringify(symbol)} has a tone`);
    putTone(pcm, index * slot, hz, rateHz);
  }
  return pcm;
}

function putTone(pcm: Int16Array, slotStart: number, hz: number, rateHz: number): void {
  const start = slotStart + Math.round((TONE_START_MS * rateHz) / 1000);
  const count = Math.round((TONE_MS * rateHz) / 1000);
  const fade = (FADE_MS * rateHz) / 1000;
  for (let i = 0; i < count; i += 1) {
    const edge = Math.min(1, (i + 0.5) / fade, (count - i - 0.5) / fade);
    pcm[start + i] = Math.round(PEAK * edge * Math.sin((2 * Math.PI * hz * i) / rateHz));
  }
}

/** The text of PCM made by `tonesOf`, or by a graph that speaks in tones; slots are counted from its beginning. */
export function readTones(pcm: Int16Array, rateHz = 16_000): string {
  const slot = toneSlotSamples(rateHz);
  let text = "";
  for (let start = 0; start + slot / 2 <= pcm.length; start += slot) {
    const energies = TONE_HZ.map((hz) => toneEnergy(pcm.subarray(start, start + slot / 2), hz, rateHz));
    const loudest = energies.indexOf(Math.max(...energies));
    if (energies[loudest]! > SILENCE_ENERGY) text += TONE_SYMBOLS[loudest];
  }
  return text;
}

/** Mean square of the samples' part at a pitch, 1 being full scale. A whole tone has about 0.008. */
function toneEnergy(pcm: Int16Array, hz: number, rateHz: number): number {
  let real = 0;
  let imaginary = 0;
  for (const [i, sample] of pcm.entries()) {
    const angle = (2 * Math.PI * hz * i) / rateHz;
    real += (sample / 32_768) * Math.cos(angle);
    imaginary += (sample / 32_768) * Math.sin(angle);
  }
  return (real ** 2 + imaginary ** 2) / pcm.length ** 2;
}

/** Between a frame that holds a tone, at least 0.005, and its neighbours. */
export const SILENCE_ENERGY = 0.001;

/**
 * Adds to a graph what tells the symbols of frames apart: f32 [..., frameSamples] of PCM in [-1, 1] at 16 kHz becomes f32
 * [..., 1 + symbols], first SILENCE_ENERGY, then the energy of each tone. The largest is at 0 in a silent frame, at
 * 1 + the symbol's index in a frame that holds its tone.
 */
export function toneScores(graph: GraphWriter, frames: Value, frameSamples = TONE_FRAME_SAMPLES): Value {
  const width = 1 + TONE_HZ.length;
  const squares = (wave: (angle: number) => number): Value => {
    const weights = new Float32Array(frameSamples * width);
    for (let i = 0; i < frameSamples; i += 1) {
      for (const [tone, hz] of TONE_HZ.entries()) {
        weights[i * width + 1 + tone] = wave((2 * Math.PI * hz * i) / 16_000) / frameSamples;
      }
    }
    const part = graph.node("MatMul", [frames, graph.constant("tones", weights, [frameSamples, width])]);
    return graph.node("Mul", [part, part]);
  };
  const silence = Float32Array.from({ length: width }, (_, column) => (column === 0 ? SILENCE_ENERGY : 0));
  const energies = graph.node("Add", [squares(Math.cos), squares(Math.sin)]);
  return graph.node("Add", [energies, graph.constant("silence", silence)]);
}
