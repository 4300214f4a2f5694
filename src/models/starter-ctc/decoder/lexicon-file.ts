/**
 * Reads `lm-en.bin.gz`, made by training/build-lm.mjs. After decompression, little-endian:
 *
 *   "SYXLM001", then uint32: words W, text bytes, pronunciation bytes, bigrams, bigram bytes
 *   text               W words in UTF-8, parted by line feeds, the most frequent first: a word's id is its place
 *   unigrams           W bytes, negative natural log in steps of 1/12
 *   back-off weights   W + 1 bytes, same steps; the last is that of the sentence start
 *   pronunciations     per word: their number, then for each its length and its labels (1 to 40)
 *   bigrams            per history (W words, then the start): varint count, then per successor, ascending:
 *                      varint distance to the id before (from −1) and one byte of probability
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { reasonOf, SyrinxError } from "../../../base/errors.js";
import { labelsAreValid, type Pronunciations } from "./phone-trie.js";

const MAGIC = "SYXLM001";
const HEADER_BYTES = 28;
/** Natural-log step of every stored probability. */
export const LOG_STEP = 1 / 12;
/** The decompressed size that is read at most; a larger file is refused. */
export const LEXICON_BYTES_MAX = 32 * 1024 * 1024;
const WORDS_MAX = 100_000;

export interface LexiconTables {
  readonly words: readonly string[];
  /** Steps of {@link LOG_STEP} below zero, per word. */
  readonly unigram: Uint8Array;
  /** The same per history; index `words.length` is the start of a sentence. */
  readonly backoff: Uint8Array;
  readonly pronunciations: Pronunciations;
  /** Successors of history `h`: `successors[starts[h] … starts[h + 1] - 1]`, ascending, with their probabilities. */
  readonly bigramStarts: Int32Array;
  readonly successors: Int32Array;
  readonly bigram: Uint8Array;
}

/** Synchronous. Throws MODEL_FILE_MISSING or MODEL_FILE_INVALID. */
export function readLexiconFile(path: string): LexiconTables {
  let packed: Buffer;
  try {
    packed = readFileSync(path);
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  }
  try {
    return parse(gunzipSync(packed, { maxOutputLength: LEXICON_BYTES_MAX }));
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reasonOf(error) }, error);
  }
}

function parse(bytes: Buffer): LexiconTables {
  need(bytes.length >= HEADER_BYTES && bytes.toString("latin1", 0, 8) === MAGIC, `it does not begin with ${MAGIC}`);
  const size = (at: number): number => bytes.readUInt32LE(8 + 4 * at);
  const [wordCount, textBytes, pronunciationBytes] = [size(0), size(1), size(2)];
  const [bigramCount, bigramBytes] = [size(3), size(4)];
  need(wordCount > 0 && wordCount <= WORDS_MAX, `it claims ${wordCount} words`);
  const expected = HEADER_BYTES + textBytes + 2 * wordCount + 1 + pronunciationBytes + bigramBytes;
  need(bytes.length === expected, `it has ${bytes.length} bytes, its header asks for ${expected}`);
  // So that the count cannot ask for more memory than the file backs: a bigram is two bytes or more.
  need(2 * bigramCount <= bigramBytes, `it claims ${bigramCount} bigrams in ${bigramBytes} bytes`);
  let at = HEADER_BYTES;
  const take = (byteCount: number): Buffer => {
    at += byteCount;
    return bytes.subarray(at - byteCount, at);
  };
  const words = take(textBytes).toString("utf8").split("\n");
  need(words.length === wordCount, `it lists ${words.length} words, its header says ${wordCount}`);
  const unigram = Uint8Array.from(take(wordCount));
  const backoff = Uint8Array.from(take(wordCount + 1));
  const pronunciations = readPronunciations(take(pronunciationBytes), wordCount);
  return { words, unigram, backoff, pronunciations, ...readBigrams(take(bigramBytes), wordCount, bigramCount) };
}

function readPronunciations(bytes: Uint8Array, wordCount: number): Pronunciations {
  const words: number[] = [];
  const starts: number[] = [0];
  const labels = new Uint8Array(bytes.length);
  let labelCount = 0;
  let at = 0;
  for (let word = 0; word < wordCount; word += 1) {
    need(at < bytes.length, "its pronunciations end early");
    const variants = bytes[at]!;
    at += 1;
    for (let variant = 0; variant < variants; variant += 1) {
      const length = bytes[at] ?? 0;
      need(length > 0 && at + 1 + length <= bytes.length, "its pronunciations end early");
      labels.set(bytes.subarray(at + 1, at + 1 + length), labelCount);
      labelCount += length;
      at += 1 + length;
      words.push(word);
      starts.push(labelCount);
    }
  }
  need(at === bytes.length, "bytes are left after its pronunciations");
  const used = labels.slice(0, labelCount);
  need(labelsAreValid(used), "a pronunciation has a label beyond the phone set");
  return { words: Int32Array.from(words), starts: Int32Array.from(starts), labels: used };
}

function readBigrams(
  bytes: Uint8Array,
  wordCount: number,
  bigramCount: number,
): Pick<LexiconTables, "bigramStarts" | "successors" | "bigram"> {
  const bigramStarts = new Int32Array(wordCount + 2);
  const successors = new Int32Array(bigramCount);
  const bigram = new Uint8Array(bigramCount);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      need(at < bytes.length, "its bigrams end early");
      const byte = bytes[at]!;
      at += 1;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new Error("a number in its bigrams is too long");
  };
  let filled = 0;
  for (let history = 0; history <= wordCount; history += 1) {
    const count = varint();
    need(filled + count <= bigramCount, "it has more bigrams than its header says");
    let word = -1;
    for (let n = 0; n < count; n += 1) {
      word += varint();
      need(word >= 0 && word < wordCount && at < bytes.length, "a bigram names a word that is not there");
      successors[filled] = word;
      bigram[filled] = bytes[at]!;
      at += 1;
      filled += 1;
    }
    bigramStarts[history + 1] = filled;
  }
  need(filled === bigramCount && at === bytes.length, "bytes are left after its bigrams");
  return { bigramStarts, successors, bigram };
}

function need(condition: boolean, reason: string): void {
  if (!condition) throw new Error(reason);
}
