import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { encodeWav } from "../../audio/wav.js";
import { SyrinxError } from "../../base/errors.js";
import { FRAME_SAMPLES, GRAPH_RATE_HZ } from "../../base/units.js";
import type { AudioEvent, CallEvent } from "../../frames/events.js";
import { joinAudio } from "../collect.js";
import { decodeOne } from "../decode-one.js";
import { graphWith, shippedConfig } from "../options.js";
import { recordingThenSilence, sendPaced } from "../pace.js";
import { jsonView, type TalkView, terminalView } from "../talk-view.js";

/** After the recording, this long for the answer. */
const ANSWER_MS_MAX = 20_000;
/** A graph that has not begun a turn this long after the recording only listens: then its last words are asked for. */
const LISTENER_MS = 2_000;

export function addTalk(program: Command): void {
  program
    .command("talk")
    .summary("hold a spoken turn with a recording")
    .description(
      "Streams a recording at the pace of speech, as a caller would, shows what happens and saves the answer.",
    )
    .argument("<file>", "WAV, FLAC or MP3 file with what the caller says")
    .option("--url <url>", "a running server, such as ws://127.0.0.1:8080; without it, everything runs in this process")
    .option("--api-key <key>", "key for that server (default: environment variable SYRINX_API_KEY)")
    .option("-c, --config <file>", "configuration to run in this process", shippedConfig("assistant"))
    .option("-g, --graph <name>", "graph to talk to (default: the first that answers)")
    .option("-o, --output <file>", "WAV file for the answer")
    .option("--json", "print every event and the receipt as JSON lines")
    .addHelpText(
      "after",
      "\nExamples:\n  syrinx talk question.wav\n  syrinx talk question.wav --url ws://127.0.0.1:8080 -o answer.wav\n",
    )
    .action(talk);
}

interface TalkOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly config: string;
  readonly graph?: string;
  readonly output?: string;
  readonly json?: boolean;
}

/** What a conversation needs of a call, near or far. */
export interface Line {
  send(pcm: Int16Array): void;
  finalize(): void;
  readonly events: AsyncIterable<CallEvent | { readonly type: string }>;
  close(): Promise<void>;
}

async function talk(file: string, options: TalkOptions): Promise<void> {
  const { pcm } = await decodeOne(file);
  const view = options.json === true ? jsonView((line) => process.stdout.write(line)) : terminalView(process.stdout);
  if (options.url !== undefined) {
    const apiKey = options.apiKey ?? process.env.SYRINX_API_KEY;
    const line = await dial(options.url, options.graph, apiKey);
    await finish(await converse(line, pcm, view), options.output, view);
    return;
  }
  const { createRuntime } = await import("../../runtime/runtime.js");
  const runtime = await createRuntime(options.config, { logLevel: "error", admission: "off" });
  try {
    const graph = options.graph ?? graphWith(runtime.plan, "agent") ?? runtime.plan.graphs[0]!.name;
    const call = await runtime.open(graph);
    const line: Line = {
      send: (frame) => void call.write(frame),
      finalize: () => void call.finalize(),
      events: call,
      close: () => call.close(),
    };
    await finish(await converse(line, pcm, view), options.output, view);
  } finally {
    await runtime.drain();
  }
}

/**
 * A call on a server, by its WebSocket. Throws CLI_OPTION_INVALID for an address that is none, and SyrinxClientError:
 * CLIENT_CONNECT, CLIENT_TIMEOUT and what the server refuses with.
 */
export async function dial(url: string, graph: string | undefined, apiKey: string | undefined): Promise<Line> {
  if (!URL.canParse(url) || !/^(ws|http)s?:/.test(url)) {
    const expected = "an address such as ws://127.0.0.1:8080";
    throw new SyrinxError("CLI_OPTION_INVALID", { option: "--url", value: url, expected });
  }
  const { connect } = await import("../../client/index.js");
  const client = await connect(url, {
    rate: GRAPH_RATE_HZ,
    ...(graph === undefined ? {} : { graph }),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return {
    send: (pcm) => void client.send(pcm),
    finalize: () => void client.finalize(),
    events: client,
    close: () => client.close(),
  };
}

/** Plays the caller: speaks, waits for the answer, hangs up. Returns the answer's audio. */
export async function converse(line: Line, pcm: Int16Array, view: TalkView): Promise<AudioEvent[]> {
  const audio: AudioEvent[] = [];
  let isOver = false;
  let isConversation = false;
  let failure: SyrinxError | undefined;
  const listening = (async () => {
    for await (const event of line.events as AsyncIterable<CallEvent>) {
      view.show(event);
      if (event.type === "audio") audio.push(event);
      if (event.type === "turn" || event.type === "reply") isConversation = true;
      // A graph that only listens has said all it has to say.
      if (event.type === "finalized" && !isConversation) break;
      if (event.type === "error")
        failure ??= new SyrinxError("CALL_FAILED", { code: event.code, reason: event.message });
      if (event.type === "close" || (event.type === "reply" && event.what === "end")) break;
    }
    isOver = true;
  })();
  const spokenMs = performance.now() + (pcm.length * 1000) / GRAPH_RATE_HZ;
  let isAsked = false;
  const source = recordingThenSilence(pcm, FRAME_SAMPLES, () => isOver || performance.now() > spokenMs + ANSWER_MS_MAX);
  await sendPaced(source, (frame) => {
    line.send(frame);
    if (isAsked || isConversation || performance.now() < spokenMs + LISTENER_MS) return;
    isAsked = true;
    line.finalize();
  });
  if (!isOver) failure ??= new SyrinxError("CALL_NO_ANSWER", { waitedMs: ANSWER_MS_MAX });
  await line.close();
  await listening;
  if (failure !== undefined) throw failure;
  return audio;
}

async function finish(audio: readonly AudioEvent[], output: string | undefined, view: TalkView): Promise<void> {
  if (output === undefined) return;
  if (audio.length === 0) {
    view.note("no sound came back: nothing is written");
    return;
  }
  const { pcm, rateHz } = joinAudio(audio);
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, encodeWav(pcm, rateHz));
  view.note(`answer written to ${output}: ${(pcm.length / rateHz).toFixed(2)} s at ${rateHz} Hz`);
}
