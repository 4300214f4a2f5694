/** LiveKit Agents' own plugins, without a room: what an agent sends and insists on. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { initializeLogger, stt, type tts } from "@livekit/agents";
import * as deepgram from "@livekit/agents-plugin-deepgram";
import * as openai from "@livekit/agents-plugin-openai";
import { AudioFrame } from "@livekit/rtc-node";
import { chunksOf, expectedText, rms, type Sample, samplePcm } from "./support/audio.js";
import { startServer, type TestServer } from "./support/server.js";

const { SpeechEventType } = stt;
const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[.,?!]/g, "")
    .trim();

const FRAME_MS = 50;

let server: TestServer;
before(async () => {
  initializeLogger({ pretty: false, level: "silent" });
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());

const framesOf = (name: Sample): AudioFrame[] =>
  [...chunksOf(samplePcm(name), FRAME_MS)].map((pcm) => new AudioFrame(pcm, 16_000, 1, pcm.length));

async function hear(stream: stt.SpeechStream, name: Sample): Promise<stt.SpeechEvent[]> {
  for (const frame of framesOf(name)) {
    stream.pushFrame(frame);
    await new Promise((resolve) => setTimeout(resolve, FRAME_MS / 2));
  }
  stream.flush();
  const events: stt.SpeechEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    // The recording ends with silence enough for a final; what comes behind the end of input is lost to the client.
    if (event.type === SpeechEventType.FINAL_TRANSCRIPT) stream.endInput();
  }
  return events;
}

const finalText = (events: readonly stt.SpeechEvent[]): string =>
  plain(
    events
      .filter(({ type }) => type === SpeechEventType.FINAL_TRANSCRIPT)
      .map((one) => one.alternatives![0].text)
      .join(" "),
  );

describe("recognisers", { concurrency: true }, () => {
  test("deepgram.STT: start, final, end, and the stream ends by itself", async () => {
    const recogniser = new deepgram.STT({ apiKey: "any", baseUrl: server.ws });
    const events = await hear(recogniser.stream(), "question");
    const types = events.map(({ type }) => type);
    assert.equal(types.filter((type) => type === SpeechEventType.START_OF_SPEECH).length, 1);
    assert.ok(types.includes(SpeechEventType.END_OF_SPEECH));
    assert.equal(finalText(events), expectedText("question"));
  });

  test("deepgram.STT.recognize: a whole recording by REST", async () => {
    const recogniser = new deepgram.STT({ apiKey: "any", baseUrl: server.ws });
    const event = await recogniser.recognize(framesOf("timer"));
    assert.equal(plain(event.alternatives![0].text), expectedText("timer"));
  });

  test("deepgram.STTv2: a preflight transcript is the proof of an eager end of turn", async () => {
    const recogniser = new deepgram.STTv2({
      apiKey: "any",
      endpointUrl: `${server.ws}/v2/listen`,
      eagerEotThreshold: 0.4,
    });
    const events = await hear(recogniser.stream(), "lights");
    const types = events.map(({ type }) => type);
    assert.ok(types.includes(SpeechEventType.START_OF_SPEECH));
    assert.ok(types.includes(SpeechEventType.PREFLIGHT_TRANSCRIPT));
    assert.ok(types.indexOf(SpeechEventType.PREFLIGHT_TRANSCRIPT) < types.indexOf(SpeechEventType.FINAL_TRANSCRIPT));
    assert.equal(finalText(events), expectedText("lights"));
  });

  test("openai.STT: a whole recording by REST", async () => {
    const recogniser = new openai.STT({
      apiKey: "any",
      baseURL: `${server.url}/v1`,
      model: "whisper-1",
      useRealtime: false,
    });
    const event = await recogniser.recognize(framesOf("time"));
    assert.equal(plain(event.alternatives![0].text), expectedText("time"));
  });
});

describe("voices", { concurrency: true }, () => {
  async function samplesOf(stream: AsyncIterable<tts.SynthesizedAudio | symbol>): Promise<Int16Array> {
    const parts: number[] = [];
    for await (const audio of stream) if (typeof audio !== "symbol") parts.push(...audio.frame.data);
    return Int16Array.from(parts);
  }

  test("deepgram.TTS: text in two pieces becomes one stream of 24 kHz that ends", async () => {
    const voice = new deepgram.TTS({ apiKey: "any", baseUrl: server.url });
    const stream = voice.stream();
    stream.pushText("The kitchen lights are on. ");
    stream.pushText("Anything else?");
    stream.flush();
    stream.endInput();
    const samples = await samplesOf(stream as never);
    assert.ok(samples.length > 2 * 24_000 && rms(samples) > 300, `${samples.length} samples`);
  });

  test("openai.TTS: a sentence", async () => {
    const voice = new openai.TTS({ apiKey: "any", baseURL: `${server.url}/v1`, model: "tts-1", voice: "alloy" });
    const samples = await samplesOf(voice.synthesize("The kitchen lights are on.") as never);
    assert.ok(samples.length > 24_000 && rms(samples) > 300, `${samples.length} samples`);
  });
});
