/**
 * English sounds in the International Phonetic Alphabet, in the two spellings that voices were trained on: espeak-ng's
 * (Piper, Kitten) and that of Kokoro's own phonemizer, misaki, which has one letter for each diphthong and affricate. In
 * both a stress mark stands right before its vowel.
 *
 * Inventories: espeak-ng's docs/phonemes.md; hexgrad/misaki's EN_PHONES.md.
 */
import { isVowel, SCHWA, type Sound } from "./arpabet.js";

export const IPA_ALPHABETS = ["espeak", "misaki"] as const;
export type IpaAlphabet = (typeof IPA_ALPHABETS)[number];

const CONSONANTS: Readonly<Record<string, string>> = {
  B: "b",
  CH: "tʃ",
  D: "d",
  DH: "ð",
  F: "f",
  G: "ɡ",
  HH: "h",
  JH: "dʒ",
  K: "k",
  L: "l",
  M: "m",
  N: "n",
  NG: "ŋ",
  P: "p",
  R: "ɹ",
  S: "s",
  SH: "ʃ",
  T: "t",
  TH: "θ",
  V: "v",
  W: "w",
  Y: "j",
  Z: "z",
  ZH: "ʒ",
};

const SYMBOLS: Readonly<Record<IpaAlphabet, Readonly<Record<string, string>>>> = {
  espeak: {
    ...CONSONANTS,
    A: "ɐ",
    AA: "ɑː",
    AE: "æ",
    AH: "ʌ",
    AO: "ɔː",
    AW: "aʊ",
    AX: "ə",
    AY: "aɪ",
    EH: "ɛ",
    ER: "ɜː",
    EY: "eɪ",
    IH: "ɪ",
    IY: "iː",
    OW: "oʊ",
    OY: "ɔɪ",
    UH: "ʊ",
    UW: "uː",
  },
  misaki: {
    ...CONSONANTS,
    CH: "ʧ",
    JH: "ʤ",
    A: "ɐ",
    AA: "ɑ",
    AE: "æ",
    AH: "ʌ",
    AO: "ɔ",
    AW: "W",
    AX: "ə",
    AY: "I",
    EH: "ɛ",
    ER: "ɜɹ",
    EY: "A",
    IH: "ɪ",
    IY: "i",
    OW: "O",
    OY: "Y",
    UH: "ʊ",
    UW: "u",
  },
};

/** The symbols of one word. */
export function ipaOf(sounds: readonly Sound[], alphabet: IpaAlphabet): string {
  return sounds.map((_, at) => symbolAt(sounds, at, alphabet)).join("");
}

const STRESS_MARKS = ["", "ˈ", "ˌ"] as const;

function symbolAt(sounds: readonly Sound[], at: number, alphabet: IpaAlphabet): string {
  const sound = sounds[at]!;
  const plain = SYMBOLS[alphabet][sound.name] ?? "";
  if (sound.stress === undefined) return isFlap(sounds, at) ? "ɾ" : plain;
  return STRESS_MARKS[sound.stress] + (reduced(sounds, at, alphabet) ?? plain);
}

/** T between a vowel, or R, and a vowel without stress: "better", "forty". */
function isFlap(sounds: readonly Sound[], at: number): boolean {
  const [before, after] = [sounds[at - 1], sounds[at + 1]];
  return sounds[at]!.name === "T" && (isVowel(before) || before?.name === "R") && after?.stress === 0;
}

const OBSTRUENTS: ReadonlySet<string> = new Set("B CH D DH F G JH K P S SH T TH V Z ZH".split(" "));
const SIBILANTS: ReadonlySet<string> = new Set("S Z SH ZH CH JH".split(" "));

/** What a vowel becomes by its place or for want of stress; undefined if it stays itself. */
function reduced(sounds: readonly Sound[], at: number, alphabet: IpaAlphabet): string | undefined {
  const { name, stress } = sounds[at]!;
  const [before, after] = [sounds[at - 1]?.name ?? "", sounds[at + 1]?.name];
  if (name === "ER") {
    const isFollowed = isVowel(sounds[at + 1]);
    if (stress === 0) return alphabet === "misaki" ? "əɹ" : isFollowed ? "ɚɹ" : "ɚ";
    return alphabet === "espeak" && isFollowed ? "ɜːɹ" : undefined;
  }
  if (stress !== 0) return undefined;
  if (alphabet === "espeak" && name === "IY") return "i";
  if (at + 2 !== sounds.length || !sounds.slice(0, at).some((sound) => isVowel(sound))) return undefined;
  // The vowel of an ending: "boxes", "wanted", "little".
  const isWeak = name === "IH" || name === SCHWA;
  if (isWeak && after === "Z" && SIBILANTS.has(before)) return "ᵻ";
  if (isWeak && after === "D" && (before === "T" || before === "D")) return "ᵻ";
  return alphabet === "misaki" && name === SCHWA && after === "L" && OBSTRUENTS.has(before) ? "ᵊ" : undefined;
}

const TO_MISAKI: readonly (readonly [RegExp, string])[] = [
  [/a\u0361?ɪ/g, "I"],
  [/a\u0361?ʊ/g, "W"],
  [/e\u0361?ɪ/g, "A"],
  [/o\u0361?ʊ/g, "O"],
  [/ɔ\u0361?ɪ/g, "Y"],
  [/d\u0361?ʒ/g, "ʤ"],
  [/t\u0361?ʃ/g, "ʧ"],
  [/ɜːɹ?/g, "ɜɹ"],
  [/ɚɹ?/g, "əɹ"],
  [/əl(?=$|\s)/g, "ᵊl"],
  [/(\S)\u0329/g, "ᵊ$1"],
  [/ʲ/g, ""],
  [/r/g, "ɹ"],
  [/[xç]/g, "k"],
  [/ɬ/g, "l"],
  [/ʔ/g, "t"],
  [/e/g, "A"],
  [/o/g, "ɔ"],
  [/ː|\u0303|\u0361/g, ""],
];

/** American English as espeak-ng writes it, in misaki's symbols. */
export function misakiOf(espeak: string): string {
  return TO_MISAKI.reduce((text, [pattern, symbol]) => text.replace(pattern, symbol), espeak);
}
