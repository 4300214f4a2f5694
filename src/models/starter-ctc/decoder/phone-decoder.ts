/** From phone posteriors to words, while the audio still comes: the face of the beam search. */
import { assert } from "../../../base/assert.js";
import { BeamSearch, type DecoderWeights } from "./beam-search.js";
import { Keyterms } from "./keyterms.js";
import type { Lexicon } from "./lexicon.js";
import { LABEL_COUNT } from "./phones.js";
import { NO_WORDS } from "./word-history.js";

export const BEAM_DEFAULT = 128;
/** At it: a larger request is an assertion failure. */
export const BEAM_MAX = 256;
/** Tuned by training/tune-decoder.mjs on 320 synthetic sentences, a quarter requests, half by voices unheard before. */
export const WEIGHTS: DecoderWeights = { language: 0.85, word: -0.1, phoneFloor: -12, margin: 15, unfinished: 30 };

export interface DecodedWord {
  readonly text: string;
  /** Slots of 20 ms from the segment's first row: half-open, from the word's first phone to behind its last. */
  readonly startSlot: number;
  readonly endSlot: number;
  /** In (0, 1]: geometric mean over its phones of their posterior, over all alignments. */
  readonly confidence: number;
}

export interface PhoneHypothesis {
  /** Lower-case words parted by single spaces; "I" and key terms keep their capitals. */
  readonly text: string;
  readonly words: readonly DecodedWord[];
  /** So many characters at the beginning of `text` will never change: all live hypotheses share them. Never falls. */
  readonly stableChars: number;
  /** Over all words, weighted by their phones; 0 without words. */
  readonly confidence: number;
}

export interface PhoneDecoderOptions {
  /** Hypotheses kept per slot, 1 to {@link BEAM_MAX}. */
  readonly beam?: number;
  /** Words or phrases to expect; their spelling is used as given. */
  readonly keyterms?: readonly string[];
  readonly weights?: Partial<DecoderWeights>;
}

/** Decodes one segment: `push` rows as they come, `finish`, read `hypothesis` at any time. Not reusable. */
export class PhoneDecoder {
  private readonly search: BeamSearch;
  private readonly keyterms: Keyterms;
  private finished = false;

  constructor(
    private readonly lexicon: Lexicon,
    options: PhoneDecoderOptions = {},
  ) {
    const beam = options.beam ?? BEAM_DEFAULT;
    assert(Number.isInteger(beam) && beam >= 1 && beam <= BEAM_MAX, `a beam of 1 to ${BEAM_MAX}`);
    this.keyterms = new Keyterms(lexicon, options.keyterms ?? []);
    this.search = new BeamSearch(lexicon, this.keyterms, beam, { ...WEIGHTS, ...options.weights });
  }

  /**
   * Advances by `slotCount` slots of 20 ms. How the rows are cut into pushes makes no difference to the result.
   * @param logp natural log posteriors, rows of {@link LABEL_COUNT}; read before return
   * @param from index in `logp` of the first row's first value (a multiple of the row length in most layouts)
   */
  push(logp: Float32Array, from: number, slotCount: number): void {
    assert(!this.finished, "no rows after finish");
    assert(from >= 0 && from + slotCount * LABEL_COUNT <= logp.length, "the rows lie within the array");
    for (let slot = 0; slot < slotCount; slot += 1) this.search.step(logp, from + slot * LABEL_COUNT);
  }

  /** No more rows: decides the last word. A second call does nothing. */
  finish(): void {
    if (!this.finished) this.search.finish();
    this.finished = true;
  }

  hypothesis(): PhoneHypothesis {
    const stableDepth = this.stableDepth();
    const words: DecodedWord[] = [];
    let text = "";
    let stableChars = 0;
    let phoneTotal = 0;
    let logpTotal = 0;
    for (const { word, startSlot, endSlot, phoneCount, logp } of this.bestPath()) {
      const shown = this.show(word);
      text = text === "" ? shown : `${text} ${shown}`;
      words.push({ text: shown, startSlot, endSlot, confidence: Math.exp(logp / phoneCount) });
      if (words.length <= stableDepth) stableChars = text.length;
      phoneTotal += phoneCount;
      logpTotal += logp;
    }
    return { text, words, stableChars, confidence: phoneTotal === 0 ? 0 : Math.exp(logpTotal / phoneTotal) };
  }

  /** Words that the history has room for: what a long segment's memory is bounded by. */
  get historyCapacity(): number {
    return this.search.history.capacity;
  }

  /** Words that all live hypotheses begin with. What comes after descends from them, so it can only grow. */
  private stableDepth(): number {
    const { history, live } = this.search;
    let depth = history.depthOf(live.record[0]!);
    for (let row = 1; row < live.count; row += 1) {
      depth = Math.min(depth, history.commonDepth(live.record[0]!, live.record[row]!));
    }
    return depth;
  }

  /** The best hypothesis' words in order, with the one under way if its phones already spell it. */
  private bestPath(): PathWord[] {
    const { history, live } = this.search;
    const path: PathWord[] = [];
    for (let record = live.record[0]!; record !== NO_WORDS; record = history.parentOf(record)) {
      const logp = history.acousticOf(record) - history.acousticOf(history.parentOf(record));
      path.push({
        word: history.wordOf(record),
        startSlot: history.startSlotOf(record),
        endSlot: history.endSlotOf(record),
        phoneCount: history.phoneCountOf(record),
        logp: Math.min(0, logp),
      });
    }
    path.reverse();
    const word = this.search.wordUnderWay(0);
    if (word >= 0) {
      const logp = this.search.acousticOf(0) - history.acousticOf(live.record[0]!);
      const [startSlot, endSlot] = [live.startSlot[0]!, live.phoneSlot[0]! + 1];
      path.push({ word, startSlot, endSlot, phoneCount: this.search.phoneCountOf(0), logp: Math.min(0, logp) });
    }
    return path;
  }

  private show(word: number): string {
    const own = this.keyterms.spellingOf(word);
    if (own !== undefined) return own;
    const text = this.lexicon.word(word);
    return /^i(?:'|$)/.test(text) ? `I${text.slice(1)}` : text;
  }
}

interface PathWord {
  readonly word: number;
  readonly startSlot: number;
  readonly endSlot: number;
  readonly phoneCount: number;
  /** Log-probability of the word's phones over all alignments, given what came before. */
  readonly logp: number;
}
