/** Where speech is, from the energy of the clean signal, and how a detector's stretches compare with that. */
import { msToSamples, samplesToMs } from "../../src/base/units.js";
import { quantile } from "../harness/statistics.js";
import { framePowers } from "./conditions.js";

/** Half-open, in samples. */
export type Stretch = readonly [start: number, end: number];

const FRAME_SAMPLES = msToSamples(10);
/** Below the loud frames by more than this is silence: soft consonants at the edges of words are above it. */
const RANGE_DB = 35;
/** Shorter silences are part of the speech around them: the detector waits at least this long too. */
const GAP_MS_MAX = 300;
/** Shorter sounds are clicks. */
const SPEECH_MS_MIN = 60;

export function energyLabels(clean: Int16Array): Stretch[] {
  const powers = framePowers(clean, FRAME_SAMPLES);
  const loud = powers.filter((power) => power > 0);
  const floor = quantile(loud, 0.95) * 10 ** (-RANGE_DB / 10);
  const gapSamples = msToSamples(GAP_MS_MAX);
  const merged: [number, number][] = [];
  for (const [frame, power] of powers.entries()) {
    if (!(power >= floor)) continue;
    const start = frame * FRAME_SAMPLES;
    const last = merged.at(-1);
    if (last !== undefined && start - last[1] < gapSamples) last[1] = start + FRAME_SAMPLES;
    else merged.push([start, start + FRAME_SAMPLES]);
  }
  return merged.filter(([start, end]) => end - start >= msToSamples(SPEECH_MS_MIN));
}

export interface Boundaries {
  /** Found minus labelled, in milliseconds: above zero is late. One for each label that was found. */
  readonly onsetMs: readonly number[];
  readonly offsetMs: readonly number[];
  readonly labels: number;
  /** Labels that no found stretch touches. */
  readonly missed: number;
  /** Found stretches that touch no label. */
  readonly invented: number;
  /** Pauses between labels that were taken for speech. Their two boundaries have no error: they are not there. */
  readonly bridged: number;
}

/** Both in order and without overlaps. */
export function compareStretches(labels: readonly Stretch[], found: readonly Stretch[]): Boundaries {
  const onsetMs: number[] = [];
  const offsetMs: number[] = [];
  let [missed, bridged] = [0, 0];
  for (const [at, label] of labels.entries()) {
    const touching = found.filter((stretch) => touches(stretch, label));
    if (touching.length === 0) {
      missed++;
      continue;
    }
    const [first, last] = [touching[0]!, touching.at(-1)!];
    const before = labels[at - 1];
    const after = labels[at + 1];
    if (before !== undefined && touches(first, before)) bridged++;
    else onsetMs.push(samplesToMs(first[0] - label[0]));
    if (after === undefined || !touches(last, after)) offsetMs.push(samplesToMs(last[1] - label[1]));
  }
  const invented = found.filter((stretch) => !labels.some((label) => touches(stretch, label))).length;
  return { onsetMs, offsetMs, labels: labels.length, missed, invented, bridged };
}

function touches(left: Stretch, right: Stretch): boolean {
  return left[0] < right[1] && right[0] < left[1];
}

/** Steps of 10 ms, each judged at its middle. */
const STEP_SAMPLES = msToSamples(10);

export function stretchSteps(stretches: readonly Stretch[], sampleCount: number): boolean[] {
  return steps(sampleCount, (middle) => stretches.some(([start, end]) => start <= middle && middle < end));
}

/** One decision per window, put where the network's look-ahead says that it belongs. */
export function windowSteps(
  decisions: readonly boolean[],
  windowSamples: number,
  lagSamples: number,
  sampleCount: number,
): boolean[] {
  return steps(sampleCount, (middle) => {
    const window = Math.floor((middle + lagSamples) / windowSamples);
    return decisions[Math.min(window, decisions.length - 1)] ?? false;
  });
}

function steps(sampleCount: number, isSpeechAt: (middle: number) => boolean): boolean[] {
  const count = Math.floor(sampleCount / STEP_SAMPLES);
  return Array.from({ length: count }, (_, step) => isSpeechAt((step + 0.5) * STEP_SAMPLES));
}

/** How many steps say the same. */
export function agreeing(left: readonly boolean[], right: readonly boolean[]): number {
  return left.reduce((count, isSpeech, step) => count + Number(isSpeech === right[step]), 0);
}
