/** How soon answers come: to a connection, to `Finalize`, and to the end of speech as Pipecat counts it. */
import { numberIn, type VariantParameters } from "../harness/bench.js";
import { Pacer, sleep } from "../harness/pace.js";
import { Numbers } from "../harness/statistics.js";
import { BenchClient, bytesOf, CLIPS, type Clip, clipOf, FRAME_MS, FRAME_SAMPLES, type Message } from "./clients.js";
import { BenchServer, DROP_IN } from "./server.js";

const LISTEN = "/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true";
const RTVI_READY = Buffer.from('{"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"2.1.0"}}');

/** A Frame of one MessageFrame: field 4, then field 1, each with its length. */
function clientReady(): Uint8Array {
  const length = RTVI_READY.length;
  return Buffer.concat([Buffer.from([0x22, length + 2, 0x0a, length]), RTVI_READY]);
}

interface Readiness {
  readonly path: string;
  readonly isReady: (message: Message) => boolean;
  /** Sent at once, where the server says nothing by itself. */
  readonly greeting?: object | Uint8Array;
}

export const READINESS = {
  native: { path: "/v1/call?graph=assistant", isReady: ({ type }) => type === "ready" },
  "deepgram-listen": {
    path: LISTEN,
    greeting: { type: "Finalize" },
    isReady: ({ from_finalize }) => from_finalize === true,
  },
  "deepgram-flux": {
    path: "/v2/listen?model=flux&encoding=linear16&sample_rate=16000",
    isReady: ({ type }) => type === "Connected",
  },
  "deepgram-speak": { path: "/v1/speak", isReady: ({ type }) => type === "Metadata" },
  pipecat: { path: "/pipecat", greeting: clientReady(), isReady: () => false },
} as const satisfies Readonly<Record<string, Readiness>>;

/** One after the other, each until the server's first word that the call is open; all faces in turn. */
export async function connects(parameters: VariantParameters): Promise<Record<string, number>> {
  const count = numberIn(parameters, "count");
  const server = await BenchServer.start(DROP_IN, 8);
  const sample: Record<string, number> = {};
  for (const [face, readiness] of Object.entries(READINESS)) {
    const readyMs = new Numbers();
    for (let index = -Math.ceil(count / 5); index < count; index++) {
      const fromMs = performance.now();
      const client = await ready(server.url, readiness);
      if (index >= 0) readyMs.push(performance.now() - fromMs);
      await client.close();
      client.check();
    }
    sample[`${face} p50`] = readyMs.quantile(0.5);
    sample[`${face} p99`] = readyMs.quantile(0.99);
  }
  await server.stop();
  return sample;
}

function ready(url: string, { path, isReady, greeting }: Readiness): Promise<BenchClient> {
  return new Promise((resolve) => {
    const greet = (opened: BenchClient): void => {
      if (greeting !== undefined) opened.send(greeting);
    };
    const dialled: BenchClient = new BenchClient(`${url}${path}`, greet, () => resolve(dialled));
    dialled.onMessage = (message) => isReady(message) && resolve(dialled);
  });
}

/** After the end of speech, a client's voice detector waits so long until it is sure. Pipecat's default. */
const STOP_MS = 200;
/** Between two recordings. */
const PAUSE_MS = 1_500;

/** One client that speaks, finalizes when its detector would, and waits for the transcript. */
class Speaker {
  readonly finalizeMs: Numbers;
  readonly ttfsMs: Numbers;
  readonly #clips: readonly Clip[];
  readonly #silence = new Uint8Array(FRAME_SAMPLES * 2);
  readonly client: BenchClient;
  #clip = 0;
  #atMs: number;
  #finalizedAtMs = 0;
  #speechEndedMs = 0;
  isMeasured = false;
  empty = 0;

  constructor(client: BenchClient, clips: readonly Clip[], startMs: number, finalizeMs: Numbers, ttfsMs: Numbers) {
    this.client = client;
    this.#clips = clips;
    this.#atMs = -startMs;
    this.finalizeMs = finalizeMs;
    this.ttfsMs = ttfsMs;
    client.onMessage = (message) => this.#hear(message);
  }

  /** The next 20 ms, which were recorded at `dueMs`. */
  speak(dueMs: number): void {
    const { pcm, speechEndMs } = this.#clips[this.#clip % this.#clips.length]!;
    const from = (this.#atMs / 1000) * 16_000;
    const frame = pcm.subarray(Math.max(0, from), Math.max(0, from) + FRAME_SAMPLES);
    this.client.send(from >= 0 && frame.length === FRAME_SAMPLES ? bytesOf(frame) : this.#silence);
    this.#atMs += FRAME_MS;
    if (this.#atMs - FRAME_MS < speechEndMs && this.#atMs >= speechEndMs) this.#speechEndedMs = dueMs;
    if (this.#atMs - FRAME_MS < speechEndMs + STOP_MS && this.#atMs >= speechEndMs + STOP_MS) {
      this.#finalizedAtMs = performance.now();
      this.client.send({ type: "Finalize" });
    }
    if (this.#atMs < (pcm.length / 16_000) * 1000 + PAUSE_MS) return;
    this.#atMs = 0;
    this.#clip += 1;
  }

  #hear(message: Message): void {
    if (message.type !== "Results" || message.from_finalize !== true || !this.isMeasured) return;
    const { alternatives } = message.channel as { alternatives: { transcript: string }[] };
    const nowMs = performance.now();
    this.finalizeMs.push(nowMs - this.#finalizedAtMs);
    if (alternatives[0]!.transcript === "") this.empty += 1;
    else this.ttfsMs.push(nowMs - this.#speechEndedMs);
  }
}

/** Speakers at once, spread over their recordings, through the starter's detector and recogniser. */
export async function finalizes(parameters: VariantParameters): Promise<Record<string, number>> {
  const count = numberIn(parameters, "streams");
  const server = await BenchServer.start(DROP_IN, count + 2);
  const clips = CLIPS.map(clipOf);
  const finalizeMs = new Numbers();
  const ttfsMs = new Numbers();
  const speakers: Speaker[] = [];
  for (let index = 0; index < count; index++) {
    const client = await new Promise<BenchClient>((resolve) => new BenchClient(`${server.url}${LISTEN}`, resolve));
    const own = [...clips.slice(index % clips.length), ...clips.slice(0, index % clips.length)];
    const startMs = Math.floor((index * 4_000) / count / FRAME_MS) * FRAME_MS;
    speakers.push(new Speaker(client, own, startMs, finalizeMs, ttfsMs));
  }
  const pacer = new Pacer(1, (tick, dueMs) => {
    for (let index = tick % FRAME_MS; index < count; index += FRAME_MS) speakers[index]!.speak(dueMs);
  });
  pacer.start();
  await sleep(numberIn(parameters, "warmMs"));
  for (const speaker of speakers) speaker.isMeasured = true;
  await sleep(numberIn(parameters, "measureMs"));
  pacer.stop();
  const empty = speakers.reduce((sum, speaker) => sum + speaker.empty, 0);
  for (const { client } of speakers) client.check();
  if (ttfsMs.count === 0) throw new Error(`no transcript answered a Finalize; ${finalizeMs.count} empty ones did`);
  await Promise.all(speakers.map(({ client }) => client.close()));
  await server.stop();
  return {
    p50: finalizeMs.quantile(0.5),
    p99: finalizeMs.quantile(0.99),
    answers: finalizeMs.count,
    empty,
    ttfs50: ttfsMs.quantile(0.5),
    ttfs99: ttfsMs.quantile(0.99),
    utterances: ttfsMs.count,
    lateness: pacer.latenessMs.quantile(0.99),
  };
}
