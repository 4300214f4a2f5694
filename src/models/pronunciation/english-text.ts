/**
 * English text as it is read aloud: numbers, amounts, times, abbreviations and acronyms become words, and punctuation is
 * kept apart because it shapes the melody. Each word of the text keeps its own spelling beside what is said for it.
 */
import { fullDictionary } from "./dictionary.js";
import {
  amountWords,
  currencyPlural,
  decadeWords,
  digitWords,
  moneyWords,
  numberWords,
  ordinalWords,
  timeWords,
} from "./english-numbers.js";

/** A word of the text between two spaces, and how it is read. */
export interface ReadWord {
  /** As written, with its punctuation. */
  readonly text: string;
  /** Punctuation that is heard before it. */
  readonly before: string;
  /** What is said; empty for a lone mark. */
  readonly parts: readonly ReadPart[];
  /** Punctuation that is heard after it. */
  readonly after: string;
}

export interface ReadPart {
  /** In lower case. */
  readonly word: string;
  /** Said letter by letter. */
  readonly isSpelled: boolean;
  /** Said with an S behind its letters: "APIs". */
  readonly isPlural: boolean;
}

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201b\u2032]/g, "'"],
  [/[\u2013\u2014\u2015]/g, "— "],
  [/ - /g, " — "],
  [/\.{3,}/g, "…"],
];

/** The words of `text` in order; a dash without a word stands with the word before it. */
export function readEnglish(text: string): ReadWord[] {
  let clean = text.replace(/\p{Cf}/gu, "").replace(/\p{C}/gu, " ");
  for (const [pattern, replacement] of REPLACEMENTS) clean = clean.replace(pattern, replacement);
  const written = clean.split(/\s+/u).filter((word) => word !== "");
  const isShouted = !/\p{Ll}/u.test(clean);
  const words: ReadWord[] = [];
  for (const [at, word] of written.entries()) {
    const context = { previous: written[at - 1] ?? "", next: written[at + 1] ?? "", isShouted };
    const read = readWord(word, context);
    const last = words.at(-1);
    if (read.parts.length > 0 || last === undefined) words.push(read);
    else {
      const after = last.after + read.before + read.after;
      words[words.length - 1] = { ...last, text: `${last.text} ${word}`, after };
    }
  }
  return words;
}

interface Context {
  readonly previous: string;
  readonly next: string;
  /** The whole text is in capitals, so they say nothing about a word. */
  readonly isShouted: boolean;
}

const EDGES = /^([^\p{L}\p{N}$€£¥#&@%+=°'.-]*)(.*?)([^\p{L}\p{N}$€£¥%&@+=°]*)$/su;
/** What a voice knows as punctuation; other marks are silent. */
const SILENT = /[^;:,.!?—…"()“”]/g;

function readWord(text: string, context: Context): ReadWord {
  const [, lead = "", core = "", trail = ""] = EDGES.exec(text) ?? [];
  const bare = core.replace(/^'+/, "");
  const long = trail.startsWith(".") ? abbreviation(bare, context) : undefined;
  // The stop of an abbreviation is not heard unless it ends the text too.
  const hasOwnStop = trail.startsWith(".") && (long !== undefined || INITIALS.test(bare)) && context.next !== "";
  const kept = hasOwnStop ? trail.slice(1) : trail;
  const said = long ?? reading(bare, context);
  return {
    text,
    before: lead.replace(SILENT, ""),
    parts: said
      .split(" ")
      .filter(isSayable)
      .flatMap((word) => partsOf(word, context)),
    after: kept.replace(SILENT, ""),
  };
}

/** "U.S", "a.m", "J" before the last stop. */
const INITIALS = /^(?:\p{L}\.)*\p{L}$/u;

function isSayable(word: string): boolean {
  return /[\p{L}\p{N}]/u.test(word);
}

const ABBREVIATIONS: Readonly<Record<string, string>> = {
  dr: "doctor",
  mr: "mister",
  mrs: "missus",
  ms: "miz",
  prof: "professor",
  vs: "versus",
  etc: "et cetera",
  jr: "junior",
  sr: "senior",
  dept: "department",
  est: "established",
  approx: "approximately",
  ave: "avenue",
  blvd: "boulevard",
  rd: "road",
  mt: "mount",
  gen: "general",
  gov: "governor",
  sen: "senator",
  capt: "captain",
  sgt: "sergeant",
  inc: "incorporated",
  ltd: "limited",
  co: "company",
  corp: "corporation",
  "e.g": "for example",
  "i.e": "that is",
  jan: "january",
  feb: "february",
  mar: "march",
  apr: "april",
  jun: "june",
  jul: "july",
  aug: "august",
  sep: "september",
  sept: "september",
  oct: "october",
  nov: "november",
  dec: "december",
};
/** Abbreviations only before a number. */
const BEFORE_NUMBERS: Readonly<Record<string, string>> = {
  no: "number",
  nr: "number",
  fig: "figure",
  p: "page",
  vol: "volume",
  ch: "chapter",
};
/** With or without a stop. */
const ALWAYS: ReadonlySet<string> = new Set(["dr", "mr", "mrs", "ms", "prof", "vs", "etc", "jr", "sr"]);

function abbreviation(word: string, { next }: Context): string | undefined {
  const lower = word.toLowerCase();
  if (lower === "st") return /^\p{Lu}/u.test(next) ? "saint" : "street";
  if (Object.hasOwn(BEFORE_NUMBERS, lower)) return /^#?\d/.test(next) ? BEFORE_NUMBERS[lower] : undefined;
  return Object.hasOwn(ABBREVIATIONS, lower) ? ABBREVIATIONS[lower] : undefined;
}

const UNITS: Readonly<Record<string, string>> = {
  "%": "percent",
  "°": "degrees",
  "°c": "degrees celsius",
  "°f": "degrees fahrenheit",
  km: "kilometers",
  cm: "centimeters",
  mm: "millimeters",
  m: "meters",
  kg: "kilograms",
  g: "grams",
  mg: "milligrams",
  lb: "pounds",
  lbs: "pounds",
  oz: "ounces",
  ft: "feet",
  ml: "milliliters",
  l: "liters",
  kb: "kilobytes",
  mb: "megabytes",
  gb: "gigabytes",
  tb: "terabytes",
  hz: "hertz",
  khz: "kilohertz",
  mhz: "megahertz",
  ghz: "gigahertz",
  ms: "milliseconds",
  mph: "miles per hour",
  am: "A.M.",
  pm: "P.M.",
};

const NUMBER = "\\d+(?:,\\d{3})*(?:\\.\\d+)?|\\.\\d+";
const MONEY = new RegExp(`^([$€£¥])(${NUMBER})$`);
const QUANTITY = new RegExp(`^(${NUMBER})-?([a-z%°]+)$`, "i");
const RANGE = new RegExp(`^(${NUMBER})-(${NUMBER})$`);
const SCALE = /^(?:hundred|thousand|million|billion|trillion)\b/i;

/** What is said for a word without its outer punctuation: words with spaces between them; capitals keep their case. */
function reading(core: string, context: Context): string {
  return (
    readingOfNumber(core, context) ??
    (/^[ap]m$/i.test(core) && /\d$/.test(context.previous) ? UNITS[core.toLowerCase()] : undefined) ??
    readingOfScale(core, context) ??
    (ALWAYS.has(core.toLowerCase()) && /^\p{Lu}/u.test(core) ? abbreviation(core, context) : undefined) ??
    readingOfSymbols(core)
  );
}

function readingOfNumber(core: string, { next }: Context): string | undefined {
  if (!/\d/.test(core)) return undefined;
  if (new RegExp(`^(?:${NUMBER})$`).test(core)) return numberWords(core);
  const money = MONEY.exec(core);
  // Before "million" the amount alone: the currency comes behind it.
  if (money !== null) return SCALE.test(next) ? amountWords(money[2]!) : moneyWords(money[1]!, money[2]!);
  const time = /^(\d{1,2}):(\d\d)(am|pm)?$/i.exec(core);
  if (time !== null && Number(time[1]) < 25 && Number(time[2]) < 60) {
    const mark = time[3]?.toLowerCase() === "am" ? "A.M." : time[3] && "P.M.";
    const isMarked = mark !== undefined || /^[ap]\.?m\b/i.test(next);
    return `${timeWords(time[1]!, time[2]!, isMarked)} ${mark ?? ""}`;
  }
  const ordinal = /^(\d+)(?:st|nd|rd|th)$/i.exec(core);
  if (ordinal !== null) return ordinalWords(ordinal[1]!);
  const decade = /^'?(\d0|\d\d\d0)'?s$/.exec(core);
  if (decade !== null) return decadeWords(decade[1]!);
  if (/^\+?\d{1,4}(?:-\d{2,}){1,4}$/.test(core) && core.replace(/\D/g, "").length >= 7) return digitsBetween(core);
  const range = RANGE.exec(core);
  if (range !== null) return `${numberWords(range[1]!)} to ${numberWords(range[2]!)}`;
  if (/^-\d/.test(core))
    return `minus ${readingOfNumber(core.slice(1), { previous: "", next, isShouted: false }) ?? ""}`;
  if (/^#\d+$/.test(core)) return `number ${numberWords(core.slice(1))}`;
  const quantity = QUANTITY.exec(core);
  const unit = quantity === null ? undefined : UNITS[quantity[2]!.toLowerCase()];
  return unit === undefined ? undefined : `${amountWords(quantity![1]!)} ${unit}`;
}

function digitsBetween(core: string): string {
  return core
    .split(/\D+/)
    .filter((digits) => digits !== "")
    .map(digitWords)
    .join(" ");
}

/** "million" after "$5". */
function readingOfScale(core: string, { previous }: Context): string | undefined {
  if (!SCALE.test(core)) return undefined;
  const symbol = MONEY.exec(previous)?.[1];
  const plural = symbol === undefined ? undefined : currencyPlural(symbol);
  return plural === undefined ? undefined : `${core} ${plural}`;
}

function readingOfSymbols(core: string): string {
  return core
    .replace(/(?<=\p{L})\.(?=\p{L}{2})/gu, " dot ")
    .replace(/&/g, " and ")
    .replace(/@/g, " at ")
    .replace(/%/g, " percent ")
    .replace(/\+/g, " plus ")
    .replace(/=/g, " equals ")
    .replace(/°/g, " degrees ")
    .replace(/(?<=\d)\.(?=\d)/g, " point ")
    .replace(/\//g, " slash ")
    .replace(/\d+/g, (digits) => ` ${numberWords(digits)} `)
    .replace(/[^\p{L}\p{N}'.]+/gu, " ");
}

/** Written in capitals, these are read letter by letter though the dictionary has a word spelled like them. */
const SPELLED: ReadonlySet<string> = new Set(["US", "AI", "IT", "ID", "IP", "ER", "ADD", "OS", "UK", "EU", "UN"]);
/** Longer words in capitals are words. */
const ACRONYM_LETTERS_MAX = 5;

function partsOf(word: string, { isShouted }: Context): ReadPart[] {
  const latin = word.normalize("NFKD").replace(/\p{M}/gu, "");
  // "U.S.", "a.m", "J."
  if (/^(?:\p{L}\.)+\p{L}?$/u.test(latin)) return [spelled(latin.replaceAll(".", ""))];
  return latin
    .replaceAll(".", "")
    .replace(/(?<=\p{Ll}{2})(?=\p{Lu})/gu, " ")
    .split(" ")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [, capitals, suffix = ""] = /^(\p{Lu}+)('?s)?$/u.exec(part) ?? [];
      const isAcronym = capitals !== undefined && capitals.length > 1 && !isShouted && isReadByLetter(capitals);
      if (isAcronym) return [spelled(capitals, suffix !== "")];
      return [{ word: part.toLowerCase(), isSpelled: false, isPlural: false }];
    });
}

function spelled(letters: string, isPlural = false): ReadPart {
  return { word: letters.toLowerCase(), isSpelled: true, isPlural };
}

function isReadByLetter(capitals: string): boolean {
  if (SPELLED.has(capitals)) return true;
  return capitals.length <= ACRONYM_LETTERS_MAX && fullDictionary(capitals.toLowerCase()) === undefined;
}
