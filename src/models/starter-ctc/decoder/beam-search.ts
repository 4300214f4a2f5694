/**
 * Prefix beam search for CTC (Hannun et al. 2014) over a pronunciation trie, with a word bigram. A word is decided when
 * the next one's first phone is heard, so homophones ("to", "two") are separate hypotheses until the bigram has seen
 * what follows.
 */
import { type Candidates, Hypotheses, logAdd } from "./beam.js";
import type { Keyterms } from "./keyterms.js";
import type { Lexicon } from "./lexicon.js";
import type { PhoneTrie } from "./phone-trie.js";
import { BLANK } from "./phones.js";
import { NO_WORDS, nextHash, WordHistory } from "./word-history.js";

/** What the search weighs; natural logs. */
export interface DecoderWeights {
  /** Factor of the language model's log-probabilities against the acoustic ones. */
  readonly language: number;
  /** Reward of every word: without it the language model prefers few long words. */
  readonly word: number;
  /** Phones less likely than this in a slot are not tried. */
  readonly phoneFloor: number;
  /** A hypothesis that is worse than the best one by more than this is dropped. */
  readonly margin: number;
  /** Cost of a word that the segment's end cuts off. */
  readonly unfinished: number;
}

const NEVER = Number.NEGATIVE_INFINITY;
const ROOT = 0;
const NO_WORD = -1;

export class BeamSearch {
  readonly history: WordHistory;
  /** The hypotheses after the last slot, the best first. */
  live: Hypotheses;
  private next: Hypotheses;
  private readonly candidates: Candidates;
  private slot = 0;
  /** The slot under way: where its row begins. */
  private logp: Float32Array = new Float32Array(0);
  private row = 0;

  constructor(
    private readonly lexicon: Lexicon,
    private readonly keyterms: Keyterms,
    private readonly beam: number,
    private readonly weights: DecoderWeights,
  ) {
    // Half of it is room for one slot's new words, twice over.
    this.history = new WordHistory(4 * beam);
    this.candidates = lexicon.candidates(beam);
    this.live = new Hypotheses(beam);
    this.next = new Hypotheses(beam);
    this.live.count = 1;
    this.live.lastWord[0] = lexicon.sentenceStart;
    this.live.record[0] = NO_WORDS;
    this.live.phone[0] = NEVER;
  }

  /** One slot: the row of posteriors begins at `logp[row]`. */
  step(logp: Float32Array, row: number): void {
    this.logp = logp;
    this.row = row;
    this.candidates.clear();
    for (let from = 0; from < this.live.count; from += 1) {
      this.stay(from);
      this.walk(from);
      this.startWord(from);
    }
    const kept = this.candidates.rank(this.beam, this.weights.margin, this.promise);
    // A row that is no distribution (NaN) leaves no candidate; the slot then changes nothing.
    if (kept > 0) this.adopt(kept);
    this.slot += 1;
  }

  /** Decides the word under way: one hypothesis is left, at the root. */
  finish(): void {
    this.makeRoom();
    let best = NEVER;
    let winner = 0;
    for (let from = 0; from < this.live.count; from += 1) {
      const score = this.acousticOf(from) + this.live.language[from]! + this.endScore(from);
      if (score <= best) continue;
      best = score;
      winner = from;
    }
    const word = this.wordUnderWay(winner);
    this.live.record[0] = word === NO_WORD ? this.live.record[winner]! : this.record(this.live, winner, word);
    this.live.node[0] = ROOT;
    this.live.count = 1;
  }

  /** Log-probability of a hypothesis' phones, over all alignments. */
  acousticOf(from: number): number {
    return logAdd(this.live.blank[from]!, this.live.phone[from]!);
  }

  /** The likeliest word that a hypothesis' phones since its last word spell, or −1. */
  wordUnderWay(from: number): number {
    const node = this.live.node[from]!;
    const { firstWord, wordIds } = this.trieOf(node);
    const local = this.localOf(node);
    let best = NO_WORD;
    for (let at = firstWord[local]!; at < firstWord[local + 1]!; at += 1) {
      const word = wordIds[at]!;
      if (best === NO_WORD || this.wordScore(from, word) > this.wordScore(from, best)) best = word;
    }
    return best;
  }

  /** Phones of the word under way. */
  phoneCountOf(from: number): number {
    const node = this.live.node[from]!;
    return this.trieOf(node).depthOf[this.localOf(node)]!;
  }

  private endScore(from: number): number {
    if (this.live.node[from] === ROOT) return 0;
    const word = this.wordUnderWay(from);
    return word === NO_WORD ? -this.weights.unfinished : this.wordScore(from, word);
  }

  /** No new phone: a blank, or the same phone again. */
  private stay(from: number): void {
    const { live, logp, row } = this;
    const label = this.labelOf(live.node[from]!);
    const blank = this.acousticOf(from) + logp[row + BLANK]!;
    const again = label === BLANK ? NEVER : live.phone[from]! + logp[row + label]!;
    const phoneSlot = again > blank ? this.slot : live.phoneSlot[from]!;
    const language = live.language[from]!;
    const made = this.candidates.add(live.lastWord[from]!, live.node[from]!, live.hash[from]!, blank, again, language);
    if (made >= 0) this.note(made, from, NO_WORD, live.startSlot[from]!, phoneSlot);
  }

  /** The next phone inside a word, or the first phone of the segment. */
  private walk(from: number): void {
    const node = this.live.node[from]!;
    if (node === ROOT) this.enterWords(from, NO_WORD, this.live.language[from]!);
    else this.enter(node, from, NO_WORD, this.live.language[from]!);
  }

  /** The word is complete and the first phone of the next one is heard. */
  private startWord(from: number): void {
    const node = this.live.node[from]!;
    if (node === ROOT) return;
    const { firstWord, wordIds } = this.trieOf(node);
    const local = this.localOf(node);
    for (let at = firstWord[local]!; at < firstWord[local + 1]!; at += 1) {
      const word = wordIds[at]!;
      this.enterWords(from, word, this.live.language[from]! + this.wordScore(from, word));
    }
  }

  private enterWords(from: number, completed: number, language: number): void {
    this.enter(ROOT, from, completed, language);
    if (this.keyterms.trie.nodeCount > 1) this.enter(this.keyterms.root, from, completed, language);
  }

  /** Steps into the children of `parent` whose phone this slot supports. `completed` is the word left behind, or −1. */
  private enter(parent: number, from: number, completed: number, language: number): void {
    const { live, logp, row, slot } = this;
    const trie = this.trieOf(parent);
    const local = this.localOf(parent);
    const lastLabel = this.labelOf(live.node[from]!);
    const either = this.acousticOf(from);
    const lastWord = completed === NO_WORD ? live.lastWord[from]! : completed;
    const hash = completed === NO_WORD ? live.hash[from]! : nextHash(live.hash[from]!, completed);
    const startSlot = local === ROOT ? slot : live.startSlot[from]!;
    for (let child = trie.firstChild[local]!; child < trie.firstChild[local + 1]!; child += 1) {
      const label = trie.labelOf[child]!;
      const posterior = logp[row + label]!;
      if (!(posterior > this.weights.phoneFloor)) continue;
      // The same phone twice in a row needs a blank between.
      const phone = (label === lastLabel ? live.blank[from]! : either) + posterior;
      if (phone === NEVER) continue;
      const made = this.candidates.add(lastWord, child + parent - local, hash, NEVER, phone, language);
      if (made >= 0) this.note(made, from, completed, startSlot, slot);
    }
  }

  private note(made: number, from: number, completed: number, startSlot: number, phoneSlot: number): void {
    const { candidates } = this;
    candidates.origin[made] = from;
    candidates.completed[made] = completed;
    candidates.rows.startSlot[made] = startSlot;
    candidates.rows.phoneSlot[made] = phoneSlot;
  }

  /** The best candidates become the live hypotheses; only their words get a record. */
  private adopt(kept: number): void {
    this.makeRoom();
    const { candidates, next, live } = this;
    for (let place = 0; place < kept; place += 1) {
      const row = candidates.ranked(place);
      next.copyRow(place, candidates.rows, row);
      const origin = candidates.origin[row]!;
      const completed = candidates.completed[row]!;
      next.record[place] = completed === NO_WORD ? live.record[origin]! : this.record(live, origin, completed);
    }
    next.count = kept;
    this.live = next;
    this.next = live;
  }

  private makeRoom(): void {
    const { history, live, beam } = this;
    if (history.recordCount + beam > history.capacity) history.sweep(live.record, live.count);
  }

  private record(rows: Hypotheses, from: number, word: number): number {
    return this.history.add(
      rows.record[from]!,
      word,
      rows.startSlot[from]!,
      rows.phoneSlot[from]! + 1,
      this.phoneCountOf(from),
      this.acousticOf(from),
    );
  }

  private wordScore(from: number, word: number): number {
    const { language, word: reward } = this.weights;
    const last = this.live.lastWord[from]!;
    return language * this.keyterms.lift(word, this.lexicon.bigram(last, word), last) + reward;
  }

  /** What the word under way may still become, as far as one knows without its end. */
  private readonly promise = (node: number): number => {
    return this.weights.language * this.trieOf(node).lookahead[this.localOf(node)]!;
  };

  private trieOf(node: number): PhoneTrie {
    return node >= this.keyterms.root ? this.keyterms.trie : this.lexicon.trie;
  }

  private localOf(node: number): number {
    return node >= this.keyterms.root ? node - this.keyterms.root : node;
  }

  private labelOf(node: number): number {
    return this.trieOf(node).labelOf[this.localOf(node)]!;
  }
}
