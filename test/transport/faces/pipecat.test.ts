import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError, SyrinxError } from "../../../src/base/errors.js";
import type { FaceRequest, GraphFacts, ServerFacts } from "../../../src/transport/faces/face.js";
import { pipecat } from "../../../src/transport/faces/pipecat.js";
import { PipecatCodec } from "../../../src/transport/faces/pipecat-codec.js";
import { DTMF_BUTTONS, RTVI_CHARS } from "../../../src/transport/faces/rtvi-messages.js";
import { audioFrame, rtviFrame, rtviOf, wire } from "../../support/pipecat-wire.js";
import { ramp } from "../../support/test-socket.js";

const SERVER: ServerFacts = {
  name: "syrinx",
  version: "0",
  idleTimeoutMs: 1000,
  messageBytes: 65_536,
  audioMessageBytes: 32_768,
  paceFactor: 2,
  paceBurstMs: 5000,
};

function factsOf(name: string, more: Partial<GraphFacts> = {}): GraphFacts {
  const nodes = ["vad", "turn", "stt", "agent", "tts"].map((actor) => ({ name: `my-${actor}`, actor, options: {} }));
  return { name, takesAudio: true, takesText: false, hasAgent: true, takesQuestions: true, nodes, ...more };
}

function request(query = "", more: Partial<FaceRequest> = {}): FaceRequest {
  return {
    requestId: "r-1",
    method: "GET",
    facts: new Map([factsOf("assistant"), factsOf("other")].map((facts) => [facts.name, facts])),
    path: "/v1/pipecat",
    query: new URLSearchParams(query),
    headers: { host: "voice.example:8080" },
    subprotocols: [],
    graph: "assistant",
    graphs: ["assistant", "other"],
    options: pipecat.parseOptions({}),
    ...more,
  };
}

function codecOf(graph: Partial<GraphFacts> = {}, inputRateHz = 16_000): PipecatCodec {
  const agreed = { graph: factsOf("assistant", graph), inputRateHz, outputRateHz: 24_000, vadEvents: false };
  return new PipecatCodec(agreed, SERVER, 0);
}

function refusalOf(query: string): SyrinxError {
  const outcome = pipecat.negotiate!(request(query), SERVER);
  assert.ok(!outcome.accepted);
  return outcome.error;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(isSyrinxError(error), String(error));
    return error.code;
  }
  return "none";
}

/** What a message became, with answers as their RTVI messages. */
function said(codec: PipecatCodec, bytes: Uint8Array): unknown[] {
  return codec.decode(bytes, true).map((message) => {
    if (message.type === "answer") return message.messages.map((one) => rtviOf(one as Uint8Array));
    return message.type === "audio" ? [...message.pcm] : message;
  });
}

describe("pipecat negotiation", () => {
  test("takes graph and rates from the query, defaults from the route, and leaves alone what it does not know", () => {
    const outcome = pipecat.negotiate!(request("graph=other&rate=48000&outRate=16000&token=t&utm=1"), SERVER);
    assert.ok(outcome.accepted);
    assert.deepEqual(outcome.createCodec().call, {
      graph: "other",
      options: { inputRateHz: 48_000, outputRateHz: 16_000, reportPlayback: true },
    });
    assert.equal(outcome.audioLeadMs, 200);
    const options = pipecat.parseOptions({ rate: 8_000, outRate: 8_000, leadMs: 60 });
    const own = pipecat.negotiate!(request("", { options }), SERVER);
    assert.ok(own.accepted);
    assert.deepEqual(own.createCodec().call?.options, {
      inputRateHz: 8_000,
      outputRateHz: 8_000,
      reportPlayback: true,
    });
    assert.equal(own.audioLeadMs, 60);
    for (const wrong of [{ rate: 12_345 }, { leadMs: 0 }, { leadMs: 1.5 }, { vad: true }]) {
      assert.throws(() => pipecat.parseOptions(wrong), JSON.stringify(wrong));
    }
  });

  test("refuses a graph or a rate that there is not, in its own words", () => {
    assert.equal(refusalOf("graph=assistent").code, "CALL_GRAPH_UNKNOWN");
    for (const query of ["rate=0", "rate=16e3", "outRate=-1", "outRate=12345"]) {
      assert.equal(refusalOf(query).code, "PROTOCOL_PARAMETER", query);
    }
    const outcome = pipecat.negotiate!(request("graph=x"), SERVER);
    assert.ok(!outcome.accepted);
    const error = new SyrinxError("CALL_LIMIT", { limit: 3, retryAfterMs: 1 });
    const { messages, code } = outcome.createCodec().end({ reason: "error", code: error.code, error, closeCode: 1013 });
    assert.equal(code, 1013);
    assert.deepEqual(rtviOf(messages[0] as Uint8Array), {
      type: "error",
      data: { error: `${error.message}. ${error.hint}`, fatal: true },
    });
  });

  test("tells by POST where to connect, with the address as the client knows it", () => {
    const where = (headers: FaceRequest["headers"], query = "", token?: string, isEncrypted = false): unknown => {
      const body = { kind: "json", value: { any: 1 } } as const;
      const knock = request(query, { method: "POST", headers, isEncrypted });
      const job = pipecat.rest!.job(knock, body, { issue: () => token });
      assert.ok(job.kind === "answer" && typeof job.answer.body === "string");
      assert.equal(job.answer.status, 200);
      return JSON.parse(job.answer.body);
    };
    const host = "voice.example:8080";
    assert.deepEqual(where({ host }), { ws_url: "ws://voice.example:8080/v1/pipecat" });
    assert.deepEqual(where({ host }, "graph=other"), { ws_url: "ws://voice.example:8080/v1/pipecat?graph=other" });
    assert.deepEqual(where({ host, "x-forwarded-proto": "https, http" }), {
      ws_url: "wss://voice.example:8080/v1/pipecat",
    });
    assert.deepEqual(where({ host, "x-forwarded-host": "a.example", "x-forwarded-proto": "https" }), {
      ws_url: "wss://a.example/v1/pipecat",
    });
    assert.deepEqual(where({ host }, "", "syxt_1", true), {
      ws_url: "wss://voice.example:8080/v1/pipecat",
      token: "syxt_1",
    });
    assert.deepEqual(where({ host: "[::1]:8080" }), { ws_url: "ws://[::1]:8080/v1/pipecat" });
    for (const bad of ["", "a b", "x/y", "x?y", "x@y", "x#y"]) {
      assert.equal(
        codeOf(() => where({ host: bad })),
        "HTTP_REQUEST",
        bad,
      );
    }
  });
});

describe("pipecat audio from the client", () => {
  test("is taken at the rate and with the channels that each frame names", () => {
    const codec = codecOf();
    assert.deepEqual(said(codec, audioFrame(Int16Array.of(1, -2, 3))), [[1, -2, 3]]);
    assert.deepEqual(said(codec, audioFrame(Int16Array.of(10, 20, -3, -4), 16_000, 2)), [[15, -3]]);
    assert.deepEqual(said(codec, audioFrame(new Int16Array(0))), []);
    // A second at 48 kHz is a second at 16 kHz, however it is cut, but for what the filter holds back.
    let samples = 0;
    for (let index = 0; index < 50; index++) {
      const [message] = codec.decode(audioFrame(new Int16Array(960).fill(1000), 48_000), true);
      assert.ok(message?.type === "audio");
      samples += message.pcm.length;
    }
    assert.ok(samples > 15_900 && samples <= 16_000, `${samples} samples`);
    assert.equal(codecOf({}, 48_000).call.options.inputRateHz, 48_000);
  });

  test("is read wherever in memory it lies", () => {
    const bytes = audioFrame(ramp(100));
    for (const offset of [0, 1, 2, 3]) {
      const chunk = Buffer.concat([new Uint8Array(offset), bytes, new Uint8Array(9)]);
      assert.deepEqual(said(codecOf(), chunk.subarray(offset, offset + bytes.length)), [[...ramp(100)]]);
    }
  });

  test("of no rate, no channel, half a sample or too many of either is refused by its code", () => {
    const audio = (fields: object): Uint8Array =>
      wire({ audio: { audio: new Uint8Array(4), sampleRate: 16_000, numChannels: 1, ...fields } });
    const cases: [object, string][] = [
      [{ sampleRate: 0 }, "AUDIO_FORMAT_UNSUPPORTED"],
      [{ sampleRate: 4_294_967_295 }, "AUDIO_FORMAT_UNSUPPORTED"],
      [{ sampleRate: 12_345 }, "AUDIO_FORMAT_UNSUPPORTED"],
      [{ numChannels: 0 }, "AUDIO_FORMAT_UNSUPPORTED"],
      [{ numChannels: 100, audio: new Uint8Array(200) }, "AUDIO_FORMAT_UNSUPPORTED"],
      [{ audio: new Uint8Array(3) }, "CALL_AUDIO_ODD_BYTES"],
      [{ audio: new Uint8Array(6), numChannels: 2 }, "CALL_AUDIO_ODD_BYTES"],
    ];
    for (const [fields, code] of cases) {
      assert.equal(
        codeOf(() => codecOf().decode(audio(fields), true)),
        code,
        JSON.stringify(fields),
      );
    }
  });

  test("comes in RTVI messages too, alone or in batches", () => {
    const base64Of = (pcm: Int16Array): string => Buffer.from(pcm.buffer).toString("base64");
    const base64 = (...samples: number[]): string => base64Of(Int16Array.from(samples));
    const format = { sampleRate: 16_000, numChannels: 1 };
    assert.deepEqual(said(codecOf(), rtviFrame("raw-audio", { ...format, base64Audio: base64(1, 2) })), [[1, 2]]);
    const batch = rtviFrame("raw-audio-batch", { ...format, base64AudioBatch: [base64(1), base64(2, 3)] });
    assert.deepEqual(said(codecOf(), batch), [[1, 2, 3]]);
    // As long as a message may be.
    const long = rtviFrame("raw-audio", { ...format, base64Audio: base64Of(ramp(380_000)) });
    assert.equal((said(codecOf(), long)[0] as number[]).length, 380_000);
    for (const data of [
      { ...format, base64Audio: "not base64!" },
      { ...format, base64Audio: "AAA" },
      { ...format, base64Audio: "AA==" },
      { ...format, sampleRate: 0, base64Audio: base64(1) },
      { ...format, numChannels: 1.5, base64Audio: base64(1) },
      { sampleRate: "16000", numChannels: 1, base64Audio: base64(1) },
      { ...format },
    ]) {
      const [answer] = said(codecOf(), rtviFrame("raw-audio", data));
      assert.equal((answer as { type: string }[])[0]?.type, "error-response", JSON.stringify(data));
    }
  });
});

describe("pipecat messages from the client", () => {
  const ready = { type: "ready", callId: "c", graph: "assistant" } as const;
  const botReady = (version: string, id = "m1"): object => ({
    type: "bot-ready",
    id,
    data: { version, about: { library: "syrinx", library_version: "0" } },
  });

  test("client-ready is answered by bot-ready with its id, once the call is open", () => {
    const codec = codecOf();
    assert.deepEqual(said(codec, rtviFrame("client-ready", { version: "2.0.3", about: {} }, "e5")), []);
    assert.deepEqual(
      codec.encode(ready).map((one) => rtviOf(one as Uint8Array)),
      [botReady("2.1.0", "e5")],
    );
    assert.deepEqual(said(codec, rtviFrame("client-ready", { version: "1.4.0" })), [[botReady("1.4.0")]]);
  });

  test("an unknown version is told, and served all the same", () => {
    for (const data of [{ version: "0.3.0" }, { version: "3.0.0" }, { version: "2" }, { version: 2 }, {}, null, "x"]) {
      const codec = codecOf();
      codec.encode(ready);
      const [error, answer] = said(codec, rtviFrame("client-ready", data)) as { type: string }[][];
      assert.equal(error?.[0]?.type, "error-response", JSON.stringify(data));
      assert.deepEqual(answer, [botReady("2.1.0")]);
    }
  });

  test("send-text interrupts, asks, and is answered aloud unless it says otherwise", () => {
    const ask = (text: string, id: string, answer = true): object => ({ type: "ask", text, id, answer });
    const heard = (text: string): object[] => [{ type: "user-llm-text", data: { text } }];
    const codec = codecOf();
    const options = { run_immediately: true, audio_response: false };
    assert.deepEqual(said(codec, rtviFrame("send-text", { content: "hi" })), [
      { type: "interrupt" },
      heard("hi"),
      ask("hi", "text-0"),
    ]);
    assert.deepEqual(said(codec, rtviFrame("send-text", { content: "quiet", options })), [
      { type: "interrupt" },
      heard("quiet"),
      ask("quiet", "silent-1"),
    ]);
    assert.deepEqual(said(codec, rtviFrame("send-text", { content: "later", options: { run_immediately: false } })), [
      ask("later", "text-2", false),
    ]);
    for (const content of ["", "x".repeat(8_001)]) {
      const [answer] = said(codec, rtviFrame("send-text", { content }));
      assert.equal((answer as { type: string }[])[0]?.type, "error-response");
    }
    const deaf = codecOf({ takesQuestions: false });
    assert.match(JSON.stringify(said(deaf, rtviFrame("send-text", { content: "hi" }))), /has no agent/);
  });

  test("text, transcriptions, keys and interruptions have their meaning", () => {
    const codec = codecOf();
    const asks = (text: string, id: string): object => ({ type: "ask", text, id, answer: true });
    assert.deepEqual(said(codec, wire({ transcription: { text: "what time is it" } })), [
      asks("what time is it", "text-0"),
    ]);
    assert.deepEqual(said(codec, wire({ text: { text: "hello" } })), [asks("hello", "text-1")]);
    assert.deepEqual(said(codecOf({ takesText: true }), wire({ text: { text: "hello" } })), [
      { type: "say", text: "hello" },
    ]);
    assert.deepEqual(said(codec, rtviFrame("dtmf", { buttons: ["1", "#"] })), [
      { type: "interrupt" },
      asks("DTMF: 1#", "text-2"),
    ]);
    assert.deepEqual(said(codec, rtviFrame("dtmf", { button: "5" })), [
      { type: "interrupt" },
      asks("DTMF: 5", "text-3"),
    ]);
    assert.deepEqual(said(codec, wire({ interruption: {} })), [{ type: "interrupt" }]);
    assert.deepEqual(said(codec, rtviFrame("disconnect-bot")), [{ type: "close" }]);
  });

  test("client messages that we know are answered in their place, others refused", () => {
    const codec = codecOf();
    const response = (t: string, id: string): object => ({ type: "server-response", id, data: { t, d: null } });
    assert.deepEqual(said(codec, rtviFrame("client-message", { t: "interrupt" }, "a")), [
      { type: "interrupt" },
      [response("interrupt", "a")],
    ]);
    const [finalize] = codec.decode(rtviFrame("client-message", { t: "finalize" }, "b"), true);
    assert.ok(finalize?.type === "finalize" && finalize.id !== undefined);
    const answer = codec.encode({ type: "finalized", id: finalize.id }).map((one) => rtviOf(one as Uint8Array));
    assert.deepEqual(answer, [response("finalize", "b")]);
    assert.deepEqual(codec.encode({ type: "finalized", id: finalize.id }), [], "once");
    assert.match(
      JSON.stringify(said(codec, rtviFrame("client-message", { t: "weather" }, "c"))),
      /error-response.*"c"/,
    );
  });

  test("what is no message of ours is answered by an error response with its id", () => {
    const errorOf = (type: string, data?: unknown): unknown => {
      const [answer] = said(codecOf(), rtviFrame(type, data, "x1")) as { type: string; id: string; data: unknown }[][];
      assert.equal(answer?.[0]?.type, "error-response", type);
      assert.equal(answer[0].id, "x1");
      return (answer[0].data as { error: string }).error;
    };
    for (const type of ["llm-function-call-result", "ui-event", "ui-snapshot", "append-to-context", "__proto__", ""]) {
      assert.equal(errorOf(type, {}), `Unsupported type ${type}`);
    }
    for (const [type, data] of [
      ["send-text", { content: 5 }],
      ["send-text", undefined],
      ["client-message", { t: 1 }],
      ["dtmf", { buttons: [] }],
      ["dtmf", { buttons: ["12"] }],
      ["dtmf", { buttons: Array(DTMF_BUTTONS + 1).fill("1") }],
    ] as const) {
      assert.match(String(errorOf(type, data)), /^Invalid message: /, type);
    }
  });

  test("what is no RTVI message is an offence with a code, or nothing if it is somebody else's", () => {
    const code = (data: string): string => codeOf(() => codecOf().decode(wire({ message: { data } }), true));
    const deep = `${"[".repeat(20)}${"]".repeat(20)}`;
    assert.equal(code("{"), "PROTOCOL_BAD_JSON");
    assert.equal(code("[".repeat(RTVI_CHARS)), "PROTOCOL_BAD_JSON");
    assert.equal(code(`{"label":"rtvi-ai","type":"x","data":${deep}}`), "PROTOCOL_MESSAGE_INVALID");
    assert.equal(code('{"label":"rtvi-ai","type":7}'), "PROTOCOL_MESSAGE_INVALID");
    assert.equal(code(JSON.stringify("x".repeat(RTVI_CHARS))), "PROTOCOL_TOO_BIG");
    const notAudio = { label: "rtvi-ai", type: "send-text", data: { content: `"raw-audio${"x".repeat(RTVI_CHARS)}` } };
    assert.equal(code(JSON.stringify(notAudio).replaceAll('\\"', '"')), "PROTOCOL_BAD_JSON");
    assert.equal(code(JSON.stringify({ ...notAudio, "raw-audio": 1 })), "PROTOCOL_TOO_BIG");
    for (const other of ['{"label":"other","type":"x"}', "5", "null", "[]", '"text"'])
      assert.equal(code(other), "none");
    assert.equal(
      codeOf(() => codecOf().decode(Buffer.from('{"label":"rtvi-ai"}'), false)),
      "PROTOCOL_PROTOBUF",
    );
  });

  test("throw nothing but coded errors, and change no prototype, whatever comes", () => {
    const key = fc.constantFrom(
      "label",
      "type",
      "id",
      "data",
      "content",
      "options",
      "t",
      "buttons",
      "__proto__",
      "polluted",
    );
    const leaf = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom("rtvi-ai", "1.0.0", "2.1.0", "AAAA", 16_000, 1, true),
    );
    const { object } = fc.letrec((tie) => ({
      object: fc
        .array(fc.tuple(key, fc.oneof({ maxDepth: 5 }, leaf, tie("object"))), { maxLength: 4 })
        .map((entries) => Object.fromEntries(entries)),
    }));
    const type = fc.constantFrom(
      "client-ready",
      "send-text",
      "client-message",
      "dtmf",
      "raw-audio",
      "raw-audio-batch",
      "disconnect-bot",
      "constructor",
    );
    const message = fc.oneof(
      fc.tuple(type, object).map(([name, data]) => rtviFrame(name, data)),
      object.map((value) => wire({ message: { data: JSON.stringify(value) } })),
      fc.string().map((data) => wire({ message: { data } })),
      fc
        .record({ audio: fc.uint8Array({ maxLength: 64 }), sampleRate: fc.nat(50_000), numChannels: fc.nat(9) })
        .map((audio) => wire({ audio })),
      fc.uint8Array({ maxLength: 100 }),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
        const codec = codecOf();
        for (const bytes of messages) {
          try {
            codec.decode(bytes, true);
          } catch (error) {
            assert.ok(isSyrinxError(error), String(error));
          }
          assert.equal(({} as { polluted?: unknown }).polluted, undefined);
        }
      }),
      { seed: 42, numRuns: 400 },
    );
  });
});
