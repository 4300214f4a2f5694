/** Where the speech comes from: sentences for the product's voices, sets made outside, and recordings of real people. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.js";
import { seeded } from "../../src/base/prng.js";
import { msToSamples } from "../../src/base/units.js";
import { besideCheckout, joined, readRecording } from "../../test/support/system.js";
import type { Voices } from "./voices.js";

export interface Clip {
  readonly name: string;
  /** What is said. */
  readonly text: string;
  /** 16 kHz mono; read when it is its turn, so that thousands of clips need no memory. */
  read(): Promise<Int16Array>;
}

export interface Sentences {
  readonly requests: readonly string[];
  readonly general: readonly string[];
}

export function readSentences(): Sentences {
  return readJson(join(packageRoot(), "bench", "eval", "sentences.json")) as Sentences;
}

/** What the recordings in samples/ say, by file: the table of their page. */
export function sampleTexts(): ReadonlyMap<string, string> {
  const page = readFileSync(join(packageRoot(), "samples", "README.md"), "utf8");
  return new Map([...page.matchAll(/^\| `(\S+\.wav)` \| (.+) \|$/gm)].map(([, file, text]) => [file!, text!]));
}

export function sampleClips(): Clip[] {
  return [...sampleTexts()].map(([file, text]) => ({
    name: file,
    text,
    read: () => readRecording(join(packageRoot(), "samples", file)),
  }));
}

export function spokenClips(voices: Voices, voice: string, texts: readonly string[]): Clip[] {
  return texts.map((text, at) => ({ name: `${voice} ${at}`, text, read: () => voices.speak(text, voice) }));
}

/** A set that a script outside of the package made: WAV files and a list of what they say. */
export interface OutsideSet {
  readonly name: string;
  readonly description: string;
  readonly clips: readonly Clip[];
}

export const OUTSIDE_FOLDER = join(packageRoot(), ".cache", "starter-eval");

/** `undefined` if the folder has no list. */
export function outsideSets(folder: string): OutsideSet[] | undefined {
  const path = join(folder, "manifest.json");
  if (!existsSync(path)) return undefined;
  const { sets } = readJson(path) as {
    sets: { name: string; description?: string; clips: { file: string; text: string; voice?: string }[] }[];
  };
  return sets.map(({ name, description = "", clips }) => ({
    name,
    description,
    clips: clips.map(({ file, text }) => ({ name: file, text, read: () => readRecording(join(folder, file)) })),
  }));
}

/** A recording beside the checkout. */
export interface RealClip extends Clip {
  readonly seconds: number;
  readonly kind: "speech" | "noise";
  /** `undefined` where the transcript is of no use; `why` says so. */
  readonly group: RealGroup | undefined;
  readonly why: string;
}

/** The first pattern that a path matches is its group. The read ones are pooled for the bar. */
export const REAL_GROUPS = [
  { name: "austen", isRead: true, path: /^austen-/ },
  { name: "arctic", isRead: true, path: /arctic_/ },
  { name: "librispeech", isRead: true, path: /^librispeech-|^\d+-\d+-\d+.*\.(flac|wav)$/ },
  { name: "jfk", isRead: true, path: /^jfk/ },
  { name: "two_cities", isRead: true, path: /^two_cities/ },
  { name: "digits", isRead: false, path: /^fsdd\// },
  { name: "yes, no", isRead: false, path: /^(yes|no)_/ },
  { name: "commands", isRead: false, path: /^rhasspy3_/ },
  { name: "other", isRead: false, path: /./ },
] as const;
export type RealGroup = (typeof REAL_GROUPS)[number]["name"];

/**
 * Transcripts that the list abridges, completed from the book (C. Dickens, 1859, in the public domain). Taken only
 * where the list's beginning is theirs.
 */
const COMPLETED: Readonly<Record<string, string>> = {
  "two_cities_16k.wav":
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, " +
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of " +
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing " +
    "before us, we were all going direct to Heaven, we were all going direct the other way — in short, the period was " +
    "so far like the present period, that some of its noisiest authorities insisted on its being received, for good " +
    "or for evil, in the superlative degree of comparison only.",
};

/** `undefined` if there is no such folder. */
export function realClips(): RealClip[] | undefined {
  const folder = besideCheckout("audio");
  if (folder === undefined) return undefined;
  const entries = readJson(join(folder, "manifest.json")) as {
    path: string;
    duration: number;
    transcript: string;
  }[];
  return entries
    .filter(({ path }) => !path.startsWith("rir"))
    .map(({ path, duration, transcript }) => {
      const { text, why } = usableTranscript(path, transcript);
      const group = text === "" ? undefined : REAL_GROUPS.find((candidate) => candidate.path.test(path))!.name;
      const kind = path.startsWith("noise") ? "noise" : "speech";
      const read = (): Promise<Int16Array> => readRecording(join(folder, path));
      return { name: path, text, why, group, kind, seconds: duration, read };
    });
}

export function usableTranscript(path: string, transcript: string): { readonly text: string; readonly why: string } {
  if (transcript.trim() === "") return { text: "", why: "no transcript" };
  if (/(?!\p{Script=Latin})\p{L}/u.test(transcript)) return { text: "", why: "not English" };
  const [beginning, ...rest] = transcript.split(/\.\.\.|\u2026/);
  if (rest.length === 0) return { text: transcript, why: "" };
  const completed = COMPLETED[path];
  if (completed?.startsWith(beginning!.trim())) return { text: completed, why: "" };
  return { text: "", why: "an abridged transcript" };
}

/** Largest sample of a quiet microphone's noise, as in samples/: digital silence comes from none. */
const FLOOR_PEAK = 36;
const LEAD_MS = 300;
const TRAIL_MS = 500;

export function faintNoise(count: number, seed: number): Int16Array {
  const prng = seeded(seed);
  return new Int16Array(count).map(() => prng.integer(-FLOOR_PEAK, FLOOR_PEAK + 1));
}

/** A clip that was cut at its word's edges, as it would come in a call. */
export function betweenPauses(clip: Clip, seed: number): Clip {
  const [lead, trail] = [faintNoise(msToSamples(LEAD_MS), seed), faintNoise(msToSamples(TRAIL_MS), seed + 1)];
  return { ...clip, read: async () => joined(lead, await clip.read(), trail) };
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
