/** From text to the letters' ids as Supertonic reads them: decomposed Unicode, plain punctuation, a tag for the language. */
import type { PlacedWord } from "./spans.js";

/** Ids by UTF-16 code unit; a negative id is none. */
export type LetterIndex = ReadonlyMap<number, number>;

export interface LetterPlan {
  readonly ids: readonly number[];
  readonly words: readonly PlacedWord[];
}

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/\p{Extended_Pictographic}/gu, ""],
  [/[\u2010-\u2015]/g, "-"],
  [/[\u201c\u201d]/g, '"'],
  [/[\u2018\u2019\u00b4`]/g, "'"],
  [/[_[\]|/#\u2190\u2192\\]/g, " "],
  [/@/g, " at "],
  [/"{2,}/g, '"'],
  [/'{2,}/g, "'"],
];

/** Letters and digits are heard; a text without any is not spoken. Texts longer than `lettersMax` are cut between words. */
export function planLetters(
  text: string,
  index: LetterIndex,
  language: string | undefined,
  lettersMax: number,
): LetterPlan[] {
  const words = text.split(/\s+/u).filter((word) => word !== "");
  const spoken = words.map((word) => ({ text: word, letters: readable(word, index) }));
  const plans: LetterPlan[] = [];
  let group: typeof spoken = [];
  let length = 0;
  const close = (): void => {
    if (group.some(({ letters }) => /[\p{L}\p{N}]/u.test(letters))) plans.push(planOf(group, index, language));
    group = [];
    length = 0;
  };
  for (const word of spoken) {
    if (group.length > 0 && length + word.letters.length > lettersMax) close();
    group.push(word);
    length += word.letters.length + 1;
  }
  close();
  return plans;
}

function readable(word: string, index: LetterIndex): string {
  let letters = word.normalize("NFKD");
  for (const [pattern, replacement] of REPLACEMENTS) letters = letters.replace(pattern, replacement);
  return [...letters.replace(/\s+/g, " ").trim()].filter((letter) => idOf(letter, index) !== undefined).join("");
}

function planOf(
  group: readonly { readonly text: string; readonly letters: string }[],
  index: LetterIndex,
  language: string | undefined,
): LetterPlan {
  const ids = idsOf(language === undefined ? "" : `<${language}>`, index);
  const words: PlacedWord[] = [];
  for (const { text, letters } of group) {
    if (words.length > 0 && letters !== "") ids.push(...idsOf(" ", index));
    const from = ids.length;
    ids.push(...idsOf(letters, index));
    words.push({ text, from, to: ids.length });
  }
  const last = group.findLast(({ letters }) => letters !== "")?.letters ?? "";
  if (!/[.!?;:,'")\]}\u2026\u3002]$/.test(last)) ids.push(...idsOf(".", index));
  ids.push(...idsOf(language === undefined ? "" : `</${language}>`, index));
  return { ids, words };
}

function idsOf(letters: string, index: LetterIndex): number[] {
  return [...letters].flatMap((letter) => idOf(letter, index) ?? []);
}

function idOf(letter: string, index: LetterIndex): number | undefined {
  const id = letter.length === 1 ? index.get(letter.charCodeAt(0)) : undefined;
  return id === undefined || id < 0 ? undefined : id;
}
