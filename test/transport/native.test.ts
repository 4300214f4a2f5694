import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError, SyrinxError } from "../../src/base/errors.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { FaceCodec, FaceRequest, Outbound, ServerFacts } from "../../src/transport/faces/face.js";
import { native } from "../../src/transport/faces/native.js";
import { CONTROL_BYTES } from "../../src/transport/faces/native-messages.js";
import { ramp } from "../support/test-socket.js";

const FACTS: ServerFacts = {
  name: "syrinx",
  version: "0",
  idleTimeoutMs: 1000,
  messageBytes: 65_536,
  audioMessageBytes: 32_768,
  paceFactor: 2,
  paceBurstMs: 5000,
};

function request(query: string, more: Partial<FaceRequest> = {}): FaceRequest {
  return {
    requestId: "r-1",
    method: "GET",
    facts: new Map(),
    path: "/v1/call",
    query: new URLSearchParams(query),
    headers: {},
    subprotocols: [],
    graph: undefined,
    graphs: ["echo", "assistant"],
    options: native.parseOptions({}),
    ...more,
  };
}

function codecOf(query = "graph=echo", more: Partial<FaceRequest> = {}): FaceCodec {
  const outcome = native.negotiate(request(query, more), FACTS);
  assert.ok(outcome.accepted, outcome.accepted ? "" : outcome.error.message);
  return outcome.createCodec();
}

function refusalOf(query: string, more: Partial<FaceRequest> = {}): SyrinxError {
  const outcome = native.negotiate(request(query, more), FACTS);
  assert.ok(!outcome.accepted);
  return outcome.error;
}

const text = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(isSyrinxError(error), String(error));
    return error.code;
  }
  return "none";
}

describe("native negotiation", () => {
  test("takes graph, rates and formats from the query and defaults from the route", () => {
    assert.deepEqual(codecOf().call, { graph: "echo", options: { inputRateHz: 16_000 } });
    assert.deepEqual(codecOf("graph=assistant&rate=8000&outRate=24000").call, {
      graph: "assistant",
      options: { inputRateHz: 8_000, outputRateHz: 24_000 },
    });
    const options = native.parseOptions({ rate: 8_000, format: "mulaw" });
    assert.deepEqual(codecOf("graph=echo", { options }).call?.options, { inputRateHz: 8_000, outputRateHz: 8_000 });
    assert.throws(() => native.parseOptions({ rate: 96_000 }));
    assert.throws(() => native.parseOptions({ rat: 8_000 }));
  });

  test("takes the route's graph if none is named, and only one of those that the route allows", () => {
    assert.equal(codecOf("", { graph: "assistant" }).call?.graph, "assistant");
    assert.equal(codecOf("graph=echo", { graph: "assistant" }).call?.graph, "echo");
    assert.equal(codecOf("", { graphs: ["only"] }).call?.graph, "only");
    assert.equal(refusalOf("graph=echo", { graph: "assistant", graphs: ["assistant"] }).code, "CALL_GRAPH_UNKNOWN");
    assert.equal(refusalOf("").code, "CALL_GRAPH_UNKNOWN");
  });

  test("refuses what it does not know with the code that says so", () => {
    assert.equal(refusalOf("graph=echp").closeCode, 4001);
    assert.equal(refusalOf("graph=echo&format=opus").code, "AUDIO_FORMAT_UNSUPPORTED");
    for (const query of ["rate=7999", "rate=48001", "rate=16e3", "rate=", "outRate=-1", "rat=8000", "setup=now"]) {
      assert.equal(refusalOf(`graph=echo&${query}`).code, "PROTOCOL_PARAMETER", query);
    }
  });

  test("answers with its subprotocol and never with the one that held the key", () => {
    const both = native.negotiate(request("graph=echo", { subprotocols: ["syrinx.key", "syrinx.v1"] }), FACTS);
    assert.equal(both.subprotocol, "syrinx.v1");
    const other = native.negotiate(request("graph=echo", { subprotocols: ["syrinx.key", "syrinx.v9"] }), FACTS);
    assert.ok(!other.accepted);
    assert.equal(other.http?.status, 400);
    assert.match(other.error.message, /syrinx\.v9/);
  });
});

describe("native decode", () => {
  test("gives the samples of a binary message, wherever in memory it lies", () => {
    const pcm = ramp(100);
    const bytes = new Uint8Array(pcm.buffer);
    for (const offset of [0, 1, 2, 3]) {
      // Both kinds: the `slice` of one copies, that of the other does not.
      for (const chunk of [new Uint8Array(300), Buffer.alloc(300)]) {
        chunk.set(bytes, offset);
        const [message] = codecOf().decode(chunk.subarray(offset, offset + 200), true);
        assert.ok(message?.type === "audio");
        assert.deepEqual(message.pcm, pcm);
      }
    }
  });

  test("gives G.711 as samples: silence, and full scale of either sign", () => {
    const decode = (format: string, bytes: number[]): Int16Array => {
      const [message] = codecOf(`graph=echo&rate=8000&format=${format}`).decode(Uint8Array.from(bytes), true);
      assert.ok(message?.type === "audio");
      return message.pcm;
    };
    assert.deepEqual([...decode("mulaw", [0xff, 0x80, 0x00])], [0, 32124, -32124]);
    assert.deepEqual([...decode("alaw", [0xd5, 0xaa, 0x2a])], [8, 32256, -32256]);
  });

  test("says with a code what is wrong with a message", () => {
    const codec = codecOf();
    const deep = `${'{"type":"configure","nodes":{"a":'.padEnd(33)}${'{"a":'.repeat(9)}1${"}".repeat(11)}`;
    const cases: [Uint8Array, boolean, string][] = [
      [Uint8Array.of(1, 2, 3), true, "CALL_AUDIO_ODD_BYTES"],
      [text({ type: "interrupt" }), true, "PROTOCOL_BINARY_JSON"],
      [text("hello"), false, "PROTOCOL_BAD_JSON"],
      [text("[]"), false, "PROTOCOL_BAD_JSON"],
      [text("null"), false, "PROTOCOL_BAD_JSON"],
      [Uint8Array.of(0xff, 0xfe), false, "PROTOCOL_UTF8"],
      [text({}), false, "PROTOCOL_TYPE_UNKNOWN"],
      [text({ type: "toString" }), false, "PROTOCOL_TYPE_UNKNOWN"],
      [text({ type: "mark" }), false, "PROTOCOL_MESSAGE_INVALID"],
      [text({ type: "mark", id: "x", extra: 1 }), false, "PROTOCOL_MESSAGE_INVALID"],
      [text({ type: "mark", id: "x".repeat(129) }), false, "PROTOCOL_MESSAGE_INVALID"],
      [text({ type: "playback", contextId: 1.5, playedMs: 0 }), false, "PROTOCOL_MESSAGE_INVALID"],
      [text('{"type":"playback","contextId":1,"playedMs":1e999}'), false, "PROTOCOL_MESSAGE_INVALID"],
      [text({ type: "configure", events: ["everything"] }), false, "PROTOCOL_MESSAGE_INVALID"],
      [text(deep), false, "PROTOCOL_MESSAGE_INVALID"],
      [text('{"type":"configure","nodes":{"__proto__":{"polluted":1}}}'), false, "PROTOCOL_KEY_FORBIDDEN"],
      [text('{"type":"mark","id":"x","constructor":{}}'), false, "PROTOCOL_KEY_FORBIDDEN"],
      [text({ type: "say", text: "x".repeat(CONTROL_BYTES) }), false, "PROTOCOL_TOO_BIG"],
    ];
    for (const [data, isBinary, code] of cases) {
      assert.equal(
        codeOf(() => codec.decode(data, isBinary)),
        code,
        Buffer.from(data).toString().slice(0, 80),
      );
    }
  });

  test("throws nothing but coded errors, and changes no prototype, whatever comes", () => {
    const key = fc.constantFrom("type", "id", "nodes", "events", "text", "__proto__", "constructor", "polluted", "x");
    const type = fc.constantFrom("mark", "configure", "say", "playback", "finalize", "close", "toString", "__proto__");
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof({ maxDepth: 12 }, fc.jsonValue(), type, fc.array(tie("json"), { maxLength: 3 }), tie("object")),
      object: fc
        .array(fc.tuple(key, tie("json")), { maxLength: 4 })
        .map((entries) => Object.fromEntries(entries.map(([name, value]) => [name, value]))),
    }));
    const control = fc.oneof(
      fc.tuple(type, json).map(([name, rest]) => `{"type":${JSON.stringify(name)},"polluted":${JSON.stringify(rest)}}`),
      json.map((value) => JSON.stringify(value) ?? ""),
      json.map((value) => `{"type":"configure","nodes":${JSON.stringify(value)}}`),
      fc.string(),
    );
    const message = fc.oneof(
      control.map((value) => ({ data: Buffer.from(value) as Uint8Array, isBinary: false })),
      fc.uint8Array({ maxLength: 400 }).chain((data) => fc.boolean().map((isBinary) => ({ data, isBinary }))),
    );
    fc.assert(
      fc.property(fc.constantFrom("", "&setup=message", "&format=mulaw"), fc.array(message), (query, messages) => {
        const codec = codecOf(`graph=echo${query}`);
        for (const { data, isBinary } of messages) {
          try {
            codec.decode(data, isBinary);
          } catch (error) {
            assert.ok(isSyrinxError(error), String(error));
          }
          assert.equal(({} as { polluted?: unknown }).polluted, undefined);
        }
      }),
      { seed: 20, numRuns: 400 },
    );
  });

  test("repeats no more than a few words of a message in an error", () => {
    try {
      codecOf().decode(text("a secret sentence that somebody said to the agent in confidence"), false);
      assert.fail("accepted");
    } catch (error) {
      assert.ok(error instanceof SyrinxError);
      assert.doesNotMatch(error.message, /confidence/);
    }
  });

  test("opens the call with the first configure where the handshake asked for it, once", () => {
    const codec = codecOf("graph=echo&setup=message");
    assert.equal(codec.call, undefined);
    const nodes = { stt: { keyterms: ["Syrinx"] } };
    assert.deepEqual(codec.decode(text({ type: "configure", nodes }), false), [
      { type: "open", request: { graph: "echo", options: { inputRateHz: 16_000, nodes } } },
    ]);
    assert.equal(codec.decode(text({ type: "configure" }), false)[0]?.type, "configure");
    const [later] = codec.decode(text({ type: "configure", nodes }), false);
    assert.ok(later?.type === "configure" && later.options.nodes !== undefined);
  });
});

/** Reads messages as a client does: which context and position each sample has, by the headers alone. */
class Listener {
  readonly contexts = new Map<number, number[]>();
  #context: { contextId: number; at: number } | undefined;

  hear(message: Outbound): void {
    if (typeof message === "string") {
      const event = JSON.parse(message) as { type: string; contextId: number; offsetSamples: number };
      if (event.type === "audio.start") this.#context = { contextId: event.contextId, at: event.offsetSamples };
      if (event.type === "interrupted") this.#context = undefined;
      return;
    }
    assert.ok(this.#context, "binary without an audio.start since the start or the last interruption");
    assert.ok(message.byteLength <= FACTS.audioMessageBytes);
    const samples = new Int16Array(message.slice().buffer);
    const known = this.contexts.get(this.#context.contextId) ?? [];
    samples.forEach((sample, index) => {
      known[(this.#context?.at ?? 0) + index] = sample;
    });
    this.#context.at += samples.length;
    this.contexts.set(this.#context.contextId, known);
  }
}

describe("native encode", () => {
  test("lets a listener place every sample by headers alone, through any mix of contexts and interruptions", () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ contextId: fc.integer({ min: 1, max: 3 }), count: fc.integer({ min: 1, max: 40_000 }) }),
      },
      { weight: 1, arbitrary: fc.constant("interrupt" as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const codec = codecOf();
        const listener = new Listener();
        const sent = new Map<number, number>();
        for (const each of steps) {
          let event: Exclude<CallEvent, { type: "close" }>;
          if (each === "interrupt") {
            event = { type: "interrupted", reason: "speech", contextId: 1, playedMs: 0, spokenText: "" };
          } else {
            const offsetSamples = sent.get(each.contextId) ?? 0;
            const pcm = ramp(each.count, offsetSamples + each.contextId);
            event = { type: "audio", contextId: each.contextId, rateHz: 16_000, offsetSamples, pcm };
            sent.set(each.contextId, offsetSamples + each.count);
          }
          for (const message of codec.encode(event, 0)) listener.hear(message);
        }
        for (const [contextId, count] of sent) {
          assert.deepEqual(listener.contexts.get(contextId), [...ramp(count, contextId)].slice(0, count));
        }
      }),
      { seed: 21, numRuns: 60 },
    );
  });

  test("announces a context once, and again only after a change", () => {
    const codec = codecOf();
    const types = (offsetSamples: number, contextId = 1, rateHz = 16_000): string[] =>
      codec
        .encode({ type: "audio", contextId, rateHz, offsetSamples, pcm: ramp(10) }, 0)
        .map((message) => (typeof message === "string" ? (JSON.parse(message) as { type: string }).type : "binary"));
    assert.deepEqual(types(0), ["audio.start", "binary"]);
    assert.deepEqual(types(10), ["binary"]);
    assert.deepEqual(types(30), ["audio.start", "binary"]);
    assert.deepEqual(types(0, 2), ["audio.start", "binary"]);
    assert.deepEqual(types(10, 2, 8_000), ["audio.start", "binary"]);
  });

  test("sends the events that configure chose, and always those that a client cannot do without", () => {
    const codec = codecOf();
    codec.decode(text({ type: "configure", events: ["transcript"], partials: false }), false);
    const transcript = {
      type: "transcript",
      segmentId: 1,
      turnIndex: 0,
      text: "hi",
      stableChars: 2,
      words: [],
      startMs: 0,
      endMs: 1,
      confidence: 1,
    } as const;
    assert.equal(codec.encode({ ...transcript, final: false }, 0).length, 0);
    assert.equal(codec.encode({ ...transcript, final: true }, 0).length, 1);
    assert.equal(codec.encode({ type: "vad", what: "start", atMs: 0, probability: 1 }, 0).length, 0);
    assert.equal(
      codec.encode({ type: "audio", contextId: 1, rateHz: 16_000, offsetSamples: 0, pcm: ramp(1) }, 0).length,
      0,
    );
    assert.equal(codec.encode({ type: "mark", id: "m" }, 0).length, 1);
    const [configured] = codec.encode({ type: "configured" }, 0);
    assert.deepEqual(JSON.parse(String(configured)), { type: "configured", events: ["transcript"], partials: false });
  });

  test("tells with each error whether it is worth trying again", () => {
    const retryable = (code: string): unknown => {
      const [message] = codecOf().encode({ type: "error", code, message: "m", hint: "h", fatal: false }, 0);
      return (JSON.parse(String(message)) as { retryable: unknown }).retryable;
    };
    assert.equal(retryable("CALL_OVERLOADED"), true);
    assert.equal(retryable("CALL_POISON"), false);
    assert.equal(retryable("toString"), false);
  });

  test("keeps every close reason within what a close frame holds", () => {
    const error = new SyrinxError("CALL_LIMIT", { limit: 1, retryAfterMs: 1 });
    const farewell = codecOf().end({ reason: "error", code: error.code, error, closeCode: 1013 });
    assert.equal(farewell.code, 1013);
    assert.ok(Buffer.byteLength(farewell.reason) <= 123);
    assert.deepEqual(
      farewell.messages.map((message) => (JSON.parse(String(message)) as { type: string }).type),
      ["error", "close"],
    );
  });
});
