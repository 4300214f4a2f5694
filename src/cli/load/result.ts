/** From what was seen on a rung to its figures. Pure. */
import { errorPercent, normalisedWords, sumOf, textErrors } from "../../base/word-errors.js";
import type { ReceiptEvent } from "../../frames/events.js";
import { isBargeInMissed, measuresOf, worstLatenessMs } from "./measures.js";
import { METRIC_NAMES, type Measures, type MetricName } from "./metrics.js";
import type { LoadSample, RungTraces } from "./rung.js";
import { fitLine, type Line, quantileOf, type Summary, summarise } from "./statistics.js";
import type { TurnOutcome, TurnTrace } from "./trace.js";

/** A generator later than this (p99) measures itself: its run is void. */
export const LATENESS_MS_MAX = 5;

export interface TurnRecord {
  readonly call: number;
  /** Since the rung's beginning. */
  readonly atMs: number;
  readonly recording: string | undefined;
  readonly outcome: TurnOutcome;
  readonly text: string | undefined;
  readonly measures: Measures;
}

export interface RungResult {
  readonly calls: number;
  readonly measuredMs: number;
  readonly lateness: Summary;
  /** The generator was too late to be believed. */
  readonly isVoid: boolean;
  readonly metrics: Readonly<Record<MetricName, Summary>>;
  readonly outcomes: Readonly<Record<TurnOutcome, number>>;
  /** Turns answered, in percent of all and of the calls that were refused or lost. */
  readonly successPercent: number;
  readonly callCounts: RungTraces["counts"];
  readonly troubles: Readonly<Record<string, number>>;
  readonly gapMs: number;
  readonly words: WordResult;
  readonly playback: PlaybackResult;
  readonly bargeIns: BargeInResult;
  readonly earlyCuts: number;
  /** Of partial_lag, in milliseconds per minute. */
  readonly drift: Line | undefined;
  readonly resources: ResourceResult | undefined;
  readonly generatorCores: number;
  /** That others kept busy on the generator's machine; a server there that nobody can look into is one of them. */
  readonly foreignCores: number | undefined;
  readonly leakedCalls: number | undefined;
  readonly turns: readonly TurnRecord[];
  readonly samples: readonly LoadSample[];
  /** Of the turns whose first audio took the median and the p99 of the time. */
  readonly receipts: { readonly p50: ReceiptEvent; readonly p99: ReceiptEvent } | undefined;
}

export interface WordResult {
  /** Errors per 100 words, against the recordings' texts; NaN without any. */
  readonly errorPercent: number;
  /** What it would be if each of these turns had been understood as its recording was in the call alone. */
  readonly aloneErrorPercent: number;
  /** Turns whose words are those of the same recording when the server had one call alone. */
  readonly same: number;
  /** Turns that can be compared so. */
  readonly compared: number;
}

export interface PlaybackResult {
  /** Replies of more than one chunk. */
  readonly n: number;
  /** Of them, in percent, those that a player with so many milliseconds of buffer plays without a gap. */
  readonly c100: number;
  readonly c200: number;
}

export interface BargeInResult {
  readonly n: number;
  /** The reply went on, though it had long to go. */
  readonly missed: number;
  /** Messages with audio after the server had said that there would be none. */
  readonly stale: number;
}

export interface ResourceResult {
  /** Server's CPU time per second of an open call. */
  readonly cpuMsPerStreamS: number;
  /** Cores that the server kept busy. */
  readonly cores: number;
  /** Resident memory above that before the first call, per open call: mean over the measured time. */
  readonly rssPerStreamBytes: number;
  readonly rssBytes: number;
}

/** What the server made of each recording when it had nothing else to do. */
export type SoloTexts = ReadonlyMap<string, string>;

export function resultOf(calls: number, traces: RungTraces, solo: SoloTexts): RungResult {
  const { turns, fromMs, untilMs, lateness, beganMs } = traces;
  const records = turns.map((turn) => recordOf(turn, beganMs));
  return {
    calls,
    measuredMs: untilMs - fromMs,
    lateness,
    isVoid: lateness.p99 > LATENESS_MS_MAX,
    metrics: metricsOf(records, traces.setups),
    outcomes: outcomesOf(turns),
    successPercent: successOf(traces),
    callCounts: traces.counts,
    troubles: Object.fromEntries(traces.troubles),
    gapMs: traces.gapMs,
    words: wordsOf(turns, solo),
    playback: playbackOf(turns),
    bargeIns: bargeInsOf(turns),
    earlyCuts: turns.reduce((sum, { speech }) => sum + (speech?.earlyCutCount ?? 0), 0),
    drift: driftOf(turns, fromMs),
    resources: resourcesOf(traces),
    generatorCores: coresOf(measuredSamples(traces), ({ generatorCpuMs }) => generatorCpuMs) ?? Number.NaN,
    foreignCores: coresOf(measuredSamples(traces), foreignCpuMs),
    leakedCalls: traces.leakedCalls,
    turns: records,
    samples: traces.samples,
    receipts: receiptsOf(turns),
  };
}

export function recordOf(turn: TurnTrace, beganMs: number): TurnRecord {
  const { call, outcome, speech } = turn;
  return {
    call,
    atMs: turn.beganMs - beganMs,
    recording: speech?.recording.name,
    outcome,
    text: speech === undefined ? undefined : heardIn(speech),
    measures: measuresOf(turn),
  };
}

/** All that was understood in one utterance. */
export function heardIn({ finals }: { readonly finals: readonly { readonly text: string }[] }): string {
  return finals.map(({ text }) => text).join(" ");
}

function metricsOf(records: readonly TurnRecord[], setups: readonly number[]): Record<MetricName, Summary> {
  const all = METRIC_NAMES.map((name) => {
    const values = name === "setup" ? setups : records.flatMap(({ measures }) => measures[name] ?? []);
    return [name, summarise(values)] as const;
  });
  return Object.fromEntries(all) as Record<MetricName, Summary>;
}

function outcomesOf(turns: readonly TurnTrace[]): Record<TurnOutcome, number> {
  const counts: Record<TurnOutcome, number> = { answered: 0, empty: 0, failed: 0, unanswered: 0, lost: 0 };
  for (const { outcome } of turns) counts[outcome] += 1;
  return counts;
}

/** A turn that was lost with its call counts once. */
function successOf({ turns, measuredCounts }: RungTraces): number {
  const answered = turns.filter(({ outcome }) => outcome === "answered").length;
  const lostTurns = turns.filter(({ outcome }) => outcome === "lost").length;
  const { refused, lost } = measuredCounts;
  const all = turns.length + refused + Math.max(0, lost - lostTurns);
  return all === 0 ? 0 : (100 * answered) / all;
}

function wordsOf(turns: readonly TurnTrace[], solo: SoloTexts): WordResult {
  const heard = turns.flatMap(({ speech, outcome }) =>
    speech === undefined || outcome !== "answered" ? [] : [{ recording: speech.recording, text: heardIn(speech) }],
  );
  const errorsOf = (textOf: (turn: (typeof heard)[number]) => string | undefined): number => {
    const counts = heard.flatMap((turn) => {
      const [reference, text] = [turn.recording.text, textOf(turn)];
      return reference === undefined || text === undefined ? [] : [textErrors(reference, text)];
    });
    return counts.length === 0 ? Number.NaN : errorPercent(sumOf(counts));
  };
  const pairs = heard.flatMap(({ recording, text }) => {
    const alone = solo.get(recording.name);
    return alone === undefined ? [] : [[alone, text] as const];
  });
  const same = pairs.filter(([alone, text]) => normalisedWords(alone).join(" ") === normalisedWords(text).join(" "));
  return {
    errorPercent: errorsOf(({ text }) => text),
    aloneErrorPercent: errorsOf(({ recording }) => solo.get(recording.name)),
    same: same.length,
    compared: pairs.length,
  };
}

function playbackOf(turns: readonly TurnTrace[]): PlaybackResult {
  const late = turns.flatMap(({ reply }) => (reply === undefined ? [] : (worstLatenessMs(reply) ?? [])));
  const share = (bufferMs: number): number =>
    late.length === 0 ? Number.NaN : (100 * late.filter((worst) => worst <= bufferMs).length) / late.length;
  return { n: late.length, c100: share(100), c200: share(200) };
}

function bargeInsOf(turns: readonly TurnTrace[]): BargeInResult {
  const replies = turns.flatMap(({ reply }) => (reply?.bargeIn === undefined ? [] : [reply]));
  return {
    n: replies.length,
    missed: replies.filter(isBargeInMissed).length,
    stale: replies.reduce((sum, { bargeIn }) => sum + bargeIn!.brokenCount, 0),
  };
}

const MINUTE_MS = 60_000;

function driftOf(turns: readonly TurnTrace[], fromMs: number): Line | undefined {
  return fitLine(
    turns.flatMap(({ speech }) =>
      (speech?.partialLags ?? []).map(({ atMs, lagMs }) => [(atMs - fromMs) / MINUTE_MS, lagMs] as const),
    ),
  );
}

export function measuredSamples({ samples, fromMs, untilMs, beganMs }: RungTraces): readonly LoadSample[] {
  return samples.filter(({ atMs }) => atMs >= fromMs - beganMs && atMs <= untilMs - beganMs);
}

function resourcesOf(traces: RungTraces): ResourceResult | undefined {
  const idle = traces.samples[0]?.server;
  const samples = measuredSamples(traces);
  const first = samples.find(({ server }) => server !== undefined);
  const last = samples.findLast(({ server }) => server !== undefined);
  if (idle === undefined || first?.server === undefined || last?.server === undefined || first === last)
    return undefined;
  const seconds = (last.atMs - first.atMs) / 1000;
  const cpuMs = last.server.cpuMs - first.server.cpuMs;
  const streams = mean(samples.map(({ openCalls }) => openCalls));
  const rss = mean(samples.flatMap(({ server }) => (server === undefined ? [] : [server.rssBytes])));
  return {
    cpuMsPerStreamS: cpuMs / (streams * seconds),
    cores: cpuMs / (seconds * 1000),
    rssPerStreamBytes: (rss - idle.rssBytes) / streams,
    rssBytes: rss,
  };
}

/** Cores that were busy between the first and the last sample that tells. */
function coresOf(
  samples: readonly LoadSample[],
  cpuMs: (sample: LoadSample) => number | undefined,
): number | undefined {
  const known = samples.flatMap((sample) => {
    const ms = cpuMs(sample);
    return ms === undefined ? [] : [{ atMs: sample.atMs, ms }];
  });
  const [first, last] = [known[0], known.at(-1)];
  return first === undefined || last === undefined || first === last
    ? undefined
    : (last.ms - first.ms) / (last.atMs - first.atMs);
}

function foreignCpuMs({ machineCpuMs, server, generatorCpuMs }: LoadSample): number | undefined {
  return machineCpuMs === undefined
    ? undefined
    : machineCpuMs - (server?.isHere === true ? server.cpuMs : 0) - generatorCpuMs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function receiptsOf(turns: readonly TurnTrace[]): RungResult["receipts"] {
  const receipts = turns
    .flatMap(({ receipt }) => (receipt?.milestones.firstPcmMs === undefined ? [] : [receipt]))
    .sort((left, right) => left.totalMs - right.totalMs);
  if (receipts.length === 0) return undefined;
  const places = receipts.map((_, index) => index);
  const at = (share: number): ReceiptEvent => receipts[Math.round(quantileOf(places, share))]!;
  return { p50: at(0.5), p99: at(0.99) };
}
