/**
 * How an English word is said: the CMU Pronouncing Dictionary, then the dictionary's word without its ending, then two
 * dictionary words grown together, then its spelling. Words that carry no stress in a sentence come without it.
 */
import { ARTICLE, consonant, isVowel, parseArpabet, SCHWA, type Sound, vowel } from "./arpabet.js";
import { fullDictionary } from "./dictionary.js";
import { spelledPhones } from "./letter-to-sound.js";

/** Words that a sentence passes over: their vowels keep their colour and lose their stress. */
const UNSTRESSED: ReadonlySet<string> = new Set(
  (
    "a an the of to in on at by for from with and or but nor as if than that is am are was were be been has have had " +
    "do does did can could will would shall should may might must i you he she it we they me him her us them my your " +
    "his its our their there into"
  ).split(" "),
);
/** What the dictionary has otherwise, or not as its first. */
const OWN: Readonly<Record<string, string>> = {
  and: "AE1 N D",
  that: "DH AE1 T",
  for: "F AO1 R",
  from: "F R AH1 M",
  was: "W AH1 Z",
  can: "K AE1 N",
  ok: "OW2 K EY1",
  // Of two words spelled alike, the one that is said more often.
  read: "R IY1 D",
  live: "L IH1 V",
  lead: "L IY1 D",
  wind: "W IH1 N D",
  close: "K L OW1 Z",
  convert: "K AH0 N V ER1 T",
  use: "Y UW1 Z",
  ...daysOfTheWeek(),
};

/** The dictionary's first way ends them in "dee". */
function daysOfTheWeek(): Record<string, string> {
  return {
    sunday: "S AH1 N D EY2",
    monday: "M AH1 N D EY2",
    tuesday: "T UW1 Z D EY2",
    wednesday: "W EH1 N Z D EY2",
    thursday: "TH ER1 Z D EY2",
    friday: "F R AY1 D EY2",
    saturday: "S AE1 T ER0 D EY2",
  };
}

/** A remembered word costs a few hundred bytes. At it: all are forgotten. */
const REMEMBERED_MAX = 5000;
const remembered = new Map<string, readonly Sound[]>();

/**
 * The sounds of a lower-case word; empty if nothing of it can be said.
 * @param isBeforeVowel whether the next word begins with a vowel, as "the" and "to" want to know.
 */
export function soundsOf(word: string, isBeforeVowel = false): readonly Sound[] {
  if (word === "the") return [consonant("DH"), vowel(isBeforeVowel ? "IY" : SCHWA, 0)];
  if (word === "to") return [consonant("T"), vowel(isBeforeVowel ? "UW" : SCHWA, 0)];
  const known = remembered.get(word);
  if (known !== undefined) return known;
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  const sounds = lookUp(word);
  remembered.set(word, sounds);
  return sounds;
}

/** Letter by letter, as "API" is read. @param letters lower case */
export function letterNames(letters: string): Sound[] {
  const names = [...letters].map((letter) => LETTER_NAMES[letter]).filter((name) => name !== undefined);
  return names.flatMap((name, at) => {
    const sounds = parseArpabet(name);
    // The last letter carries the stress.
    return at === names.length - 1 ? sounds : sounds.map(lessened);
  });
}

/** "APIs". */
export function pluralLetterNames(letters: string): Sound[] {
  const names = letterNames(letters);
  return [...names, ...plural(names)];
}

function lookUp(word: string): readonly Sound[] {
  if (word === "a" || word === "an") return [vowel(ARTICLE, 0), ...parseArpabet("N").slice(word.length === 1 ? 1 : 0)];
  const found = OWN[word] === undefined ? inDictionary(word) : parseArpabet(OWN[word]);
  if (found !== undefined) return UNSTRESSED.has(word) ? found.map(unstressed) : found;
  return withoutEnding(word) ?? compound(word) ?? stressed(spelledPhones(word), word);
}

function inDictionary(word: string): Sound[] | undefined {
  const arpabet = fullDictionary(word);
  return arpabet === undefined ? undefined : parseArpabet(arpabet);
}

type Ending = readonly [ending: RegExp, stem: string, sounds: (stem: readonly Sound[]) => readonly Sound[]];

const ENDINGS: readonly Ending[] = [
  [/'s$/, "", plural],
  [/s'$/, "s", () => []],
  [/ies$/, "y", plural],
  [/es$/, "e", plural],
  [/es$/, "", plural],
  [/s$/, "", plural],
  [/([b-df-hj-np-tv-z])\1ed$/, "$1", past],
  [/ied$/, "y", past],
  [/ed$/, "e", past],
  [/ed$/, "", past],
  [/([b-df-hj-np-tv-z])\1ing$/, "$1", () => parseArpabet("IH0 NG")],
  [/ing$/, "e", () => parseArpabet("IH0 NG")],
  [/ing$/, "", () => parseArpabet("IH0 NG")],
  [/ly$/, "", () => parseArpabet("L IY0")],
  [/ness$/, "", () => parseArpabet("N AH0 S")],
  [/less$/, "", () => parseArpabet("L AH0 S")],
  [/able$/, "", () => parseArpabet("AH0 B AH0 L")],
  [/er$/, "e", () => parseArpabet("ER0")],
  [/er$/, "", () => parseArpabet("ER0")],
];

function withoutEnding(word: string): readonly Sound[] | undefined {
  for (const [ending, replacement, soundsAfter] of ENDINGS) {
    if (!ending.test(word)) continue;
    const stem = word.replace(ending, replacement);
    const sounds = stem.length < 3 ? undefined : inDictionary(stem);
    if (sounds !== undefined) return [...sounds, ...soundsAfter(sounds)];
  }
  // A possessive of what no dictionary has: its owner may be said letter by letter or by rule.
  return /^..+'s$/.test(word) ? withSuffix(soundsOf(word.slice(0, -2)), plural) : undefined;
}

function withSuffix(stem: readonly Sound[], suffix: (stem: readonly Sound[]) => readonly Sound[]): readonly Sound[] {
  return [...stem, ...suffix(stem)];
}

const VOICELESS: ReadonlySet<string> = new Set(["P", "T", "K", "F", "TH"]);
const SIBILANT: ReadonlySet<string> = new Set(["S", "Z", "SH", "ZH", "CH", "JH"]);

function plural(stem: readonly Sound[]): Sound[] {
  const last = stem.at(-1)?.name ?? "";
  if (SIBILANT.has(last)) return [vowel("IH", 0), consonant("Z")];
  return [consonant(VOICELESS.has(last) ? "S" : "Z")];
}

function past(stem: readonly Sound[]): Sound[] {
  const last = stem.at(-1)?.name ?? "";
  if (last === "T" || last === "D") return [vowel("IH", 0), consonant("D")];
  const isVoiceless = VOICELESS.has(last) || last === "S" || last === "SH" || last === "CH";
  return [consonant(isVoiceless ? "T" : "D")];
}

/** Shorter parts are more often an accident of spelling than a word. */
const PART_LETTERS_MIN = 3;

/** "voicebot" is "voice" and "bot"; the first part carries the stress. */
function compound(word: string): readonly Sound[] | undefined {
  for (let at = word.length - PART_LETTERS_MIN; at >= PART_LETTERS_MIN; at -= 1) {
    const first = inDictionary(word.slice(0, at));
    const second = first === undefined ? undefined : inDictionary(word.slice(at));
    if (first !== undefined && second !== undefined) return [...first, ...second.map(lessened)];
  }
  return undefined;
}

/** Stress by rule: before "-tion", "-ic" and their like, else on the first syllable. */
function stressed(phones: readonly string[], word: string): Sound[] {
  const names = phones.map((phone) => phone.toUpperCase());
  const vowels = names.flatMap((name, at) => (VOWELS.has(name) ? [at] : []));
  const isLate = /(?:tion|sion|ic|ical|ity|ian|ious)$/.test(word) && vowels.length > 1;
  const strong = isLate ? vowels.at(-2) : vowels.find((at) => names[at] !== SCHWA);
  return names.map((name, at) => {
    if (!VOWELS.has(name)) return consonant(name);
    return at === (strong ?? vowels[0]) ? vowel(name === SCHWA ? "AH" : name, 1) : vowel(name, 0);
  });
}

const VOWELS: ReadonlySet<string> = new Set("AA AE AH AO AW AX AY EH ER EY IH IY OW OY UH UW".split(" "));

function lessened(sound: Sound): Sound {
  return sound.stress === 1 ? vowel(sound.name, 2) : sound;
}

function unstressed(sound: Sound): Sound {
  return isVowel(sound) ? vowel(sound.name, 0) : sound;
}

const LETTER_NAMES: Readonly<Record<string, string>> = {
  a: "EY1",
  b: "B IY1",
  c: "S IY1",
  d: "D IY1",
  e: "IY1",
  f: "EH1 F",
  g: "JH IY1",
  h: "EY1 CH",
  i: "AY1",
  j: "JH EY1",
  k: "K EY1",
  l: "EH1 L",
  m: "EH1 M",
  n: "EH1 N",
  o: "OW1",
  p: "P IY1",
  q: "K Y UW1",
  r: "AA1 R",
  s: "EH1 S",
  t: "T IY1",
  u: "Y UW1",
  v: "V IY1",
  w: "D AH1 B AH0 L Y UW0",
  x: "EH1 K S",
  y: "W AY1",
  z: "Z IY1",
};
