/** When each word of a text was spoken, from what a voice's graph was fed for it. */
import type { SpokenSpan } from "../family.js";

/** A word and the units (token ids, characters) of its utterance that say it: `from` to before `to`. */
export interface PlacedWord {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Spans on the samples of one utterance. With `durations`, the samples of each unit, they are the model's own; without,
 * every unit is taken to be equally long, which is right to about a syllable.
 */
export function placeWords(
  words: readonly PlacedWord[],
  unitCount: number,
  sampleCount: number,
  durations?: ArrayLike<number>,
): SpokenSpan[] {
  const ends = new Float64Array(unitCount + 1);
  for (let unit = 0; unit < unitCount; unit += 1) {
    ends[unit + 1] = ends[unit]! + (durations?.[unit] ?? sampleCount / unitCount);
  }
  const at = (unit: number): number => Math.min(sampleCount, Math.round(ends[unit]!));
  return words.map(({ text, from, to }) => ({ text, startSample: at(from), endSample: at(to) }));
}
