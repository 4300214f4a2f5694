/** What clients do that have no package here: their exact bytes, by hand. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { chunksOf, expectedText, samplePcm } from "./support/audio.js";
import { startServer, type TestServer } from "./support/server.js";

/** The query of LiveKit's plugin, which sends all it knows, with one parameter more that nobody knows. */
const LIVEKIT_QUERY =
  "model=nova-3&punctuate=true&smart_format=false&no_delay=true&interim_results=true&encoding=linear16&vad_events=true&sample_rate=16000&channels=1&endpointing=25&filler_words=false&profanity_filter=false&dictation=false&diarize=false&numerals=false&mip_opt_out=false&language=en-US&keyterm=weather&keyterm=kitchen%20lights&some_new_parameter=1";

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());

interface Raw {
  readonly ws: WebSocket;
  readonly texts: Record<string, unknown>[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

async function dial(path: string, protocols: string[] = []): Promise<Raw> {
  const ws = new WebSocket(`${server.ws}${path}`, protocols);
  const texts: Record<string, unknown>[] = [];
  ws.on("message", (data, isBinary) => {
    if (!isBinary) texts.push(JSON.parse(String(data)) as Record<string, unknown>);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise<void>((resolve, reject) => {
    ws.once("open", resolve);
    ws.once("error", reject);
  });
  return { ws, texts, closed };
}

function finals(texts: readonly Record<string, unknown>[]): string {
  return (texts as { type: string; is_final: boolean; channel: { alternatives: { transcript: string }[] } }[])
    .filter(({ type, is_final }) => type === "Results" && is_final)
    .map(({ channel }) => channel.alternatives[0]!.transcript)
    .filter((text) => text !== "")
    .join(" ")
    .toLowerCase()
    .replace(/[.,?!]/g, "");
}

describe("listen v1", { concurrency: true }, () => {
  test("the whole query of LiveKit's plugin, and a parameter that nobody knows, are taken", async () => {
    const { ws, texts, closed } = await dial(`/v1/listen?${LIVEKIT_QUERY}`);
    for (const chunk of chunksOf(samplePcm("question"), 100)) ws.send(chunk);
    ws.send(JSON.stringify({ type: "CloseStream" }));
    assert.equal((await closed).code, 1000);
    assert.equal(finals(texts), expectedText("question"));
    assert.ok(texts.every((one) => one.type !== "Results" || (one.metadata as { request_id?: string }).request_id));
  });

  test("CloseStream may come as the bytes of a binary message", async () => {
    const { ws, texts, closed } = await dial("/v1/listen?encoding=linear16&sample_rate=16000");
    for (const chunk of chunksOf(samplePcm("time"), 100)) ws.send(chunk);
    ws.send(Buffer.from(JSON.stringify({ type: "CloseStream" })));
    assert.equal((await closed).code, 1000);
    assert.equal(finals(texts), expectedText("time"));
    assert.equal(texts.at(-1)!.type, "Metadata");
  });

  test("a browser's subprotocols are answered by `token`, never by the key", async () => {
    const { ws } = await dial("/v1/listen?encoding=linear16&sample_rate=16000", ["token", "a-browsers-key"]);
    assert.equal(ws.protocol, "token");
    ws.terminate();
  });

  test("ten seconds of nothing end the stream with NET-0001, unless KeepAlive comes", async () => {
    const silent = await dial("/v1/listen?encoding=linear16&sample_rate=16000");
    const kept = await dial("/v1/listen?encoding=linear16&sample_rate=16000");
    const keeping = setInterval(() => kept.ws.send(JSON.stringify({ type: "KeepAlive" })), 3_000);
    const end = await silent.closed;
    assert.equal(end.code, 1011);
    assert.match(end.reason, /NET-0001/);
    clearInterval(keeping);
    assert.equal(kept.ws.readyState, WebSocket.OPEN);
    assert.deepEqual(kept.texts, []);
    kept.ws.terminate();
  });
});

describe("a client that does not read", () => {
  const rssMiB = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) / 1024;

  test("costs bounded memory, and is let go", { skip: process.platform !== "linux", timeout: 60_000 }, async () => {
    const { ws, closed } = await dial("/v1/speak?encoding=linear16&sample_rate=48000");
    const beforeMiB = rssMiB();
    ws.pause();
    const text = "This sentence is spoken for somebody who does not listen. ".repeat(30).slice(0, 1_900);
    for (let i = 0; i < 40; i++) {
      ws.send(JSON.stringify({ type: "Speak", text }));
      ws.send(JSON.stringify({ type: "Flush" }));
    }
    // Over 80 minutes of speech were asked for: 450 MiB.
    let mostMiB = 0;
    for (let i = 0; i < 80; i++) {
      mostMiB = Math.max(mostMiB, rssMiB() - beforeMiB);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    ws.resume();
    ws.terminate();
    await closed;
    assert.ok(mostMiB < 120, `${mostMiB.toFixed(0)} MiB more`);
    while ((await server.activeCalls()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  });
});
