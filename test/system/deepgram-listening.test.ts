/** Deepgram's listening faces over real sockets, a real runtime and the starter models. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { createAudioEncoder } from "../../src/audio/encode.js";
import { encodeG711 } from "../../src/audio/g711.js";
import { createResampler } from "../../src/audio/resampler.js";
import { packageRoot } from "../../src/base/package-root.js";
import { loadConfigText } from "../../src/config/load.js";
import type { RuntimeImpl } from "../../src/runtime/runtime.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { startPlan } from "../support/runtimes.js";
import { finalsOf, hear, joined, readSample, silence, TIMER_TEXT } from "../support/system.js";

const CONFIG = `
version: 1
server: { maxCalls: 16, log: { level: warn } }
models:
  vad: { family: starter-vad }
  ears: { family: starter-ctc }
graphs:
  listen:
    - vad: { model: vad }
    - stt: { model: ears }
  turns:
    - vad: { model: vad, stopMs: 150 }
    - turn: { kind: silence, endMs: 600 }
    - stt: { model: ears }
routes:
  /v1/listen: { face: deepgram-listen, graph: listen }
  /v2/listen: { face: deepgram-flux, graph: turns }
`;

type Message = Record<string, unknown> & { readonly type: string };

interface Heard {
  readonly messages: Message[];
  readonly code: number;
  readonly requestId: string | undefined;
}

/** Sends the audio in pieces, then (or when a message is there) the last words; keeps what comes until the server closes. */
function converse(
  url: string,
  audio: Uint8Array,
  pieceBytes: number,
  last: readonly object[],
  when?: (message: Message) => boolean,
): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers: { authorization: "Token any" } });
    const messages: Message[] = [];
    let requestId: string | undefined;
    socket.on("upgrade", (response) => {
      requestId = response.headers["dg-request-id"] as string | undefined;
    });
    socket.on("open", () => {
      for (let at = 0; at < audio.length; at += pieceBytes) socket.send(audio.subarray(at, at + pieceBytes));
      if (when === undefined) for (const message of last) socket.send(JSON.stringify(message));
    });
    socket.on("message", (data: Buffer) => {
      const heard = JSON.parse(data.toString()) as Message;
      const isFirst = when?.(heard) === true && !messages.some(when);
      messages.push(heard);
      if (isFirst) for (const message of last) socket.send(JSON.stringify(message));
    });
    socket.on("error", reject);
    socket.on("close", (code) => resolve({ messages, code, requestId }));
  });
}

function transcriptOf(messages: readonly Message[], channel = 0): string {
  return messages
    .filter(
      ({ type, is_final, channel_index }) =>
        type === "Results" && is_final && (channel_index as number[])[0] === channel,
    )
    .map((each) => (each.channel as { alternatives: { transcript: string }[] }).alternatives[0]!.transcript)
    .filter((text) => text !== "")
    .join(" ");
}

const bytesOf = (pcm: Int16Array): Uint8Array => new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);

function mulaw8k(pcm: Int16Array): Uint8Array {
  const resampler = createResampler(16_000, 8_000);
  const half = new Int16Array(pcm.length);
  const made = resampler.process(pcm, 0, pcm.length, half);
  const count = made + resampler.flush(half.subarray(made));
  const bytes = new Uint8Array(count);
  encodeG711("mulaw", half, 0, count, bytes, 0);
  return bytes;
}

function interleaved(left: Int16Array, right: Int16Array): Int16Array {
  const both = new Int16Array(2 * Math.max(left.length, right.length));
  for (const [at, sample] of left.entries()) both[2 * at] = sample;
  for (const [at, sample] of right.entries()) both[2 * at + 1] = sample;
  return both;
}

describe("Deepgram's clients are listened to", { timeout: 60_000 }, () => {
  let runtime: RuntimeImpl;
  let server: RunningServer;
  let speech: Int16Array;
  const close = [{ type: "CloseStream" }];
  const at = (path: string): string => `${server.url.replace(/^http/, "ws")}${path}`;

  before(async () => {
    const { plan } = loadConfigText(CONFIG, "listen.yaml");
    runtime = await startPlan({ ...plan, server: { ...plan.server, port: 0 } });
    server = await startServer(runtime);
    speech = await readSample("timer.wav");
  });
  after(async () => {
    await server.close();
    await runtime.drain();
  });

  test("by /v1/listen: 16 kHz linear, 8 kHz µ-law and a WAV stream hear what `transcribe` hears", async () => {
    const expected = finalsOf(await hear(await runtime.open("listen"), speech));
    assert.equal(expected, TIMER_TEXT);
    const linear = await converse(at("/v1/listen?encoding=linear16&sample_rate=16000"), bytesOf(speech), 3_200, close);
    const mulaw = await converse(at("/v1/listen?encoding=mulaw&sample_rate=8000"), mulaw8k(speech), 160, close);
    const wav = readFileSync(join(packageRoot(), "samples", "timer.wav"));
    const file = await converse(at("/v1/listen?model=nova-3"), wav, 1_001, close);
    for (const { messages, code, requestId } of [linear, mulaw, file]) {
      assert.equal(transcriptOf(messages), expected);
      assert.equal(code, 1000);
      const metadata = messages.at(-1)!;
      assert.equal(metadata.type, "Metadata");
      assert.equal(metadata.request_id, requestId);
      assert.ok(Math.abs((metadata.duration as number) - speech.length / 16_000) < 0.05, `${metadata.duration}`);
    }
  });

  test("by /v1/listen: Ogg with Opus, cut anywhere", async () => {
    const encoder = await createAudioEncoder({ format: "opus", rateHz: 16_000 });
    const opus = Buffer.concat([encoder.encode(speech), encoder.finish()]);
    const { messages, code } = await converse(at("/v1/listen?encoding=ogg-opus"), opus, 333, close);
    assert.equal(code, 1000);
    assert.equal(transcriptOf(messages), TIMER_TEXT);
  });

  test("by /v1/listen: each channel by itself", async () => {
    const other = await readSample("lights.wav");
    const query = "encoding=linear16&sample_rate=16000&channels=2&multichannel=true&interim_results=true";
    const both = bytesOf(interleaved(speech, other));
    const isInterim = ({ is_final }: Message): boolean => is_final === false;
    const { messages, code } = await converse(at(`/v1/listen?${query}`), both, 6_400, close, isInterim);
    assert.equal(code, 1000);
    assert.equal(transcriptOf(messages, 0), TIMER_TEXT);
    const expected = finalsOf(await hear(await runtime.open("listen"), other));
    assert.equal(transcriptOf(messages, 1), expected);
    assert.ok(messages.some(isInterim));
  });

  test("by /v1/listen: a Finalize in the middle is answered with the words so far", async () => {
    const query = "encoding=linear16&sample_rate=16000&endpointing=3000&vad_events=true";
    const end = [{ type: "Finalize" }, ...close];
    const { messages } = await converse(at(`/v1/listen?${query}`), bytesOf(speech), 3_200, end);
    const answers = messages.filter(({ from_finalize }) => from_finalize === true);
    assert.equal(answers.length, 1);
    assert.equal(transcriptOf(answers), TIMER_TEXT);
    assert.equal(messages.filter(({ type }) => type === "SpeechStarted").length, 1);
  });

  test("by Flux: turns with their words, an eager end first, thresholds changed on the way", async () => {
    const audio = bytesOf(joined(speech, silence(700), speech, silence(700)));
    const query = "model=flux-general-en&encoding=linear16&sample_rate=16000&eager_eot_threshold=0.4";
    const { messages, code } = await converse(at(`/v2/listen?${query}`), audio, 2_560, close);
    assert.equal(code, 1000);
    assert.equal(messages[0]?.type, "Connected");
    const ends = messages.filter(({ event }) => event === "EndOfTurn");
    assert.deepEqual(
      ends.map(({ transcript, turn_index, trigger }) => [transcript, turn_index, trigger]),
      [
        [TIMER_TEXT, 0, "model"],
        [TIMER_TEXT, 1, "model"],
      ],
    );
    const events = messages.flatMap(({ event, turn_index }) => (turn_index === 0 ? [String(event)] : []));
    assert.equal(events[0], "StartOfTurn");
    assert.ok(events.includes("Update"));
    assert.deepEqual(events.slice(-2), ["EagerEndOfTurn", "EndOfTurn"]);
    const configure = [{ type: "Configure", thresholds: { eot_threshold: 0.9 } }, { type: "ForceEndTurn" }, ...close];
    const forced = await converse(at(`/v2/listen?${query}`), bytesOf(speech.subarray(0, 36_000)), 2_560, configure);
    const types = forced.messages.map(({ type, event, trigger }) => [type, event, trigger].join(" ").trim());
    assert.ok(types.includes("ConfigureSuccess"), types.join());
    assert.equal(types.at(-1), "TurnInfo EndOfTurn manual");
  });

  test("by POST /v1/listen: a file's whole transcript", async () => {
    const body = readFileSync(join(packageRoot(), "samples", "timer.wav"));
    const headers = { "content-type": "audio/wav" };
    const url = `${server.url}/v1/listen?model=nova-3&utterances=true`;
    const response = await fetch(url, { method: "POST", body, headers });
    assert.equal(response.status, 200);
    const { results, metadata } = (await response.json()) as {
      metadata: { request_id: string };
      results: { channels: { alternatives: { transcript: string }[] }[]; utterances: { transcript: string }[] };
    };
    assert.equal(results.channels[0]?.alternatives[0]?.transcript, TIMER_TEXT);
    assert.equal(results.utterances[0]?.transcript, TIMER_TEXT);
    assert.equal(response.headers.get("dg-request-id"), metadata.request_id);
    const refused = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ url: "http://localhost/" }),
      headers: { "content-type": "application/json" },
    });
    assert.equal(refused.status, 400);
    assert.equal(((await refused.json()) as { err_code: string }).err_code, "Bad Request");
  });

  test("a graph that cannot serve the face keeps the server from starting", async () => {
    const text = CONFIG.replace("deepgram-flux, graph: turns", "deepgram-flux, graph: listen");
    const { plan } = loadConfigText(text, "wrong.yaml");
    await assert.rejects(startServer({ ...runtime, plan } as never), (error: Error & { code?: string }) => {
      assert.equal(error.code, "ROUTE_INVALID");
      assert.match(error.message, /vad → turn → stt/);
      return true;
    });
  });
});
