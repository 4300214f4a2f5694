/**
 * From text to the phonemes that a voice was trained on. English is built in: the CMU Pronouncing Dictionary and rules,
 * free of espeak's licence. For other languages, or for espeak's own reading, the user installs a module and names it.
 *
 * Most phonemizer modules contain espeak-ng, which is under the GPL, version 3: whoever distributes a program together
 * with one distributes both under that licence. Syrinx therefore contains none and imports one only by the user's word.
 */
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { isVowel, type Sound } from "./arpabet.js";
import { type ReadPart, readEnglish } from "./english-text.js";
import { letterNames, pluralLetterNames, soundsOf } from "./english-words.js";
import { type IpaAlphabet, ipaOf, misakiOf } from "./ipa.js";

/** A word of a text, or several where a phonemizer cannot tell them apart, and how it is said. */
export interface PhonemeWord {
  /** As in the text. Joined by spaces, the words are the text but for its white space. */
  readonly text: string;
  /** IPA with the punctuation around it, spaces between several words. Joined by spaces, the whole text's phonemes. */
  readonly phonemes: string;
}

export interface Phonemizer {
  /** Throws TTS_FAILED if a module fails. */
  phonemize(text: string): Promise<readonly PhonemeWord[]>;
}

/** What a user's module exports: the npm package `phonemizer` does. */
export interface PhonemizerModule {
  /**
   * @param text words and spaces, no punctuation
   * @param language such as `en-us`, `de`, `fr-fr`: espeak's name of a voice
   * @returns IPA as espeak-ng writes it, with stress marks, words separated by spaces; several strings are joined
   */
  phonemize(text: string, language: string): PhonemizerResult | Promise<PhonemizerResult>;
}
type PhonemizerResult = string | readonly string[];

/** Keys of a `models:` entry that every family of phonemes shares. */
export const phonemizerOptions = {
  language: z.string().min(1).max(20).default("en-us").describe("of the text, as espeak names it; en-us is built in"),
  phonemizer: z
    .strictObject({
      module: z.string().min(1).describe("an npm package or a file that exports phonemize(text, language)"),
    })
    .optional()
    .describe("for other languages than en-us; modules with espeak inside are under the GPL"),
};

export interface PhonemizerChoice {
  readonly language: string;
  readonly phonemizer?: { readonly module: string } | undefined;
}

/**
 * @param baseFolder where the user's module is looked up
 * Throws TTS_LANGUAGE_UNKNOWN, TTS_PHONEMIZER_INVALID.
 */
export async function openPhonemizer(
  { language, phonemizer }: PhonemizerChoice,
  alphabet: IpaAlphabet,
  baseFolder: string,
): Promise<Phonemizer> {
  if (phonemizer !== undefined) {
    return new ModulePhonemizer(await importPhonemizer(phonemizer.module, baseFolder), language, alphabet);
  }
  if (!/^en(?:-us)?$/i.test(language)) throw new SyrinxError("TTS_LANGUAGE_UNKNOWN", { language });
  return { phonemize: async (text) => phonemizeEnglish(text, alphabet) };
}

/** American English by dictionary and rules. The first call reads the dictionary, 150 ms; later ones take under 1 ms. */
export function phonemizeEnglish(text: string, alphabet: IpaAlphabet): PhonemeWord[] {
  const words = readEnglish(text);
  const parts = words.flatMap((word) => word.parts);
  // From the end, since a word may want to know how the next one begins.
  const spoken: string[] = [];
  let next: readonly Sound[] = [];
  for (const part of [...parts].reverse()) {
    next = soundsOfPart(part, isVowel(next[0]));
    spoken.unshift(ipaOf(next, alphabet));
  }
  let at = 0;
  return words.map(({ text: written, before, after, parts: { length } }) => {
    const said = spoken.slice(at, at + length).filter((ipa) => ipa !== "");
    at += length;
    return { text: written, phonemes: `${before}${said.join(" ")}${after}` };
  });
}

function soundsOfPart({ word, isSpelled, isPlural }: ReadPart, isBeforeVowel: boolean): readonly Sound[] {
  if (!isSpelled) return soundsOf(word, isBeforeVowel);
  return isPlural ? pluralLetterNames(word) : letterNames(word);
}

async function importPhonemizer(module: string, baseFolder: string): Promise<PhonemizerModule> {
  const invalid = (reason: string, cause?: unknown) =>
    new SyrinxError("TTS_PHONEMIZER_INVALID", { module, reason }, cause);
  let exports: unknown;
  try {
    exports = await import(locationOf(module, baseFolder));
  } catch (error) {
    throw invalid(reasonOf(error), error);
  }
  if (!isPhonemizerModule(exports)) throw invalid("it exports no function phonemize");
  return exports;
}

/** A path is relative to the configuration's folder; a package is looked up from there too, then beside this one. */
function locationOf(module: string, baseFolder: string): string {
  if (isAbsolute(module) || module.startsWith(".")) return pathToFileURL(resolve(baseFolder, module)).href;
  try {
    return pathToFileURL(createRequire(join(resolve(baseFolder), "module.js")).resolve(module)).href;
  } catch {
    return module;
  }
}

function isPhonemizerModule(exports: unknown): exports is PhonemizerModule {
  return (
    typeof exports === "object" && exports !== null && "phonemize" in exports && typeof exports.phonemize === "function"
  );
}

/** Reads a text in pieces between punctuation, which a module would swallow. */
class ModulePhonemizer implements Phonemizer {
  readonly #module: PhonemizerModule;
  readonly #language: string;
  readonly #alphabet: IpaAlphabet;

  constructor(module: PhonemizerModule, language: string, alphabet: IpaAlphabet) {
    this.#module = module;
    this.#language = language;
    this.#alphabet = alphabet;
  }

  async phonemize(text: string): Promise<readonly PhonemeWord[]> {
    const result: PhonemeWord[] = [];
    for (const piece of piecesOf(text)) result.push(...(await this.#piece(piece)));
    return result;
  }

  async #piece(words: readonly MarkedWord[]): Promise<PhonemeWord[]> {
    const spoken = words.map((word) => word.core).join(" ");
    const before = words[0]!.before;
    const after = words.at(-1)!.after;
    if (!/[\p{L}\p{N}]/u.test(spoken)) return [{ text: joined(words), phonemes: before + after }];
    const ipa = (await this.#ask(spoken)).split(/\s+/).filter((word) => word !== "");
    // A module may run words together ("of the") or say a number in several; then the piece's time is one span.
    if (ipa.length !== words.length) return [{ text: joined(words), phonemes: before + ipa.join(" ") + after }];
    return words.map(({ text, before: lead, after: trail }, at) => ({ text, phonemes: lead + ipa[at]! + trail }));
  }

  async #ask(text: string): Promise<string> {
    try {
      const result = await this.#module.phonemize(text, this.#language);
      const ipa = typeof result === "string" ? result : result.join(" ");
      return this.#alphabet === "misaki" && this.#language.startsWith("en") ? misakiOf(ipa) : ipa;
    } catch (error) {
      throw new SyrinxError("TTS_FAILED", { reason: `the phonemizer failed: ${reasonOf(error)}` }, error);
    }
  }
}

interface MarkedWord {
  readonly text: string;
  readonly before: string;
  readonly core: string;
  readonly after: string;
}

const MARKS = /^([("“¿¡«]*)(.*?)([;:,.!?—…")”»]*)$/su;

/** Words up to and with the next punctuation. */
function piecesOf(text: string): MarkedWord[][] {
  const pieces: MarkedWord[][] = [[]];
  for (const word of text.split(/\s+/u)) {
    if (word === "") continue;
    const [, before = "", core = "", after = ""] = MARKS.exec(word) ?? [];
    if (before !== "" && pieces.at(-1)!.length > 0) pieces.push([]);
    pieces.at(-1)!.push({ text: word, before, core, after });
    if (after !== "") pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function joined(words: readonly MarkedWord[]): string {
  return words.map((word) => word.text).join(" ");
}
