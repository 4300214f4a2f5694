import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TranscriptEvent } from "../../../src/frames/events.js";
import { deepgramListen as face } from "../../../src/transport/faces/deepgram-listen.js";
import type { RestBody, TranscribeJob, Upload } from "../../../src/transport/faces/rest.js";
import { request } from "./deepgram-support.js";

const UPLOAD: Upload = { fileName: undefined, contentType: "audio/wav", byteCount: 10, sha256: "ab".repeat(32) };
const BYTES: RestBody = { kind: "bytes", upload: UPLOAD };

function jobOf(query: string, body: RestBody = BYTES): TranscribeJob {
  const job = face.rest!.job(request(face, query, { method: "POST" }), body);
  assert.ok(job.kind === "transcribe");
  return job;
}

function said(startMs: number, ...texts: string[]): TranscriptEvent {
  const words = texts.map((text, at) => ({
    text,
    startMs: startMs + at * 500,
    endMs: startMs + at * 500 + 400,
    confidence: 0.8,
  }));
  const endMs = startMs + texts.length * 500;
  const base = {
    type: "transcript",
    final: true,
    segmentId: 0,
    turnIndex: 0,
    stableChars: 0,
    confidence: 0.8,
  } as const;
  return { ...base, text: texts.join(" "), words, startMs, endMs };
}

interface Answer {
  metadata: { sha256: string; duration: number; channels: number; models: string[]; request_id: string };
  results: {
    channels: {
      alternatives: {
        transcript: string;
        words: { word: string; punctuated_word: string; start: number; end: number }[];
        paragraphs?: { transcript: string; paragraphs: { sentences: { text: string }[]; num_words: number }[] };
      }[];
    }[];
    utterances?: { transcript: string; channel: number; start: number; end: number; id: string }[];
  };
}

describe("deepgram-listen by POST", () => {
  test("asks for the upload's transcript with the same options as a WebSocket", () => {
    const job = jobOf("model=nova-3&smart_format=true&keyterm=Syrinx&multichannel=true&channels=2");
    assert.equal(job.upload, UPLOAD);
    assert.equal(job.encoding, undefined);
    assert.equal(job.eachChannel, true);
    assert.deepEqual(job.call, { graph: "hear", options: { nodes: { scribe: { keyterms: ["Syrinx"] } } } });
    assert.deepEqual(jobOf("encoding=mulaw").encoding, { name: "mulaw", rateHz: 8_000, channels: 1 });
    const raw = jobOf("encoding=linear16&sample_rate=44100&channels=2").encoding;
    assert.deepEqual(raw, { name: "linear16", rateHz: 44_100, channels: 2 });
    assert.equal(jobOf("encoding=flac").encoding, undefined, "the file says it itself");
  });

  test("refuses to fetch a recording, and what is no recording", () => {
    const url: RestBody = { kind: "json", value: { url: "http://169.254.169.254/" } };
    assert.throws(() => jobOf("model=x", url), { code: "HTTP_FIELD" });
    assert.throws(() => jobOf("model=x", { kind: "none" }), { code: "HTTP_BODY_TYPE" });
    assert.throws(() => jobOf("model=x&callback=http://here"), { code: "HTTP_FIELD" });
  });

  test("answers with all channels, their words, and the recording's facts", () => {
    const { codec } = jobOf("multichannel=true");
    const channels = [[said(0, "Hello", "there."), said(2_000, "Bye.")], [said(500, "Yes?")]];
    const answer = JSON.parse(codec.end({ durationMs: 4_000, channels })) as Answer;
    const { metadata, results } = answer;
    assert.deepEqual([metadata.duration, metadata.channels, metadata.sha256], [4, 2, UPLOAD.sha256]);
    assert.equal(metadata.request_id, "00000000-0000-4000-8000-000000000001");
    assert.equal(results.channels[0]?.alternatives[0]?.transcript, "Hello there. Bye.");
    assert.deepEqual(results.channels[1]?.alternatives[0]?.words, [
      { word: "yes", start: 0.5, end: 0.9, confidence: 0.8, punctuated_word: "Yes?" },
    ]);
    assert.equal(results.utterances, undefined);
    assert.equal(results.channels[0]?.alternatives[0]?.paragraphs, undefined);
  });

  test("cuts utterances at pauses and paragraphs at sentences, if asked to", () => {
    const { codec } = jobOf("utterances=true&utt_split=1&paragraphs=true");
    const channels = [[said(0, "One.", "Two"), said(1_200, "three."), said(6_000, "Four.")]];
    const { results } = JSON.parse(codec.end({ durationMs: 8_000, channels })) as Answer;
    assert.deepEqual(
      results.utterances?.map(({ transcript, start, end }) => [transcript, start, end]),
      [
        ["One. Two three.", 0, 1.6],
        ["Four.", 6, 6.4],
      ],
    );
    const { transcript, paragraphs } = results.channels[0]!.alternatives[0]!.paragraphs!;
    assert.deepEqual(
      paragraphs.map(({ sentences, num_words }) => [sentences.map((each) => each.text), num_words]),
      [
        [["One.", "Two", "three."], 3],
        [["Four."], 1],
      ],
    );
    assert.equal(transcript, "\nOne. Two three.\n\nFour.");
    const empty = JSON.parse(codec.end({ durationMs: 0, channels: [[]] })) as Answer;
    assert.equal(empty.results.channels[0]?.alternatives[0]?.transcript, "");
    assert.deepEqual(empty.results.utterances, []);
  });
});
