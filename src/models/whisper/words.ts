/** The words of an answer, with the times that its attention tells (`alignment.ts`). */
import type { Word } from "../family.js";
import { TIME_TOKEN_SAMPLES, type WhisperVocabulary } from "./vocabulary.js";

/** Written without spaces between words: each token that is whole characters counts as one. */
const WITHOUT_SPACES = new Set(["zh", "ja", "th", "lo", "my", "yue"]);
const INCOMPLETE = "\ufffd";

interface TokenGroup {
  readonly text: string;
  /** Index of the first token, and of that behind the last. */
  readonly first: number;
  readonly end: number;
}

/**
 * @param starts the frame at which each token begins, and behind them the last one's end.
 * @param language code; undefined if the model knows English alone.
 */
export function alignedWords(
  { tokenizer, firstTime }: WhisperVocabulary,
  tokens: readonly number[],
  starts: readonly number[],
  { language, sampleCount, confidence }: { language: string | undefined; sampleCount: number; confidence: number },
): Word[] {
  const decode = (first: number, end: number): string =>
    tokenizer.decode(tokens.slice(first, end).filter((token) => token < firstTime));
  const sampleAt = (token: number): number => Math.min(sampleCount, starts[token]! * TIME_TOKEN_SAMPLES);
  const hasSpaces = !WITHOUT_SPACES.has(language ?? "en");
  return groupsOf(tokens.length, decode, hasSpaces).map(({ text, first, end }) => {
    return { text, startSample: sampleAt(first), endSample: sampleAt(end), confidence };
  });
}

/** A word begins where a token's text begins with a space; without spaces, wherever characters are whole. */
function groupsOf(count: number, decode: (first: number, end: number) => string, hasSpaces: boolean): TokenGroup[] {
  const groups: TokenGroup[] = [];
  let first = 0;
  for (let end = 1; end <= count; end += 1) {
    const isWhole = !decode(first, end).includes(INCOMPLETE);
    const isOver = end === count || (isWhole && (!hasSpaces || /^\s/.test(decode(end, end + 1))));
    if (!isOver) continue;
    const text = decode(first, end).trim();
    if (text !== "") groups.push({ text, first, end });
    first = end;
  }
  return groups;
}
