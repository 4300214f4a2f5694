import { writeFile } from "node:fs/promises";
import type { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { toSrt, toVtt } from "../../base/subtitles.js";
import { GRAPH_RATE_HZ } from "../../base/units.js";
import type { TranscriptEvent } from "../../frames/events.js";
import type { Call } from "../../runtime/api.js";
import type { RuntimeImpl } from "../../runtime/runtime.js";
import { expectFiles } from "../decode-one.js";
import { graphWith, shippedConfig } from "../options.js";

/** Shorter files are done before a progress bar could be read. */
const PROGRESS_MS_MIN = 20_000;
/** Audio given to the graph ahead of its answers: keeps the ring from filling, and memory flat on hour-long files. */
const AHEAD_MS = 2_000;

export function addTranscribe(program: Command): void {
  program
    .command("transcribe")
    .summary("transcribe audio files")
    .description("Prints what is said in audio files: WAV, FLAC, MP3, Ogg with Opus or Vorbis, WebM with Opus.")
    .argument("<file...>", "audio files")
    .option("-c, --config <file>", "configuration with a transcribing graph", shippedConfig("transcribe"))
    .option("-g, --graph <name>", "graph to use (default: the first with a recogniser)")
    .option("--json", "one JSON line per file: text, words with times and confidence")
    .option("--srt", "SubRip subtitles")
    .option("--vtt", "WebVTT subtitles")
    .option("-o, --output <file>", "write to a file instead of standard output (one input file)")
    .addHelpText(
      "after",
      "\nExamples:\n  syrinx transcribe meeting.mp3\n  syrinx transcribe talk.flac --srt -o talk.srt\n",
    )
    .action(transcribe);
}

interface TranscribeOptions {
  readonly config: string;
  readonly graph?: string;
  readonly json?: boolean;
  readonly srt?: boolean;
  readonly vtt?: boolean;
  readonly output?: string;
}

async function transcribe(files: readonly string[], options: TranscribeOptions): Promise<void> {
  if (options.output !== undefined && files.length > 1) {
    throw new SyrinxError("CLI_OPTION_INVALID", {
      option: "--output",
      value: options.output,
      expected: "a single input file",
    });
  }
  await expectFiles(files);
  const [{ Jobs }, { createRuntime }] = await Promise.all([
    import("../../runtime/jobs.js"),
    import("../../runtime/runtime.js"),
  ]);
  const jobs = new Jobs();
  const runtime = await createRuntime(options.config, { logLevel: "error", admission: "off" });
  try {
    const graph = options.graph ?? graphWith(runtime.plan, "stt");
    if (graph === undefined) throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: "with a recogniser", known: "none" });
    for (const file of files) {
      const { pcm, durationMs } = await jobs.decodeFile(file);
      const finals = await recognise(runtime, graph, pcm);
      const text = render(file, durationMs, finals, options);
      if (options.output !== undefined) await writeFile(options.output, text);
      else process.stdout.write(files.length > 1 && options.json !== true ? `${file}:\n${text}` : text);
    }
  } finally {
    await jobs.close();
    await runtime.drain();
  }
}

/** The finals of one recording. Faster than real time: as fast as the graph answers. Throws the call's first error. */
export async function recognise(runtime: RuntimeImpl, graph: string, pcm: Int16Array): Promise<TranscriptEvent[]> {
  const finals: TranscriptEvent[] = [];
  const call = await runtime.open(graph);
  const durationMs = (pcm.length * 1000) / GRAPH_RATE_HZ;
  const isShown = process.stderr.isTTY === true && durationMs >= PROGRESS_MS_MIN;
  const bar = isShown ? await progressBar() : undefined;
  bar?.start(Math.round(durationMs / 1000), 0);
  try {
    const step = (AHEAD_MS * GRAPH_RATE_HZ) / 1000;
    for (let at = 0; at < pcm.length || at === 0; at += step) {
      call.write(pcm.subarray(at, at + step));
      call.mark(`at-${at}`);
      await readUntil(call, (event) => event.type === "mark" && event.id === `at-${at}`, finals);
      bar?.update(Math.round(Math.min(at + step, pcm.length) / GRAPH_RATE_HZ));
    }
    call.finalize("end");
    await readUntil(call, (event) => event.type === "finalized", finals);
    await call.close();
  } finally {
    bar?.stop();
    if (!call.isClosed) call.abort();
  }
  return finals;
}

async function progressBar(): Promise<SingleBar> {
  const { SingleBar } = await import("cli-progress");
  return new SingleBar({ format: "{bar} {percentage}% of {total} s, {eta_formatted} left", stream: process.stderr });
}

async function readUntil(
  call: Call,
  isLast: (event: { readonly type: string; readonly id?: string }) => boolean,
  finals: TranscriptEvent[],
): Promise<void> {
  const events = call[Symbol.asyncIterator]();
  for (;;) {
    const { value: event, done } = await events.next();
    if (done === true) return;
    if (event.type === "transcript" && event.final) finals.push(event);
    if (event.type === "error") throw new SyrinxError("CALL_FAILED", { code: event.code, reason: event.message });
    if (event.type === "close" || isLast(event)) return;
  }
}

function render(
  file: string,
  durationMs: number,
  finals: readonly TranscriptEvent[],
  options: TranscribeOptions,
): string {
  const words = finals.flatMap((final) => final.words);
  if (options.srt === true) return toSrt(words);
  if (options.vtt === true) return toVtt(words);
  if (options.json !== true)
    return finals.length === 0 ? "(no speech)\n" : `${finals.map((final) => final.text).join("\n")}\n`;
  const text = finals.map((final) => final.text).join(" ");
  const segments = finals.map(({ text: said, startMs, endMs, confidence }) => ({
    text: said,
    startMs,
    endMs,
    confidence,
  }));
  return `${JSON.stringify({ file, durationMs, text, segments, words })}\n`;
}
