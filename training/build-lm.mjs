/**
 * Makes the word list, pronunciations and word bigram of the starter recogniser's decoder: `lm-en.bin.gz`.
 *
 *   node training/build-lm.mjs --text text.train.tsv.gz --phrases training/assistant-phrases.txt -o models/starter/lm-en.bin.gz
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
/** How often a line of each source counts; random word lists tell nothing about word order. */
const SOURCE_WEIGHT = { tpl: 1, wn_ex: 1, wn_gl: 0.5, gov: 0.5, words: 0 };
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

/** mulberry32 (public domain, by T. Ettinger): the same draw on every machine. */
function seeded(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Draws `count` sentences from a phrase file: patterns are chosen evenly, then each alternative evenly. */
function drawPhrases(file, count) {
  const slots = new Map();
  const patterns = [];
  for (const line of file.split("\n").map((text) => text.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const slot = /^<([a-z]+)> =(.*)$/.exec(line);
    if (slot === null) patterns.push(line);
    else slots.set(slot[1], splitTop(slot[2]));
  }
  const random = seeded(20261122);
  const pick = (items) => items[Math.floor(random() * items.length)];
  const expand = (pattern) => {
    let text = pattern;
    for (;;) {
      const open = /<([a-z]+)>|\{([^{}<>]*)\}/.exec(text);
      if (open === null) return text.replace(/\s+/g, " ").trim();
      const chosen = open[1] === undefined ? pick(open[2].split("|")) : pick(slots.get(open[1]));
      text = text.slice(0, open.index) + chosen + text.slice(open.index + open[0].length);
    }
  };
  return Array.from({ length: count }, () => normalise(expand(pick(patterns))));
}

/** Splits at the bars that stand outside all braces. */
function splitTop(text) {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    if (character === "|" && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}

function normalise(text) {
  return text
    .toLowerCase()
    .replace(/[^a-z' ]+/g, " ")
    .replace(/(^|\s)'+|'+(\s|$)/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** Weighted unigram and bigram counts; the history "" is the start of a sentence. */
function countText(tsv, phrases, phraseWeight) {
  const unigrams = new Map();
  const bigrams = new Map();
  const add = (sentence, weight) => {
    let before = "";
    for (const word of sentence.split(" ")) {
      unigrams.set(word, (unigrams.get(word) ?? 0) + weight);
      const after = bigrams.get(before) ?? bigrams.set(before, new Map()).get(before);
      if (weight > 0) after.set(word, (after.get(word) ?? 0) + weight);
      before = word;
    }
  };
  for (const line of tsv.split("\n")) {
    const [source, , sentence] = line.split("\t");
    if (sentence) add(sentence, SOURCE_WEIGHT[source] ?? 1);
  }
  for (const sentence of phrases) add(sentence, phraseWeight);
  return { unigrams, bigrams };
}

/** Words that the text has, and inflections of its words that only the dictionary has. */
function chooseVocabulary(unigrams) {
  const counts = new Map();
  const floor = 0.3;
  for (const [word, count] of unigrams) {
    if (/^[a-z][a-z']*$/.test(word) && pronounce(word).length > 0) counts.set(word, count + floor);
  }
  for (const word of Object.keys(dictionary)) {
    if (!/^[a-z][a-z']{2,}$/.test(word) || counts.has(word)) continue;
    const stems = [
      word.replace(/('s|s|es|ed|d|ing|ly|er|ers|ness|'ll|'ve|'d|'re|n't)$/, ""),
      word.replace(/(es|ed|ing|er)$/, "e"),
      word.replace(/(ies|ied|ily|ier|iest)$/, "y"),
      word.replace(/(ed|ing|s)$/, ""),
    ];
    if (stems.some((stem) => stem !== word && (unigrams.get(stem) ?? 0) >= 3)) counts.set(word, floor);
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

/** Witten-Bell interpolation: p(w|v) = (c(v,w) + t(v) p(w)) / (c(v) + t(v)), t(v) = number of distinct successors. */
function encode(vocabulary, bigrams) {
  const words = vocabulary.map(([word]) => word);
  const idOf = new Map(words.map((word, id) => [word, id]));
  const total = vocabulary.reduce((sum, [, count]) => sum + count, 0);
  const unigram = vocabulary.map(([, count]) => count / total);
  const text = Buffer.from(words.join("\n"), "utf8");
  const backoff = [];
  const bigramBytes = [];
  let bigramCount = 0;
  for (const history of [...words, ""]) {
    const known = [...(bigrams.get(history) ?? [])].filter(([word]) => idOf.has(word));
    const seen = known.reduce((sum, [, count]) => sum + count, 0);
    const types = known.length;
    backoff.push(types === 0 ? 0 : quantise(Math.log(types / (seen + types))));
    const successors = known
      .map(([word, count]) => [idOf.get(word), Math.log((count + types * unigram[idOf.get(word)]) / (seen + types))])
      .sort((a, b) => a[0] - b[0]);
    pushVarint(bigramBytes, successors.length);
    let before = -1;
    for (const [id, logp] of successors) {
      pushVarint(bigramBytes, id - before);
      bigramBytes.push(quantise(logp));
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
      phrases: { type: "string" },
      "phrase-count": { type: "string", default: "20000" },
      "phrase-weight": { type: "string", default: "3" },
      output: { type: "string", short: "o" },
    },
  });
  if (!values.text || !values.output) throw new Error("usage: build-lm.mjs --text TSV.GZ [--phrases TXT] -o OUTPUT");
  const tsv = gunzipSync(readFileSync(values.text)).toString("utf8");
  const phrases = values.phrases
    ? drawPhrases(readFileSync(values.phrases, "utf8"), Number(values["phrase-count"]))
    : [];
  const { unigrams, bigrams } = countText(tsv, phrases, Number(values["phrase-weight"]));
  const vocabulary = chooseVocabulary(unigrams);
  const { bytes, bigramCount } = encode(vocabulary, bigrams);
  const packed = gzipSync(bytes, { level: 9 });
  writeFileSync(values.output, packed);
  console.log(`${vocabulary.length} words, ${bigramCount} bigrams, ${bytes.length} bytes, ${packed.length} compressed`);
}

main();
