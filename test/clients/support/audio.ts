/** Recordings to speak into clients, what they say according to the command line, and the same in other encodings. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import g711 from "alawmulaw";
import { ROOT } from "./server.js";

export const SAMPLES = ["question", "time", "timer", "lights"] as const;
export type Sample = (typeof SAMPLES)[number];

/** s16 mono at 16 kHz. */
export function samplePcm(name: Sample): Int16Array {
  const wav = sampleFile(name);
  const bytes = wav.subarray(44);
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

export function sampleFile(name: Sample): Buffer {
  return readFileSync(samplePath(name));
}

export function samplePath(name: Sample): string {
  return join(ROOT, "samples", `${name}.wav`);
}

let texts: ReadonlyMap<Sample, string> | undefined;

/** What `syrinx transcribe` hears in it: every face must hear the same. */
export function expectedText(name: Sample): string {
  texts ??= transcribeAll();
  return texts.get(name)!;
}

function transcribeAll(): ReadonlyMap<Sample, string> {
  const main = join(ROOT, "dist/src/cli/main.js");
  const output = execFileSync(process.execPath, [main, "transcribe", "--json", ...SAMPLES.map(samplePath)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rows = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { text: string });
  return new Map(SAMPLES.map((name, at) => [name, rows[at]!.text]));
}

/** Pieces of so many milliseconds, as a microphone gives them. */
export function* chunksOf(pcm: Int16Array, ms: number, rateHz = 16_000): Generator<Int16Array> {
  const step = (rateHz * ms) / 1000;
  for (let at = 0; at < pcm.length; at += step) yield pcm.slice(at, at + step);
}

/** G.711 µ-law at 8 kHz, as a telephone brings it. The filter is a windowed sinc at a quarter of the rate. */
export function toTelephone(pcm: Int16Array): Uint8Array {
  const half = 31;
  const taps = Array.from({ length: 2 * half + 1 }, (_, tap) => {
    const x = tap - half;
    const sinc = x === 0 ? 0.5 : Math.sin((Math.PI * x) / 2) / (Math.PI * x);
    return sinc * (0.54 + 0.46 * Math.cos((Math.PI * x) / half));
  });
  const slow = new Int16Array(Math.floor(pcm.length / 2));
  for (let at = 0; at < slow.length; at++) {
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) sum += taps[tap]! * (pcm[2 * at + tap - half] ?? 0);
    slow[at] = Math.round(sum);
  }
  return g711.mulaw.encode(slow);
}

/** Two channels, sample by sample. The shorter one is filled with silence. */
export function interleaved(left: Int16Array, right: Int16Array): Int16Array {
  const frames = Math.max(left.length, right.length);
  return Int16Array.from({ length: 2 * frames }, (_, at) => (at % 2 === 0 ? left : right)[at >> 1] ?? 0);
}

export function rms(pcm: Int16Array): number {
  return Math.sqrt(pcm.reduce((sum, sample) => sum + sample * sample, 0) / pcm.length);
}
