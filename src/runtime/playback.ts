/**
 * What the caller has heard. Main thread; pure but for the clock it is given.
 *
 * Audio leaves as soon as it is made, faster than it plays. Unless the client reports its playback, it is taken to play
 * in real time from the first byte on. That decides three things: whether speech interrupts anything, how much of the
 * reply was heard when it does, and so which of its words the agent remembers having said.
 */
import { LIMITS } from "../base/limits.js";

export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** Words that one context may be remembered by. At it: later words of a very long reply count as unspoken. */
export const CONTEXT_WORDS_MAX = 4096;

/** Text kept of a context whose voice gives no word times. */
const CONTEXT_TEXT_CHARS_MAX = LIMITS.priorityTextChars;

export class PlaybackContext {
  readonly contextId: number;
  readonly turnIndex: number;
  readonly askId: string | undefined;
  /** All audio that will come has come. */
  isComplete = false;
  #firstUs: number | undefined;
  #sentMs = 0;
  #reported: { readonly ms: number; readonly atUs: number } | undefined;
  readonly #words: SpokenWord[] = [];
  #toldCount = 0;
  #text = "";

  constructor(contextId: number, turnIndex: number, askId?: string) {
    this.contextId = contextId;
    this.turnIndex = turnIndex;
    this.askId = askId;
  }

  get hasAudio(): boolean {
    return this.#firstUs !== undefined;
  }

  sent(durationMs: number, nowUs: number): void {
    this.#firstUs ??= nowUs;
    this.#sentMs += durationMs;
  }

  said(text: string): void {
    if (this.#text.length < CONTEXT_TEXT_CHARS_MAX) this.#text += text;
  }

  aligned(words: readonly SpokenWord[]): void {
    for (const word of words) if (this.#words.length < CONTEXT_WORDS_MAX) this.#words.push(word);
  }

  /** The client knows best; between its reports playback goes on in real time. */
  reported(playedMs: number, nowUs: number): void {
    this.#reported = { ms: playedMs, atUs: nowUs };
  }

  /** Milliseconds of this context that were heard by now, at most what was sent. */
  heardMs(nowUs: number): number {
    if (this.#firstUs === undefined) return 0;
    const { ms, atUs } = this.#reported ?? { ms: 0, atUs: this.#firstUs };
    return Math.min(this.#sentMs, Math.max(0, ms + (nowUs - atUs) / 1000));
  }

  isHeard(nowUs: number): boolean {
    return this.isComplete && this.heardMs(nowUs) >= this.#sentMs;
  }

  /** The words that were heard since the last time that this was asked, by the measure of `spokenText`. */
  takeSpoken(nowUs: number): string[] {
    const heardMs = this.heardMs(nowUs);
    const from = this.#toldCount;
    while (this.#toldCount < this.#words.length && midMs(this.#words[this.#toldCount]!) <= heardMs) this.#toldCount++;
    return this.#words.slice(from, this.#toldCount).map((word) => word.text);
  }

  /** The words of which at least half was heard; without word times, the same share of the text. */
  spokenText(nowUs: number): string {
    const heardMs = this.heardMs(nowUs);
    if (this.#words.length > 0) {
      const spoken = this.#words.filter((word) => midMs(word) <= heardMs);
      return spoken
        .map((word) => word.text)
        .join(" ")
        .slice(0, LIMITS.priorityTextChars);
    }
    if (this.#sentMs === 0) return "";
    const share = this.#text
      .slice(0, LIMITS.priorityTextChars)
      .slice(0, Math.floor((this.#text.length * heardMs) / this.#sentMs));
    return share.length < this.#text.length ? share.replace(/\s*\S*$/, "") : share;
  }
}

function midMs({ startMs, endMs }: SpokenWord): number {
  return (startMs + endMs) / 2;
}
