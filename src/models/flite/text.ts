/**
 * From a request's text to what flite is given: printable ASCII, sentence by sentence.
 *
 * flite reads numbers, times, amounts and common abbreviations itself; it knows no other alphabet than ASCII. Each
 * word of the request keeps its own spelling beside what is spoken for it, so that spans can quote the request.
 */

/** Longest text of one request. At it: TTS_TEXT_TOO_LONG. */
export const TEXT_CHARS_MAX = 1000;
/** A longer word is spoken in parts. */
const WORD_CHARS_MAX = 40;
/** Weight of text without a sentence's end at which one is put in: bounds how long flite computes before it can be stopped. */
const SENTENCE_WEIGHT_MAX = 240;
/** What a character may cost: a digit or symbol becomes a whole word ("7": "seven"), a capital its letter's name. */
const SYMBOL_WEIGHT = 6;
const CAPITAL_WEIGHT = 2;

export interface SpokenWord {
  /** As in the request. */
  readonly text: string;
  /** What flite reads; empty if there is nothing to say. */
  readonly spoken: string;
}

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201b\u2032]/g, "'"],
  [/[\u201c\u201d\u201e\u2033\u00ab\u00bb]/g, ""],
  [/[\u2013\u2014\u2015]/g, ", "],
  [/\u2026/g, "... "],
  [/\u00d7/g, " times "],
  [/\u00b0/g, " degrees "],
  [/\u20ac/g, " euros "],
  [/\u00a3/g, " pounds "],
  [/\u00df/g, "ss"],
  [/\u00e6/g, "ae"],
  [/\u00c6/g, "Ae"],
  [/\u00f8/g, "o"],
  [/\u00d8/g, "O"],
  [/\u0142/g, "l"],
];

/** The words of `text` in order. Empty if there is no letter or digit that flite can say. */
export function spokenWords(text: string): SpokenWord[] {
  const words: SpokenWord[] = [];
  let isSpeakable = false;
  for (const word of text
    .replace(/\p{Cf}/gu, "")
    .replace(/\p{C}/gu, " ")
    .split(/\s+/u)) {
    if (word === "") continue;
    const spoken = spell(word);
    isSpeakable ||= /[a-z0-9]/i.test(spoken);
    words.push({ text: word, spoken });
  }
  return isSpeakable ? words : [];
}

/** One text for flite. A blank line ends a sentence for it. */
export function scriptOf(words: readonly SpokenWord[]): string {
  let script = "";
  let weight = 0;
  for (const { spoken } of words) {
    for (const part of spoken.split(" ")) {
      if (part === "") continue;
      const partWeight = weightOf(part);
      const isBreak = weight > 0 && weight + partWeight > SENTENCE_WEIGHT_MAX;
      script += `${isBreak ? "\n\n" : " "}${part}`;
      weight = (isBreak ? 0 : weight) + partWeight + 1;
      // A letter with a full stop is an initial to flite and ends nothing.
      if (/\w\w[.!?]["')\]]*$/.test(part)) weight = 0;
    }
  }
  return script.trim();
}

function weightOf(part: string): number {
  let weight = 0;
  for (const symbol of part) weight += /[a-z]/.test(symbol) ? 1 : /[A-Z]/.test(symbol) ? CAPITAL_WEIGHT : SYMBOL_WEIGHT;
  return weight;
}

function spell(word: string): string {
  let spoken = word;
  for (const [pattern, replacement] of REPLACEMENTS) spoken = spoken.replace(pattern, replacement);
  spoken = spoken
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim();
  return spoken.replace(LONG_WORD, "$& ").trim();
}

const LONG_WORD = new RegExp(`\\S{${WORD_CHARS_MAX}}(?=\\S)`, "g");
