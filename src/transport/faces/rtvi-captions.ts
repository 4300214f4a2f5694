/**
 * The text of one reply as captions: cut into sentences as it comes, and followed by what was heard of it. A voice tells
 * the words that it spoke in its own spelling, so each is looked for a short way ahead; one that is not found there is
 * passed over, and the next that is found catches up.
 */

/** Text without an end of a sentence. At it: what there is becomes a caption. */
export const CAPTION_CHARS_MAX = 1_000;
/** How far ahead of what was heard a spoken word is looked for. */
const AHEAD_CHARS = 80;

export interface Caption {
  readonly text: string;
  /** Where `text` stands in the whole reply. */
  readonly start: number;
  /** Counts the captions of a conversation. */
  readonly segmentId: number;
}

export interface CaptionProgress {
  readonly caption: Caption;
  readonly accumulated: string;
  /** Empty if all of it was heard. */
  readonly remaining: string;
}

// Where a sentence ends is Unicode's business (UAX #29).
const sentences = new Intl.Segmenter("en", { granularity: "sentence" });

export class Captions {
  readonly #nextId: () => number;
  #whole = "";
  /** Lower case, for finding words. */
  #folded = "";
  /** Up to here the text is in captions. */
  #cutAt = 0;
  /** Up to here it was heard. */
  #heardTo = 0;
  /** Those that were not heard to their end. */
  #open: Caption[] = [];

  constructor(nextId: () => number) {
    this.#nextId = nextId;
  }

  /** @returns the sentences that this completes: what follows on them has begun. */
  push(text: string): Caption[] {
    this.#whole += text;
    const folded = text.toLowerCase();
    this.#folded += folded.length === text.length ? folded : text;
    const pending = this.#whole.slice(this.#cutAt);
    const found = [...sentences.segment(pending)];
    const complete = pending.length > CAPTION_CHARS_MAX ? found : found.slice(0, -1);
    return complete.flatMap(({ segment }) => this.#cut(segment));
  }

  /** The text is all there. @returns what is left of it, if anything. */
  finish(): Caption[] {
    return this.#cut(this.#whole.slice(this.#cutAt));
  }

  /** Words that were heard, in order. */
  heard(words: readonly string[]): CaptionProgress[] {
    const before = this.#heardTo;
    for (const word of words) this.#find(word);
    return this.#heardTo === before ? [] : this.#progress();
  }

  /** All of it was heard. */
  complete(): CaptionProgress[] {
    this.#heardTo = this.#whole.length;
    return this.#progress();
  }

  #cut(segment: string): Caption[] {
    const text = segment.trim();
    const start = this.#cutAt + segment.indexOf(text);
    this.#cutAt += segment.length;
    if (text === "") return [];
    const caption = { text, start, segmentId: this.#nextId() };
    this.#open.push(caption);
    return [caption];
  }

  #find(word: string): void {
    const wanted = word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
    const at = wanted === "" ? -1 : this.#folded.indexOf(wanted, this.#heardTo);
    if (at < 0 || at - this.#heardTo > AHEAD_CHARS) return;
    // The punctuation behind a word is heard with it.
    const rest = this.#folded.slice(at + wanted.length).search(/\s/);
    this.#heardTo = rest < 0 ? this.#folded.length : at + wanted.length + rest;
  }

  #progress(): CaptionProgress[] {
    const begun = this.#open.filter(({ start }) => start < this.#heardTo);
    this.#open = this.#open.filter(({ start, text }) => start + text.length > this.#heardTo);
    return begun.map((caption) => {
      const length = this.#heardTo - caption.start;
      return { caption, accumulated: caption.text.slice(0, length), remaining: caption.text.slice(length) };
    });
  }
}
