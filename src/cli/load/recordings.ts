/** What callers say: recordings, where speech begins and ends in them, and what was said. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, parse } from "node:path";
import { SyrinxError } from "../../base/errors.js";
import { FRAME_SAMPLES, GRAPH_RATE_HZ, samplesToMs } from "../../base/units.js";

export interface Recording {
  readonly name: string;
  /** 16 kHz mono s16, whole frames of 20 ms; ends shortly after the speech does. */
  readonly pcm: Int16Array;
  readonly speechStartMs: number;
  readonly speechEndMs: number;
  /** What is said, if that is known. */
  readonly text: string | undefined;
}

/** Longer ones would make a turn longer than a measurement. At it: the recording is left out. */
export const SPEECH_MS_MAX = 30_000;
/** Kept before and after the speech. */
const MARGIN_MS = 200;
const WINDOW_SAMPLES = GRAPH_RATE_HZ / 100;
/**
 * A window of 10 ms is speech if it is this far above the recording's background, the level that a tenth of it does not
 * reach; but within these bounds below the loudest window: recordings without a pause have no background.
 */
const ABOVE_BACKGROUND_DB = 9;
const BELOW_LOUDEST_DB = [15, 35] as const;

/**
 * The WAV, FLAC and MP3 files of a folder, by name. What is said in `a.wav` stands in `a.txt`, or in the folder's
 * `manifest.json`: an array of `{ "path", "transcript" }`, which then also says which files count.
 * Throws LOAD_RECORDINGS_NONE, AUDIO_DECODE_FAILED.
 */
export async function loadRecordings(folder: string): Promise<Recording[]> {
  // Decoders are WebAssembly: they are loaded by who needs them.
  const { decodeAudio } = await import("../../audio/decode.js");
  const texts = transcriptsOf(folder);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(wav|flac|mp3)$/i.test(name)) : [];
  const recordings: Recording[] = [];
  for (const name of names.sort()) {
    if (texts.isManifest && !texts.of.has(name)) continue;
    const { pcm } = await decodeAudio(readFileSync(join(folder, name)), name);
    const made = makeRecording(name, pcm, texts.of.get(name));
    if (made !== undefined) recordings.push(made);
  }
  if (recordings.length === 0) {
    throw new SyrinxError("LOAD_RECORDINGS_NONE", { folder, seconds: SPEECH_MS_MAX / 1000 });
  }
  return recordings;
}

/** Cut to its speech with a little around it, and padded to whole frames. `undefined` if it holds none, or too much. */
export function makeRecording(name: string, pcm: Int16Array, text: string | undefined): Recording | undefined {
  const bounds = speechBounds(pcm);
  if (bounds === undefined) return undefined;
  const margin = (MARGIN_MS * GRAPH_RATE_HZ) / 1000;
  const from = Math.max(0, bounds.start - margin);
  const cut = pcm.subarray(from, Math.min(pcm.length, bounds.end + margin));
  const whole = new Int16Array(Math.ceil(cut.length / FRAME_SAMPLES) * FRAME_SAMPLES);
  whole.set(cut);
  const speechStartMs = samplesToMs(bounds.start - from);
  const speechEndMs = samplesToMs(bounds.end - from);
  if (speechEndMs - speechStartMs > SPEECH_MS_MAX) return undefined;
  return { name, pcm: whole, speechStartMs, speechEndMs, text };
}

/** In samples: the first and the last window of 10 ms that is loud. `undefined` of digital silence. */
export function speechBounds(pcm: Int16Array): { readonly start: number; readonly end: number } | undefined {
  const levels: number[] = [];
  for (let at = 0; at + WINDOW_SAMPLES <= pcm.length; at += WINDOW_SAMPLES) {
    let energy = 0;
    for (let index = at; index < at + WINDOW_SAMPLES; index++) energy += pcm[index]! ** 2;
    levels.push(energy / WINDOW_SAMPLES);
  }
  const loudest = levels.reduce((most, level) => Math.max(most, level), 0);
  if (loudest === 0) return undefined;
  const background = levels.toSorted((left, right) => left - right)[Math.floor(levels.length / 10)]!;
  const [least, most] = BELOW_LOUDEST_DB.map((db) => loudest * ratioOf(-db));
  const threshold = Math.max(most!, Math.min(least!, background * ratioOf(ABOVE_BACKGROUND_DB)));
  const first = levels.findIndex((level) => level >= threshold);
  const last = levels.findLastIndex((level) => level >= threshold);
  return { start: first * WINDOW_SAMPLES, end: (last + 1) * WINDOW_SAMPLES };
}

/** Of powers. */
function ratioOf(db: number): number {
  return 10 ** (db / 10);
}

interface Transcripts {
  readonly isManifest: boolean;
  readonly of: ReadonlyMap<string, string>;
}

function transcriptsOf(folder: string): Transcripts {
  const manifest = join(folder, "manifest.json");
  if (existsSync(manifest)) return { isManifest: true, of: readManifest(manifest) };
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const pairs = files
    .filter((name) => /\.(wav|flac|mp3)$/i.test(name))
    .map((name) => [name, join(folder, `${parse(name).name}.txt`)] as const)
    .filter(([, file]) => existsSync(file))
    .map(([name, file]) => [name, readFileSync(file, "utf8").trim()] as const);
  return { isManifest: false, of: new Map(pairs) };
}

/** Entries without a transcript are not for talking: noises, impulse responses. */
function readManifest(path: string): Map<string, string> {
  const entries = JSON.parse(readFileSync(path, "utf8")) as {
    readonly path?: unknown;
    readonly transcript?: unknown;
  }[];
  const pairs = entries.filter(
    ({ path: file, transcript }) => typeof file === "string" && typeof transcript === "string" && transcript !== "",
  );
  return new Map(pairs.map(({ path: file, transcript }) => [file as string, transcript as string]));
}
