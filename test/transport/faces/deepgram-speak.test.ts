import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError, SyrinxError } from "../../../src/base/errors.js";
import { deepgramSpeak } from "../../../src/transport/faces/deepgram-speak.js";
import type { Accepted, ClientMessage, FaceCodec, Outbound } from "../../../src/transport/faces/face.js";
import type { RestBody, SpeakJob } from "../../../src/transport/faces/rest.js";
import { faceRequest, SERVER_FACTS } from "../../support/face-request.js";

const options = deepgramSpeak.parseOptions({ voices: { thalia: "slt", "aura-2-zeus-en": "rms" } });

function accepted(query: string, more: { subprotocols?: string[] } = {}): Accepted {
  const outcome = deepgramSpeak.negotiate(
    faceRequest({ query: new URLSearchParams(query), options, ...more }),
    SERVER_FACTS,
  );
  assert.ok(outcome.accepted, outcome.accepted ? "" : outcome.error.message);
  return outcome;
}

function refused(query: string, graph = "speak"): { status: number; body: Record<string, string> } {
  const request = faceRequest({ query: new URLSearchParams(query), options, graph });
  const outcome = deepgramSpeak.negotiate(request, SERVER_FACTS);
  assert.ok(!outcome.accepted && outcome.http !== undefined);
  return { status: outcome.http.status, body: JSON.parse(outcome.http.body) as Record<string, string> };
}

const codecOf = (query = ""): FaceCodec => accepted(query).createCodec();
const send = (codec: FaceCodec, message: unknown): readonly ClientMessage[] =>
  codec.decode(Buffer.from(typeof message === "string" ? message : JSON.stringify(message)), false);
const parsed = (messages: readonly Outbound[]): unknown[] =>
  messages.map((message) => (typeof message === "string" ? (JSON.parse(message) as unknown) : message.byteLength));
const speak = (text: unknown): object => ({ type: "Speak", text });

describe("Deepgram speak: negotiation", () => {
  test("takes voice, pace and rate from the query, and ignores what it does not know", () => {
    const all =
      "model=aura-2-thalia-en&encoding=linear16&sample_rate=48000&speed=1.2&mip_opt_out=false&bit_rate=1&future=x";
    assert.deepEqual(codecOf(all).call, {
      graph: "speak",
      options: { outputRateHz: 48_000, nodes: { tts: { voice: "slt", speed: 1.2 } } },
    });
    assert.deepEqual(codecOf().call, { graph: "speak", options: { outputRateHz: 24_000, nodes: {} } });
    assert.deepEqual(codecOf("encoding=mulaw&model=awb").call?.options, {
      outputRateHz: 8_000,
      nodes: { tts: { voice: "awb" } },
    });
    assert.deepEqual(codecOf("model=aura-2-zeus-en").call?.options.nodes, { tts: { voice: "rms" } });
    assert.deepEqual(codecOf("model=flux-nobody-en").call?.options.nodes, {});
  });

  test("answers with the request's id and the subprotocol that a browser offers, never with its key", () => {
    const outcome = accepted("", { subprotocols: ["token"] });
    assert.equal(outcome.subprotocol, "token");
    assert.deepEqual(outcome.headers, { "dg-request-id": "00000000-0000-4000-8000-000000000001" });
  });

  test("refuses what it cannot do before the upgrade, in Deepgram's shape", () => {
    const bad = [
      "encoding=opus",
      "encoding=mulaw&sample_rate=24000",
      "sample_rate=1",
      "sample_rate=16000.0",
      "speed=2",
      "speed=",
    ];
    for (const query of bad) {
      const { status, body } = refused(query);
      assert.deepEqual([status, body.err_code], [400, "Bad Request"], query);
      assert.match(body.err_msg ?? "", /(encoding|sample_rate|speed) is not valid/);
      assert.equal(body.request_id, "00000000-0000-4000-8000-000000000001");
    }
    assert.match(refused("", "listen").body.err_msg ?? "", /does not take text/);
    assert.equal(refused("graph=nothing").status, 404);
    assert.throws(() => deepgramSpeak.parseOptions({ voice: "slt" }));
  });
});

describe("Deepgram speak: the conversation", () => {
  test("begins with Metadata", () => {
    const [metadata] = parsed(
      codecOf("model=aura-2-thalia-en").encode({ type: "ready", callId: "c", graph: "speak" }, 0),
    );
    const { model_uuid, ...rest } = metadata as Record<string, string>;
    assert.match(model_uuid ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(rest, {
      type: "Metadata",
      request_id: "00000000-0000-4000-8000-000000000001",
      model_name: "aura-2-thalia-en",
      model_version: "1.2.3",
    });
  });

  test("a flush closes a context; its mark becomes Flushed; an empty one is answered at once", () => {
    const codec = codecOf();
    assert.deepEqual(send(codec, speak("Hello ")), [{ type: "say", text: "Hello ", contextId: 0, end: false }]);
    assert.deepEqual(send(codec, { type: "Flush" }), [
      { type: "say", text: "", contextId: 0, end: true },
      { type: "mark", id: "0" },
    ]);
    // Before the first is answered, an empty one must wait for its turn.
    assert.deepEqual(send(codec, { type: "Flush" }), [{ type: "mark", id: "1" }]);
    assert.deepEqual(parsed(codec.encode({ type: "mark", id: "0" }, 0)), [{ type: "Flushed", sequence_id: 0 }]);
    assert.deepEqual(parsed(codec.encode({ type: "mark", id: "1" }, 0)), [{ type: "Flushed", sequence_id: 1 }]);
    const [answer] = send(codec, { type: "Flush" });
    assert.deepEqual(answer, { type: "answer", messages: ['{"type":"Flushed","sequence_id":2}'] });
    assert.deepEqual(send(codec, speak("More")), [{ type: "say", text: "More", contextId: 1, end: false }]);
    assert.deepEqual(send(codec, { type: "Close" }), [
      { type: "say", text: "", contextId: 1, end: true },
      { type: "close" },
    ]);
    assert.deepEqual(codec.end({ reason: "client", closeCode: 1000 }), { messages: [], code: 1000, reason: "client" });
  });

  test("Clear answers the flushes that it overtakes, and only those, before Cleared", () => {
    const codec = codecOf();
    const cleared = { type: "interrupted", reason: "client", contextId: 0, playedMs: 0, spokenText: "" } as const;
    send(codec, speak("One."));
    send(codec, { type: "Flush" });
    send(codec, speak("Two."));
    assert.deepEqual(send(codec, { type: "Clear" }), [{ type: "interrupt" }]);
    assert.deepEqual(send(codec, speak("Three.")), [{ type: "say", text: "Three.", contextId: 2, end: false }]);
    send(codec, { type: "Flush" });
    // The client reads slowly: the interruption leaves only now.
    assert.deepEqual(parsed(codec.encode(cleared, 0)), [
      { type: "Flushed", sequence_id: 0 },
      { type: "Cleared", sequence_id: 1 },
    ]);
    assert.deepEqual(codec.encode({ type: "mark", id: "0" }, 0), []);
    assert.deepEqual(parsed(codec.encode({ type: "mark", id: "1" }, 0)), [{ type: "Flushed", sequence_id: 2 }]);
    assert.deepEqual(codec.encode({ ...cleared, reason: "restart" }, 0), []);
  });

  test("audio is bare bytes of a modest size, in the encoding that was asked for", () => {
    const pcm = new Int16Array(20_000).fill(1_000);
    const event = { type: "audio", contextId: 0, rateHz: 24_000, offsetSamples: 0, pcm } as const;
    assert.deepEqual(parsed(codecOf().encode(event, 0)), [32_768, 7_232]);
    assert.deepEqual(parsed(codecOf("encoding=mulaw").encode(event, 0)), [20_000]);
  });

  test("a clause that fails is a Warning, what ends the call an Error, under all names that clients read", () => {
    const codec = codecOf();
    const error = { type: "error", code: "TTS_FAILED", message: "no", hint: "", fatal: false } as const;
    const said = { code: "TTS_FAILED", description: "no" };
    assert.deepEqual(parsed(codec.encode(error, 0)), [
      { type: "Warning", ...said, warn_code: "TTS_FAILED", warn_msg: "no" },
    ]);
    const fatal = parsed(codec.encode({ ...error, fatal: true }, 0));
    assert.deepEqual(fatal, [{ type: "Error", ...said, err_code: "TTS_FAILED", err_msg: "no" }]);
    const end = codec.end({ reason: "idle", closeCode: 4000, code: "CALL_IDLE", error: new SyrinxError("CALL_IDLE") });
    assert.deepEqual([end.code, end.reason, end.messages.length], [1011, "CALL_IDLE", 1]);
  });

  test("texts that are too long and messages that nobody knows are warned of, and what is no message is an error", () => {
    const codec = codecOf();
    for (const message of [speak("x".repeat(2_001)), { type: "Sing" }]) {
      const [answer] = send(codec, message);
      assert.ok(answer?.type === "answer");
      assert.equal((parsed(answer.messages)[0] as { type: string }).type, "Warning");
    }
    assert.equal(send(codec, speak("x".repeat(2_000))).length, 1);
    assert.deepEqual(send(codec, { type: "KeepAlive" }), []);
    assert.throws(() => send(codec, "Speak!"), { code: "PROTOCOL_BAD_JSON" });
    assert.throws(() => send(codec, "[]"), { code: "PROTOCOL_BAD_JSON" });
    assert.throws(() => send(codec, speak(7)), { code: "PROTOCOL_MESSAGE_INVALID" });
    assert.throws(() => codec.decode(Buffer.from([0xff, 0xfe]), true), { code: "PROTOCOL_UTF8" });
  });

  test("whatever comes, a message is understood, ignored or an error with a code", () => {
    const type = fc.constantFrom("Speak", "Flush", "Clear", "Close", "KeepAlive", "Sing");
    const message = fc.oneof(
      fc
        .record({ type, text: fc.anything() }, { requiredKeys: ["type"] })
        .map((value) => Buffer.from(JSON.stringify(value))),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.boolean(), (messages, isBinary) => {
        const codec = codecOf();
        for (const bytes of messages) {
          try {
            codec.decode(bytes, isBinary);
          } catch (error) {
            assert.ok(isSyrinxError(error), String(error));
          }
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe("Deepgram speak: one request", () => {
  const jobOf = (query: string, body: RestBody = { kind: "json", value: { text: "Hello, wörld." } }): SpeakJob =>
    deepgramSpeak.rest!.job(faceRequest({ query: new URLSearchParams(query), options }), body) as SpeakJob;

  test("encodings have their containers, rates and types", () => {
    const cases = [
      ["", "mp3", 22_050, "audio/mpeg"],
      ["encoding=linear16", "wav", 24_000, "audio/wav"],
      ["encoding=linear16&container=none&sample_rate=16000", "pcm", 16_000, "audio/l16;rate=16000"],
      ["encoding=mulaw", "mulaw", 8_000, "audio/wav"],
      ["encoding=alaw&container=none", "alaw", 8_000, "audio/x-alaw-basic;rate=8000"],
      ["encoding=flac&sample_rate=16000", "flac", 16_000, "audio/flac"],
      ["encoding=opus&container=ogg", "opus", 48_000, "audio/ogg"],
    ] as const;
    for (const [query, format, rateHz, contentType] of cases) {
      const job = jobOf(query);
      assert.deepEqual([job.format, job.rateHz, job.contentType], [format, rateHz, contentType], query);
      assert.equal(job.call.options.outputRateHz, rateHz);
    }
    assert.equal(jobOf("encoding=mulaw").hasWavHeader, true);
    assert.equal(jobOf("encoding=mulaw&container=none").hasWavHeader, undefined);
    assert.equal(jobOf("bit_rate=48000").bitRateKbps, 48);
    assert.equal(jobOf("bit_rate=loud").bitRateKbps, undefined);
  });

  test("headers name request, model and characters", () => {
    assert.deepEqual(jobOf("model=aura-2-thalia-en").headers, {
      "dg-request-id": "00000000-0000-4000-8000-000000000001",
      "dg-model-name": "aura-2-thalia-en",
      "dg-char-count": "13",
    });
  });

  test("what cannot be done is an error with the field's name", () => {
    for (const query of [
      "encoding=aac",
      "encoding=mp3&sample_rate=8000",
      "encoding=flac&container=wav",
      "callback=http://x",
    ]) {
      assert.throws(() => jobOf(query), { code: "HTTP_FIELD" }, query);
    }
    for (const value of [null, {}, { text: 1 }, { text: " " }, [], { url: "http://x" }]) {
      assert.throws(() => jobOf("", { kind: "json", value }), { code: "HTTP_FIELD" });
    }
    assert.throws(() => jobOf("", { kind: "json", value: { text: "x".repeat(2_001) } }), { code: "HTTP_BODY_SIZE" });
    assert.throws(() => jobOf("", { kind: "none" }), { code: "HTTP_BODY_TYPE" });
  });
});
