/** Transcripts as Deepgram's messages have them: seconds, words as they sound and as they are written. */
import type { EventWord, TranscriptEvent } from "../../frames/events.js";

export interface DeepgramWord {
  readonly word: string;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
  readonly punctuated_word: string;
}

export interface Alternative {
  readonly transcript: string;
  readonly confidence: number;
  readonly words: readonly DeepgramWord[];
}

/** A stretch of the stream; every message says where it lies. */
export interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

export function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

/**
 * The words of a transcript. A recogniser that does not say when it heard them gets times in proportion to their letters:
 * clients read words before they read text.
 */
export function wordsOf({ words, text, startMs, endMs, confidence }: TranscriptEvent): readonly EventWord[] {
  if (words.length > 0 || text === "") return words;
  const parts = text.split(/\s+/).filter((part) => part !== "");
  const letters = parts.reduce((sum, part) => sum + part.length, 0);
  const msPerLetter = (endMs - startMs) / letters;
  let at = startMs;
  return parts.map((part) => {
    const from = at;
    at += part.length * msPerLetter;
    return { text: part, startMs: from, endMs: at, confidence };
  });
}

/** One or several transcripts as one. Word times are kept within the stretch that the message speaks of. */
export function alternativeOf(events: readonly TranscriptEvent[], within: Stretch): Alternative {
  const spoken = events.filter(({ text }) => text !== "");
  const inside = (ms: number): number => Math.min(Math.max(ms, within.startMs), within.endMs);
  const words = spoken.flatMap(wordsOf).map(({ text, startMs, endMs, confidence }) => ({
    word: bare(text),
    start: seconds(inside(startMs)),
    end: seconds(inside(endMs)),
    confidence: figure(confidence),
    punctuated_word: text,
  }));
  const sum = spoken.reduce((total, { confidence }) => total + confidence, 0);
  return {
    transcript: spoken.map(({ text }) => text).join(" "),
    confidence: spoken.length === 0 ? 0 : figure(sum / spoken.length),
    words,
  };
}

export function figure(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

/** Lower case, without the punctuation around it. */
function bare(text: string): string {
  const inner = text.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  return inner === "" ? text : inner;
}
