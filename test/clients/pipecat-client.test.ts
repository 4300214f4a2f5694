/** Pipecat's browser client and its WebSocket transport, in Node: everything but the browser's microphone is theirs. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chunksOf, expectedText, samplePcm } from "./support/audio.js";
import { startServer, type TestServer } from "./support/server.js";

let server: TestServer;
before(async () => {
  // What of a browser the packages look for when they are loaded.
  const browser = globalThis as Record<string, unknown>;
  browser.window ??= globalThis;
  browser.document ??= {
    addEventListener() {},
    removeEventListener() {},
    createElement: () => ({}),
    visibilityState: "visible",
  };
  if (browser.WebSocket === undefined) browser.WebSocket = (await import("undici")).WebSocket;
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());

interface Heard {
  readonly states: string[];
  readonly transcripts: string[];
  readonly order: string[];
  botText: string;
  botSamples: number;
}

/** A microphone and a loudspeaker as the transport's constructor takes them. */
function mediaManager(heard: Heard): { manager: unknown; speak(pcm: Int16Array): void } {
  let onAudio = (_audio: ArrayBuffer): void => {};
  const nothing = (): void => {};
  const none = async (): Promise<never[]> => [];
  const manager = {
    setUserAudioCallback(callback: typeof onAudio) {
      onAudio = callback;
    },
    bufferBotAudio(audio: Int16Array | ArrayBuffer) {
      heard.botSamples += audio instanceof ArrayBuffer ? audio.byteLength / 2 : audio.length;
      if (heard.order.at(-1) !== "audio") heard.order.push("audio");
    },
    setClientOptions: nothing,
    initialize: async () => {},
    connect: async () => {},
    disconnect: async () => {},
    enableMic: nothing,
    isMicEnabled: true,
    tracks: () => ({ local: {} }),
    getAllMics: none,
    getAllCams: none,
    getAllSpeakers: none,
    updateMic: nothing,
    updateCam: nothing,
    updateSpeaker: nothing,
    selectedMic: {},
    selectedCam: {},
    selectedSpeaker: {},
  };
  return { manager, speak: (pcm) => onAudio(pcm.buffer as ArrayBuffer) };
}

test("a browser client has a whole turn: connect, speak, be understood, hear the answer, disconnect", {
  timeout: 60_000,
}, async () => {
  const { PipecatClient } = await import("@pipecat-ai/client-js");
  const { WebSocketTransport } = await import("@pipecat-ai/websocket-transport");
  const heard: Heard = { states: [], transcripts: [], order: [], botText: "", botSamples: 0 };
  const { manager, speak } = mediaManager(heard);
  let wake = (): void => {};
  const note = (what: string): void => {
    heard.order.push(what);
    wake();
  };
  const client = new PipecatClient({
    transport: new WebSocketTransport({ mediaManager: manager as never }),
    enableMic: true,
    callbacks: {
      onTransportStateChanged: (state) => heard.states.push(state),
      onUserTranscript: ({ text, final }) => {
        if (final) heard.transcripts.push(text);
      },
      onUserStartedSpeaking: () => note("user starts"),
      onUserStoppedSpeaking: () => note("user stops"),
      onBotStartedSpeaking: () => note("bot starts"),
      onBotStoppedSpeaking: () => note("bot stops"),
      onBotLlmText: ({ text }) => {
        heard.botText += text;
      },
    },
  });
  await client.startBotAndConnect({ endpoint: `${server.url}/pipecat`, requestData: {} } as never);
  assert.deepEqual(heard.states.slice(-2), ["connected", "ready"]);
  for (const frame of chunksOf(samplePcm("question"), 32)) speak(frame);
  while (!heard.order.includes("bot stops")) await new Promise<void>((resolve) => (wake = resolve));
  assert.equal(
    heard.transcripts
      .join(" ")
      .toLowerCase()
      .replace(/[.,?!]/g, ""),
    expectedText("question"),
  );
  assert.match(heard.botText.toLowerCase(), /weather like tomorrow/);
  assert.ok(heard.botSamples > 24_000, `${heard.botSamples} samples of reply`);
  const at = (what: string): number => heard.order.indexOf(what);
  assert.ok(
    at("user starts") < at("user stops") && at("user stops") < at("bot starts") && at("bot starts") < at("bot stops"),
  );
  await client.disconnect();
  while ((await server.activeCalls()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});
