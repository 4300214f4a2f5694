/**
 * When each word was spoken. flite prints phones with their end times but not which word they belong to, so the phones
 * are matched to the words' letters: the cheapest alignment by edit distance (Wagner and Fischer 1974), where letters
 * and phones pair by sound class and pauses belong between words. A heuristic: exact at pauses, within a phone or two
 * elsewhere; numbers and abbreviations, whose letters say little, get what their neighbours leave.
 */
import type { SpokenSpan } from "../family.js";
import { readingOf } from "./reading.js";
import type { SpokenWord } from "./text.js";

export interface Phone {
  /** flite's name; `pau` is a pause. */
  readonly name: string;
  readonly startSample: number;
  readonly endSample: number;
}

/**
 * One span per word that is said, in order, without overlap; a word that is not said (a dash, an emoji) is added to the
 * text of the one before it. Joined by spaces, the texts are the request's words.
 */
export function wordSpans(words: readonly SpokenWord[], phones: readonly Phone[], sampleCount: number): SpokenSpan[] {
  const texts: string[] = [];
  const spoken: string[] = [];
  let lead = "";
  for (const word of words) {
    if (/[a-z0-9]/i.test(word.spoken)) {
      texts.push(`${lead}${word.text}`);
      spoken.push(word.spoken);
      lead = "";
    } else if (texts.length > 0) texts[texts.length - 1] += ` ${word.text}`;
    else lead += `${word.text} `;
  }
  const bounds = align(spoken, phones);
  let previousEnd = 0;
  return texts.map((text, index) => {
    const range = bounds[index]!;
    const inside = phones.slice(range.from, range.to).filter(({ name }) => name !== PAUSE);
    const startSample = Math.min(sampleCount, Math.max(previousEnd, inside[0]?.startSample ?? previousEnd));
    const endSample = Math.min(sampleCount, Math.max(startSample, inside.at(-1)?.endSample ?? startSample));
    previousEnd = endSample;
    return { text, startSample, endSample };
  });
}

/** Reads `phone:endSeconds` lines, one per sentence, onto the sentences' places in the audio. */
export function readPhones(printed: string, sentenceStarts: readonly number[], rateHz: number): Phone[] {
  const phones: Phone[] = [];
  const lines = printed.split("\n").filter((line) => line.includes(":"));
  for (const [index, line] of lines.slice(0, sentenceStarts.length).entries()) {
    const origin = sentenceStarts[index]!;
    let startSample = origin;
    for (const [, name, seconds] of line.matchAll(/(\S+):(\d+\.\d+)/g)) {
      const endSample = Math.max(startSample, origin + Math.round(Number(seconds) * rateHz));
      phones.push({ name: name!, startSample, endSample });
      startSample = endSample;
    }
  }
  return phones;
}

const PAUSE = "pau";
const VOWELS = new Set("aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split(" "));

/** Which phones a letter may stand for, besides vowels for vowel letters. */
const CONSONANTS: Readonly<Record<string, string>> = {
  b: "b",
  c: "k s ch sh",
  d: "d t jh",
  f: "f v",
  g: "g jh ng f zh",
  h: "hh",
  j: "jh y hh",
  k: "k",
  l: "l",
  m: "m",
  n: "n ng",
  p: "p f",
  q: "k",
  r: "r er",
  s: "s z sh zh",
  t: "t th dh ch sh d",
  v: "v f",
  w: "w",
  x: "k z s",
  y: "y",
  z: "z s zh",
};
const PHONES_OF = new Map(Object.entries(CONSONANTS).map(([letter, names]) => [letter, new Set(names.split(" "))]));
const VOWEL_LETTERS = "aeiouyw";
const OFTEN_SILENT = "aeiouyhwg";
interface Letter {
  readonly letter: string;
  readonly word: number;
  /** Of a number or an abbreviation: how it is read is only guessed at. */
  readonly isGuess: boolean;
}

function lettersOf(spoken: readonly string[]): Letter[] {
  const letters: Letter[] = [];
  for (const [word, text] of spoken.entries()) {
    const lower = text.toLowerCase();
    const reading = readingOf(lower);
    for (const letter of reading) {
      if (/[a-z]/.test(letter)) letters.push({ letter, word, isGuess: reading !== lower });
    }
  }
  return letters;
}

function pairCost(letter: Letter, phone: Phone): number {
  if (phone.name === PAUSE) return 4;
  const isVowel = VOWELS.has(phone.name);
  if (isVowel && VOWEL_LETTERS.includes(letter.letter)) return 0;
  if (PHONES_OF.get(letter.letter)?.has(phone.name) === true) return 0;
  return isVowel || VOWEL_LETTERS.includes(letter.letter) ? 1.5 : 1.2;
}

function letterSkipCost(letter: Letter): number {
  return letter.isGuess ? 0.3 : OFTEN_SILENT.includes(letter.letter) ? 0.4 : 0.8;
}

/** A phone without a letter, between `before` and `after`; pauses are free between words and dear inside one. */
function phoneSkipCost(phone: Phone, before: Letter | undefined, after: Letter | undefined): number {
  if (phone.name === PAUSE) return before?.word === after?.word ? 2 : 0;
  return before?.isGuess === true || after?.isGuess === true ? 0.5 : 0.9;
}

interface PhoneRange {
  from: number;
  to: number;
}

const STEP = { pair: 0, skipLetter: 1, skipPhone: 2 } as const;

/** Only alignments this many phones around the diagonal are looked at; bounds time and memory for long texts. */
const BAND_PHONES = 96;

/** The steps that lead to each cell near the diagonal of letters against phones. */
class StepTable {
  readonly #steps: Uint8Array;
  readonly #slope: number;

  constructor(letterCount: number, phoneCount: number) {
    this.#steps = new Uint8Array((letterCount + 1) * (2 * BAND_PHONES + 1));
    this.#slope = phoneCount / Math.max(1, letterCount);
  }

  /** The first column of `row`'s band; it is 2 × BAND_PHONES + 1 wide and may lie partly outside the table. */
  bandStart(row: number): number {
    return Math.round(row * this.#slope) - BAND_PHONES;
  }

  set(row: number, column: number, step: number): void {
    this.#steps[row * (2 * BAND_PHONES + 1) + column - this.bandStart(row)] = step;
  }

  get(row: number, column: number): number {
    const offset = column - this.bandStart(row);
    if (offset < 0) return STEP.skipLetter;
    return offset > 2 * BAND_PHONES ? STEP.skipPhone : this.#steps[row * (2 * BAND_PHONES + 1) + offset]!;
  }
}

/** For each word the range of phones `[from, to)` that the cheapest alignment gives it. */
function align(spoken: readonly string[], phones: readonly Phone[]): PhoneRange[] {
  const letters = lettersOf(spoken);
  const table = new StepTable(letters.length, phones.length);
  let above = new Float32Array(phones.length + 1).fill(Number.POSITIVE_INFINITY);
  let current = new Float32Array(phones.length + 1);
  for (let row = 0; row <= letters.length; row++) {
    const letter = letters[row - 1];
    current.fill(Number.POSITIVE_INFINITY);
    const start = table.bandStart(row);
    for (let column = Math.max(0, start); column <= Math.min(phones.length, start + 2 * BAND_PHONES); column++) {
      const phone = phones[column - 1];
      const pair = letter && phone ? above[column - 1]! + pairCost(letter, phone) : Number.POSITIVE_INFINITY;
      const up = letter ? above[column]! + letterSkipCost(letter) : Number.POSITIVE_INFINITY;
      const left = phone ? current[column - 1]! + phoneSkipCost(phone, letter, letters[row]) : Number.POSITIVE_INFINITY;
      const best = Math.min(pair, up, left);
      current[column] = row === 0 && column === 0 ? 0 : best;
      table.set(row, column, best === pair ? STEP.pair : best === up ? STEP.skipLetter : STEP.skipPhone);
    }
    [above, current] = [current, above];
  }
  return ranges(spoken.length, letters, phones, table);
}

/** Walks the alignment back. A phone between two letters of one word is that word's; else it goes to the word before. */
function ranges(
  wordCount: number,
  letters: readonly Letter[],
  phones: readonly Phone[],
  table: StepTable,
): PhoneRange[] {
  const found = Array.from({ length: wordCount }, () => ({ from: 0, to: 0 }));
  let row = letters.length;
  let column = phones.length;
  while (column > 0) {
    const step = row === 0 ? STEP.skipPhone : table.get(row, column);
    if (step === STEP.skipLetter) {
      row--;
      continue;
    }
    const word = found[letters[Math.max(0, row - 1)]?.word ?? 0];
    if (word !== undefined && phones[column - 1]!.name !== PAUSE) {
      if (word.to === 0) word.to = column;
      word.from = column - 1;
    }
    if (step === STEP.pair) row--;
    column--;
  }
  return found;
}
