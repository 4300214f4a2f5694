/** A Pipecat client and the whole chain: real threads, the models that come along, a real socket. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { rmsDbfs } from "../../src/audio/pcm.js";
import type { CallEvent } from "../../src/frames/events.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { PipecatTestClient } from "../support/pipecat-client.js";
import { audioFrame, type Rtvi } from "../support/pipecat-wire.js";
import { eventsUntil } from "../support/runtimes.js";
import { joined, readSample, silence } from "../support/system.js";

const MIC_SAMPLES = 512;

const CONFIG = {
  version: 1,
  models: {
    vad: { family: "starter-vad" },
    ears: { family: "starter-ctc" },
    voice: { family: "flite", voice: "slt" },
  },
  graphs: {
    assistant: [
      { vad: { model: "vad", stopMs: 250 } },
      { turn: { kind: "silence", endMs: 600 } },
      { stt: { model: "ears" } },
      { agent: { llm: { kind: "echo" } } },
      { tts: { model: "voice" } },
    ],
  },
  routes: { "/v1/pipecat": { face: "pipecat", graph: "assistant" } },
};

/** Speaks as a browser's microphone does, but as fast as the server takes it. */
function speak(client: PipecatTestClient, pcm: Int16Array): void {
  for (let at = 0; at < pcm.length; at += MIC_SAMPLES) client.ws.send(audioFrame(pcm.subarray(at, at + MIC_SAMPLES)));
}

const textsOf = (messages: readonly Rtvi[]): string[] => messages.map(({ data }) => (data as { text: string }).text);

describe("a Pipecat client and the models that come along", { timeout: 60_000 }, () => {
  let runtime: RuntimeImpl;
  let server: RunningServer;
  let question: Int16Array;

  before(async () => {
    runtime = await createRuntime(CONFIG, { logLevel: "silent" });
    server = await startServer(runtime, { port: 0 });
    question = joined(await readSample("question.wav"), silence(1_000));
  });
  after(async () => {
    await server.close();
    await runtime.drain();
  });

  /** Samples at 24 kHz of the answer to the question. */
  async function expectedSamples(): Promise<number> {
    const call = await runtime.open("assistant", { outputRateHz: 24_000 });
    call.write(question);
    const events = await eventsUntil(call, (event: CallEvent) => event.type === "reply" && event.what === "end");
    call.abort();
    return events.reduce((sum, event) => sum + (event.type === "audio" ? event.pcm.length : 0), 0);
  }

  test("understand each other: a spoken question, its text, its answer in text and in sound", async () => {
    const client = await new PipecatTestClient(server.url).ready();
    speak(client, question);
    await client.next("bot-stopped-speaking");
    const finals = client.all("user-transcription").filter(({ data }) => (data as { final: boolean }).final);
    assert.deepEqual(textsOf(finals), ["what is the weather like tomorrow"]);
    assert.deepEqual(textsOf(client.all("user-llm-text")), ["what is the weather like tomorrow"]);
    const answer = "You said: what is the weather like tomorrow.";
    assert.equal(textsOf(client.all("bot-llm-text")).join(""), answer);
    assert.equal(textsOf(client.all("bot-tts-text")).join(" "), answer);
    assert.deepEqual(client.all("bot-output").at(-1)?.data, {
      text: answer,
      aggregated_by: "sentence",
      segment_id: 0,
      will_be_spoken: true,
      spoken_status: "completed",
      spoken_progress: { accumulated_text: answer, remaining_text: "" },
    });
    assert.equal(client.sampleCount, await expectedSamples());
    const level = rmsDbfs(joined(...client.pcm));
    assert.ok(level > -35 && level < -8, `${level} dB`);
    const order = [
      "user-started-speaking",
      "user-stopped-speaking",
      "bot-llm-started",
      "bot-started-speaking",
      "audio",
    ];
    const places = order.map((type) => client.types.indexOf(type));
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
    );
    assert.ok(places[0]! > 0);
    const { ttfb } = (await client.next("metrics")).data as { ttfb: { processor: string }[] };
    assert.deepEqual(
      ttfb.map(({ processor }) => processor),
      ["stt", "agent", "tts"],
    );
    client.rtvi("disconnect-bot");
    assert.equal((await client.closed).code, 1000);
  });

  test("interrupt each other: after the news of it no sound comes", async () => {
    const client = await new PipecatTestClient(server.url).ready();
    client.rtvi("send-text", {
      content: "say something long about ships and the sea and all the harbours of the world",
    });
    await client.next("bot-started-speaking");
    // The first is that of `send-text` itself.
    speak(client, question);
    await client.next("bot-interrupted", 1);
    assert.deepEqual(textsOf(client.all("user-llm-text")).slice(0, 1), [
      "say something long about ships and the sea and all the harbours of the world",
    ]);
    await client.next("bot-started-speaking", 1);
    const [cut, resumed] = [client.types.lastIndexOf("bot-interrupted"), client.types.lastIndexOf("bot-llm-started")];
    assert.ok(cut > 0 && resumed > cut);
    assert.ok(!client.types.slice(cut, resumed).includes("audio"));
    assert.ok(client.types.slice(cut, resumed).includes("bot-stopped-speaking"));
    client.ws.close();
    await client.closed;
  });
});
