/**
 * API keys as an operator writes them down: one entry a line, the key or its digest, then settings.
 *
 *     sha256:9f86d0…  name=acme calls=20 audio=25   # a comment
 *
 * Keys are random and long, so a plain SHA-256 is the right digest: what makes scrypt or a salt worth their cost is a
 * secret that can be guessed, and a slow digest would let anybody who knocks make the server work.
 */
import { createHash, randomBytes } from "node:crypto";
import { LIMITS } from "../base/limits.js";

/** One key of the server. Holds no secret: the key itself cannot be had back from its digest. */
export interface ApiKey {
  /** SHA-256 of the key's UTF-8, in lower-case hexadecimal. */
  readonly digest: string;
  /** For logs. Not unique: the old and the new key of one client may share it. */
  readonly name: string;
  /** Calls that may be open with it at the same time. Absent: as many as the server has. */
  readonly maxCalls?: number;
  /** Seconds of audio that it may send in a second, all its calls together. Absent: no limit but that of each call. */
  readonly audioRate?: number;
}

export interface KeyFault {
  /** Of the line, or of the entry where there are no lines; from 1. */
  readonly place: number;
  /** Never repeats what stands there. */
  readonly problem: string;
}

export interface KeyList {
  readonly keys: readonly ApiKey[];
  readonly faults: readonly KeyFault[];
  /** Places of keys that are short enough to be guessed. */
  readonly weak: readonly number[];
}

export const KEY_LIMITS = {
  /** A file or variable of keys. */
  bytes: 256 * 1024,
  keys: 2048,
  /** A key shorter than this is called weak. */
  charsMin: 16,
  /** A longer one is refused unread. */
  charsMax: 1024,
  nameChars: 64,
  audioRateMin: 0.1,
  audioRateMax: 10_000,
} as const;

const DIGEST_ENTRY = /^sha256:(.*)$/is;
const DIGEST = /^[0-9a-f]{64}$/i;
const SETTING = /^(name|calls|audio)=(.*)$/s;
/** Makes the keys of `syrinx keys new` easy to find where they should not be. */
const KEY_PREFIX = "syx_";
const KEY_BYTES = 32;

/** Any thread. Of 256 random bits; letters, digits, `-` and `_`, so that it fits wherever clients put it. */
export function newKey(): string {
  return KEY_PREFIX + randomBytes(KEY_BYTES).toString("base64url");
}

export function digestOf(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

/** The entry for a key, without the key. */
export function keyEntry(key: string, settings: readonly string[] = []): string {
  return [`sha256:${digestOf(key).toString("hex")}`, ...settings].join(" ");
}

/** One entry a line; `#` at a line's beginning or after a blank begins a comment. */
export function parseKeyLines(text: string): KeyList {
  const list = new ListReader();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line
      .replace(/(^|\s)#.*$/, "")
      .split(/\s+/)
      .filter(isWord);
    if (words.length > 0) list.add(index + 1, words);
  }
  return list;
}

/** Entries between commas or blanks; settings follow the key that they belong to. */
export function parseKeyWords(text: string): KeyList {
  const list = new ListReader();
  const entries: string[][] = [];
  for (const word of text.split(/[\s,]+/).filter(isWord)) {
    const last = entries.at(-1);
    if (last !== undefined && SETTING.test(word)) last.push(word);
    else entries.push([word]);
  }
  for (const [index, words] of entries.entries()) list.add(index + 1, words);
  return list;
}

function isWord(word: string): boolean {
  return word !== "";
}

class ListReader implements KeyList {
  readonly keys: ApiKey[] = [];
  readonly faults: KeyFault[] = [];
  readonly weak: number[] = [];
  readonly #places = new Map<string, number>();

  add(place: number, [key = "", ...words]: readonly string[]): void {
    const digest = readDigest(key);
    const settings = readSettings(words);
    if ("problem" in digest) this.faults.push({ place, problem: digest.problem });
    else if ("problem" in settings) this.faults.push({ place, problem: settings.problem });
    else this.#put(place, digest, settings);
  }

  #put(place: number, { hex, isWeak }: Digest, settings: Settings): void {
    const before = this.#places.get(hex);
    if (before !== undefined) {
      this.faults.push({ place, problem: `the same key stands at ${before}` });
    } else if (this.keys.length === KEY_LIMITS.keys) {
      this.faults.push({ place, problem: `more than ${KEY_LIMITS.keys} keys` });
    } else {
      this.#places.set(hex, place);
      this.keys.push({ name: `key-${hex.slice(0, 8)}`, ...settings, digest: hex });
      if (isWeak) this.weak.push(place);
    }
  }
}

interface Problem {
  readonly problem: string;
}

interface Digest {
  readonly hex: string;
  readonly isWeak: boolean;
}

function readDigest(entry: string): Digest | Problem {
  const written = DIGEST_ENTRY.exec(entry)?.[1];
  if (written !== undefined) {
    if (DIGEST.test(written)) return { hex: written.toLowerCase(), isWeak: false };
    return { problem: "a digest is `sha256:` and 64 hexadecimal digits" };
  }
  if (SETTING.test(entry)) return { problem: "a setting stands before its key" };
  const { charsMin, charsMax } = KEY_LIMITS;
  if (entry.length > charsMax) return { problem: `a key has at most ${charsMax} characters` };
  return { hex: digestOf(entry).toString("hex"), isWeak: entry.length < charsMin };
}

interface Settings {
  name?: string;
  maxCalls?: number;
  audioRate?: number;
}

function readSettings(words: readonly string[]): Settings | Problem {
  const settings: Settings = {};
  for (const word of words) {
    const [, setting, value = ""] = SETTING.exec(word) ?? [];
    if (setting === undefined) return { problem: "after the key come `name=`, `calls=` and `audio=`, without blanks" };
    if (setting === "name") settings.name = value;
    else if (setting === "calls") settings.maxCalls = Number(value);
    else settings.audioRate = Number(value);
  }
  const problem = problemOf(settings);
  return problem === undefined ? settings : { problem };
}

function problemOf({ name, maxCalls, audioRate }: Settings): string | undefined {
  const { nameChars, audioRateMin, audioRateMax } = KEY_LIMITS;
  if (name !== undefined && !(/^[\w.-]+$/.test(name) && name.length <= nameChars)) {
    return `\`name\` is at most ${nameChars} letters, digits, dots, hyphens and underscores`;
  }
  if (maxCalls !== undefined && !(Number.isInteger(maxCalls) && maxCalls >= 1 && maxCalls <= LIMITS.callSlotsMax)) {
    return `\`calls\` is a whole number from 1 to ${LIMITS.callSlotsMax}`;
  }
  if (audioRate !== undefined && !(audioRate >= audioRateMin && audioRate <= audioRateMax)) {
    return `\`audio\` is a number of seconds of audio per second, from ${audioRateMin} to ${audioRateMax}`;
  }
  return undefined;
}
