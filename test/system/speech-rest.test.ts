/** OpenAI's and Deepgram's REST endpoints with a real voice and a real recogniser. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { eventually } from "../support/system.js";

const TEXT = "Turn on the light in the kitchen. What time is it?";
const WORDS = "turn on the light in the kitchen what time is it";

let runtime: RuntimeImpl;
let server: RunningServer;

before(async () => {
  runtime = await createRuntime(
    {
      version: 1,
      models: { voice: { family: "flite" }, vad: { family: "starter-vad" }, ears: { family: "starter-ctc" } },
      graphs: {
        speak: [{ tts: { model: "voice" } }],
        whole: {
          nodes: {
            vad: { actor: "vad", inputs: ["in"], model: "vad" },
            stt: { actor: "stt", inputs: ["vad"], model: "ears" },
          },
          output: ["vad", "stt"],
        },
        listen: [{ vad: { model: "vad" } }, { stt: { model: "ears", partialMs: 200 } }],
      },
      routes: {
        "/v1/speak": { face: "deepgram-speak", graph: "speak" },
        "/v1/listen": { face: "deepgram-listen", graph: "whole" },
        "/v1/models": { face: "openai-models", graph: "speak" },
        "/v1/audio/speech": { face: "openai-speech", graph: "speak", options: { voices: { boss: "rms" } } },
        "/v1/audio/transcriptions": { face: "openai-transcriptions", graph: "listen" },
        "/v1/audio/translations": { face: "openai-translations", graph: "listen" },
      },
    },
    { logLevel: "silent" },
  );
  server = await startServer(runtime, { port: 0 });
});

after(async () => {
  await server.close();
  await runtime.drain();
});

function post(path: string, body: object, signal?: AbortSignal): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const text = JSON.stringify(body);
  return fetch(`${server.url}${path}`, {
    method: "POST",
    headers,
    body: text,
    ...(signal === undefined ? {} : { signal }),
  });
}

async function bytesOf(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer());
}

async function say(fields: object): Promise<Buffer> {
  const answer = await post("/v1/audio/speech", { model: "tts-1", voice: "alloy", input: TEXT, ...fields });
  if (answer.status !== 200) assert.fail(await answer.text());
  return bytesOf(answer);
}

function hear(file: Uint8Array, fields: Record<string, string> = {}): Promise<Response> {
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(file)]), "a.bin");
  for (const [name, value] of Object.entries({ model: "whisper-1", ...fields })) form.append(name, value);
  return fetch(`${server.url}/v1/audio/transcriptions`, { method: "POST", body: form });
}

async function errorOf(answer: Response): Promise<{ status: number; param: string; code: string }> {
  const { error } = (await answer.json()) as { error: { param: string; code: string } };
  return { status: answer.status, param: error.param, code: error.code };
}

describe("speech by HTTP", () => {
  test("bare PCM has ceil(n × 24 / 16) samples of the voice's n, and WAV 44 bytes more", async () => {
    const own = await bytesOf(
      await post("/v1/speak?encoding=linear16&container=none&sample_rate=16000", { text: TEXT }),
    );
    const bytes = Math.ceil((own.byteLength / 2) * 1.5) * 2;
    assert.equal((await say({ response_format: "pcm" })).byteLength, bytes);
    const wav = await say({ response_format: "wav" });
    assert.equal(wav.byteLength, bytes + 44);
    assert.equal(wav.toString("latin1", 0, 4), "RIFF");
    const mulaw = await bytesOf(await post("/v1/speak?encoding=mulaw&container=none", { text: TEXT }));
    assert.equal(mulaw.byteLength, Math.ceil(own.byteLength / 4));
  });

  test("what was spoken is recognised, in each of the formats that have a decoder", async () => {
    for (const format of ["wav", "mp3", "opus", "flac"]) {
      const answer = await hear(await say({ response_format: format }));
      assert.deepEqual(((await answer.json()) as { text: string }).text, WORDS, format);
      assert.match(answer.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    }
  });

  test("each channel of a recording has a call of its own, and its own words", async () => {
    const left = await say({ response_format: "pcm" });
    const right = await say({ response_format: "pcm", input: "Set a timer for ten minutes." });
    const frames = Math.max(left.byteLength, right.byteLength) / 2;
    const both = Buffer.alloc(frames * 4);
    for (const [channel, pcm] of [left, right].entries()) {
      for (let at = 0; at < pcm.byteLength; at += 2) pcm.copy(both, at * 2 + channel * 2, at, at + 2);
    }
    const query = "encoding=linear16&sample_rate=24000&channels=2&multichannel=true";
    const answer = await fetch(`${server.url}/v1/listen?${query}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: both,
    });
    const { results } = (await answer.json()) as {
      results: { channels: { alternatives: { transcript: string }[] }[] };
    };
    const heard = results.channels.map(({ alternatives }) =>
      alternatives[0]?.transcript.toLowerCase().replace(/[^a-z ]/g, ""),
    );
    assert.deepEqual(heard, [WORDS, "set a timer for ten minutes"]);
    assert.equal(runtime.capacity().activeCalls, 0);
  });

  test("a transcript comes as text, subtitles, with times, and in deltas that are never taken back", async () => {
    const wav = await say({ response_format: "wav" });
    assert.equal(await (await hear(wav, { response_format: "text" })).text(), `${WORDS}\n`);
    assert.match(
      await (await hear(wav, { response_format: "srt" })).text(),
      /^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nturn on/,
    );
    assert.match(await (await hear(wav, { response_format: "vtt" })).text(), /^WEBVTT\n\n00:00:00\.\d{3} --> /);
    const fields = { response_format: "verbose_json", "timestamp_granularities[]": "word", language: "en" };
    const verbose = (await (await hear(wav, fields)).json()) as {
      language: string;
      words: { word: string; end: number }[];
    };
    assert.equal(verbose.language, "english");
    assert.equal(verbose.words.map(({ word }) => word).join(" "), WORDS);
    const stream = await hear(wav, { model: "gpt-4o-transcribe", stream: "true" });
    assert.equal(stream.headers.get("content-type"), "text/event-stream");
    const events = (await stream.text())
      .trim()
      .split("\n\n")
      .map((line) => line.replace(/^data: /, ""));
    assert.equal(events.pop(), "[DONE]");
    const parsed = events.map((event) => JSON.parse(event) as { type: string; delta?: string; text?: string });
    assert.equal(parsed.flatMap(({ delta }) => delta ?? []).join(""), WORDS);
    assert.ok(parsed.length > 2);
    assert.deepEqual([parsed.at(-1)?.type, parsed.at(-1)?.text], ["transcript.text.done", WORDS]);
  });

  test("voices are those of OpenAI, of the route and of the model, and no others", async () => {
    const own = await bytesOf(await post("/v1/speak?model=rms&encoding=linear16&container=none", { text: TEXT }));
    for (const voice of ["ash", "boss", "rms", { id: "boss" }]) {
      assert.deepEqual(await say({ voice, response_format: "pcm" }), own, JSON.stringify(voice));
    }
    assert.notEqual((await say({ speed: 2, response_format: "pcm" })).byteLength, own.byteLength);
    const unknown = await errorOf(await post("/v1/audio/speech", { input: TEXT, voice: "nobody" }));
    assert.deepEqual(unknown, { status: 400, param: "voice", code: "TTS_VOICE_UNKNOWN" });
    const refused = await post("/v1/speak?model=nobody", { text: TEXT });
    assert.equal(refused.status, 400);
    assert.match(refused.headers.get("dg-error") ?? "", /TTS_VOICE_UNKNOWN/);
  });

  test("what cannot be decoded or translated is an error in OpenAI's shape", async () => {
    const garbage = await errorOf(await hear(Buffer.from("this is no recording at all")));
    assert.deepEqual([garbage.status, garbage.param], [400, "file"]);
    const form = new FormData();
    form.append("file", new Blob([await say({ response_format: "wav" })]), "a.wav");
    const translated = await fetch(`${server.url}/v1/audio/translations`, { method: "POST", body: form });
    assert.deepEqual(await errorOf(translated), { status: 400, param: "model", code: "HTTP_FIELD" });
  });

  test("the models are those that the graphs have work for, and one by one", async () => {
    const list = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] };
    const ids = list.data.map(({ id }) => id);
    for (const id of ["whisper-1", "gpt-4o-transcribe", "tts-1", "gpt-4o-mini-tts", "ears", "voice"])
      assert.ok(ids.includes(id));
    const one = (await (await fetch(`${server.url}/v1/models/tts-1`)).json()) as object;
    assert.deepEqual(
      one,
      list.data.find(({ id }) => id === "tts-1"),
    );
    const none = await errorOf(await fetch(`${server.url}/v1/models/gpt-9`));
    assert.deepEqual([none.status, none.code], [404, "model_not_found"]);
  });

  test("a client that goes in the middle stops the voice", async () => {
    const sentences = Array.from({ length: 60 }, (_, index) => `This is sentence number ${index + 1}.`).join(" ");
    const abort = new AbortController();
    const body = { input: sentences, voice: "alloy", response_format: "pcm" };
    const answer = await post("/v1/audio/speech", body, abort.signal);
    const reader = answer.body!.getReader();
    await reader.read();
    assert.equal(runtime.capacity().activeCalls, 1);
    abort.abort();
    await eventually("no call is open", () => runtime.capacity().activeCalls === 0);
    assert.ok((await say({ response_format: "pcm" })).byteLength > 0);
  });
});
