/** Recordings of real people, from beside the checkout: through the recogniser, through paced calls, and two VADs. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { FRAME_SAMPLES, GRAPH_RATE_HZ } from "../../src/base/units.js";
import { recognise } from "../../src/cli/commands/transcribe.js";
import { sendPaced } from "../../src/cli/pace.js";
import type { CallEvent } from "../../src/frames/events.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { besideCheckout, hear, readRecording } from "../support/system.js";

export interface Clip {
  readonly name: string;
  readonly pcm: Int16Array;
}

export interface Agreement {
  readonly seconds: number;
  /** Seconds of speech that each found. */
  readonly ours: number;
  readonly silero: number;
  /** Share of 10 ms steps on which both say the same. */
  readonly agreed: number;
}

const STEP_MS = 10;

/** Paths of the recordings, or `undefined` when they are not there. */
export function clipPaths(): string[] | undefined {
  const folder = besideCheckout("audio");
  if (folder === undefined) return undefined;
  const isAudio = (name: string): boolean => /\.(wav|flac|mp3)$/.test(name);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(isAudio)
    .sort()
    .map((name) => join(folder, name));
}

export async function readClip(path: string): Promise<Clip> {
  return { name: basename(path), pcm: await readRecording(path) };
}

/** Graphs `transcribe`, `starter` and, where its file is present, `silero`: the same but for the VAD's model. */
export function startClips(): Promise<RuntimeImpl> {
  const models = besideCheckout("models");
  const silero = models === undefined ? {} : { silero: { family: "silero", file: join(models, SILERO) } };
  const listen = (model: string): object[] => [{ vad: { model } }];
  return createRuntime(
    {
      version: 1,
      server: { maxCalls: 128, log: { level: "silent" } },
      models: { vad: { family: "starter-vad" }, ears: { family: "starter-ctc", device: "cpu" }, ...silero },
      graphs: {
        transcribe: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }],
        starter: listen("vad"),
        ...(models === undefined ? {} : { silero: listen("silero") }),
      },
    },
    { logLevel: "silent", admission: "off" },
  );
}
const SILERO = join("vad", "silero_vad_16k_op15.onnx");

/** What the command line does with a file. Throws the call's first error. */
export async function recogniseClip(runtime: RuntimeImpl, { pcm }: Clip): Promise<string> {
  return (await recognise(runtime, "transcribe", pcm)).map(({ text }) => text).join(" ");
}

/** As a caller would say it, in real time; the text, or what went wrong. */
export async function pacedClip(runtime: RuntimeImpl, { pcm }: Clip): Promise<string> {
  const events: CallEvent[] = [];
  const call = await runtime.open("transcribe", { onEvent: (event) => events.push(event) });
  let at = 0;
  await sendPaced(
    {
      next() {
        if (at >= pcm.length) return undefined;
        const frame = pcm.subarray(at, at + FRAME_SAMPLES);
        at += FRAME_SAMPLES;
        return frame;
      },
    },
    (frame) => void call.write(frame),
  );
  await call.close();
  const fault = events.find(({ type }) => type === "error" || type === "gap");
  if (fault !== undefined) throw new Error(JSON.stringify(fault));
  return events.flatMap((event) => (event.type === "transcript" && event.final ? [event.text] : [])).join(" ");
}

/** How far the starter VAD and Silero's agree about a clip. */
export async function agreement(runtime: RuntimeImpl, { pcm }: Clip): Promise<Agreement> {
  const [ours, theirs] = await Promise.all(
    ["starter", "silero"].map(async (graph) => speechSteps(await hear(await runtime.open(graph), pcm), pcm)),
  );
  const same = ours!.reduce((count, isSpeech, step) => count + Number(isSpeech === theirs![step]), 0);
  const secondsOf = (steps: readonly boolean[]): number => (steps.filter(Boolean).length * STEP_MS) / 1000;
  return {
    seconds: pcm.length / GRAPH_RATE_HZ,
    ours: secondsOf(ours!),
    silero: secondsOf(theirs!),
    agreed: same / ours!.length,
  };
}

function speechSteps(events: readonly CallEvent[], pcm: Int16Array): boolean[] {
  const steps = new Array<boolean>(Math.ceil((pcm.length * 1000) / GRAPH_RATE_HZ / STEP_MS)).fill(false);
  let startMs: number | undefined;
  const mark = (endMs: number): void => {
    if (startMs !== undefined) steps.fill(true, Math.round(startMs / STEP_MS), Math.round(endMs / STEP_MS));
    startMs = undefined;
  };
  for (const event of events) {
    if (event.type !== "vad") continue;
    if (event.what === "start") startMs = event.atMs;
    else mark(event.atMs);
  }
  mark(steps.length * STEP_MS);
  return steps;
}
