import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ERRORS } from "../../src/base/errors.js";
import { seeded } from "../../src/base/prng.js";
import type { CallEvent } from "../../src/frames/events.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import type { TransportLimits } from "../../src/transport/limits.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";
import { eventsUntil } from "../support/runtimes.js";
import {
  bytesOf,
  eventually,
  finalsOf,
  hear,
  joined,
  RawClient,
  readSample,
  silence,
  TIMER_TEXT,
  writeFast,
} from "../support/system.js";

const CONFIG = {
  version: 1,
  server: { maxCalls: 16, log: { level: "silent" } },
  models: { vad: { family: "starter-vad" }, ears: { family: "starter-ctc", device: "cpu" } },
  graphs: {
    transcribe: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }],
    // Without a VAD before it, the recogniser gets everything.
    everything: [{ stt: { model: "ears" } }],
    echo: ["echo"],
  },
};

describe("a server in front of clients that misbehave", { timeout: 120_000 }, () => {
  let runtime: RuntimeImpl;
  let server: RunningServer;
  let timer: Int16Array;
  /** A well-behaved call that speaks in real time all the while, the same sentence again and again. */
  let healthy: RawClient;
  let speaking: NodeJS.Timeout;
  let sentSentences = 0;

  before(async () => {
    timer = await readSample("timer.wav");
    runtime = await createRuntime(CONFIG, { logLevel: "silent", admission: "off" });
    server = await startServer(runtime, { port: 0 });
    healthy = await RawClient.connect(server.url, "graph=transcribe");
    const sentence = joined(timer, silence(1_000));
    const startMs = performance.now();
    let at = 0;
    speaking = setInterval(() => {
      while (at + sentSentences * sentence.length < (performance.now() - startMs) * 16) {
        healthy.socket.send(bytesOf(sentence.subarray(at, at + 320)));
        at = at + 320 < sentence.length ? at + 320 : 0;
        if (at === 0) sentSentences++;
      }
    }, 10);
  });

  after(async () => {
    clearInterval(speaking);
    await server.close();
    await runtime.drain();
  });

  /** Runs `body` against a second server with other limits, on the same runtime. */
  async function withLimits(
    limits: Partial<TransportLimits>,
    body: (other: RunningServer) => Promise<void>,
  ): Promise<void> {
    const other = await startServer(runtime, { port: 0, limits });
    try {
      await body(other);
    } finally {
      await other.close();
    }
  }

  async function assertStillServes(client: RawClient): Promise<void> {
    client.pcm(timer);
    assert.equal(await client.transcript(), TIMER_TEXT);
    await client.close();
    assert.equal(client.closed?.code, 1000);
  }

  const offences: readonly (readonly [what: string, send: (client: RawClient) => void, code: string])[] = [
    ["text where PCM belongs", (client) => client.socket.send("hello, is it me?"), "PROTOCOL_BAD_JSON"],
    ["JSON where PCM belongs", (client) => client.socket.send(Buffer.from('{"type":"close"}')), "PROTOCOL_BINARY_JSON"],
    ["an odd number of bytes", (client) => client.socket.send(Buffer.alloc(641)), "CALL_AUDIO_ODD_BYTES"],
    ["broken JSON", (client) => client.socket.send('{"type":"finalize"'), "PROTOCOL_BAD_JSON"],
    ["JSON that is no object", (client) => client.socket.send("[1,2]"), "PROTOCOL_BAD_JSON"],
    ["an unknown message type", (client) => client.json({ type: "shutdown" }), "PROTOCOL_TYPE_UNKNOWN"],
    ["a message without a type", (client) => client.json({ event: "media" }), "PROTOCOL_TYPE_UNKNOWN"],
    ["a field of the wrong type", (client) => client.json({ type: "mark", id: 7 }), "PROTOCOL_MESSAGE_INVALID"],
    ["an unknown field", (client) => client.json({ type: "interrupt", now: true }), "PROTOCOL_MESSAGE_INVALID"],
    ["text to a graph that hears", (client) => client.json({ type: "say", text: "hi" }), "CALL_TEXT_REFUSED"],
    [
      "an option that is none",
      (client) => client.json({ type: "configure", nodes: { vad: { stopMs: "soon" } } }),
      "CALL_OPTION_INVALID",
    ],
    [
      "a key that changes what objects are",
      (client) => client.socket.send('{"type":"mark","id":"a","__proto__":{}}'),
      "PROTOCOL_KEY_FORBIDDEN",
    ],
  ];
  for (const [what, send, code] of offences) {
    test(`${what} is answered with ${code}, and the call goes on`, async () => {
      const client = await RawClient.connect(server.url, "graph=transcribe");
      send(client);
      const error = await client.untilType("error");
      assert.equal(error.code, code);
      assert.equal(error.fatal, false);
      assert.ok(String(error.message).length > 0 && String(error.hint).length > 0);
      await assertStillServes(client);
    });
  }

  test("a message of a mebibyte ends its call with PROTOCOL_TOO_BIG and close code 1009", async () => {
    const client = await RawClient.connect(server.url, "graph=transcribe");
    client.socket.send(Buffer.alloc(1 << 20));
    await client.untilClosed();
    assert.deepEqual(client.errors(), ["PROTOCOL_TOO_BIG"]);
    assert.equal(client.closed?.code, 1009);
  });

  test("a text message that is not UTF-8 ends its call with PROTOCOL_UTF8", async () => {
    const client = await RawClient.connect(server.url, "graph=transcribe");
    client.socket.send(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), { binary: false });
    await client.untilClosed();
    assert.deepEqual(client.errors(), ["PROTOCOL_UTF8"]);
    assert.equal(client.closed?.code, 1007);
  });

  test("offences without end are forgiven twenty times and then end the call with PROTOCOL_ERRORS", async () => {
    const client = await RawClient.connect(server.url, "graph=transcribe");
    for (let count = 0; count < 40; count++) client.socket.send("nonsense");
    await client.untilClosed();
    assert.equal(client.errors().filter((code) => code === "PROTOCOL_BAD_JSON").length, 20);
    assert.equal(client.errors().at(-1), "PROTOCOL_ERRORS");
    assert.equal(client.closed?.code, 1008);
  });

  const refusals: readonly (readonly [what: string, query: string, code: keyof typeof ERRORS])[] = [
    ["a rate of 7 kHz", "graph=transcribe&rate=7000", "PROTOCOL_PARAMETER"],
    ["a rate that is no number", "graph=transcribe&rate=fast", "PROTOCOL_PARAMETER"],
    ["a rate without a resampler", "graph=transcribe&rate=12345", "AUDIO_FORMAT_UNSUPPORTED"],
    ["an unknown format", "graph=transcribe&format=opus", "AUDIO_FORMAT_UNSUPPORTED"],
    ["an unknown graph", "graph=assistent", "CALL_GRAPH_UNKNOWN"],
    ["an unknown parameter", "graph=transcribe&speed=9", "PROTOCOL_PARAMETER"],
  ];
  for (const [what, query, code] of refusals) {
    test(`${what} is refused with ${code}, before a slot is taken`, async () => {
      const before = runtime.capacity().activeCalls;
      const client = await RawClient.connect(server.url, query);
      await client.untilClosed();
      assert.deepEqual(client.errors(), [code]);
      assert.equal(client.closed?.code, ERRORS[code].closeCode);
      const { message, hint } = client.messages.find(({ type }) => type === "error")!;
      assert.doesNotMatch(`${message} ${hint}`, /\{\w+\}/);
      assert.equal(runtime.capacity().activeCalls, before);
    });
  }

  test("a client that vanishes in the middle of a word frees its slot", async () => {
    const before = runtime.capacity().activeCalls;
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => RawClient.connect(server.url, "graph=transcribe")),
    );
    assert.equal(runtime.capacity().activeCalls, before + 5);
    for (const client of clients) {
      client.pcm(timer.subarray(0, 16_000));
      client.socket.terminate();
    }
    await eventually("slots of vanished clients are free", () => runtime.capacity().activeCalls === before);
  });

  test("a client whose line is dead, without a word of it, is found by pings", async () => {
    await withLimits({ pingMs: 50, pingMisses: 2, tickMs: 10 }, async (other) => {
      const before = runtime.capacity().activeCalls;
      const client = await RawClient.connect(other.url, "graph=transcribe");
      client.socket.pause();
      await eventually("the dead line's slot is free", () => runtime.capacity().activeCalls === before);
      client.socket.terminate();
    });
  });

  test("a client that never reads is cut with SLOW_CLIENT, and what waited for it is let go", async () => {
    const limits = { slowMs: 100, tickMs: 10, paceBurstMs: 10_000_000, paceAudioMessageMs: 0 };
    await withLimits(limits, async (other) => {
      const before = runtime.capacity().activeCalls;
      const client = await RawClient.connect(
        other.url,
        "graph=echo&rate=8000&format=mulaw&outFormat=s16le&outRate=48000",
      );
      client.socket.pause();
      // Each byte comes back as twelve: far more than the two sockets' buffers hold.
      let sentCount = 0;
      await eventually("the reader that does not read is cut off", () => {
        if (sentCount++ < 2_000) client.socket.send(Buffer.alloc(4_000, sentCount));
        return runtime.capacity().activeCalls === before;
      });
      client.socket.resume();
      await client.untilClosed();
      assert.equal(client.closed?.code, 4008);
      assert.equal(client.errors().at(-1), "SLOW_CLIENT");
    });
  });

  test("a sender at twice real time is served at its pace and understood", async () => {
    await withLimits({ paceBurstMs: 500, tickMs: 50 }, async (other) => {
      const client = await RawClient.connect(other.url, "graph=transcribe");
      const startMs = performance.now();
      for (let at = 0; at < timer.length; at += 640) {
        client.socket.send(bytesOf(timer.subarray(at, at + 640)));
        while (performance.now() - startMs < at / 32) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal(await client.transcript(), TIMER_TEXT);
      assert.deepEqual(client.errors(), []);
      await client.close();
    });
  });

  test("a sender at a hundred times real time is slowed down, loses nothing and is understood", async () => {
    await withLimits({ paceBurstMs: 1_000, paceFactor: 10, tickMs: 20 }, async (other) => {
      const client = await RawClient.connect(other.url, "graph=transcribe");
      client.pcm(joined(timer, silence(1_000), timer, silence(1_000), timer));
      assert.equal(await client.transcript(), [TIMER_TEXT, TIMER_TEXT, TIMER_TEXT].join(" "));
      assert.deepEqual(client.errors(), []);
      assert.ok(!client.messages.some(({ type }) => type === "gap"));
      await client.close();
    });
  });

  test("a flood that slowing down does not calm is ended with CALL_AUDIO_TOO_FAST", async () => {
    await withLimits({ paceBurstMs: 200, paceFloodMs: 300, tickMs: 20 }, async (other) => {
      const client = await RawClient.connect(other.url, "graph=transcribe");
      client.pcm(silence(60_000));
      await client.untilClosed();
      assert.equal(client.errors().at(-1), "CALL_AUDIO_TOO_FAST");
      assert.equal(client.closed?.code, 1008);
    });
  });

  test("ten minutes of silence are nothing to hear, and what is said after them is understood in its place", async () => {
    const call = await runtime.open("transcribe");
    assert.deepEqual(
      (await writeFast(call, silence(600_000))).filter(({ type }) => type !== "mark"),
      [],
    );
    const events = await hear(call, timer);
    assert.equal(finalsOf(events), TIMER_TEXT);
    const start = events.find((event) => event.type === "vad");
    assert.ok(start!.atMs > 600_000 && start!.atMs < 601_000, `${start!.atMs}`);
  });

  for (const [name, pcm] of Object.entries(hostileSounds())) {
    test(`${name} makes no fault and no number that is none, in the VAD and in the recogniser`, async () => {
      for (const graph of ["transcribe", "everything"]) {
        const bystander = await runtime.open("transcribe");
        bystander.write(timer);
        assertFinite(await hear(await runtime.open(graph), joined(pcm, timer)));
        bystander.finalize("end");
        const events = await eventsUntil(bystander, (event) => event.type === "finalized");
        assert.equal(finalsOf(events), TIMER_TEXT);
        await bystander.close();
      }
      assert.ok(runtime.status().every(({ restarts }) => restarts === 0));
    });
  }
  test("the healthy call beside all of them is transcribed as if it had been alone, and no slot is leaked", async () => {
    await eventually("it has said its sentence twice", () => sentSentences >= 2);
    clearInterval(speaking);
    await healthy.transcript();
    assert.deepEqual(healthy.errors(), []);
    assert.ok(!healthy.messages.some(({ type }) => type === "gap"));
    const finals = healthy.messages.filter(({ type, final }) => type === "transcript" && final === true);
    const expected = Array.from({ length: sentSentences }, () => TIMER_TEXT);
    assert.deepEqual(
      finals.slice(0, sentSentences).map(({ text }) => text),
      expected,
    );
    await healthy.close();
    await eventually("no call is open", () => runtime.capacity().activeCalls === 0);
    assert.equal(runtime.readiness().ready, true);
    assert.ok(runtime.status().every(({ restarts }) => restarts === 0));
  });
});

function hostileSounds(): Record<string, Int16Array> {
  const count = 16_000;
  const prng = seeded(77);
  return {
    "a full-scale square wave": Int16Array.from({ length: count }, (_, i) => (i % 32 < 16 ? 32_767 : -32_768)),
    "the highest frequency at full scale": Int16Array.from({ length: count }, (_, i) => (i % 2 ? 32_767 : -32_768)),
    "a constant at full scale": new Int16Array(count).fill(32_767),
    "the smallest integer throughout": new Int16Array(count).fill(-32_768),
    "white noise at full scale": Int16Array.from({ length: count }, () => prng.integer(-32_768, 32_767)),
    "single clicks": Int16Array.from({ length: count }, (_, i) => (i % 4_000 === 0 ? -32_768 : 0)),
  };
}

/** No NaN and no infinity anywhere in the events, and no error. */
function assertFinite(events: readonly CallEvent[]): void {
  const look = (value: unknown, path: string): void => {
    if (typeof value === "number") assert.ok(Number.isFinite(value), `${path} is ${value}`);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) look(inner, `${path}.${key}`);
    }
  };
  for (const event of events) {
    assert.notEqual(event.type, "error", JSON.stringify(event));
    look(event, event.type);
  }
}
