/**
 * Question: what does each step from phones to words buy?
 *
 *     network ─► phones alone ─► + dictionary ─► + word pairs ─► + key terms
 *
 * The first four hear the same posteriors. Phone errors and word errors are different things; they stand in one table
 * because a step that is worth nothing shows there. Key terms are measured where they are meant to help: with names that
 * the vocabulary does not have.
 */

import type { PhoneDecoderOptions } from "../../src/models/starter-ctc/decoder/index.js";
import { BEAM_DEFAULT, LABEL_COUNT, type Lexicon, PhoneDecoder } from "../../src/models/starter-ctc/decoder/index.js";
import { type Clip, spokenClips } from "./clips.js";
import type { EvalContext, Part } from "./context.js";
import { formsOf, greedyPhones, type Heard, hearPhones, openLexicon, phoneErrors } from "./posteriors.js";
import { errorRow, rowOf } from "./rows.js";
import { KNOWN_VOICES, UNSEEN_VOICE } from "./speech.js";
import { bootstrapInterval, type ErrorCounts, normalisedWords, textErrors } from "./words.js";

/** Each voice of the mixed set says every n-th general sentence. */
const MIXED_EVERY = 4;
/** Without word pairs, a word costs this much: the best of 0.4 to −12 on the mixed set. */
const LONE_WORD_REWARD = -3;
const NAME_VOICES = ["slt", "awb"] as const;
/** In no everyday vocabulary; whether they are in this one is looked up. */
const NAMES = [
  "Syrinx",
  "Okonkwo",
  "Zelenka",
  "Thandiwe",
  "Marchetti",
  "Brankovich",
  "Halvorsen",
  "Quintero",
  "Mirabelle",
  "Vashti",
  "Dravenport",
  "Yamanaka",
  "Kestrelle",
  "Oberlin",
  "Fontaine",
  "Tamsin",
];
const NAME_SENTENCES = [
  "call NAME please",
  "send a message to NAME",
  "is NAME in the office today",
  "I have a meeting with NAME tomorrow morning",
];

export const STEP_PARTS: readonly Part[] = [
  { name: "steps", question: "what dictionary and word pairs buy", run: runSteps },
  { name: "names", question: "what key terms buy, with names outside the vocabulary", run: runNames },
];

/** General sentences by the known voices and the unseen one. */
export async function mixedClips(context: EvalContext): Promise<Clip[]> {
  const voices = await context.voices();
  const texts = context.general().filter((_, at) => at % MIXED_EVERY === 0);
  return [...KNOWN_VOICES, UNSEEN_VOICE].flatMap((voice) => spokenClips(voices, voice, texts));
}

async function runSteps(context: EvalContext): Promise<void> {
  const { models } = context.options;
  const lexicon = openLexicon(models);
  const heard = await hearPhones(models, await mixedClips(context));
  const phones = heard.map(({ text, logp }): ErrorCounts => {
    const { errors, phones: words } = phoneErrors(formsOf(lexicon, text), greedyPhones(logp));
    return { words, substitutions: errors, insertions: 0, deletions: 0 };
  });
  const [errors, words] = [phones.reduce((sum, { substitutions }) => sum + substitutions, 0), sumWords(phones)];
  context.sink.row(
    rowOf({
      set: "steps 1: phones, greedy",
      measure: "phone errors",
      unit: "%",
      value: (100 * errors) / words,
      clips: heard.length,
      words,
      interval: bootstrapInterval(phones),
      note: "words: phones of the nearest dictionary forms",
    }),
  );
  const beam = models.beam ?? BEAM_DEFAULT;
  const alone = { beam, weights: { language: 0, word: LONE_WORD_REWARD } };
  const note = `every word as likely as any, word reward ${LONE_WORD_REWARD}, beam ${beam}`;
  context.sink.row(errorRow({ set: "steps 2: dictionary", note }, decodeAll(context, lexicon, heard, alone)));
  for (const some of new Set([24, beam])) {
    const counts = decodeAll(context, lexicon, heard, { beam: some });
    context.sink.row(errorRow({ set: "steps 3: word pairs", note: `beam ${some}` }, counts));
  }
}

async function runNames(context: EvalContext): Promise<void> {
  const voices = await context.voices();
  const lexicon = openLexicon(context.options.models);
  const names = context.few(NAMES.filter((name) => lexicon.find(name.toLowerCase()) < 0));
  const spoken = names.flatMap((name) => NAME_SENTENCES.map((text) => ({ name, text: text.replace("NAME", name) })));
  const clips = NAME_VOICES.flatMap((voice) =>
    spoken.flatMap(({ name, text }) => spokenClips(voices, voice, [text]).map((clip) => ({ ...clip, of: name }))),
  );
  const heard = await hearPhones(context.options.models, clips);
  const beam = context.options.models.beam ?? BEAM_DEFAULT;
  for (const [set, withNames] of [
    ["steps 3: names, no key terms", false],
    ["steps 4: names as key terms", true],
  ] as const) {
    const texts = heard.map((one, at) => decode(lexicon, one, { beam, keyterms: withNames ? [clips[at]!.of] : [] }));
    const counts = heard.map(({ text }, at) => textErrors(text, texts[at]!));
    const note = `${names.length} names outside the vocabulary; the call's own is its only key term`;
    context.sink.row(errorRow({ set, ...(withNames ? { note } : {}) }, counts));
    const found = texts.filter((text, at) => normalisedWords(text).includes(clips[at]!.of.toLowerCase())).length;
    const value = (100 * found) / clips.length;
    context.sink.row(rowOf({ set, measure: "names found", unit: "%", value, clips: clips.length }));
  }
}

function decodeAll(
  context: EvalContext,
  lexicon: Lexicon,
  heard: readonly Heard[],
  options: PhoneDecoderOptions,
): ErrorCounts[] {
  return heard.map((one, at) => {
    if (at % 16 === 0) context.sink.progress(`decoding: ${at} of ${heard.length} clips`);
    return textErrors(one.text, decode(lexicon, one, options));
  });
}

function decode(lexicon: Lexicon, { logp }: Heard, options: PhoneDecoderOptions): string {
  const decoder = new PhoneDecoder(lexicon, options);
  decoder.push(logp, 0, logp.length / LABEL_COUNT);
  decoder.finish();
  return decoder.hypothesis().text;
}

function sumWords(counts: readonly ErrorCounts[]): number {
  return counts.reduce((sum, { words }) => sum + words, 0);
}
