/**
 * Makes the word list, pronunciations and word bigram of the starter recogniser's decoder: `lm-en.bin.gz`.
 *
 *   node training/build-lm.mjs --text .cache/training/text.lm.tsv.gz --test .cache/training/text.test.tsv.gz \
 *     --words /usr/share/dict/american-english -o models/starter/lm-en.bin.gz
 *
 * Text: one sentence a line, columns source, text, normalised text. Pronunciations: the npm package
 * cmu-pronouncing-dictionary. Deterministic up to zlib: the same inputs give the same bytes before compression.
 * src/models/starter-ctc/decoder/lexicon-file.ts describes the layout and reads it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { dictionary } from "cmu-pronouncing-dictionary";

const PHONES =
  "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh".split(" ");
const PHONE_INDEX = new Map(PHONES.map((phone, at) => [phone, at + 1]));
/** How often a line of each source counts. Definitions are not how people talk. */
const SOURCE_WEIGHT = { assistant: 1, practice: 0.5, example: 1, gloss: 0.5, state: 0.5 };
const PRONUNCIATIONS_MAX = 6;
const PHONES_MAX = 32;
const LOG_STEP = 1 / 12;

/**
 * Words whose usual form in the acoustic model's training lexicon (CMUdict 0.4) is in no edition that npm has, and words
 * that the package lacks. Written by hand for the frequent ones; rules below cover the systematic differences.
 */
const EXTRA = new Map(
  Object.entries({
    and: ["ax n"],
    does: ["d ow z"],
    africa: ["ae f r ax k ax"],
    wanted: ["w aa n t ax d"],
    email: ["ax m ey l"],
    ordinal: ["ao r d ax n ax l"],
    conduct: ["k ah n d ax k t"],
    collect: ["k ah l eh k t"],
    raw: ["r ao"],
    falling: ["f ao l ih ng"],
    minute: ["m ih n uw t"],
    minutes: ["m ih n uw t s"],
  }),
);

/** npm's ARPAbet to the 40 phones, with variants for what the training lexicon writes differently. */
function variantsOf(arpabet) {
  const forms = new Set([arpabet]);
  const also = (pattern, replacement) => {
    for (const form of [...forms]) forms.add(form.replace(pattern, replacement));
  };
  also(/\b([TD]) IH0 D$/, "$1 AH0 D");
  also(/\bIH0 ([TSDKNVL])\b/g, "AH0 $1");
  also(/\bIY([012]) R\b/, "IH$1 R");
  also(/\bUW([012]) R\b/, "UH$1 R");
  also(/\bUW[02] AH0\b/, "AH0 W AH0");
  also(/^EH0 K S\b/, "IH0 K S");
  return [...forms].map((form) =>
    form.split(" ").map((symbol) => (symbol === "AH0" ? "ax" : symbol.toLowerCase().replace(/\d/, ""))),
  );
}

const VOICELESS = new Set(["p", "t", "k", "f", "th"]);
const SIBILANT = new Set(["s", "z", "sh", "zh", "ch", "jh"]);

/** All pronunciations of a word as phone index lists, the dictionary's first one first; empty if there is none. */
function pronounce(word) {
  const found = [];
  for (const suffix of ["", "(2)", "(3)", "(4)"]) {
    const arpabet = Object.hasOwn(dictionary, word + suffix) ? dictionary[word + suffix] : undefined;
    // Some entries end in a remark: "D AH0 # danish".
    if (arpabet !== undefined) found.push(...variantsOf(arpabet.replace(/\s*#.*$/, "")));
  }
  for (const phones of EXTRA.get(word) ?? []) found.push(phones.split(" "));
  if (found.length === 0 && word.endsWith("'s")) return possessive(pronounce(word.slice(0, -2)));
  if (found.length === 0 && word.endsWith("s'")) return pronounce(word.slice(0, -1));
  const distinct = [...new Map(found.map((phones) => [phones.join(" "), phones])).values()];
  return distinct
    .slice(0, PRONUNCIATIONS_MAX)
    .filter((phones) => phones.length <= PHONES_MAX)
    .map((phones) => phones.map((phone) => PHONE_INDEX.get(phone)));
}

function possessive(bases) {
  return bases.map((base) => {
    const last = PHONES[base.at(-1) - 1];
    const ending = SIBILANT.has(last) ? ["ax", "z"] : VOICELESS.has(last) ? ["s"] : ["z"];
    return [...base, ...ending.map((phone) => PHONE_INDEX.get(phone))];
  });
}

/** Unigram and bigram counts; the history "" is the start of a sentence. */
function countText(tsv) {
  const unigrams = new Map();
  const bigrams = new Map();
  for (const line of tsv.split("\n")) {
    const [source, , sentence] = line.split("\t");
    if (!sentence) continue;
    const weight = SOURCE_WEIGHT[source];
    if (weight === undefined) throw new Error(`no weight for the source ${source}`);
    let before = "";
    for (const word of sentence.split(" ")) {
      unigrams.set(word, (unigrams.get(word) ?? 0) + weight);
      const after = bigrams.get(before) ?? bigrams.set(before, new Map()).get(before);
      after.set(word, (after.get(word) ?? 0) + weight);
      before = word;
    }
  }
  return { unigrams, bigrams };
}

/**
 * Words that the text has; words of the list, and inflections of the text's words, that only the dictionary has: these
 * count nothing. [word, count], frequent ones first.
 */
function chooseVocabulary(unigrams, list) {
  const counts = new Map();
  for (const [word, count] of unigrams) {
    if (/^[a-z][a-z']*$/.test(word) && pronounce(word).length > 0) counts.set(word, count);
  }
  for (const word of list) {
    if (/^[a-z][a-z']+$/.test(word) && !counts.has(word) && pronounce(word).length > 0) counts.set(word, 0);
  }
  for (const word of Object.keys(dictionary)) {
    if (!/^[a-z][a-z']{2,}$/.test(word) || counts.has(word)) continue;
    const stems = [
      word.replace(/('s|s|es|ed|d|ing|ly|er|ers|ness|'ll|'ve|'d|'re|n't)$/, ""),
      word.replace(/(es|ed|ing|er)$/, "e"),
      word.replace(/(ies|ied|ily|ier|iest)$/, "y"),
      word.replace(/(ed|ing|s)$/, ""),
    ];
    if (stems.some((stem) => stem !== word && (unigrams.get(stem) ?? 0) >= 3)) counts.set(word, 0);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

const quantise = (logp) => Math.min(255, Math.round(-logp / LOG_STEP));

function pushVarint(bytes, value) {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

/**
 * Interpolated Kneser-Ney (1995): p(w|v) = max(0, c(v,w) - D) / c(v) + share(v) p(w), where share(v) is the mass that the
 * discount D frees, and p(w) counts after how many different words w stands, not how often. "Francisco" is frequent, but
 * only behind "San". Words that the text does not have share what unseen text has of them.
 */
const DISCOUNT = 0.7;
const CONTINUATION_SHARE = 0.8;
/** Of the words of held-out sentences, so many are in no other sentence. */
const UNSEEN_SHARE = 0.012;

function estimate(vocabulary, bigrams) {
  const idOf = new Map(vocabulary.map(([word], id) => [word, id]));
  const precedents = new Float64Array(vocabulary.length);
  for (const after of bigrams.values()) {
    for (const word of after.keys()) if (idOf.has(word)) precedents[idOf.get(word)] += 1;
  }
  const total = vocabulary.reduce((sum, [, count]) => sum + count, 0);
  const kinds = precedents.reduce((sum, count) => sum + count, 0);
  const unseen = UNSEEN_SHARE / vocabulary.filter(([, count]) => count === 0).length;
  const unigram = vocabulary.map(([, count], id) => {
    const continued = (CONTINUATION_SHARE * precedents[id]) / kinds + ((1 - CONTINUATION_SHARE) * count) / total;
    return count === 0 ? unseen : (1 - UNSEEN_SHARE) * continued;
  });
  const histories = [...vocabulary.map(([word]) => word), ""].map((history) => {
    const known = [...(bigrams.get(history) ?? [])].filter(([word]) => idOf.has(word));
    const seen = known.reduce((sum, [, count]) => sum + count, 0);
    const freed = known.reduce((sum, [, count]) => sum + Math.min(count, DISCOUNT), 0);
    const share = seen === 0 ? 1 : freed / seen;
    const successors = known
      .map(([word, count]) => [idOf.get(word), Math.max(0, count - DISCOUNT) / seen + share * unigram[idOf.get(word)]])
      .sort((a, b) => a[0] - b[0]);
    return { share, successors };
  });
  return { unigram, histories };
}

/** Perplexity of each source's sentences, sentence ends left out; words outside the vocabulary are counted apart. */
function perplexities(tsv, vocabulary, { unigram, histories }) {
  const idOf = new Map(vocabulary.map(([word], id) => [word, id]));
  const known = histories.map(({ successors }) => new Map(successors));
  const sums = new Map();
  for (const line of tsv.split("\n")) {
    const [source, , sentence] = line.split("\t");
    if (!sentence) continue;
    const sum = sums.get(source) ?? sums.set(source, { logp: 0, words: 0, unknown: 0 }).get(source);
    let before = vocabulary.length;
    for (const word of sentence.split(" ")) {
      const id = idOf.get(word);
      if (id === undefined) sum.unknown += 1;
      else {
        sum.logp += Math.log(known[before].get(id) ?? histories[before].share * unigram[id]);
        sum.words += 1;
      }
      before = id ?? vocabulary.length;
    }
  }
  return [...sums].map(([source, { logp, words, unknown }]) => {
    return `${source}: perplexity ${Math.exp(-logp / words).toFixed(0)}, ${unknown} of ${words + unknown} words unknown`;
  });
}

/** The file's bytes. */
function encode(vocabulary, { unigram, histories }) {
  const words = vocabulary.map(([word]) => word);
  const text = Buffer.from(words.join("\n"), "utf8");
  const backoff = histories.map(({ share }) => quantise(Math.log(share)));
  const bigramBytes = [];
  let bigramCount = 0;
  for (const { successors } of histories) {
    pushVarint(bigramBytes, successors.length);
    let before = -1;
    for (const [id, p] of successors) {
      pushVarint(bigramBytes, id - before);
      bigramBytes.push(quantise(Math.log(p)));
      before = id;
    }
    bigramCount += successors.length;
  }
  const pronunciations = [];
  for (const word of words) {
    const all = pronounce(word);
    pronunciations.push(all.length);
    for (const phones of all) pronunciations.push(phones.length, ...phones);
  }
  const header = Buffer.alloc(28);
  header.write("SYXLM001", 0, "latin1");
  [words.length, text.length, pronunciations.length, bigramCount, bigramBytes.length].forEach((value, at) => {
    header.writeUInt32LE(value, 8 + 4 * at);
  });
  const tables = [unigram.map((p) => quantise(Math.log(p))), backoff, pronunciations, bigramBytes];
  return { bytes: Buffer.concat([header, text, ...tables.map((table) => Buffer.from(table))]), bigramCount };
}

function main() {
  const { values } = parseArgs({
    options: {
      text: { type: "string" },
      words: { type: "string" },
      test: { type: "string" },
      output: { type: "string", short: "o" },
    },
  });
  if (!values.text || !values.output)
    throw new Error("usage: build-lm.mjs --text TSV.GZ [--words LIST] [--test TSV.GZ] -o OUTPUT");
  const { unigrams, bigrams } = countText(gunzipSync(readFileSync(values.text)).toString("utf8"));
  const list = values.words ? readFileSync(values.words, "utf8").split("\n") : [];
  const vocabulary = chooseVocabulary(unigrams, list);
  const model = estimate(vocabulary, bigrams);
  const { bytes, bigramCount } = encode(vocabulary, model);
  const packed = gzipSync(bytes, { level: 9 });
  writeFileSync(values.output, packed);
  if (values.test) {
    const tsv = gunzipSync(readFileSync(values.test)).toString("utf8");
    for (const line of perplexities(tsv, vocabulary, model)) console.log(line);
  }
  console.log(`${vocabulary.length} words, ${bigramCount} bigrams, ${bytes.length} bytes, ${packed.length} compressed`);
}

main();
