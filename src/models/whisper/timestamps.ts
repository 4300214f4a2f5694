/**
 * Whisper's time tokens: the rules under which they may come, and what they say of an answer. The rules are
 * `ApplyTimestampRules` of github.com/openai/whisper, whisper/decoding.py.
 */
import { logSumExp, type TokenRule } from "../encoder-decoder/greedy.js";
import type { Word } from "../family.js";
import { TIME_TOKEN_SAMPLES, type WhisperVocabulary } from "./vocabulary.js";

/** The first phrase begins within the first second. */
const FIRST_TIME_MAX = 50;

/** Time tokens come in pairs around a phrase, never go back, and come wherever they are likelier than all text. */
export function timestampRule({ firstTime, timeTokens, end }: WhisperVocabulary): TokenRule {
  const isTime = (token: number | undefined): boolean => token !== undefined && token >= firstTime;
  return (logits, written) => {
    const forbid = (from: number, to: number) => logits.fill(Number.NEGATIVE_INFINITY, from, to);
    const last = written.at(-1);
    const isOpening = isTime(last) && (written.length < 2 || isTime(written.at(-2)));
    const isClosing = isTime(last) && !isOpening;
    if (isOpening) forbid(firstTime, logits.length);
    if (isClosing) forbid(0, end);
    const latest = written.findLast(isTime);
    if (latest !== undefined) forbid(firstTime, isClosing ? latest : latest + 1);
    if (written.length === 0) {
      forbid(0, firstTime);
      forbid(firstTime + FIRST_TIME_MAX + 1, logits.length);
    }
    forbid(firstTime + timeTokens, logits.length);
    let likeliestText = Number.NEGATIVE_INFINITY;
    for (let token = 0; token < firstTime; token += 1) likeliestText = Math.max(likeliestText, logits[token]!);
    if (logSumExp(logits, firstTime) > likeliestText) forbid(0, firstTime);
  };
}

/** What is said between two time tokens. */
interface Phrase {
  readonly startSample: number;
  readonly endSample: number;
  readonly tokens: readonly number[];
}

function phrasesOf(tokens: readonly number[], firstTime: number, sampleCount: number): Phrase[] {
  const sampleOf = (token: number): number => Math.min(sampleCount, (token - firstTime) * TIME_TOKEN_SAMPLES);
  const phrases: Phrase[] = [];
  let startSample = 0;
  let spoken: number[] = [];
  for (const token of tokens) {
    if (token < firstTime) {
      spoken.push(token);
      continue;
    }
    if (spoken.length > 0) phrases.push({ startSample, endSample: sampleOf(token), tokens: spoken });
    spoken = [];
    startSample = sampleOf(token);
  }
  if (spoken.length > 0) phrases.push({ startSample, endSample: sampleCount, tokens: spoken });
  return phrases;
}

/**
 * The words of an answer with time tokens. The times of a phrase are the model's; within it, words take time by their
 * letters.
 */
export function timedWords(
  { tokenizer, firstTime }: WhisperVocabulary,
  tokens: readonly number[],
  sampleCount: number,
  confidence: number,
): Word[] {
  return phrasesOf(tokens, firstTime, sampleCount).flatMap(({ startSample, endSample, tokens: spoken }) => {
    const texts = tokenizer
      .decode(spoken)
      .split(/\s+/)
      .filter((text) => text !== "");
    const letters = texts.reduce((total, text) => total + text.length, 0);
    const span = Math.max(0, endSample - startSample);
    let before = 0;
    const sampleAt = (): number => startSample + Math.round((span * before) / letters);
    return texts.map((text) => {
      const start = sampleAt();
      before += text.length;
      return { text, startSample: start, endSample: sampleAt(), confidence };
    });
  });
}
