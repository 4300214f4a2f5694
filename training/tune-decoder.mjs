/**
 * Tries weights of the decoder on the sets for tuning, after a build:
 *
 *   node training/tune-decoder.mjs --speech .cache/training/tuning [--model FILE] [--lexicon FOLDER]
 *
 * Prints word errors of all sentences for each pair of `language` and `word`; WEIGHTS in
 * src/models/starter-ctc/decoder/phone-decoder.ts has the best. Its other weights only trade time for errors.
 */
import { parseArgs } from "node:util";
import { outsideSets } from "../dist/bench/eval/clips.js";
import { hearPhones, openLexicon } from "../dist/bench/eval/posteriors.js";
import { errorPercent, sumOf, textErrors } from "../dist/bench/eval/words.js";
import { LABEL_COUNT, PhoneDecoder } from "../dist/src/models/starter-ctc/decoder/index.js";

const LANGUAGES = [0.7, 0.8, 0.85, 0.9, 1];
const WORDS = [-0.5, -0.25, 0, 0.25, 0.5];
const DIGITS = "zero one two three four five six seven eight nine".split(" ");

function decode(lexicon, { logp }, options) {
  const decoder = new PhoneDecoder(lexicon, options);
  decoder.push(logp, 0, logp.length / LABEL_COUNT);
  decoder.finish();
  return decoder.hypothesis().text;
}

const { values } = parseArgs({
  options: { speech: { type: "string" }, model: { type: "string" }, lexicon: { type: "string" } },
});
const models = { stt: values.model, lexicon: values.lexicon };
const lexicon = openLexicon(models);
const heard = new Map();
for (const { name, clips } of outsideSets(values.speech) ?? []) heard.set(name, await hearPhones(models, clips));

const percent = (clips, options) =>
  errorPercent(sumOf(clips.map((clip) => textErrors(clip.text, decode(lexicon, clip, options))))).toFixed(2);
for (const [name, clips] of heard) {
  console.log(name, clips.length, "clips");
  if (name.includes("digits")) {
    console.log(`  as they are ${percent(clips, {})} %, digits as key terms ${percent(clips, { keyterms: DIGITS })} %`);
    continue;
  }
  console.log(`  language  ${WORDS.map((word) => `word ${word}`.padStart(10)).join("")}`);
  for (const language of LANGUAGES) {
    const row = WORDS.map((word) => percent(clips, { weights: { language, word } }).padStart(10));
    console.log(`  ${String(language).padEnd(10)}${row.join("")}`);
  }
}
