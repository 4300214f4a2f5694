/** Words, their pronunciation trie and the word bigram: read-only, loaded once per worker, shared by all its decoders. */
import { join } from "node:path";
import { Candidates } from "./beam.js";
import { type LexiconTables, LOG_STEP, readLexiconFile } from "./lexicon-file.js";
import { buildTrie, type PhoneTrie } from "./phone-trie.js";

/** Below the starter models' folder. */
export const LEXICON_FILE = "lm-en.bin.gz";
/** Natural-log unigram probability of a word outside the vocabulary: that of a rare one inside it. */
export const UNKNOWN_LOGP = -12;
/** Candidates of one slot. At it: those of the worst hypotheses are lost; real posteriors stay far below. */
const CANDIDATES_PER_HYPOTHESIS = 128;
const CANDIDATES_MIN = 2048;

export class Lexicon {
  readonly trie: PhoneTrie;
  readonly wordCount: number;
  /** The history of the first word. */
  readonly sentenceStart: number;
  private idOf: Map<string, number> | undefined;
  private scratch = new Candidates(CANDIDATES_MIN);

  constructor(private readonly tables: LexiconTables) {
    this.wordCount = tables.words.length;
    this.sentenceStart = this.wordCount;
    this.trie = buildTrie(tables.pronunciations, (word) => this.unigram(word));
  }

  word(id: number): string {
    return this.tables.words[id] ?? "";
  }

  /** Scratch of one search step, shared by all decoders of this thread: nothing in it outlives the step. */
  candidates(beam: number): Candidates {
    const wanted = beam * CANDIDATES_PER_HYPOTHESIS;
    if (wanted > this.scratch.rows.capacity) this.scratch = new Candidates(wanted);
    return this.scratch;
  }

  /** The id of a lower-case word, or −1. The first question takes some milliseconds: only key terms ask. */
  find(word: string): number {
    this.idOf ??= new Map(this.tables.words.map((known, id) => [known, id]));
    return this.idOf.get(word) ?? -1;
  }

  /** All pronunciations of a word in the vocabulary, as label indices. */
  pronunciationsOf(id: number): number[][] {
    const { words, starts, labels } = this.tables.pronunciations;
    const found: number[][] = [];
    for (let entry = lowerBound(words, 0, words.length, id); words[entry] === id; entry += 1) {
      found.push(Array.from(labels.subarray(starts[entry]!, starts[entry + 1]!)));
    }
    return found;
  }

  /** Natural log of p(word); ids at or beyond {@link wordCount} are words outside the vocabulary. */
  unigram(word: number): number {
    return word < this.wordCount ? -this.tables.unigram[word]! * LOG_STEP : UNKNOWN_LOGP;
  }

  /** Natural log of p(word | history), backed off to the unigram. Histories outside the vocabulary say nothing. */
  bigram(history: number, word: number): number {
    if (history > this.wordCount) return this.unigram(word);
    const { bigramStarts, successors, bigram, backoff } = this.tables;
    if (word < this.wordCount) {
      const end = bigramStarts[history + 1]!;
      const at = lowerBound(successors, bigramStarts[history]!, end, word);
      if (at < end && successors[at] === word) return -bigram[at]! * LOG_STEP;
    }
    return -backoff[history]! * LOG_STEP + this.unigram(word);
  }
}

/** Synchronous; tens of milliseconds. @param folder where the starter models lie. Throws MODEL_FILE_MISSING or _INVALID. */
export function loadLexicon(folder: string): Lexicon {
  return new Lexicon(readLexiconFile(join(folder, LEXICON_FILE)));
}

/** The first place in `[from, to)` of an ascending array that holds `value` or more; `to` if there is none. */
function lowerBound(sorted: Int32Array, from: number, to: number, value: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
