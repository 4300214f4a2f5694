/** Deepgram's `/v1/speak` over a WebSocket with a real voice: how many samples come, and what an interruption leaves. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { eventually } from "../support/system.js";
import { TestSocket } from "../support/test-socket.js";

const TEXT = "Your order is ready. Can I help you with anything else?";
const LONG = Array.from({ length: 40 }, (_, index) => `This is sentence number ${index + 1}.`).join(" ");

let runtime: RuntimeImpl;
let server: RunningServer;

before(async () => {
  runtime = await createRuntime(
    {
      version: 1,
      models: { voice: { family: "flite" } },
      graphs: { speak: [{ tts: { model: "voice" } }] },
      routes: { "/v1/speak": { face: "deepgram-speak", graph: "speak" } },
    },
    { logLevel: "silent" },
  );
  server = await startServer(runtime, { port: 0 });
});

after(async () => {
  await server.close();
  await runtime.drain();
});

type Message = Buffer | { readonly type: string; readonly sequence_id?: number };

class Speaker {
  readonly socket: TestSocket;

  constructor(query = "") {
    this.socket = new TestSocket(`${server.url}/v1/speak?${query}`);
  }

  get heard(): readonly Message[] {
    return this.socket.heard as unknown as Message[];
  }

  send(...messages: object[]): void {
    for (const message of messages) this.socket.send(message);
  }

  /** When so many messages of a type have come. */
  async next(type: string, count = 1): Promise<void> {
    await this.socket.until(() => this.count(type) >= count || this.socket.isClosed);
    assert.ok(this.count(type) >= count, `closed without ${count} ${type}`);
  }

  count(type: string): number {
    return this.heard.filter((message) => !Buffer.isBuffer(message) && message.type === type).length;
  }

  /** Bytes of audio and types of messages in between, in order. */
  outline(): (string | number)[] {
    const lines: (string | number)[] = [];
    for (const message of this.heard) {
      if (!Buffer.isBuffer(message)) lines.push(message.type);
      else if (typeof lines.at(-1) === "number") lines.push((lines.pop() as number) + message.byteLength);
      else lines.push(message.byteLength);
    }
    return lines;
  }
}

const speak = (text: string): object => ({ type: "Speak", text });
const flush = { type: "Flush" };

/** Samples of a text at the voice's own rate. */
async function samplesOf(...texts: string[]): Promise<number> {
  const speaker = new Speaker("sample_rate=16000");
  await speaker.socket.opened();
  for (const text of texts) speaker.send(speak(text));
  speaker.send({ type: "Close" });
  await speaker.socket.closed;
  return speaker.socket.binaryBytes / 2;
}

describe("speaking over Deepgram's protocol", () => {
  test("sends ceil(n × rate / own rate) samples of a flush's n at every rate, in every encoding", async () => {
    const own = await samplesOf(TEXT);
    assert.ok(own > 30_000);
    const cases = [
      ["encoding=linear16", 24_000, 2],
      ["encoding=linear16&sample_rate=8000", 8_000, 2],
      ["encoding=linear16&sample_rate=32000", 32_000, 2],
      ["encoding=linear16&sample_rate=44100", 44_100, 2],
      ["encoding=linear16&sample_rate=48000", 48_000, 2],
      ["encoding=mulaw", 8_000, 1],
      ["encoding=alaw&sample_rate=16000", 16_000, 1],
    ] as const;
    for (const [query, rateHz, sampleBytes] of cases) {
      const speaker = new Speaker(query);
      await speaker.socket.opened();
      speaker.send(speak(TEXT), flush, speak(TEXT), { type: "Close" });
      const { code } = await speaker.socket.closed;
      assert.equal(code, 1000);
      const bytes = Math.ceil((own * rateHz) / 16_000) * sampleBytes;
      assert.deepEqual(speaker.outline(), ["Metadata", bytes, "Flushed", bytes], query);
    }
  });

  test("answers each flush once, after its last byte, and an empty one at once, as a LiveKit agent ends", async () => {
    const speaker = new Speaker();
    await speaker.socket.opened();
    // A sentence in the pieces in which a language model makes it.
    for (const piece of ["Your or", "der is", " ready. Can I ", "help you with anything else?"])
      speaker.send(speak(piece));
    speaker.send(flush);
    await speaker.next("Flushed");
    speaker.send(flush, { type: "Close" });
    assert.equal((await speaker.socket.closed).code, 1000);
    const bytes = Math.ceil((await samplesOf(TEXT)) * 1.5) * 2;
    assert.deepEqual(speaker.outline(), ["Metadata", bytes, "Flushed", "Flushed"]);
  });

  test("sends nothing of what was cleared after Cleared, and speaks on in the same connection", async () => {
    const speaker = new Speaker("sample_rate=16000");
    await speaker.socket.opened();
    speaker.send(speak(LONG), flush);
    await speaker.socket.until(() => speaker.socket.binaryBytes > 0);
    speaker.send({ type: "Clear" });
    await speaker.next("Cleared");
    const before = speaker.socket.binaryBytes;
    assert.ok(before / 2 < (await samplesOf(LONG)) / 2, "the long text was cut off");
    speaker.send(speak(TEXT), flush);
    await speaker.next("Flushed", 2);
    speaker.send({ type: "Clear" }, speak(TEXT), { type: "Close" });
    assert.equal((await speaker.socket.closed).code, 1000);
    const bytes = (await samplesOf(TEXT)) * 2;
    const after = ["Metadata", before, "Flushed", "Cleared", bytes, "Flushed", "Cleared", bytes];
    assert.deepEqual(speaker.outline(), after);
  });

  test("a client that goes in the middle leaves no call behind", async () => {
    const speaker = new Speaker();
    await speaker.socket.opened();
    speaker.send(speak(LONG), flush);
    await speaker.socket.until(() => speaker.socket.binaryBytes > 0);
    speaker.socket.ws.terminate();
    await eventually("no call is open", () => runtime.capacity().activeCalls === 0);
    assert.ok((await samplesOf(TEXT)) > 0);
  });
});
