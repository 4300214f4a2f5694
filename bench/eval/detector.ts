/**
 * Question: does the voice detector find the edges of speech, agree with Silero on people, and keep quiet in noise?
 *
 * Edges: sentences of the product's voices with pauses between; the clean signal's energy says where speech is. What is
 * compared is what the `vad` actor reports with its defaults. Agreement: on every recording with speech, windows of both
 * models against each other, and the actors' stretches.
 */
import { seeded } from "../../src/base/prng.js";
import { msToSamples } from "../../src/base/units.js";
import type { VadModel } from "../../src/models/family.js";
import { joined, silence } from "../../test/support/system.js";
import { median, quantile } from "../harness/statistics.js";
import { BARS } from "./bars.js";
import { faintNoise, type RealClip } from "./clips.js";
import { type Condition, disturbed } from "./conditions.js";
import type { EvalContext, Part } from "./context.js";
import { agreeing, type Boundaries, compareStretches, energyLabels, stretchSteps, windowSteps } from "./labels.js";
import { openVad, sileroPath, speechStretches } from "./recognisers.js";
import { type RowSpec, rowOf } from "./rows.js";

export const PAUSE_SEED = 515;
const PAUSE_MS = [600, 2_000] as const;
const SENTENCES_PER_VOICE = 10;
const EDGE_CONDITIONS = ["clean", "20 dB", "10 dB"] as const satisfies readonly Condition[];
const THRESHOLD = 0.5;

export const DETECTOR_PARTS: readonly Part[] = [
  { name: "vad-edges", question: "onset and offset errors of the detector against clean energy", run: runEdges },
  { name: "vad-silero", question: "agreement of the detector with Silero on real clips", run: runAgreement },
  { name: "vad-noise", question: "false alarms of the detector on noise", run: runFalseAlarms },
];

async function runEdges(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const runtime = await context.runtime();
  const recordings: Int16Array[] = [];
  for (const [at, voice] of voices.names.entries()) {
    const texts = context.few(context.general().slice(at * SENTENCES_PER_VOICE, (at + 1) * SENTENCES_PER_VOICE));
    if (texts.length > 0) {
      recordings.push(withPauses(await Promise.all(texts.map((text) => voices.speak(text, voice))), PAUSE_SEED + at));
    }
  }
  for (const condition of EDGE_CONDITIONS) {
    const found: Boundaries[] = [];
    for (const [at, clean] of recordings.entries()) {
      context.sink.progress(`edges, ${condition}: ${at + 1} of ${recordings.length}`);
      const heard = disturbed(withFloor(clean, at), condition, at);
      found.push(compareStretches(energyLabels(clean), await speechStretches(runtime, "starter", heard)));
    }
    edgeRows(context, condition, recordings.length, found);
  }
}

function edgeRows(context: EvalContext, condition: Condition, clips: number, found: readonly Boundaries[]): void {
  const sum = (key: "labels" | "missed" | "invented" | "bridged"): number =>
    found.reduce((total, boundaries) => total + boundaries[key], 0);
  const [labels, bridged] = [sum("labels"), sum("bridged")];
  const shared = { set: "vad edges", condition, clips };
  for (const edge of ["onset", "offset"] as const) {
    const errorsMs = found.flatMap((boundaries) => boundaries[`${edge}Ms`]);
    if (errorsMs.length === 0) continue;
    const p90 = quantile(
      errorsMs.map((errorMs) => Math.abs(errorMs)),
      0.9,
    );
    const note = `of ${errorsMs.length} ${edge}s; late is above zero, early below`;
    context.sink.row(rowOf({ ...shared, measure: `${edge} error, median`, unit: "ms", value: median(errorsMs), note }));
    context.sink.row(rowOf({ ...shared, measure: `${edge} error, 90 % within`, unit: "ms", value: p90 }));
  }
  const note = `of ${labels}; ${bridged} pauses taken for speech`;
  context.sink.row(rowOf({ ...shared, measure: "stretches missed", unit: "", value: sum("missed"), note }));
  context.sink.row(rowOf({ ...shared, measure: "stretches invented", unit: "", value: sum("invented") }));
}

function withPauses(sentences: readonly Int16Array[], seed: number): Int16Array {
  const prng = seeded(seed);
  const pause = (): Int16Array => silence(prng.integer(...PAUSE_MS));
  return joined(...sentences.flatMap((sentence) => [pause(), sentence]), pause());
}

function withFloor(pcm: Int16Array, seed: number): Int16Array {
  const floor = faintNoise(pcm.length, seed);
  return pcm.map((sample, at) => Math.max(-32768, Math.min(32767, sample + floor[at]!)));
}

async function runAgreement(context: EvalContext): Promise<void> {
  const file = sileroPath();
  const clips = context.few(context.real()?.filter(({ kind }) => kind === "speech") ?? []);
  if (file === undefined || clips.length === 0) {
    return context.sink.skip(`${BARS.agreement.what}: needs ../shared/models and ../shared/audio beside the checkout`);
  }
  const runtime = await context.runtime();
  const ours = await openVad("starter-vad", context.options.models.vad);
  const theirs = await openVad("silero", file);
  const totals = { windows: 0, stretches: 0, steps: 0 };
  const uncut = { windows: 0, stretches: 0, steps: 0 };
  for (const clip of clips) {
    context.sink.progress(`agreement: ${clip.name}`);
    const pcm = await clip.read();
    const left = await decisionSteps(ours, pcm);
    const windows = agreeing(left, await decisionSteps(theirs, pcm));
    const stretches = agreeing(
      stretchSteps(await speechStretches(runtime, "starter", pcm), pcm.length),
      stretchSteps(await speechStretches(runtime, "silero", pcm), pcm.length),
    );
    for (const sum of clip.group === "digits" ? [totals] : [totals, uncut]) {
      sum.windows += windows;
      sum.stretches += stretches;
      sum.steps += left.length;
    }
    const counts = { windows, stretches, steps: left.length };
    agreementRows(context, `vad: ${clip.name}`, 1, counts, { isDetail: true });
  }
  await ours.release();
  await theirs.release();
  const note = "steps of 10 ms, by length; windows at 0.5";
  agreementRows(context, "vad against Silero", clips.length, totals, { bar: "agreement", note });
  if (uncut.steps === 0) return;
  const uncutCount = clips.filter(({ group }) => group !== "digits").length;
  agreementRows(context, "vad against Silero, no digits", uncutCount, uncut, { note: "those begin with their word" });
}

function agreementRows(
  context: EvalContext,
  set: string,
  clips: number,
  { windows, stretches, steps }: { readonly windows: number; readonly stretches: number; readonly steps: number },
  more: Pick<RowSpec, "bar" | "note" | "isDetail">,
): void {
  const { bar, ...shared } = { set, clips, unit: "%", ...more };
  const barred = bar === undefined ? {} : { bar };
  context.sink.row(rowOf({ ...shared, ...barred, measure: "agreement, windows", value: (100 * windows) / steps }));
  context.sink.row(rowOf({ ...shared, measure: "agreement, stretches", value: (100 * stretches) / steps }));
}

/** The model's own windows, without the actor. */
async function decisionSteps(model: VadModel, pcm: Int16Array): Promise<boolean[]> {
  const { windowSamples, lagSamples } = model;
  const state = new Float32Array(model.stateFloats);
  model.resetState(state);
  const window = new Float32Array(windowSamples);
  const probability = new Float32Array(1);
  const decisions: boolean[] = [];
  // One window of silence more brings out what the look-ahead holds back.
  for (let at = 0; at < pcm.length + lagSamples; at += windowSamples) {
    for (let i = 0; i < windowSamples; i++) window[i] = (pcm[at + i] ?? 0) / 32_768;
    await model.step(1, window, [state], probability);
    decisions.push(probability[0]! >= THRESHOLD);
  }
  return windowSteps(decisions, windowSamples, lagSamples, pcm.length);
}

async function runFalseAlarms(context: EvalContext): Promise<void> {
  const clips = context.few(context.real()?.filter(({ kind }) => kind === "noise") ?? []);
  if (clips.length === 0) return context.sink.skip(`${BARS.falseAlarms.what}: no recordings`);
  for (const [graph, set] of [
    ["starter", "vad on noise"],
    ["silero", "Silero on noise"],
  ] as const) {
    if (graph === "silero" && sileroPath() === undefined) continue;
    await alarmRows(context, graph, set, clips);
  }
}

async function alarmRows(
  context: EvalContext,
  graph: "starter" | "silero",
  set: string,
  clips: readonly RealClip[],
): Promise<void> {
  const runtime = await context.runtime();
  const totals = { alarms: 0, speech: 0, samples: 0 };
  const minuteSamples = msToSamples(60_000);
  const row = (of: string, count: number, { alarms, speech, samples }: typeof totals, isDetail: boolean): void => {
    const shared = { set: of, clips: count, isDetail };
    const bar = isDetail || graph === "silero" ? {} : ({ bar: "falseAlarms" } as const);
    const note = `${alarms} in ${(samples / 16_000).toFixed(0)} s, defaults of the actor`;
    const perMinute = (alarms * minuteSamples) / samples;
    context.sink.row(rowOf({ ...shared, measure: "false alarms", unit: "per min", value: perMinute, note, ...bar }));
    context.sink.row(rowOf({ ...shared, measure: "taken for speech", unit: "%", value: (100 * speech) / samples }));
  };
  for (const clip of clips) {
    context.sink.progress(`${set}: ${clip.name}`);
    const pcm = await clip.read();
    const stretches = await speechStretches(runtime, graph, pcm);
    const speech = stretches.reduce((sum, [start, end]) => sum + end - start, 0);
    row(`${set}: ${clip.name}`, 1, { alarms: stretches.length, speech, samples: pcm.length }, true);
    totals.alarms += stretches.length;
    totals.speech += speech;
    totals.samples += pcm.length;
  }
  row(set, clips.length, totals, false);
}
