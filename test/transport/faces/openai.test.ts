import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ERRORS, type ErrorCode, SyrinxError } from "../../../src/base/errors.js";
import type { TranscriptEvent } from "../../../src/frames/events.js";
import { deepgramSpeak } from "../../../src/transport/faces/deepgram-speak.js";
import type { Face, FaceRequest, GraphFacts, GraphWiring } from "../../../src/transport/faces/face.js";
import { openaiRefusal } from "../../../src/transport/faces/openai.js";
import { openaiModels } from "../../../src/transport/faces/openai-models.js";
import { openaiSpeech } from "../../../src/transport/faces/openai-speech.js";
import { openaiTranscriptions, openaiTranslations } from "../../../src/transport/faces/openai-transcriptions.js";
import type { HttpAnswer, RestBody, SpeakJob, TranscribeJob, Upload } from "../../../src/transport/faces/rest.js";
import { OPENAI_VOICES } from "../../../src/transport/faces/voices.js";
import { faceRequest, GRAPHS } from "../../support/face-request.js";

const upload: Upload = { fileName: "a.wav", contentType: "audio/wav", byteCount: 10, sha256: "00" };

function form(
  fields: Record<string, string | string[]> = {},
  files: [string, Upload][] = [["file", upload]],
): RestBody {
  const all = Object.entries(fields).map(([name, value]) => [name, [value].flat()] as const);
  return { kind: "form", fields: new Map(all), files: new Map(files) };
}

function hearing(body: RestBody, more: Partial<FaceRequest> = {}): TranscribeJob {
  return openaiTranscriptions.rest!.job(faceRequest({ graph: "listen", ...more }), body) as TranscribeJob;
}

function speaking(value: unknown, voices: Record<string, string> = {}): SpeakJob {
  const options = openaiSpeech.parseOptions({ voices });
  return openaiSpeech.rest!.job(faceRequest({ options }), { kind: "json", value }) as SpeakJob;
}

function final(segmentId: number, text: string, more: Partial<TranscriptEvent> = {}): TranscriptEvent {
  const startMs = segmentId * 2_000;
  const words = text.split(" ").map((word, at) => ({
    text: word,
    startMs: startMs + at * 300,
    endMs: startMs + at * 300 + 250,
    confidence: 0.9,
  }));
  const rest = { turnIndex: 0, stableChars: text.length, startMs, endMs: startMs + 1_500, confidence: 0.5 };
  return { type: "transcript", final: true, segmentId, text, words, ...rest, ...more };
}

const HEARD = { durationMs: 4_321, channels: [[final(0, "turn it on"), final(1, "please")]] };
const endOf = (fields: Record<string, string | string[]>): string => hearing(form(fields)).codec.end(HEARD);

describe("OpenAI transcriptions", () => {
  test("the five formats, each with its type", () => {
    const usage = { type: "duration", seconds: 5 };
    assert.deepEqual(JSON.parse(endOf({})), { text: "turn it on please", usage });
    assert.equal(endOf({ response_format: "text" }), "turn it on please\n");
    assert.equal(
      endOf({ response_format: "srt" }),
      "1\n00:00:00,000 --> 00:00:00,850\nturn it on\n\n2\n00:00:02,000 --> 00:00:02,250\nplease\n",
    );
    assert.equal(
      endOf({ response_format: "vtt" }),
      "WEBVTT\n\n00:00:00.000 --> 00:00:00.850\nturn it on\n\n00:00:02.000 --> 00:00:02.250\nplease\n",
    );
    const verbose = JSON.parse(endOf({ response_format: "verbose_json", language: "de-AT", temperature: "0.2" })) as {
      segments: Record<string, number>[];
    };
    const { segments, ...rest } = verbose;
    assert.deepEqual(rest, {
      task: "transcribe",
      language: "german",
      duration: 4.321,
      text: "turn it on please",
      usage,
    });
    const { compression_ratio, avg_logprob, ...second } = segments[1]!;
    assert.deepEqual(second, {
      id: 1,
      seek: 200,
      start: 2,
      end: 3.5,
      text: "please",
      tokens: [],
      temperature: 0.2,
      no_speech_prob: 0,
    });
    assert.ok(compression_ratio! > 0 && Math.abs(avg_logprob! - Math.log(0.5)) < 1e-9);
    assert.equal(hearing(form({ response_format: "vtt" })).codec.contentType, "text/plain; charset=utf-8");
    assert.equal(hearing(form()).codec.contentType, "application/json");
  });

  test("words or segments or both, however the list is written", () => {
    const keysOf = (fields: Record<string, string | string[]>): string[] =>
      Object.keys(JSON.parse(endOf({ response_format: "verbose_json", ...fields })) as object).filter((key) =>
        /^(words|segments)$/.test(key),
      );
    assert.deepEqual(keysOf({}), ["segments"]);
    assert.deepEqual(keysOf({ "timestamp_granularities[]": "word" }), ["words"]);
    assert.deepEqual(keysOf({ timestamp_granularities: "word" }), ["words"]);
    assert.deepEqual(keysOf({ "timestamp_granularities[]": ["word", "segment"] }), ["words", "segments"]);
  });

  test("what makes no difference is taken, keywords go to the recogniser", () => {
    const fields = {
      model: "gpt-4o-mini-transcribe",
      prompt: "Syrinx",
      "include[]": "logprobs",
      "chunking_strategy[type]": "server_vad",
      "chunking_strategy[threshold]": "0.5",
      chunking_strategy: '{"type":"server_vad"}',
      unknown: "x",
    };
    assert.deepEqual(hearing(form(fields)).call, { graph: "listen", options: { nodes: {} } });
    const keyed = hearing(form({ "keywords[]": ["Syrinx", " "] }));
    assert.deepEqual(keyed.call.options.nodes, { stt: { keyterms: ["Syrinx"] } });
  });

  test("a stream is for models that can, and is refused where its format has no deltas", () => {
    const stream = { stream: "true", model: "gpt-4o-transcribe" };
    assert.equal(hearing(form(stream)).codec.isStreamed, true);
    assert.equal(hearing(form({ ...stream, model: "whisper-1" })).codec.isStreamed, false);
    assert.equal(hearing(form({ ...stream, stream: "false" })).codec.isStreamed, false);
    assert.throws(() => hearing(form({ ...stream, response_format: "srt" })), { code: "HTTP_FIELD" });
    assert.throws(() => hearing(form({ response_format: "diarized_json" })), { code: "HTTP_FIELD" });
    assert.throws(() => hearing(form(), { graph: "speak" }), { code: "CALL_AUDIO_REFUSED" });
    assert.throws(() => hearing(form({}, [])), { code: "HTTP_FIELD" });
  });

  test("deltas are never taken back, and together are the text, whatever the partials were", () => {
    const words = fc.array(fc.constantFrom("turn", "it", "on", "please", "now"), { minLength: 0, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(words, fc.array(fc.tuple(fc.nat(40), fc.string({ maxLength: 5 })), { maxLength: 4 })), {
          maxLength: 4,
        }),
        (segments) => {
          const { codec } = hearing(form({ stream: "true", model: "gpt-4o-transcribe" }));
          let sent = "";
          const finals: TranscriptEvent[] = [];
          const tell = (event: TranscriptEvent): void => {
            sent += codec.encode!(event, 0) ?? "";
          };
          for (const [segmentId, [said, partials]] of segments.entries()) {
            const text = said.join(" ");
            let stableChars = 0;
            for (const [more, rest] of partials) {
              stableChars = Math.min(text.length, stableChars + more);
              tell(final(segmentId, text.slice(0, stableChars) + rest, { final: false, stableChars }));
            }
            finals.push(final(segmentId, text));
            tell(finals.at(-1)!);
          }
          sent += codec.end({ durationMs: 1_000, channels: [finals] });
          const events = sent
            .trim()
            .split("\n\n")
            .map((line) => line.slice("data: ".length));
          assert.equal(events.pop(), "[DONE]");
          const all = events.map((event) => JSON.parse(event) as { type: string; delta?: string; text?: string });
          const done = all.pop()!;
          assert.equal(done.type, "transcript.text.done");
          assert.equal(all.map(({ delta }) => delta).join(""), done.text);
          assert.equal(done.text, finals.flatMap(({ text }) => (text === "" ? [] : [text])).join(" "));
        },
      ),
      { seed: 4, numRuns: 200 },
    );
  });

  test("translations are there if the graph's model translates", () => {
    const job = (graph: string): TranscribeJob =>
      openaiTranslations.rest!.job(faceRequest({ graph }), form({ response_format: "verbose_json" })) as TranscribeJob;
    assert.throws(() => job("listen"), { code: "HTTP_FIELD" });
    const { task, language } = JSON.parse(job("translate").codec.end(HEARD)) as Record<string, string>;
    assert.deepEqual([task, language], ["translate", "english"]);
  });
});

describe("OpenAI speech", () => {
  test("formats have their types, and all have 24 kHz", () => {
    const types = { mp3: "audio/mpeg", opus: "audio/ogg", flac: "audio/flac", wav: "audio/wav", pcm: "audio/pcm" };
    for (const [format, type] of Object.entries(types)) {
      const job = speaking({ input: "Hi.", voice: "alloy", response_format: format });
      assert.deepEqual([job.format, job.rateHz, job.contentType], [format, 24_000, type]);
      assert.equal(job.call.options.outputRateHz, 24_000);
    }
    assert.equal(speaking({ input: "Hi." }).format, "mp3");
  });

  test("every voice of OpenAI is one of the model's, the route's names come first, others are the model's business", () => {
    const voiceOf = (voice: unknown, voices = {}): unknown =>
      speaking({ input: "Hi.", voice }, voices).call.options.nodes?.tts?.voice;
    for (const voice of OPENAI_VOICES) assert.match(String(voiceOf(voice)), /^(slt|rms|awb|kal16)$/);
    assert.equal(voiceOf("alloy", { alloy: "rms" }), "rms");
    assert.equal(voiceOf({ id: "boss" }, { boss: "awb" }), "awb");
    assert.equal(voiceOf("kal"), "kal");
    assert.equal(voiceOf("constructor"), "constructor");
  });

  test("a pace beyond what voices can is as much as they can", () => {
    const paceOf = (speed: number): unknown => speaking({ input: "Hi.", speed }).call.options.nodes?.tts?.speed;
    assert.deepEqual([0.25, 0.5, 1.5, 4].map(paceOf), [0.5, 0.5, 1.5, 2]);
    assert.throws(() => speaking({ input: "Hi.", speed: 0.1 }), { code: "HTTP_FIELD" });
  });

  test("events carry the audio and, last, what it cost", () => {
    const { codec, contentType } = speaking({ input: "Hello you.", stream_format: "sse" });
    assert.equal(contentType, "text/event-stream");
    const audio = Buffer.from([1, 2, 3]).toString("base64");
    assert.equal(
      codec!.encode(new Uint8Array([1, 2, 3])),
      `data: {"type":"speech.audio.delta","audio":"${audio}"}\n\n`,
    );
    assert.equal(
      codec!.end(36_000),
      'data: {"type":"speech.audio.done","usage":{"input_tokens":3,"output_tokens":30,"total_tokens":33}}\n\n',
    );
  });
});

describe("OpenAI models", () => {
  const answer = (path: string, options = {}): HttpAnswer => {
    const request = faceRequest({ method: "GET", path, options: openaiModels.parseOptions(options) });
    const job = openaiModels.rest!.job(request, { kind: "none" });
    assert.ok(job.kind === "answer");
    return job.answer;
  };

  test("lists what clients know, the configuration's own and what the route adds", () => {
    const { data } = JSON.parse(String(answer("/v1/models", { models: ["org/name"] }).body)) as {
      data: { id: string }[];
    };
    const ids = data.map(({ id }) => id);
    assert.deepEqual(ids, [
      "whisper-1",
      "gpt-4o-transcribe",
      "gpt-4o-mini-transcribe",
      "tts-1",
      "tts-1-hd",
      "gpt-4o-mini-tts",
      "ears",
      "voice",
      "org/name",
    ]);
    const { id, object } = JSON.parse(String(answer("/v1/models/org%2Fname", { models: ["org/name"] }).body)) as Record<
      string,
      string
    >;
    assert.deepEqual([id, object], ["org/name", "model"]);
    assert.throws(() => answer("/v1/models/%E0%A4%A"), { code: "HTTP_NOT_FOUND" });
  });
});

describe("OpenAI routes", () => {
  test("a graph that cannot do the work is told when the server starts", () => {
    const wiring = { tells: new Set<never>() } as unknown as GraphWiring;
    const lacks = (face: Face, name: string, more: Partial<GraphFacts> = {}): string | undefined =>
      face.lacks?.({ ...GRAPHS.get(name)!, ...more }, wiring);
    assert.match(lacks(openaiSpeech, "listen") ?? "", /does not begin with a voice/);
    assert.match(lacks(deepgramSpeak, "listen") ?? "", /does not begin with a voice/);
    assert.match(lacks(openaiTranscriptions, "speak") ?? "", /does not recognise speech/);
    assert.match(lacks(openaiTranslations, "listen", { hasAgent: true }) ?? "", /answers/);
    assert.equal(lacks(openaiSpeech, "speak"), undefined);
    assert.equal(lacks(openaiTranscriptions, "listen"), undefined);
  });
});

describe("OpenAI errors", () => {
  test("every error has OpenAI's shape and a status that its clients know", () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const { status, body } = openaiRefusal(new SyrinxError(code, { field: "x" }), faceRequest({}));
      assert.ok([400, 401, 403, 404, 408, 413, 426, 429, 500, 503].includes(status), `${code}: ${status}`);
      const { error } = JSON.parse(String(body)) as { error: Record<string, unknown> };
      assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
      assert.equal(
        error.type,
        status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error",
      );
    }
  });
});
