import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startServer } from "../../../src/transport/server.js";
import { FakeRuntime } from "../../support/fake-runtime.js";
import { plainKeys } from "../../support/keys.js";
import { PipecatTestClient } from "../../support/pipecat-client.js";
import { audioFrame, rtviFrame, wire } from "../../support/pipecat-wire.js";
import { ramp } from "../../support/test-socket.js";

/** Audio in the fake's hands that lasts far longer than a test. */
const LONG_MS = 60_000;

async function withClient(
  act: (stage: { runtime: FakeRuntime; client: PipecatTestClient; url: string }) => Promise<void>,
  options: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const routes = [{ path: "/v1/pipecat", face: "pipecat", graph: "assistant", options }];
  const runtime = new FakeRuntime({ routes });
  runtime.onCall = (call) => {
    call.isEchoing = false;
  };
  const server = await startServer(runtime, { limits: { tickMs: 20, protocolErrors: 4, paceBurstMs: 60_000 } });
  const client = new PipecatTestClient(server.url);
  try {
    await act({ runtime, client, url: server.url });
  } finally {
    client.ws.terminate();
    await server.close();
  }
}

describe("a Pipecat client over a socket", { timeout: 20_000 }, () => {
  test("is ready when its call is, is heard, and is told everything in order", () =>
    withClient(async ({ runtime, client }) => {
      await client.ready();
      const [call] = runtime.calls;
      assert.deepEqual(
        [call!.graph, call!.options.inputRateHz, call!.options.outputRateHz, call!.options.reportPlayback],
        ["assistant", 16_000, 24_000, true],
      );
      client.ws.send(audioFrame(ramp(512)));
      client.ws.send(audioFrame(ramp(512, 512)));
      client.rtvi("send-text", { content: "hi" });
      await call!.until(() => call!.inputs.some(({ what }) => what === "interrupt"));
      assert.deepEqual(
        call!.inputs.flatMap((input) => (input.what === "audio" ? [...input.pcm] : [])),
        [...ramp(1_024)],
      );
      call!.emit({ type: "reply", what: "start", contextId: 0, turnIndex: 0 });
      call!.speak(0, 0, ramp(2_400), 24_000);
      call!.emit({ type: "reply", what: "end", contextId: 0, turnIndex: 0, reason: "completed" });
      call!.emit({ type: "playback", contextId: 0, playedMs: 100, words: [], isComplete: true });
      await client.next("bot-stopped-speaking");
      assert.deepEqual(client.types, [
        "bot-ready",
        "InterruptionFrame",
        "bot-interrupted",
        "user-llm-text",
        "bot-llm-started",
        "bot-tts-started",
        "bot-started-speaking",
        "audio",
        "audio",
        "audio",
        "bot-llm-stopped",
        "bot-tts-stopped",
        "bot-stopped-speaking",
      ]);
      assert.deepEqual(
        client.pcm.flatMap((pcm) => [...pcm]),
        [...ramp(2_400)],
      );
    }));

  test("holds little audio ahead of its playing, so that an interruption is heard at once", () =>
    withClient(
      async ({ runtime, client }) => {
        await client.ready();
        const [call] = runtime.calls;
        call!.emit({ type: "reply", what: "start", contextId: 0, turnIndex: 0 });
        const piece = new Int16Array(2_400);
        for (let at = 0; at < LONG_MS / 100; at++) call!.speak(0, at * piece.length, piece, 24_000);
        // Input goes its way meanwhile.
        call!.emit({ type: "vad", what: "start", atMs: 0, probability: 1 });
        call!.emit({ type: "turn", what: "start", turnIndex: 1, atMs: 0, confidence: 1, trigger: "model" });
        await client.next("user-started-speaking");
        call!.emit({ type: "interrupted", reason: "speech", contextId: 0, playedMs: 0, spokenText: "" });
        await client.next("bot-interrupted");
        client.rtvi("client-message", { t: "weather" }, "after");
        await client.next("error-response");
        assert.ok(
          client.sampleCount > 0 && client.sampleCount < (24_000 * LONG_MS) / 1000 / 4,
          `${client.sampleCount}`,
        );
        assert.equal(client.types.lastIndexOf("audio") < client.types.indexOf("InterruptionFrame"), true);
        assert.deepEqual(client.types.slice(client.types.indexOf("InterruptionFrame")), [
          "InterruptionFrame",
          "bot-interrupted",
          "bot-llm-stopped",
          "bot-tts-stopped",
          "bot-stopped-speaking",
          "error-response",
        ]);
      },
      { leadMs: 20 },
    ));

  test("is played the rest before its call closes, and hears 1000", () =>
    withClient(async ({ runtime, client }) => {
      await client.ready();
      const [call] = runtime.calls;
      for (let at = 0; at < 5; at++) call!.speak(0, at * 2_400, ramp(2_400, at * 2_400), 24_000);
      client.rtvi("disconnect-bot");
      assert.deepEqual(await client.closed, { code: 1000, reason: "client" });
      assert.deepEqual(
        client.pcm.flatMap((pcm) => [...pcm]),
        [...ramp(12_000)],
      );
    }));

  test("may send a message of a mebibyte, and is told what is wrong with others until it is too much", () =>
    withClient(async ({ runtime, client }) => {
      await client.ready();
      const [call] = runtime.calls;
      const pcm = ramp(500_000);
      client.ws.send(audioFrame(pcm));
      await call!.until(() => call!.sampleCount === pcm.length);
      client.ws.send(wire({ audio: { audio: new Uint8Array(3), sampleRate: 16_000, numChannels: 1 } }));
      client.ws.send(Uint8Array.of(0x0a, 0xff));
      client.ws.send("text");
      client.ws.send(rtviFrame("send-text", { content: "\u0000".repeat(70_000) }));
      assert.deepEqual(await client.closed, { code: 1008, reason: "PROTOCOL_ERRORS" });
      const errors = client.all("error").map(({ data }) => data as { error: string; fatal: boolean });
      assert.deepEqual(
        errors.map(({ fatal }) => fatal),
        [false, false, false, false, true],
      );
      assert.match(errors[0]!.error, /3 bytes/);
    }));

  test("that may not come in is told so in an error, on the socket", () =>
    withClient(async ({ runtime, client, url }) => {
      await client.ready();
      runtime.openError = new Error("broken");
      const other = new PipecatTestClient(url);
      assert.deepEqual(await other.closed, { code: 1011, reason: "INTERNAL" });
      const lost = new PipecatTestClient(url, "/v1/pipecat?graph=nowhere");
      assert.deepEqual(await lost.closed, { code: 4001, reason: "CALL_GRAPH_UNKNOWN" });
      assert.match((lost.heard[0] as { data: { error: string } }).data.error, /nowhere/);
    }));
});

describe("where to connect", () => {
  const routes = [{ path: "/v1/pipecat", face: "pipecat", graph: "assistant", options: {} }];
  const start = async (url: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${url}/v1/pipecat`, { method: "POST", headers, body: "{}" });

  test("is told with a token for one connection, where a key is needed", async () => {
    const key = "a-key-of-this-server";
    const runtime = new FakeRuntime({ routes, server: { apiKeys: plainKeys(key) } });
    const server = await startServer(runtime);
    try {
      assert.equal((await start(server.url)).status, 401);
      const answer = (await (await start(server.url, { authorization: `Bearer ${key}` })).json()) as {
        ws_url: string;
        token: string;
      };
      assert.deepEqual(Object.keys(answer), ["ws_url", "token"]);
      assert.equal(answer.ws_url, `${server.url.replace(/^http/, "ws")}/v1/pipecat`);
      const client = await new PipecatTestClient(server.url, `/v1/pipecat?token=${answer.token}`).ready();
      await assert.rejects(new PipecatTestClient(server.url, `/v1/pipecat?token=${answer.token}`).ready());
      client.ws.terminate();
    } finally {
      await server.close();
    }
  });

  test("is told without one, where none is", async () => {
    const server = await startServer(new FakeRuntime({ routes }));
    try {
      const answer = await start(server.url, { "content-type": "application/json" });
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/json"]);
      assert.deepEqual(Object.keys((await answer.json()) as object), ["ws_url"]);
    } finally {
      await server.close();
    }
  });
});
