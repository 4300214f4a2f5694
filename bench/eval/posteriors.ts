/** The network's answer before any decoding: what the steps of decoding share, so that they differ in nothing else. */
import { openOnnxModel } from "../../src/gpu/onnx-model.js";
import { modelPath, starterFolder } from "../../src/models/model-file.js";
import { fullDictionary } from "../../src/models/pronunciation/dictionary.js";
import { AcousticModel } from "../../src/models/starter-ctc/acoustic.js";
import { LABEL_COUNT, type Lexicon, loadLexicon } from "../../src/models/starter-ctc/decoder/index.js";
import { letterToSound } from "../../src/models/starter-ctc/decoder/letter-to-sound.js";
import { arpabetLabels, BLANK } from "../../src/models/starter-ctc/decoder/phones.js";
import type { Clip } from "./clips.js";
import { familyContext, type Models, STT_BATCH } from "./recognisers.js";
import { normalisedWords } from "./words.js";

export interface Heard {
  readonly text: string;
  readonly seconds: number;
  /** Rows of {@link LABEL_COUNT} natural logs, one per slot. */
  readonly logp: Float32Array;
}

export function openLexicon({ lexicon }: Models): Lexicon {
  return loadLexicon(lexicon ?? starterFolder());
}

export async function hearPhones(models: Models, clips: readonly Clip[]): Promise<Heard[]> {
  const context = familyContext(STT_BATCH);
  const { baseFolder, log } = context;
  const model = await openOnnxModel({ path: modelPath(models.stt, baseFolder, "stt-en.onnx"), device: "cpu", log });
  const acoustic = new AcousticModel(model, "starter-ctc", LABEL_COUNT, context);
  const heard: Heard[] = [];
  for (let from = 0; from < clips.length; from += STT_BATCH) {
    const batch = await Promise.all(
      clips.slice(from, from + STT_BATCH).map(async ({ text, read }) => ({ text, pcm: await read() })),
    );
    const parts: Float32Array[][] = batch.map(() => []);
    const streams = batch.map(({ pcm }, row) => {
      const stream = acoustic.createStream((logp, at, slots) => {
        parts[row]!.push(logp.slice(at, at + slots * LABEL_COUNT));
      });
      stream.accept(pcm, 0, pcm.length);
      stream.finish();
      return stream;
    });
    await acoustic.advance(streams);
    for (const [row, { text, pcm }] of batch.entries()) {
      heard.push({ text, seconds: pcm.length / 16_000, logp: joined(parts[row]!) });
    }
  }
  await model.release();
  return heard;
}

/** The likeliest label of each slot, repetitions and blanks left out. */
export function greedyPhones(logp: Float32Array): number[] {
  const phones: number[] = [];
  let before = BLANK;
  for (let row = 0; row < logp.length; row += LABEL_COUNT) {
    let best = 0;
    for (let label = 1; label < LABEL_COUNT; label++) if (logp[row + label]! > logp[row + best]!) best = label;
    if (best !== BLANK && best !== before) phones.push(best);
    before = best;
  }
  return phones;
}

/** How each word of a text may be said. */
export function formsOf(lexicon: Lexicon, text: string): number[][][] {
  return normalisedWords(text).map((word) => {
    const id = lexicon.find(word);
    if (id >= 0) return lexicon.pronunciationsOf(id);
    const known = fullDictionary(word);
    return [known === undefined ? letterToSound(word.replace(/[^a-z]/g, "")) : arpabetLabels(known)];
  });
}

/**
 * Levenshtein's distance between phones and the nearest way to say the words: after each word, the least over its forms
 * for every number of phones heard so far.
 */
export function phoneErrors(
  words: readonly (readonly (readonly number[])[])[],
  heard: readonly number[],
): { readonly errors: number; readonly phones: number } {
  let costs = Int32Array.from({ length: heard.length + 1 }, (_, at) => at);
  let phones = 0;
  for (const forms of words) {
    const nearest = new Int32Array(costs.length).fill(0x7fff_ffff);
    for (const form of forms) {
      const after = afterForm(costs, form, heard);
      for (let at = 0; at < nearest.length; at++) nearest[at] = Math.min(nearest[at]!, after[at]!);
    }
    costs = nearest;
    // Forms differ little in length: the first one counts.
    phones += forms[0]!.length;
  }
  return { errors: costs[heard.length]!, phones };
}

function afterForm(costs: Int32Array, form: readonly number[], heard: readonly number[]): Int32Array {
  let before = costs;
  for (const phone of form) {
    const row = new Int32Array(before.length);
    row[0] = before[0]! + 1;
    for (let at = 1; at < row.length; at++) {
      const differs = heard[at - 1] === phone ? 0 : 1;
      row[at] = Math.min(before[at - 1]! + differs, before[at]! + 1, row[at - 1]! + 1);
    }
    before = row;
  }
  return before;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
