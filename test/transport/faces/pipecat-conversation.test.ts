/** What a Pipecat client hears of a conversation, message by message. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isSyrinxError } from "../../../src/base/errors.js";
import type { GraphFacts, ServerEvent, ServerFacts } from "../../../src/transport/faces/face.js";
import { PipecatCodec } from "../../../src/transport/faces/pipecat-codec.js";
import { audioFrame, rtviFrame, rtviOf, unwire, wire } from "../../support/pipecat-wire.js";
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

function graphOf(...actors: string[]): GraphFacts {
  const nodes = actors.map((actor) => ({ name: actor, actor, options: {} }));
  return { name: "g", takesAudio: true, takesText: false, hasAgent: true, takesQuestions: true, nodes };
}

const ASSISTANT = graphOf("vad", "turn", "stt", "agent", "tts");

class Listener {
  readonly codec: PipecatCodec;
  readonly pcm: number[] = [];

  constructor(graph: GraphFacts = ASSISTANT, version = "2.1.0", vadEvents = false) {
    this.codec = new PipecatCodec({ graph, inputRateHz: 16_000, outputRateHz: 24_000, vadEvents }, SERVER, 1_000);
    this.codec.decode(rtviFrame("client-ready", { version }), true);
  }

  /** Lines: a type with its data, or what the frame holds. */
  hear(...events: ServerEvent[]): string[] {
    return events.flatMap((event) => this.codec.encode(event)).map((bytes) => this.#line(bytes as Uint8Array));
  }

  #line(bytes: Uint8Array): string {
    const message = rtviOf(bytes);
    if (message !== undefined)
      return message.data === undefined ? message.type : `${message.type} ${JSON.stringify(message.data)}`;
    const { audio, interruption } = unwire(bytes);
    if (interruption !== undefined) return "InterruptionFrame";
    assert.ok(audio !== undefined);
    const samples = new Int16Array(Uint8Array.from(audio.audio).buffer);
    this.pcm.push(...samples);
    return `audio ${samples.length} at ${audio.sampleRate} × ${audio.numChannels}`;
  }
}

const vad = (what: "start" | "stop"): ServerEvent => ({ type: "vad", what, atMs: 0, probability: 1 });
const turn = (what: "start" | "end" | "eager_end" | "resumed"): ServerEvent => ({
  type: "turn",
  what,
  turnIndex: 0,
  atMs: 0,
  confidence: 1,
  trigger: "model",
});
const transcript = (text: string, final: boolean, endMs = 500): ServerEvent => ({
  type: "transcript",
  final,
  segmentId: 0,
  turnIndex: 0,
  text,
  stableChars: 0,
  words: [],
  startMs: 0,
  endMs,
  confidence: 1,
});
const replyStart = (contextId: number, askId?: string): ServerEvent => ({
  type: "reply",
  what: "start",
  contextId,
  turnIndex: 0,
  ...(askId === undefined ? {} : { askId }),
});
const replyEnd = (contextId: number): ServerEvent => ({
  type: "reply",
  what: "end",
  contextId,
  turnIndex: 0,
  reason: "completed",
});
const text = (contextId: number, piece: string): ServerEvent => ({ type: "text", contextId, text: piece });
const audio = (contextId: number, pcm: Int16Array, offsetSamples = 0): ServerEvent => ({
  type: "audio",
  contextId,
  rateHz: 24_000,
  offsetSamples,
  pcm,
});
const heard = (contextId: number, words: string[], isComplete = false): ServerEvent => ({
  type: "playback",
  contextId,
  playedMs: 0,
  words,
  isComplete,
});
const interrupted: ServerEvent = { type: "interrupted", reason: "speech", contextId: 0, playedMs: 0, spokenText: "" };
const ready: ServerEvent = { type: "ready", callId: "c", graph: "g" };

const output = (said: string, segment: number, status: string, accumulated: string, remaining: string): string =>
  `bot-output ${JSON.stringify({
    text: said,
    aggregated_by: "sentence",
    segment_id: segment,
    will_be_spoken: true,
    spoken_status: status,
    spoken_progress: { accumulated_text: accumulated, remaining_text: remaining },
  })}`;

describe("what a Pipecat client hears", () => {
  test("of a turn: speech, transcripts, the answer as it is made and as it is heard", () => {
    const listener = new Listener();
    const pcm = ramp(2_400);
    const lines = listener.hear(
      ready,
      vad("start"),
      turn("start"),
      transcript("what", false),
      transcript("what time is it", true, 1_250),
      turn("eager_end"),
      turn("end"),
      replyStart(0),
      text(0, "It is three. "),
      text(0, "Or four."),
      { type: "alignment", contextId: 0, unit: "word", spans: [{ text: "It", startMs: 0, endMs: 5 }] },
      audio(0, pcm),
      replyEnd(0),
      heard(0, ["It", "is"]),
      heard(0, ["three.", "Or"]),
      heard(0, ["four."], true),
    );
    assert.deepEqual(lines, [
      'bot-ready {"version":"2.1.0","about":{"library":"syrinx","library_version":"0"}}',
      "user-started-speaking",
      'user-transcription {"text":"what","user_id":"","timestamp":"1970-01-01T00:00:01.500Z","final":false}',
      'user-transcription {"text":"what time is it","user_id":"","timestamp":"1970-01-01T00:00:02.250Z","final":true}',
      "user-stopped-speaking",
      'user-llm-text {"text":"what time is it"}',
      "bot-llm-started",
      'bot-llm-text {"text":"It is three. "}',
      'bot-llm-text {"text":"Or four."}',
      'bot-transcription {"text":"It is three."}',
      "bot-tts-started",
      "bot-started-speaking",
      output("It is three.", 0, "new", "", "It is three."),
      "audio 960 at 24000 × 1",
      "audio 960 at 24000 × 1",
      "audio 480 at 24000 × 1",
      'bot-transcription {"text":"Or four."}',
      output("Or four.", 1, "new", "", "Or four."),
      "bot-llm-stopped",
      "bot-tts-stopped",
      'bot-tts-text {"text":"It"}',
      'bot-tts-text {"text":"is"}',
      output("It is three.", 0, "in-progress", "It is", " three."),
      'bot-tts-text {"text":"three."}',
      'bot-tts-text {"text":"Or"}',
      output("It is three.", 0, "completed", "It is three.", ""),
      output("Or four.", 1, "in-progress", "Or", " four."),
      'bot-tts-text {"text":"four."}',
      output("Or four.", 1, "completed", "Or four.", ""),
      "bot-stopped-speaking",
    ]);
    assert.deepEqual(listener.pcm, [...pcm]);
  });

  test("of version 1: its number, captions of words and sentences, no progress", () => {
    const listener = new Listener(ASSISTANT, "1.2.0");
    const lines = listener.hear(
      ready,
      replyStart(0),
      text(0, "Yes."),
      audio(0, ramp(10)),
      replyEnd(0),
      heard(0, ["Yes."], true),
    );
    assert.deepEqual(lines, [
      'bot-ready {"version":"1.2.0","about":{"library":"syrinx","library_version":"0"}}',
      "bot-llm-started",
      'bot-llm-text {"text":"Yes."}',
      "bot-tts-started",
      "bot-started-speaking",
      "audio 10 at 24000 × 1",
      'bot-transcription {"text":"Yes."}',
      'bot-output {"text":"Yes.","aggregated_by":"sentence","spoken":false}',
      "bot-llm-stopped",
      "bot-tts-stopped",
      'bot-output {"text":"Yes.","aggregated_by":"word","spoken":true}',
      'bot-tts-text {"text":"Yes."}',
      "bot-stopped-speaking",
    ]);
  });

  test("of an interruption: everything that was begun is ended, once, and old news is no news", () => {
    const listener = new Listener();
    listener.hear(ready, replyStart(0), text(0, "A long"), audio(0, ramp(10)));
    assert.deepEqual(listener.hear(interrupted), [
      "InterruptionFrame",
      "bot-interrupted",
      "bot-llm-stopped",
      "bot-tts-stopped",
      "bot-stopped-speaking",
    ]);
    assert.deepEqual(
      listener.hear({ ...replyEnd(0), reason: "interrupted" } as ServerEvent, heard(0, ["A"], true)),
      [],
    );
    assert.deepEqual(listener.hear(interrupted), ["InterruptionFrame", "bot-interrupted"]);
    // Before there was any sound.
    listener.hear(replyStart(1), text(1, "One. Two"));
    assert.deepEqual(listener.hear(interrupted), ["InterruptionFrame", "bot-interrupted", "bot-llm-stopped"]);
    assert.deepEqual(listener.hear(replyStart(2), audio(2, ramp(1))), [
      "bot-llm-started",
      "bot-tts-started",
      "bot-started-speaking",
      "audio 1 at 24000 × 1",
    ]);
  });

  test("of an answer that it does not want to hear: the text alone", () => {
    const listener = new Listener();
    listener.hear(ready);
    const lines = listener.hear(
      replyStart(0, "silent-0"),
      text(0, "Hush. Hush."),
      audio(0, ramp(10)),
      replyEnd(0),
      heard(0, ["Hush."], true),
    );
    const silent = (segment: number): string =>
      `bot-output {"text":"Hush.","aggregated_by":"sentence","segment_id":${segment},"will_be_spoken":false}`;
    assert.deepEqual(lines, [
      "bot-llm-started",
      'bot-llm-text {"text":"Hush. Hush."}',
      'bot-transcription {"text":"Hush."}',
      silent(0),
      'bot-transcription {"text":"Hush."}',
      silent(1),
      "bot-llm-stopped",
    ]);
  });

  test("of a graph without a voice, or of a voice that fails, likewise", () => {
    const mute = new Listener(graphOf("vad", "turn", "stt", "agent"));
    const lines = mute.hear(replyStart(0), text(0, "Yes."), replyEnd(0)).slice(2);
    const unspoken = 'bot-output {"text":"Yes.","aggregated_by":"sentence","segment_id":0,"will_be_spoken":false}';
    assert.deepEqual(lines, ['bot-transcription {"text":"Yes."}', unspoken, "bot-llm-stopped"]);
    const failing = new Listener();
    assert.deepEqual(failing.hear(replyStart(0), text(0, "Yes."), replyEnd(0)).slice(2), lines);
  });

  test("of two replies in a row: one stretch of speech", () => {
    const listener = new Listener();
    listener.hear(replyStart(0), text(0, "One."), audio(0, ramp(1)), replyEnd(0));
    assert.deepEqual(listener.hear(replyStart(1), audio(1, ramp(1)), replyEnd(1), heard(1, [], true)), [
      output("One.", 0, "completed", "One.", ""),
      "bot-llm-started",
      "bot-tts-started",
      "audio 1 at 24000 × 1",
      "bot-llm-stopped",
      "bot-tts-stopped",
      "bot-stopped-speaking",
    ]);
  });

  test("of speech where no node makes turns, or where it asked for speech itself", () => {
    const turnless = new Listener(graphOf("vad", "stt"));
    assert.deepEqual(turnless.hear(vad("start"), vad("stop")), ["user-started-speaking", "user-stopped-speaking"]);
    const curious = new Listener(ASSISTANT, "2.1.0", true);
    assert.deepEqual(curious.hear(vad("start"), turn("start"), vad("stop")), [
      "vad-user-started-speaking",
      "user-started-speaking",
      "vad-user-stopped-speaking",
    ]);
  });

  test("of a receipt: metrics in seconds, by the nodes' names", () => {
    const stage = { queueMs: 1, batchWaitMs: 1, waitMs: 0, batchSize: 1 };
    const lines = new Listener().hear({
      type: "receipt",
      turnIndex: 0,
      contextId: 0,
      totalMs: 900,
      stages: [
        { stage: "endpointing", ...stage, computeMs: 0 },
        { stage: "stt", ...stage, computeMs: 12.5 },
        { stage: "egress", ...stage, computeMs: 1 },
      ],
      milestones: { turnEndMs: 600, sttFinalMs: 550, firstTokenMs: 700, firstTextMs: 800, firstPcmMs: 850.25 },
    });
    const ttfb = [
      { processor: "stt", value: 0.55 },
      { processor: "agent", value: 0.1 },
      { processor: "tts", value: 0.05025 },
    ];
    const processing = [{ processor: "stt", value: 0.0125 }];
    assert.deepEqual(lines, [`metrics ${JSON.stringify({ ttfb, processing })}`]);
  });

  test("of errors, fatal or not; of marks, gaps and pongs nothing", () => {
    const error = { type: "error", code: "X", message: "it broke", hint: "mend it", fatal: false } as const;
    assert.deepEqual(new Listener().hear(error), ['error {"error":"it broke. mend it","fatal":false}']);
    assert.deepEqual(
      new Listener().hear({ type: "mark", id: "m" }, { type: "gap", durationMs: 1 }, { type: "pong" }),
      [],
    );
    const { messages, code, reason } = new Listener().codec.end({ reason: "client", closeCode: 1000 });
    assert.deepEqual([messages, code, reason], [[], 1000, "client"]);
  });
});

describe("a conversation cut short", () => {
  const conversation = [
    rtviFrame("client-ready", { version: "2.1.0", about: { library: "x" } }),
    audioFrame(ramp(64)),
    audioFrame(ramp(64), 24_000, 2),
    rtviFrame("send-text", { content: "hé?", options: { run_immediately: true } }),
    rtviFrame("raw-audio", { base64Audio: "AAAA", sampleRate: 16_000, numChannels: 1 }),
    wire({ transcription: { text: "hi", userId: "u", timestamp: "t" } }),
    wire({ text: { text: "hello" } }),
    wire({ interruption: { id: 1 } }),
    rtviFrame("disconnect-bot"),
  ];

  test("at any byte is refused by a code, and what follows is understood as ever", () => {
    for (const [index, message] of conversation.entries()) {
      for (let length = 0; length < message.length; length++) {
        const { codec } = new Listener();
        try {
          codec.decode(message.subarray(0, length), true);
        } catch (error) {
          assert.ok(isSyrinxError(error), `message ${index} cut at ${length}: ${String(error)}`);
        }
        const [audioMessage] = codec.decode(conversation[1]!, true);
        assert.ok(audioMessage?.type === "audio");
        assert.deepEqual([...audioMessage.pcm], [...ramp(64)]);
      }
    }
  });
});
