/**
 * Question: what does the runtime's own part of speaking cost, and how soon after a clause does its first audio come?
 *
 *     clause ─► words ─► phonemes or pieces ─► ids ─► graph of tones ─► s16 in pieces ─► first audio, …, last audio
 *
 * The graphs are the tests' tones: they have a real voice's tensors and steps and next to no arithmetic, so nearly all
 * that is measured is this project's: reading the text, feeding tensors, state, cutting audio. flite is a whole voice, all
 * of it measured. The clauses differ, so that nothing is remembered. Batched, eight calls speak at once.
 *
 * What it is not: the speed of a real Kokoro or Piper. That is their networks', and these figures bound what is added.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClock } from "../src/base/clock.js";
import type { SpeakRequest, TtsModel } from "../src/models/family.js";
import { loadFamily } from "../src/models/registry.js";
import { writePiper } from "../test/models/tts/piper-support.js";
import { writePocket } from "../test/models/tts/pocket-support.js";
import {
  KITTEN,
  npyFile,
  npzFile,
  styleTable,
  writeKokoro,
  writeStyleVoice,
} from "../test/models/tts/style-tts-support.js";
import { writeSupertonic } from "../test/models/tts/supertonic-support.js";
import { type Bench, type Figure, numberIn, numberOf, type Sample, type VariantParameters } from "./harness/bench.js";
import { figure } from "./harness/figures.js";
import { median } from "./harness/statistics.js";

const BATCH = 8;

interface Voice {
  /** Writes the voice's files, if it has any. */
  write(folder: string): void;
  readonly options: Readonly<Record<string, unknown>>;
  readonly isBatched: boolean;
}

const VOICES: Readonly<Record<string, Voice>> = {
  flite: { write: () => {}, options: {}, isBatched: false },
  kokoro: {
    write: (folder) => writeKokoro(folder),
    options: { file: "model.onnx", voices: "voices", tokens: "tokens.txt" },
    isBatched: false,
  },
  kitten: {
    write: (folder) => {
      writeStyleVoice(join(folder, "model.onnx"), KITTEN);
      writeFileSync(join(folder, "voices.npz"), npzFile({ one: npyFile(styleTable(1), [1, 256]) }));
    },
    options: { file: "model.onnx", voices: "voices.npz" },
    isBatched: false,
  },
  piper: {
    write: (folder) => writePiper(folder, "voice", { batch: "batch_size", hasFrames: true }),
    options: { file: "voice.onnx" },
    isBatched: true,
  },
  supertonic: { write: writeSupertonic, options: { folder: "onnx", voices: "voices" }, isBatched: true },
  "pocket-tts": { write: writePocket, options: { folder: "model", voices: "voices" }, isBatched: false },
};

/** Some 2 to 4 s of speech, never the same. */
function clause(index: number): string {
  const places = ["the harbour", "a quiet street", "the old library", "our new office"];
  const place = places[index % places.length]!;
  return `Well, clause number ${index} goes on, and on, from ${place} to room ${index + 100}, and home.`;
}

const request = (index: number): SpeakRequest => ({ text: clause(index), isStale: () => false });

interface Spoken {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly audioMs: number;
}

async function speakOne(model: TtsModel, index: number): Promise<Spoken> {
  const start = performance.now();
  let firstMs = 0;
  const { sampleCount } = await model.speak(request(index), () => {
    if (firstMs === 0) firstMs = performance.now() - start;
  });
  if (sampleCount === 0) throw new Error(`nothing was said for ${clause(index)}`);
  return { firstMs, lastMs: performance.now() - start, audioMs: (sampleCount / model.rateHz) * 1000 };
}

/** CPU time of eight clauses, in µs for each: one by one, or together. */
async function speakEight(model: TtsModel, first: number, isTogether: boolean): Promise<number> {
  const requests = Array.from({ length: BATCH }, (_, index) => request(first + index));
  const before = process.cpuUsage();
  if (isTogether) await model.speakAll!(requests, () => {});
  else for (const each of requests) await model.speak(each, () => {});
  const { user, system } = process.cpuUsage(before);
  return (user + system) / BATCH;
}

async function measure(parameters: VariantParameters): Promise<Sample> {
  const name = String(parameters.voice);
  const voice = VOICES[name]!;
  const folder = mkdtempSync(join(tmpdir(), "syrinx-bench-tts-"));
  try {
    mkdirSync(folder, { recursive: true });
    voice.write(folder);
    const family = (await loadFamily(name))!;
    const context = { clock: createClock(), baseFolder: folder, device: "cpu", batchMax: BATCH, log: () => {} };
    const model = (await family.open(family.options.parse(voice.options), context)) as TtsModel;
    const clauses = numberIn(parameters, "clauses");
    const spoken: Spoken[] = [];
    for (let index = 0; index < clauses; index++) spoken.push(await speakOne(model, index));
    const rates = { one: [] as number[], eight: [] as number[] };
    for (let round = 0; voice.isBatched && round < clauses / 4; round++) {
      const first = 1000 + 2 * BATCH * round;
      const ways = round % 2 === 0 ? [false, true] : [true, false];
      for (const isTogether of ways) {
        const us = await speakEight(model, first + (isTogether ? BATCH : 0), isTogether);
        (isTogether ? rates.eight : rates.one).push(1e6 / us);
      }
    }
    await model.release();
    const batched: Sample = voice.isBatched ? { one: median(rates.one), eight: median(rates.eight) } : {};
    return {
      timesRealTime: median(spoken.map(({ audioMs, lastMs }) => audioMs / lastMs)),
      firstMs: median(spoken.map(({ firstMs }) => firstMs)),
      lastMs: median(spoken.map(({ lastMs }) => lastMs)),
      ...batched,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const ttsBench: Bench = {
  name: "tts",
  variants: { measure },
  async run(context): Promise<readonly Figure[]> {
    const figures: Figure[] = [];
    for (const [name, { isBatched }] of Object.entries(VOICES)) {
      const samples: Sample[] = [];
      for (let repeat = 0; repeat < (context.isSmoke ? 1 : 3); repeat++) {
        context.progress(`${name}, ${repeat + 1}`);
        samples.push(await context.variant("measure", { voice: name, clauses: context.isSmoke ? 4 : 24 }));
      }
      const of = (key: string): number[] => samples.map((sample) => numberOf(sample, key));
      const what = name === "flite" ? "flite" : `${name}, of tones`;
      // flite is the voice that has to keep up with calls by itself.
      const bar = name === "flite" ? ({ of: "value", must: "be at least", bar: 10, aim: 30 } as const) : undefined;
      const speed = { metric: `times real time, ${what}`, unit: "×", better: "more" } as const;
      figures.push(
        figure({ bench: ttsBench, ...speed, values: of("timesRealTime"), ...(bar === undefined ? {} : { bar }) }),
        figure({
          bench: ttsBench,
          metric: `first audio of a clause against its last, ${what}`,
          unit: "ms",
          values: of("firstMs"),
          baselines: of("lastMs"),
        }),
      );
      if (!isBatched) continue;
      const metric = `clauses per second of CPU, ${what}, ${BATCH} together against one by one`;
      const rates = { values: of("eight"), baselines: of("one"), better: "more" } as const;
      figures.push(figure({ bench: ttsBench, metric, unit: "clauses", ...rates }));
    }
    return figures;
  },
};
