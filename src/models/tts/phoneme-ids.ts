/** From phonemes to the numbers that a voice's graph reads. */
import { readFile } from "node:fs/promises";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { PhonemeWord } from "../pronunciation/phonemizer.js";
import type { PlacedWord } from "./spans.js";

/** The ids of each symbol, a Unicode code point. A symbol that is not in the table is not said. */
export type SymbolTable = ReadonlyMap<string, readonly number[]>;

/** What stands around the symbols' ids. */
export interface IdLayout {
  readonly start: readonly number[];
  /** Behind each symbol. */
  readonly between: readonly number[];
  readonly end: readonly number[];
}

export interface EncodedWords {
  readonly ids: readonly number[];
  readonly words: readonly PlacedWord[];
  /** Symbols among the ids, spaces included. */
  readonly symbolCount: number;
}

/** Marks alone make no sound. */
export function isSaid({ phonemes }: PhonemeWord): boolean {
  return /[\p{L}\p{N}]/u.test(phonemes);
}

/** The ids of words with spaces between them. */
export function encodeWords(words: readonly PhonemeWord[], table: SymbolTable, layout: IdLayout): EncodedWords {
  const ids = [...layout.start];
  const placed: PlacedWord[] = [];
  let symbolCount = 0;
  const put = (symbol: string): void => {
    const known = table.get(symbol);
    if (known === undefined) return;
    ids.push(...known, ...layout.between);
    symbolCount += 1;
  };
  for (const { text, phonemes } of words) {
    if (placed.length > 0) put(" ");
    const from = ids.length;
    for (const symbol of phonemes) put(symbol);
    placed.push({ text, from, to: ids.length });
  }
  return { ids: [...ids, ...layout.end], words: placed, symbolCount };
}

/**
 * Cuts words into groups of at most `symbolsMax` symbols with the spaces between them: after the last punctuation of a
 * group's second half if there is one. A longer word is cut; its text stands with its beginning.
 */
export function packWords(words: readonly PhonemeWord[], symbolsMax: number): PhonemeWord[][] {
  const groups: PhonemeWord[][] = [];
  let group: PhonemeWord[] = [];
  for (const word of words.flatMap((whole) => cut(whole, symbolsMax))) {
    group.push(word);
    if (lengthOf(group) <= symbolsMax) continue;
    const at = breakOf(group, symbolsMax);
    groups.push(group.slice(0, at));
    group = group.slice(at);
  }
  return group.length > 0 ? [...groups, group] : groups;
}

function cut(word: PhonemeWord, symbolsMax: number): PhonemeWord[] {
  const symbols = [...word.phonemes];
  if (symbols.length <= symbolsMax) return [word];
  const parts: PhonemeWord[] = [];
  for (let at = 0; at < symbols.length; at += symbolsMax) {
    parts.push({ text: at === 0 ? word.text : "", phonemes: symbols.slice(at, at + symbolsMax).join("") });
  }
  return parts;
}

function lengthOf(words: readonly PhonemeWord[]): number {
  return words.reduce((total, { phonemes }) => total + [...phonemes].length, words.length - 1);
}

/** How many words of a group that is one word too long stay in it. */
function breakOf(group: readonly PhonemeWord[], symbolsMax: number): number {
  for (let at = group.length - 1; at > 0 && lengthOf(group.slice(0, at)) > symbolsMax / 2; at -= 1) {
    if (/[;:,.!?—…]["”)]*$/.test(group[at - 1]!.phonemes)) return at;
  }
  return group.length - 1;
}

/**
 * Reads a vocabulary as published beside a model: a `tokenizer.json` or `config.json` with a `vocab` of symbols and ids,
 * or `tokens.txt` with a symbol and its id on each line. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID.
 */
export async function readSymbolTable(path: string): Promise<SymbolTable> {
  const text = await readTextFile(path);
  const entries = path.endsWith(".json") ? vocabOf(parseJson(path, text)) : linesOf(text);
  if (entries === undefined || entries.length === 0) {
    const reason = "expected a JSON object with `vocab`, or lines of a symbol and its id";
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason });
  }
  return new Map(entries.map(([symbol, id]) => [symbol, [id]]));
}

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readTextFile(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it cannot be read" }, error);
  });
}

/** Throws MODEL_FILE_INVALID. */
export function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: `it is not JSON: ${reasonOf(error)}` }, error);
  }
}

type Entry = readonly [symbol: string, id: number];

function vocabOf(json: unknown): Entry[] | undefined {
  const found = member(json, "vocab") ?? member(member(json, "model"), "vocab");
  if (typeof found !== "object" || found === null) return undefined;
  const entries = Object.entries(found);
  return entries.every((entry): entry is [string, number] => Number.isInteger(entry[1])) ? entries : undefined;
}

function member(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>)[name] : undefined;
}

/** The symbol may be a space. */
function linesOf(text: string): Entry[] | undefined {
  const entries: Entry[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    const [, symbol, id] = /^(.+?)\s+(\d+)$/u.exec(line) ?? [];
    if (symbol === undefined) return undefined;
    entries.push([symbol, Number(id)]);
  }
  return entries;
}
