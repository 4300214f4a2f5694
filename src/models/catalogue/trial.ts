/** Trying a model: what it makes of recordings whose text is known, or of a sentence that it speaks. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeAudio } from "../../audio/decode.js";
import { createResampler } from "../../audio/resampler.js";
import { assert } from "../../base/assert.js";
import { createClock } from "../../base/clock.js";
import { SyrinxError } from "../../base/errors.js";
import { packageRoot } from "../../base/package-root.js";
import { GRAPH_RATE_HZ, msToSamples } from "../../base/units.js";
import { errorPercent, sumOf, textErrors } from "../../base/word-errors.js";
import type { FamilyContext, Model, SttModel, TtsModel, VadModel } from "../family.js";
import { fliteFamily } from "../flite/index.js";
import { type AnyFamily, loadFamily } from "../registry.js";
import { starterCtcFamily } from "../starter-ctc/index.js";
import { ModelCache } from "./cache.js";
import type { ChosenModel } from "./catalogue.js";
import type { CatalogueSettings } from "./settings.js";

/** One number of a trial, in the order in which they are shown. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface Trial {
  readonly figures: readonly Figure[];
  /** What was said, where something was said or heard. */
  readonly texts: readonly { readonly expected: string; readonly heard: string }[];
  /** Undefined if it does its work; otherwise what it fails at. */
  readonly fault: string | undefined;
}

export interface TrialOptions {
  /** As in a configuration. */
  readonly device: string;
  /** A recording instead of the package's, with what is said in it. Recognisers want the text. */
  readonly recording?: { readonly pcm: Int16Array; readonly text: string | undefined } | undefined;
}

/** The package's recordings, each with 0.3 s of faint noise before and 1.5 s after. */
const SAMPLES = [
  { file: "question.wav", text: "What is the weather like tomorrow?" },
  { file: "time.wav", text: "What time is it?" },
  { file: "timer.wav", text: "Set a timer for ten minutes." },
  { file: "lights.wav", text: "Turn on the kitchen lights." },
] as const;
const NOISE_BEFORE_MS = 300;
const NOISE_AFTER_MS = 1500;
/** Around the request: a detector may be a little early, and late to let go. */
const SLACK_MS = 250;

const SPOKEN_TEXT = "Set a timer for ten minutes.";
const SPEECH_PROBABILITY = 0.5;
/** A recogniser that gets less than this right of short requests is the wrong file, or of the wrong language. */
const ERROR_PERCENT_MAX = 60;
/** Quieter than this, a voice has said nothing. */
const AUDIBLE_DBFS = -60;

/**
 * Opens the model on this thread and tries it; blocks while it computes. Throws MODEL_NOT_CACHED, MODEL_NOT_IN_BUILD, and
 * what its family throws when it opens.
 */
export async function tryModel(
  chosen: ChosenModel,
  settings: CatalogueSettings,
  options: TrialOptions,
): Promise<Trial> {
  const { name, family: familyName, trialText } = chosen.entry;
  const family = await loadFamily(familyName);
  if (family === undefined) throw new SyrinxError("MODEL_NOT_IN_BUILD", { family: familyName, name });
  const cache = new ModelCache(settings.cacheFolder);
  cache.require(chosen);
  const startMs = performance.now();
  const model = await openWith(family, cache.familyOptions(chosen), options.device);
  const load = { name: "load", value: (performance.now() - startMs) / 1000, unit: "s" };
  try {
    const trial = await tryOpen(model, options, trialText);
    return { ...trial, figures: [load, ...trial.figures] };
  } finally {
    await model.release();
  }
}

function openWith(family: AnyFamily, options: unknown, device: string): Promise<Model> {
  const context: FamilyContext = {
    clock: createClock(),
    baseFolder: packageRoot(),
    device,
    batchMax: 1,
    log: () => {},
  };
  return family.open(family.options.parse(options), context);
}

async function tryOpen(model: Model, options: TrialOptions, trialText: string | undefined): Promise<Trial> {
  if (isStt(model)) return tryRecogniser(model, await recordingsFor(options, trialText));
  if (isVad(model)) return tryDetector(model, await recordingsFor(options, undefined), options.recording === undefined);
  if (isTts(model)) return tryVoice(model);
  return { figures: [], texts: [], fault: undefined };
}

function isStt(model: Model): model is SttModel {
  return "createStream" in model;
}
function isVad(model: Model): model is VadModel {
  return "windowSamples" in model && "step" in model;
}
function isTts(model: Model): model is TtsModel {
  return "speak" in model;
}

interface Recording {
  readonly pcm: Int16Array;
  readonly text: string | undefined;
}

async function recordingsFor(
  { recording }: TrialOptions,
  trialText: string | undefined,
): Promise<readonly Recording[]> {
  if (recording !== undefined) return [recording];
  if (trialText !== undefined) return [{ pcm: await spokenByFlite(trialText), text: trialText }];
  return Promise.all(
    SAMPLES.map(async ({ file, text }) => {
      const path = join(packageRoot(), "samples", file);
      return { pcm: (await decodeAudio(await readFile(path), path)).pcm, text };
    }),
  );
}

async function spokenByFlite(text: string): Promise<Int16Array> {
  const voice = await openWith(fliteFamily as AnyFamily, {}, "cpu");
  assert(isTts(voice), "flite is a voice");
  const { pcm } = await speak(voice, text);
  await voice.release();
  return pcm;
}

async function hear(model: SttModel, pcm: Int16Array): Promise<string> {
  const stream = model.createStream({});
  stream.accept(pcm, 0, pcm.length);
  stream.finish();
  await model.advance([stream]);
  return stream.hypothesis().text;
}

async function tryRecogniser(model: SttModel, recordings: readonly Recording[]): Promise<Trial> {
  const startMs = performance.now();
  const texts: { expected: string; heard: string }[] = [];
  for (const { pcm, text } of recordings) texts.push({ expected: text ?? "", heard: await hear(model, pcm) });
  const seconds = (performance.now() - startMs) / 1000;
  const audioSeconds = secondsOf(recordings);
  const counts = texts
    .filter(({ expected }) => expected !== "")
    .map(({ expected, heard }) => textErrors(expected, heard));
  const percent = counts.length === 0 ? undefined : errorPercent(sumOf(counts));
  return {
    figures: [
      ...(percent === undefined ? [] : [{ name: "word error rate", value: percent, unit: "%" }]),
      { name: "audio", value: audioSeconds, unit: "s" },
      { name: "real-time factor", value: seconds / audioSeconds, unit: "" },
    ],
    texts,
    fault: recogniserFault(texts, percent),
  };
}

function recogniserFault(texts: Trial["texts"], percent: number | undefined): string | undefined {
  if (texts.every(({ heard }) => heard.trim() === "")) return "it heard no word in any recording";
  if (percent === undefined || percent <= ERROR_PERCENT_MAX) return undefined;
  return `of 100 words, ${percent.toFixed(0)} are wrong`;
}

async function tryDetector(model: VadModel, recordings: readonly Recording[], hasPauses: boolean): Promise<Trial> {
  const startMs = performance.now();
  const counts = { speech: 0, speechWindows: 0, pause: 0, pauseWindows: 0 };
  for (const { pcm } of recordings) {
    const probabilities = await probabilitiesOf(model, pcm);
    for (const [index, probability] of probabilities.entries()) {
      const centre = (index + 0.5) * model.windowSamples - model.lagSamples;
      const place = hasPauses ? placeOf(centre, pcm.length) : "speech";
      if (place === "border") continue;
      counts[`${place}Windows`] += 1;
      if (probability >= SPEECH_PROBABILITY) counts[place] += 1;
    }
  }
  const seconds = (performance.now() - startMs) / 1000;
  const inSpeech = (100 * counts.speech) / counts.speechWindows;
  const inPauses = (100 * counts.pause) / counts.pauseWindows;
  const audioSeconds = secondsOf(recordings);
  const pauses = hasPauses ? [{ name: "taken for speech in pauses", value: inPauses, unit: "%" }] : [];
  return {
    figures: [
      { name: hasPauses ? "taken for speech in requests" : "taken for speech", value: inSpeech, unit: "%" },
      ...pauses,
      { name: "audio", value: audioSeconds, unit: "s" },
      { name: "real-time factor", value: seconds / audioSeconds, unit: "" },
    ],
    texts: [],
    fault: hasPauses && inSpeech <= inPauses ? "it hears no more speech in requests than in pauses" : undefined,
  };
}

/** Where a moment of one of the package's recordings lies. */
function placeOf(sample: number, sampleCount: number): "speech" | "pause" | "border" {
  const slack = msToSamples(SLACK_MS);
  const start = msToSamples(NOISE_BEFORE_MS);
  const end = sampleCount - msToSamples(NOISE_AFTER_MS);
  if (sample >= start && sample < end) return "speech";
  return sample < start - slack || sample >= end + slack ? "pause" : "border";
}

async function probabilitiesOf(model: VadModel, pcm: Int16Array): Promise<number[]> {
  const state = new Float32Array(model.stateFloats);
  model.resetState(state);
  const window = new Float32Array(model.windowSamples);
  const probability = new Float32Array(1);
  const all: number[] = [];
  for (let at = 0; at + window.length <= pcm.length; at += window.length) {
    for (let i = 0; i < window.length; i += 1) window[i] = pcm[at + i]! / 32_768;
    await model.step(1, window, [state], probability);
    all.push(probability[0]!);
  }
  return all;
}

async function tryVoice(model: TtsModel): Promise<Trial> {
  const startMs = performance.now();
  const { pcm, spokenSeconds } = await speak(model, SPOKEN_TEXT);
  const seconds = (performance.now() - startMs) / 1000;
  const listener = await openWith(starterCtcFamily as AnyFamily, {}, "cpu");
  assert(isStt(listener), "the starter recogniser is one");
  const heard = await hear(listener, pcm);
  await listener.release();
  const levelDb = levelDbfs(pcm);
  return {
    figures: [
      {
        name: "word error rate of the starter recogniser",
        value: errorPercent(textErrors(SPOKEN_TEXT, heard)),
        unit: "%",
      },
      { name: "level", value: levelDb, unit: "dBFS" },
      { name: "speech", value: spokenSeconds, unit: "s" },
      { name: "real-time factor", value: seconds / spokenSeconds, unit: "" },
    ],
    texts: [{ expected: SPOKEN_TEXT, heard }],
    fault: levelDb < AUDIBLE_DBFS ? "what it speaks cannot be heard" : undefined,
  };
}

/** 16 kHz s16, whatever the voice's rate. */
async function speak(
  model: TtsModel,
  text: string,
): Promise<{ readonly pcm: Int16Array; readonly spokenSeconds: number }> {
  const resampler = createResampler(model.rateHz, GRAPH_RATE_HZ);
  const parts: Int16Array[] = [];
  const take = (output: Int16Array, count: number): void => void parts.push(output.subarray(0, count));
  const { sampleCount } = await model.speak({ text, isStale: () => false }, (pcm) => {
    const output = new Int16Array(resampler.outputBound(pcm.length));
    take(output, resampler.process(pcm, 0, pcm.length, output));
  });
  const rest = new Int16Array(resampler.outputBound(0));
  take(rest, resampler.flush(rest));
  const pcm = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    pcm.set(part, at);
    at += part.length;
  }
  return { pcm, spokenSeconds: sampleCount / model.rateHz };
}

/** Root mean square against full scale; silence is -200. */
function levelDbfs(pcm: Int16Array): number {
  let squares = 0;
  for (const sample of pcm) squares += (sample / 32_768) ** 2;
  return pcm.length === 0 ? -200 : 10 * Math.log10(squares / pcm.length + 1e-20);
}

function secondsOf(recordings: readonly Recording[]): number {
  return recordings.reduce((sum, { pcm }) => sum + pcm.length, 0) / GRAPH_RATE_HZ;
}
