/** Words that a caller expects: a lift in the search, and a small trie of their own so that unknown ones can be said. */
import { fullDictionary } from "../../pronunciation/dictionary.js";
import { letterToSound } from "./letter-to-sound.js";
import type { Lexicon } from "./lexicon.js";
import { buildTrie, type PhoneTrie } from "./phone-trie.js";
import { arpabetLabels } from "./phones.js";

/** A key term counts as a word that is said at least so often (natural log), whatever the language model thinks … */
const KEYTERM_LOGP = -6.5;
/** … and is preferred over an equally likely word by so much: … */
const BONUS = {
  /** … inside a sentence, where too much would put key terms into other words' mouths … */
  within: 2,
  /** … if the vocabulary does not have it, so that no word pair speaks for it … */
  unknown: 4,
  /** … and first of all, or behind another key term: a digit that answers a question has nothing else for it. */
  alone: 5,
} as const;
/** Words of all key terms together. At it: the rest is ignored. */
export const KEYTERM_WORDS_MAX = 500;
const KEYTERM_LETTERS_MAX = 40;
/** A phrase's words that are likelier than this are left alone: a lift of "the" or "of" would do harm. */
const COMMON_LOGP = -6;

/** Key terms of one call. Phrases are taken word by word; words without letters, and a phrase's common ones, are not. */
export class Keyterms {
  readonly trie: PhoneTrie;
  /** Node numbers of the trie begin here, behind those of the lexicon's. */
  readonly root: number;
  private readonly spellings = new Map<number, string>();
  private readonly sentenceStart: number;

  constructor(lexicon: Lexicon, terms: readonly string[]) {
    this.sentenceStart = lexicon.sentenceStart;
    this.root = lexicon.trie.nodeCount;
    const draft: Draft = { words: [], starts: [0], labels: [] };
    for (const term of splitTerms(terms)) this.addWord(lexicon, term, draft);
    if (draft.words.length === 0) {
      this.trie = EMPTY;
      return;
    }
    const entries = {
      words: Int32Array.from(draft.words),
      starts: Int32Array.from(draft.starts),
      labels: Uint8Array.from(draft.labels),
    };
    this.trie = buildTrie(entries, (word) => lifted(lexicon.unigram(word), BONUS.within));
  }

  /** The language model's log-probability of a word behind another, lifted if the word is a key term. */
  lift(word: number, logp: number, last: number): number {
    if (this.spellings.size === 0 || !this.spellings.has(word)) return logp;
    if (last === this.sentenceStart || this.spellings.has(last)) return lifted(logp, BONUS.alone);
    return lifted(logp, word > this.sentenceStart ? BONUS.unknown : BONUS.within);
  }

  /** As the caller wrote it; undefined for words that are no key terms. */
  spellingOf(word: number): string | undefined {
    return this.spellings.get(word);
  }

  private addWord(lexicon: Lexicon, { spelling, isAlone }: TermWord, draft: Draft): void {
    const known = lexicon.find(spelling.toLowerCase());
    if (known >= 0 && !isAlone && lexicon.unigram(known) > COMMON_LOGP) return;
    const forms = known >= 0 ? lexicon.pronunciationsOf(known) : pronounceUnknown(lexicon, spelling);
    // Behind the vocabulary comes the sentence start, then the words that only this call knows.
    const word = known >= 0 ? known : lexicon.sentenceStart + 1 + this.spellings.size;
    if (forms.length === 0 || this.spellings.has(word)) return;
    this.spellings.set(word, spelling);
    for (const form of forms) {
      draft.words.push(word);
      draft.labels.push(...form);
      draft.starts.push(draft.labels.length);
    }
  }
}

function lifted(logp: number, bonus: number): number {
  return Math.max(logp, KEYTERM_LOGP) + bonus;
}

interface Draft {
  readonly words: number[];
  readonly starts: number[];
  readonly labels: number[];
}

const EMPTY: PhoneTrie = buildTrie(
  { words: new Int32Array(0), starts: new Int32Array(1), labels: new Uint8Array(0) },
  () => 0,
);

interface TermWord {
  readonly spelling: string;
  /** A term of its own somewhere: "one" was asked for, the "of" of a title was not. */
  readonly isAlone: boolean;
}

/** Distinct words of all terms, punctuation stripped, in the order given. */
function splitTerms(terms: readonly string[]): TermWord[] {
  const distinct = new Map<string, TermWord>();
  for (const term of terms) {
    const parts = term.split(/[\s-]+/).map((part) => part.replace(/[^\p{L}']/gu, ""));
    for (const spelling of parts) {
      const key = spelling.toLowerCase();
      if (!/[a-z]/.test(key) || spelling.length > KEYTERM_LETTERS_MAX) continue;
      const before = distinct.get(key);
      if (before === undefined && distinct.size >= KEYTERM_WORDS_MAX) continue;
      const isAlone = parts.length === 1 || before?.isAlone === true;
      distinct.set(key, { spelling: before?.spelling ?? spelling, isAlone });
    }
  }
  return [...distinct.values()];
}

function pronounceUnknown(lexicon: Lexicon, spelling: string): number[][] {
  const word = spelling.toLowerCase();
  const arpabet = fullDictionary(word);
  if (arpabet !== undefined) return [arpabetLabels(arpabet)];
  const forms = [letterToSound(foldAccents(word))];
  // "API" is spelled out, "NASA" is not: both are tried.
  if (/^[A-Z]{2,5}$/.test(spelling)) forms.push(spellOut(lexicon, word));
  return forms.filter((form) => form.length > 0);
}

function spellOut(lexicon: Lexicon, word: string): number[] {
  const letters = Array.from(word, (letter) => letterName(lexicon, letter));
  return letters.some((name) => name.length === 0) ? [] : letters.flat();
}

function letterName(lexicon: Lexicon, letter: string): number[] {
  // The dictionary's "a" is the article; its "a." the letter.
  const name = fullDictionary(`${letter}.`);
  return name === undefined ? (lexicon.pronunciationsOf(lexicon.find(letter))[0] ?? []) : arpabetLabels(name);
}

function foldAccents(word: string): string {
  return word.normalize("NFD").replace(/[^a-z]/g, "");
}
