/** Synthetic phone posteriors: what an acoustic model with known certainty would emit for known words. */
import { join } from "node:path";
import { packageRoot } from "../../../src/base/package-root.js";
import { type Prng, seeded } from "../../../src/base/prng.js";
import type { PhoneDecoderOptions, PhoneHypothesis } from "../../../src/models/starter-ctc/decoder/index.js";
import { LABEL_COUNT, loadLexicon, PhoneDecoder } from "../../../src/models/starter-ctc/decoder/index.js";

export const lexicon = loadLexicon(join(packageRoot(), "models", "starter"));

/** Labels of a sentence in the vocabulary: each word's first pronunciation. */
export function labelsOf(text: string): number[] {
  return text.split(" ").flatMap((word) => {
    const first = lexicon.pronunciationsOf(lexicon.find(word))[0];
    if (first === undefined) throw new Error(`${word} is not in the vocabulary`);
    return first;
  });
}

export interface SpellOptions {
  /** Posterior of the intended label in its slot. */
  readonly certainty?: number;
  /** Slots of a phone, then of the blank behind it. */
  readonly phoneSlots?: number;
  readonly blankSlots?: number;
  /** If given, the remaining posterior is spread unevenly instead of evenly. */
  readonly prng?: Prng;
}

/** Rows of log posteriors that spell the labels, with five blank slots on both sides. */
export function spell(labels: readonly number[], options: SpellOptions = {}): Float32Array {
  const { certainty = 0.97, phoneSlots = 1, blankSlots = 2, prng } = options;
  const sequence = new Array<number>(5).fill(0);
  for (const label of labels) {
    sequence.push(...new Array<number>(phoneSlots).fill(label), ...new Array<number>(blankSlots).fill(0));
  }
  sequence.push(...new Array<number>(5).fill(0));
  const rows = new Float32Array(sequence.length * LABEL_COUNT);
  sequence.forEach((label, slot) => {
    const others = Array.from({ length: LABEL_COUNT }, () => (prng === undefined ? 1 : prng.next() ** 4 + 1e-4));
    const rest = others.reduce((sum, value, at) => (at === label ? sum : sum + value), 0);
    others.forEach((value, at) => {
      rows[slot * LABEL_COUNT + at] = Math.log(at === label ? certainty : ((1 - certainty) * value) / rest);
    });
  });
  return rows;
}

/** Rows without any words in them: every slot a random distribution. */
export function babble(slotCount: number, seed: number): Float32Array {
  const prng = seeded(seed);
  const rows = new Float32Array(slotCount * LABEL_COUNT);
  for (let slot = 0; slot < slotCount; slot += 1) {
    const values = Array.from({ length: LABEL_COUNT }, () => prng.next() ** 6 + 1e-5);
    const sum = values.reduce((total, value) => total + value, 0);
    values.forEach((value, at) => {
      rows[slot * LABEL_COUNT + at] = Math.log(value / sum);
    });
  }
  return rows;
}

export function slotsOf(rows: Float32Array): number {
  return rows.length / LABEL_COUNT;
}

export function decode(rows: Float32Array, options: PhoneDecoderOptions = {}): PhoneHypothesis {
  const decoder = new PhoneDecoder(lexicon, options);
  decoder.push(rows, 0, slotsOf(rows));
  decoder.finish();
  return decoder.hypothesis();
}
