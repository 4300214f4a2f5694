import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import type { TranscriptEvent, VadEvent } from "../../../src/frames/events.js";
import { modelUuid } from "../../../src/transport/faces/deepgram.js";
import { deepgramListen as face } from "../../../src/transport/faces/deepgram-listen.js";
import type { FaceCodec, Outbound } from "../../../src/transport/faces/face.js";
import { Listening } from "../../support/listening.js";
import { codecOf, decodeAny, FACTS, graph, refusalOf, request, text } from "./deepgram-support.js";

const RAW = "model=nova-3&encoding=linear16&sample_rate=16000";
/** As LiveKit's plugin sends it. */
const LIVEKIT =
  "model=nova-3&punctuate=true&smart_format=false&dictation=false&diarize=false&numerals=false&interim_results=true&no_delay=true&encoding=linear16&sample_rate=16000&channels=1&keyterm=Syrinx&keyterm=a%20b&profanity_filter=false&endpointing=25&filler_words=true&vad_events=true&mip_opt_out=false&language=en-US";

const AUDIO_100_MS = new Uint8Array(3_200);

interface Results {
  readonly type: string;
  readonly start: number;
  readonly duration: number;
  readonly is_final: boolean;
  readonly speech_final: boolean;
  readonly from_finalize: boolean;
  readonly channel_index: readonly [number, number];
  readonly channel: {
    readonly alternatives: readonly [
      {
        transcript: string;
        confidence: number;
        words: { word: string; start: number; end: number; punctuated_word: string }[];
      },
    ];
  };
  readonly metadata: { readonly request_id: string };
}

function final(text: string, startMs: number, endMs: number, more: Partial<TranscriptEvent> = {}): TranscriptEvent {
  const words = text === "" ? [] : [{ text, startMs: startMs + 10, endMs: endMs - 10, confidence: 0.9 }];
  const base = {
    type: "transcript",
    final: true,
    segmentId: 0,
    turnIndex: 0,
    stableChars: 0,
    confidence: 0.9,
  } as const;
  return { ...base, text, words, startMs, endMs, ...more };
}

const vad = (what: "start" | "stop", atMs: number): VadEvent => ({ type: "vad", what, atMs, probability: 1 });

function parsed<T = Results>(messages: readonly Outbound[]): T[] {
  return messages.map((message) => JSON.parse(String(message)) as T);
}

function resultsOf(listening: Listening): Results[] {
  return listening.messages.filter((message) => message.type === "Results") as unknown as Results[];
}

describe("deepgram-listen negotiation", () => {
  test("maps what it knows onto the graph's nodes, and ignores the rest of LiveKit's query", async () => {
    const codec = await codecOf(face, LIVEKIT);
    assert.deepEqual(codec.call, {
      graph: "hear",
      channels: 1,
      options: { nodes: { ear: { stopMs: 150 }, scribe: { keyterms: ["Syrinx", "a b"] } } },
    });
    const nodesOf = async (query: string) => (await codecOf(face, `${RAW}&${query}`)).call?.options.nodes;
    assert.deepEqual(await nodesOf("endpointing=300"), { ear: { stopMs: 300 } });
    assert.deepEqual(await nodesOf("endpointing=false&keywords=Syrinx:2.5"), { scribe: { keyterms: ["Syrinx"] } });
    assert.deepEqual(await nodesOf("what=ever"), {});
    const options = face.parseOptions({ minEndpointingMs: 20 });
    const eager = await codecOf(face, `${RAW}&endpointing=25`, { options });
    assert.deepEqual(eager.call?.options.nodes, { ear: { stopMs: 25 } });
  });

  test("refuses what it knows and cannot do, in Deepgram's shape", () => {
    const wrong = [
      "encoding=speex&sample_rate=16000",
      "encoding=linear16",
      `${RAW}&channels=9`,
      `${RAW}&sample_rate=1`.replace("sample_rate=16000&", ""),
      `${RAW}&interim_results=perhaps`,
      `${RAW}&utterance_end_ms=200`,
      `${RAW}&endpointing=soon`,
      `${RAW}&keyterm=${"x".repeat(101)}`,
    ];
    for (const query of wrong) {
      const { status, body, headers } = refusalOf(face, query);
      assert.equal(status, 400, query);
      const answer = JSON.parse(body) as { err_code: string; err_msg: string; request_id: string };
      assert.equal(answer.err_code, "Bad Request");
      assert.equal(answer.request_id, "00000000-0000-4000-8000-000000000001");
      assert.equal(headers?.["dg-request-id"], answer.request_id);
      assert.match(headers?.["dg-error"] ?? "", /^HTTP_FIELD/);
    }
  });

  test("answers a browser with the name of its key, never the key", () => {
    const subprotocols = ["token", "secret", "x-deepgram-session-id", "abc"];
    const knock = request(face, RAW, { subprotocols });
    const outcome = face.negotiate(knock, FACTS);
    assert.equal(outcome.subprotocol, "token");
    assert.ok(outcome.accepted && outcome.headers?.["dg-request-id"] === knock.requestId);
    assert.equal(outcome.idleTimeoutMs, 10_000);
  });

  test("says what a graph lacks", () => {
    const wiring = { tells: new Set(["vad", "transcript.final"] as const), reaches: new Map() };
    assert.equal(face.lacks?.(graph(), wiring), undefined);
    assert.match(face.lacks?.(graph(), { ...wiring, tells: new Set(["transcript.final"]) }) ?? "", /vad/);
    assert.match(face.lacks?.({ ...graph(), takesAudio: false }, wiring) ?? "", /no audio/);
    assert.match(face.lacks?.({ ...graph(), hasAgent: true }, wiring) ?? "", /only listen/);
  });
});

describe("deepgram-listen", () => {
  test("tells a conversation as Deepgram does", async () => {
    const codec = await codecOf(face, `${RAW}&interim_results=true&vad_events=true`);
    assert.deepEqual(codec.encode({ type: "ready", callId: "c", graph: "hear" }, 0), []);
    const request_id = "00000000-0000-4000-8000-000000000001";
    assert.deepEqual(parsed(codec.encode(vad("start", 320), 0)), [
      { type: "SpeechStarted", channel: [0, 1], timestamp: 0.32 },
    ]);
    const [interim] = parsed(codec.encode(final("Hello,", 120, 800, { final: false }), 0));
    assert.equal(interim?.is_final, false);
    assert.equal(interim.speech_final, false);
    assert.deepEqual(parsed(codec.encode(vad("stop", 1_000), 0)), []);
    const [result] = parsed(codec.encode(final("Hello,", 120, 1_250), 0));
    assert.deepEqual(result?.metadata, {
      request_id,
      model_info: { name: "ears", version: "0", arch: "starter-ctc" },
      model_uuid: modelUuid("ears"),
    });
    assert.deepEqual(
      { ...result, metadata: 0 },
      {
        type: "Results",
        channel_index: [0, 1],
        start: 0,
        duration: 1.25,
        is_final: true,
        speech_final: true,
        from_finalize: false,
        channel: {
          alternatives: [
            {
              transcript: "Hello,",
              confidence: 0.9,
              words: [{ word: "hello", start: 0.13, end: 1.24, confidence: 0.9, punctuated_word: "Hello," }],
            },
          ],
        },
        metadata: 0,
      },
    );
  });

  test("sends only finals unless interims are asked for, and no speech_final without endpointing", async () => {
    const codec = await codecOf(face, `${RAW}&endpointing=false`);
    assert.deepEqual(codec.encode(final("one", 0, 400, { final: false }), 0), []);
    assert.deepEqual(codec.react?.(vad("stop", 500), 0), []);
    codec.encode(vad("stop", 500), 0);
    assert.equal(parsed(codec.encode(final("one", 0, 700), 0))[0]?.speech_final, false);
  });

  test("tells a pause whose last words were final already, once it is known that no more come", async () => {
    const codec = await codecOf(face, RAW);
    assert.equal(parsed(codec.encode(final("thirty seconds", 0, 30_000), 0))[0]?.speech_final, false);
    const [mark] = codec.react?.(vad("stop", 30_100), 0) ?? [];
    codec.encode(vad("stop", 30_100), 0);
    assert.ok(mark?.type === "mark");
    const [told] = parsed(codec.encode({ type: "mark", id: mark.id }, 0));
    assert.equal(told?.speech_final, true);
    assert.equal(told.channel.alternatives[0].transcript, "");
    assert.deepEqual(codec.encode({ type: "mark", id: mark.id }, 0), [], "once");
    codec.encode(vad("stop", 31_000), 0);
    const [silent] = codec.react?.(vad("stop", 31_000), 0) ?? [];
    assert.ok(silent?.type === "mark");
    assert.deepEqual(codec.encode({ type: "mark", id: silent.id }, 0), [], "nothing was said before it");
  });

  test("a final that is held back for a Finalize keeps its pause", async () => {
    const codec = await codecOf(face, RAW);
    const [mark] = codec.react?.(vad("stop", 400), 0) ?? [];
    codec.encode(vad("stop", 400), 0);
    codec.decode(AUDIO_100_MS, true);
    const [asked] = codec.decode(text({ type: "Finalize" }), false);
    assert.ok(mark?.type === "mark" && asked?.type === "finalize");
    assert.deepEqual(codec.encode(final("words", 100, 700), 0), []);
    assert.deepEqual(codec.encode({ type: "mark", id: mark.id }, 0), []);
    const [answer] = parsed(codec.encode({ type: "finalized", id: asked.id! }, 0));
    assert.deepEqual([answer?.speech_final, answer?.from_finalize], [true, true]);
  });

  test("answers each Finalize once, with the text if there is any", async () => {
    const codec = await codecOf(face, RAW);
    codec.decode(AUDIO_100_MS, true);
    const [empty] = codec.decode(text({ type: "Finalize" }), false);
    assert.ok(empty?.type === "finalize");
    const [nothing] = parsed(codec.encode({ type: "finalized", id: empty.id! }, 0));
    assert.equal(nothing?.from_finalize, true);
    assert.equal(nothing.is_final, true);
    assert.equal(nothing.duration, 0.1);
    codec.decode(AUDIO_100_MS, true);
    const [second] = codec.decode(text({ type: "Finalize", channel: 0 }), false);
    assert.ok(second?.type === "finalize" && second.channel === 0);
    assert.deepEqual(codec.encode(final("words", 100, 200), 0), [], "it may be the answer");
    const [answer] = parsed(codec.encode({ type: "finalized", id: second.id! }, 0));
    assert.equal(answer?.from_finalize, true);
    assert.equal(answer.channel.alternatives[0].transcript, "words");
    assert.deepEqual(codec.encode({ type: "finalized", id: second.id! }, 0), []);
    assert.throws(() => codec.decode(text({ type: "Finalize", channel: 4 }), false), {
      code: "PROTOCOL_MESSAGE_INVALID",
    });
  });

  test("says UtteranceEnd when audio goes on without a word, once per utterance", async () => {
    const codec = await codecOf(face, `${RAW}&interim_results=true&utterance_end_ms=1000`);
    const hear = (): string[] =>
      codec.decode(AUDIO_100_MS, true).flatMap((each) => (each.type === "mark" ? [each.id] : []));
    for (let ms = 0; ms < 500; ms += 100) assert.deepEqual(hear(), []);
    codec.encode(vad("start", 100), 0);
    codec.encode(final("hello", 100, 500, { final: false }), 0);
    const asked: string[] = [];
    for (let ms = 500; ms < 1_500; ms += 100) asked.push(...hear());
    assert.equal(asked.length, 1, "490 ms + 1000 ms");
    codec.encode(vad("stop", 500), 0);
    codec.encode(final("hello", 100, 700, { words: [{ text: "hello", startMs: 110, endMs: 480, confidence: 1 }] }), 0);
    assert.deepEqual(codec.encode({ type: "mark", id: asked[0]! }, 0), [], "the word's end was revised meanwhile");
    const [again] = hear();
    const end = parsed<object>(codec.encode({ type: "mark", id: again! }, 0));
    assert.deepEqual(end, [{ type: "UtteranceEnd", channel: [0, 1], last_word_end: 0.48 }]);
    const revised = [{ text: "hello", startMs: 110, endMs: 500, confidence: 1 }];
    codec.encode(final("hello", 100, 700, { words: revised }), 0);
    for (let ms = 0; ms < 2_000; ms += 100) assert.deepEqual(hear(), [], "the same words, said once more");
    codec.encode(vad("start", 3_400), 0);
    codec.encode(final("again", 3_400, 3_700, { final: false }), 0);
    for (let ms = 0; ms < 2_000; ms += 100) asked.push(...hear());
    assert.equal(asked.length, 2, "the next utterance has its own");
  });

  test("ends with one last final and the Metadata of all that it heard", async () => {
    const codec = await codecOf(face, RAW);
    const audio = Uint8Array.from({ length: 3_200 }, (_, index) => index % 7);
    codec.decode(audio, true);
    codec.decode(audio.subarray(0, 101), true);
    codec.decode(audio.subarray(101), true);
    assert.deepEqual(codec.decode(text({ type: "CloseStream" }), false), [{ type: "close" }]);
    assert.deepEqual(codec.encode(final("maybe", 0, 100, { final: false }), 0), []);
    assert.deepEqual(codec.encode(final("one", 0, 100), 0), []);
    assert.deepEqual(codec.encode(final("two", 100, 200), 0), []);
    assert.deepEqual(codec.decode(audio, true), [], "what comes later is not heard");
    const { messages, code, reason } = codec.end({ reason: "client", closeCode: 1000 });
    assert.deepEqual([code, reason], [1000, ""]);
    const [last, metadata, ...more] = parsed<Results & { sha256: string; duration: number; channels: number }>(
      messages,
    );
    assert.equal(more.length, 0);
    assert.equal(last?.channel.alternatives[0].transcript, "one two");
    assert.equal(last.speech_final, true);
    assert.equal(metadata?.type, "Metadata");
    assert.equal(metadata.duration, 0.2);
    assert.equal(metadata.channels, 1);
    assert.equal(metadata.sha256, createHash("sha256").update(audio).update(audio).digest("hex"));
  });

  test("ends a connection without audio with a Metadata that says so", async () => {
    const codec = await codecOf(face, "model=nova-3");
    assert.deepEqual(codec.decode(text({ type: "CloseStream" }), false), [{ type: "close" }]);
    const [metadata, ...more] = parsed<Record<string, unknown>>(
      codec.end({ reason: "client", closeCode: 1000 }).messages,
    );
    assert.equal(more.length, 0);
    assert.deepEqual([metadata?.duration, metadata?.channels], [0, 0]);
    assert.equal(metadata?.sha256, createHash("sha256").digest("hex"));
  });

  test("takes CloseStream as text, as bytes and as an empty message, and KeepAlive without a word", async () => {
    const close = { type: "CloseStream" };
    const forms: [Uint8Array, boolean][] = [
      [text(close), false],
      [text('{"type": "CloseStream"}'), true],
      [new Uint8Array(0), true],
    ];
    for (const [data, isBinary] of forms) {
      assert.equal((await codecOf(face, RAW)).decode(data, isBinary).at(-1)?.type, "close");
    }
    const codec = await codecOf(face, RAW);
    assert.deepEqual(codec.decode(text({ type: "KeepAlive" }), false), [{ type: "keepalive" }]);
    assert.deepEqual(codec.encode({ type: "pong" }, 0), []);
    assert.deepEqual(codec.decode(text({ type: "Later", than: "us" }), false), []);
  });

  test("gives each channel its own call, its own answers and its own index", async () => {
    const codec = await codecOf(face, `${RAW}&channels=2&multichannel=true`);
    assert.equal(codec.call?.channels, 2);
    const audio = new Uint8Array(
      Int16Array.from({ length: 640 }, (_, index) => (index % 2 === 0 ? 1000 : -2000)).buffer,
    );
    const heard = codec.decode(audio, true).flatMap((each) => (each.type === "audio" ? [each] : []));
    assert.deepEqual(
      heard.map(({ channel, pcm }) => [channel, pcm.length, pcm[0]]),
      [
        [0, 320, 1000],
        [1, 320, -2000],
      ],
    );
    const [all] = codec.decode(text({ type: "Finalize" }), false);
    assert.ok(all?.type === "finalize" && all.channel === undefined);
    for (const channel of [0, 1]) {
      const [answer]: Results[] = parsed(codec.encode({ type: "finalized", id: all.id! }, channel));
      assert.deepEqual(answer?.channel_index, [channel, 2]);
      assert.equal(answer.from_finalize, true);
    }
    const [one] = codec.decode(text({ type: "Finalize", channel: 1 }), false);
    assert.ok(one?.type === "finalize" && one.channel === 1);
    assert.deepEqual(codec.encode({ type: "finalized", id: one.id! }, 0), []);
    const mixed = await codecOf(face, `${RAW}&channels=2`);
    const [mono] = mixed.decode(audio, true);
    assert.ok(mono?.type === "audio" && mono.pcm.length === 320);
    assert.equal(mono.pcm[0], -500);
  });

  test("says by its close code what went wrong", async () => {
    const codec = await codecOf(face, "model=nova-3");
    const [failure] = codec.decode(Buffer.from("this is no audio file at all, and it never was one".repeat(20)), true);
    assert.ok(failure?.type === "fail");
    const { error } = failure;
    const told = codec.end({ reason: "error", code: error.code, error, closeCode: error.closeCode });
    assert.deepEqual([told.code, told.reason], [1008, "DATA-0000"]);
    const idle = codec.end({ reason: "idle", code: "CALL_IDLE", closeCode: 4000 });
    assert.deepEqual([idle.code, idle.reason, idle.messages.length], [1011, "NET-0001", 0]);
    const full = codec.end({ reason: "error", code: "CALL_OVERLOADED", closeCode: 4009 });
    assert.deepEqual([full.code, full.reason], [1011, "CALL_OVERLOADED"]);
  });

  test("estimates word times for a recogniser that tells none", async () => {
    const codec = await codecOf(face, RAW);
    const [told] = parsed(codec.encode(final("Hi, there", 1_000, 2_000, { words: [] }), 0));
    assert.deepEqual(
      told?.channel.alternatives[0].words.map(({ word, start, end }) => [word, start, end]),
      [
        ["hi", 1, 1.375],
        ["there", 1.375, 2],
      ],
    );
  });
});

describe("deepgram-listen, whatever is said", () => {
  const QUERIES = [
    `${RAW}&interim_results=true&utterance_end_ms=1000&vad_events=true`,
    `${RAW}&endpointing=false`,
    `${RAW}&interim_results=true&channels=3&multichannel=true`,
  ];

  /** A client that streams, finalizes at random and closes. */
  async function converse(seed: number): Promise<{ listening: Listening; finalizes: number[]; query: string }> {
    const chance = seeded(seed);
    const query = QUERIES[seed % QUERIES.length]!;
    const codec: FaceCodec = await codecOf(face, query);
    const count = codec.call?.channels ?? 1;
    const finalizes = new Array<number>(count).fill(0);
    const listening = new Listening(codec, chance, { hasWordTimes: seed % 4 !== 0 });
    for (let step = 0; step < 200; step++) {
      listening.send(new Uint8Array(3_200 * count));
      listening.hear(100);
      if (chance.next() > 0.08) continue;
      const channel = chance.next() < 0.5 ? undefined : chance.integer(0, count);
      for (const [index] of finalizes.entries())
        finalizes[index]! += channel === undefined || channel === index ? 1 : 0;
      listening.send(JSON.stringify({ type: "Finalize", ...(channel === undefined ? {} : { channel }) }));
    }
    listening.send(JSON.stringify({ type: "CloseStream" }));
    assert.ok(listening.isClosed);
    return { listening, finalizes, query };
  }

  test("finals tile the stream of each channel, and words lie within their final", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { listening, finalizes } = await converse(seed);
      for (const channel of finalizes.keys()) {
        const finals = resultsOf(listening).filter((each) => each.is_final && each.channel_index[0] === channel);
        let at = 0;
        for (const { start, duration, channel: heard } of finals) {
          assert.ok(Math.abs(start - at) < 1e-6, `seed ${seed}: ${start} after ${at}`);
          at = start + duration;
          for (const word of heard.alternatives[0].words) {
            assert.ok(word.start >= start - 1e-6 && word.end <= at + 1e-6 && word.start <= word.end, `seed ${seed}`);
          }
        }
        assert.ok(Math.abs(at - 20) < 1e-6, `seed ${seed}: all 20 s are told of, not ${at}`);
      }
    }
  });

  test("each Finalize has one answer in each channel that it is for; speech_final is final", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { listening, finalizes, query } = await converse(seed);
      const results = resultsOf(listening);
      for (const [channel, wanted] of finalizes.entries()) {
        const answers = results.filter((each) => each.from_finalize && each.channel_index[0] === channel);
        assert.equal(answers.length, wanted, `seed ${seed}`);
      }
      for (const each of results) {
        assert.ok(each.is_final || !(each.speech_final || each.from_finalize), `seed ${seed}`);
        assert.equal(typeof each.metadata.request_id, "string");
        assert.ok(query.includes("interim") || each.is_final);
        assert.ok(!query.includes("endpointing=false") || !each.speech_final);
      }
    }
  });

  test("no text is left without its speech_final, and the Metadata is last and alone", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { listening, finalizes, query } = await converse(seed);
      const { messages } = listening;
      assert.deepEqual(messages.map(({ type }) => type).filter((type) => type === "Metadata").length, 1);
      assert.equal(messages.at(-1)?.type, "Metadata");
      if (query.includes("endpointing=false")) continue;
      for (const channel of finalizes.keys()) {
        const finals = resultsOf(listening).filter((each) => each.is_final && each.channel_index[0] === channel);
        const texts = finals.map((each) => each.channel.alternatives[0].transcript).filter((each) => each !== "");
        assert.equal(texts.join(" "), listening.said(channel), `seed ${seed}`);
        const lastText = finals.findLastIndex((each) => each.channel.alternatives[0].transcript !== "");
        assert.ok(lastText < 0 || finals.slice(lastText).some((each) => each.speech_final), `seed ${seed}`);
      }
    }
  });

  test("says UtteranceEnd at most once between two words", async () => {
    let ends = 0;
    for (let seed = 3; seed <= 60; seed += 3) {
      const { listening } = await converse(seed);
      let lastEnd = -1;
      for (const message of listening.messages) {
        if (message.type !== "UtteranceEnd") continue;
        ends += 1;
        assert.ok((message.last_word_end as number) > lastEnd, `seed ${seed}`);
        lastEnd = message.last_word_end as number;
      }
    }
    assert.ok(ends > 20, `${ends}`);
  });
});

test("deepgram-listen throws nothing but coded errors, and still hears what comes next", async () => {
  const chance = seeded(77);
  const seeds = [
    '{"type":"Finalize"}',
    '{"type":"KeepAlive"}',
    '{"type":"Finalize","channel":[0]}',
    '{"type":{}}',
    "[]",
    "null",
  ];
  for (const query of [
    RAW,
    "encoding=mulaw&sample_rate=8000",

    "model=x",
    `${RAW}&multichannel=true&channels=2`,
  ]) {
    for (let round = 0; round < 60; round++) {
      const codec = await codecOf(face, query);
      for (let step = 0; step < 12; step++) {
        const bytes = Buffer.from(chance.pick(seeds));
        const cut = bytes.subarray(chance.integer(0, 3), chance.integer(0, bytes.length + 1));
        if (chance.next() < 0.5) cut[chance.integer(0, Math.max(1, cut.length))] = chance.integer(0, 256);
        const noise = Uint8Array.from({ length: chance.integer(1, 400) }, () => chance.integer(0, 256));
        decodeAny(codec, chance.next() < 0.3 ? noise : cut, chance.next() < 0.5);
      }
      codec.dispose?.();
    }
  }
  const codec = await codecOf(face, RAW);
  for (const junk of ["{", '{"type":1}', "\u0000", "x".repeat(20_000)]) decodeAny(codec, text(junk), false);
  decodeAny(codec, Uint8Array.of(0xff, 0xfe), false);
  assert.equal(decodeAny(codec, AUDIO_100_MS, true), "audio");
  assert.equal(decodeAny(codec, text({ type: "Finalize" }), false), "finalize");
});
