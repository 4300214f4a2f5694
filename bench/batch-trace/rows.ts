/** How many streams a core serves when the model runs steps of so many rows, whoever formed them. */
import { GRAPH_RATE_HZ, msToSamples } from "../../src/base/units.js";
import { numberIn, type Sample, type VariantParameters } from "../harness/bench.js";
import { median } from "../harness/statistics.js";
import { openStt, openVad } from "./models.js";
import { traceAudio } from "./trace.js";

export const ROW_COUNTS = [1, 2, 4, 8, 16, 32] as const;
const ROWS_MAX = Math.max(...ROW_COUNTS);

/** Streams per core by rows, as `rows 1`, `rows 2`, …: seconds of audio over seconds of processor time. */
export async function rowsVariant(parameters: VariantParameters): Promise<Sample> {
  const rounds = numberIn(parameters, "rounds");
  const audio = await traceAudio();
  const hear = parameters.task === "vad" ? await detector(audio) : await recogniser(audio);
  const speeds = new Map<number, number[]>(ROW_COUNTS.map((rows) => [rows, []]));
  for (let round = 0; round <= rounds; round++) {
    // Sizes take turns, so that a machine that grows busier hits all of them. The first round is the warm-up.
    for (const rows of ROW_COUNTS) {
      const before = process.cpuUsage();
      const samples = await hear.step(rows, numberIn(parameters, "audioMs"));
      const { user, system } = process.cpuUsage(before);
      if (round > 0) speeds.get(rows)!.push(samples / GRAPH_RATE_HZ / ((user + system) / 1_000_000));
    }
  }
  await hear.release();
  return Object.fromEntries(ROW_COUNTS.map((rows) => [`rows ${rows}`, median(speeds.get(rows)!)]));
}

interface Hearing {
  /** Hears so much audio of as many streams as the largest step has, `rows` at a time; resolves to the samples. */
  step(rows: number, audioMs: number): Promise<number>;
  release(): Promise<void>;
}

async function detector(audio: Int16Array): Promise<Hearing> {
  const model = await openVad(ROWS_MAX);
  const { windowSamples } = model;
  const pcm = Float32Array.from(audio, (sample) => sample / 32_768);
  const states = Array.from({ length: ROWS_MAX }, () => new Float32Array(model.stateFloats));
  const probabilities = new Float32Array(ROWS_MAX);
  let at = 0;
  return {
    async step(rows, audioMs) {
      const own = states.slice(0, rows);
      for (const state of own) model.resetState(state);
      const steps = Math.ceil((msToSamples(audioMs) * ROWS_MAX) / windowSamples / rows);
      for (let step = 0; step < steps; step++) {
        if (at + rows * windowSamples > pcm.length) at = 0;
        await model.step(rows, pcm.subarray(at, at + rows * windowSamples), own, probabilities);
        at += rows * windowSamples;
      }
      return steps * rows * windowSamples;
    },
    release: () => model.release(),
  };
}

async function recogniser(audio: Int16Array): Promise<Hearing> {
  const model = await openStt(ROWS_MAX);
  return {
    async step(rows, audioMs) {
      const perStream = msToSamples(audioMs);
      for (let first = 0; first < ROWS_MAX; first += rows) {
        const streams = Array.from({ length: rows }, () => model.createStream({}));
        for (const [row, stream] of streams.entries()) {
          // Every stream hears another part.
          const offset = Math.floor(((first + row) * (audio.length - perStream)) / ROWS_MAX);
          stream.accept(audio, offset, perStream);
        }
        await model.advance(streams);
      }
      return ROWS_MAX * perStream;
    },
    release: () => model.release(),
  };
}
