/** The stretches of speech that a voice detector told of and no transcript has claimed yet. Main thread. */

/** More than a recogniser is ever behind. At it: the oldest is forgotten. */
const SPEECHES_KEPT = 16;

export interface Speech {
  readonly atSample: number;
  /** When its first sample arrived. */
  readonly startUs: number | undefined;
  stop: { readonly atSample: number; readonly writtenUs: number } | undefined;
}

export class Speeches {
  #open: Speech[] = [];

  began(atSample: number, startUs: number | undefined): void {
    if (this.#open.length >= SPEECHES_KEPT) this.#open.shift();
    this.#open.push({ atSample, startUs, stop: undefined });
  }

  stopped(atSample: number, writtenUs: number): void {
    const last = this.#open.at(-1);
    if (last !== undefined && last.stop === undefined) last.stop = { atSample, writtenUs };
  }

  /** The last that began before `endSample`, where a segment ended. It and all before it are claimed by that. */
  take(endSample: number): Speech | undefined {
    const claimed = this.#open.findLast(({ atSample }) => atSample < endSample);
    this.#open = this.#open.filter(({ atSample }) => atSample >= endSample);
    return claimed;
  }
}
