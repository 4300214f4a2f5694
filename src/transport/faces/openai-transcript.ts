/** What was heard, in OpenAI's five formats. */
import { deflateSync } from "node:zlib";
import { type TimedWord, toSrt, toVtt } from "../../base/subtitles.js";
import type { TranscriptEvent } from "../../frames/events.js";
import type { Transcription, TranscriptionCodec } from "./rest.js";

export interface Wanted {
  readonly task: "transcribe" | "translate";
  readonly format: "json" | "text" | "srt" | "vtt" | "verbose_json";
  /** As the client named it. */
  readonly language: string;
  readonly temperature: number;
  readonly hasWords: boolean;
  readonly hasSegments: boolean;
}

export function wholeCodec(wanted: Wanted): TranscriptionCodec {
  const isJson = wanted.format === "json" || wanted.format === "verbose_json";
  const contentType = isJson ? "application/json" : "text/plain; charset=utf-8";
  return { contentType, isStreamed: false, end: (result) => bodyOf(wanted, result) };
}

/** Rounded up to whole seconds, as OpenAI bills. */
export function usageOf(durationMs: number): object {
  return { type: "duration", seconds: Math.ceil(durationMs / 1000) };
}

export function textOf(finals: readonly TranscriptEvent[]): string {
  return finals
    .map(({ text }) => text)
    .filter((text) => text !== "")
    .join(" ");
}

function bodyOf(wanted: Wanted, { durationMs, channels }: Transcription): string {
  const finals = channels[0] ?? [];
  const words = finals.flatMap((final) => final.words);
  const text = textOf(finals);
  switch (wanted.format) {
    case "json":
      return JSON.stringify({ text, usage: usageOf(durationMs) });
    case "text":
      return `${text}\n`;
    case "srt":
      return toSrt(timedTexts(finals));
    case "vtt":
      return toVtt(timedTexts(finals));
    case "verbose_json":
      return JSON.stringify({
        task: wanted.task,
        language: languageName(wanted.language),
        duration: seconds(durationMs),
        text,
        ...(wanted.hasWords ? { words: words.map(wordOf) } : {}),
        ...(wanted.hasSegments ? { segments: finals.map((final, id) => segmentOf(final, id, wanted)) } : {}),
        usage: usageOf(durationMs),
      });
  }
}

/** Words with their times; where a recogniser gives none, the whole of what it heard. */
function timedTexts(finals: readonly TranscriptEvent[]): readonly TimedWord[] {
  return finals.flatMap(({ words, text, startMs, endMs }): readonly TimedWord[] => {
    if (words.length > 0 || text === "") return words;
    return [{ text, startMs, endMs }];
  });
}

function wordOf({ text, startMs, endMs }: TranscriptEvent["words"][number]): object {
  return { word: text, start: seconds(startMs), end: seconds(endMs) };
}

function segmentOf({ text, startMs, endMs, confidence }: TranscriptEvent, id: number, { temperature }: Wanted): object {
  return {
    id,
    // Whisper counts in steps of 10 ms.
    seek: Math.floor(startMs / 10),
    start: seconds(startMs),
    end: seconds(endMs),
    text,
    tokens: [],
    temperature,
    avg_logprob: Math.log(Math.max(confidence, 1e-6)),
    compression_ratio: compressionRatio(text),
    no_speech_prob: 0,
  };
}

/** As Whisper measures it, to find text that repeats itself. */
function compressionRatio(text: string): number {
  return text === "" ? 0 : Buffer.byteLength(text) / deflateSync(text).byteLength;
}

const names = new Intl.DisplayNames("en", { type: "language", fallback: "code" });

/** `de` → `german`. What is no language tag stays as it is. */
function languageName(tag: string): string {
  try {
    return (names.of(tag.split("-")[0]!) ?? tag).toLowerCase();
  } catch {
    return tag.toLowerCase();
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
