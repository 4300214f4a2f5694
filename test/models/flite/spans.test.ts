import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { FliteEngine } from "../../../src/models/flite/engine.js";
import { readingOf } from "../../../src/models/flite/reading.js";
import { type Phone, readPhones, wordSpans } from "../../../src/models/flite/spans.js";
import { scriptOf, spokenWords } from "../../../src/models/flite/text.js";

const SENTENCES = [
  "Hello there, how can I help you today?",
  "The quick brown fox jumps over the lazy dog.",
  "It was the best of times, it was the worst of times.",
  "The meeting is at 10:30 on Tuesday the 14th.",
  "He owes you 3.14 dollars at 5 p.m. today.",
  "The year 1984 was better than 2020, at 25% off $30.",
  "Through thorough thought, the knight coughed enough.",
];

describe("word times", () => {
  let engine: FliteEngine;
  before(async () => {
    engine = await FliteEngine.load();
  });

  function phonesOf(text: string): Phone[] {
    const printed = engine.run({ voice: "kal16", speed: 1, text, onSentence: () => {}, onAudio: () => {} });
    return readPhones(printed, [0], 16_000);
  }

  test("give at least nineteen in twenty words the very phones that flite says for the word alone", () => {
    let right = 0;
    let total = 0;
    for (const text of SENTENCES) {
      const words = spokenWords(text);
      const phones = phonesOf(scriptOf(words));
      const spans = wordSpans(words, phones, 1e9);
      const said = phones.filter(({ name }) => name !== "pau");
      let at = 0;
      for (const [index, word] of words.entries()) {
        const count = phonesOf(word.spoken).filter(({ name }) => name !== "pau").length;
        const expected = [said[at]!.startSample, said[at + count - 1]!.endSample];
        at += count;
        const span = spans[index]!;
        right += Number(span.startSample === expected[0] && span.endSample === expected[1]);
        total++;
      }
      assert.equal(at, said.length, `flite says "${text}" as it says its words`);
    }
    assert.ok(right / total >= 0.95, `${right} of ${total}`);
  });

  test("add words that are not said to the word before, or to the first", () => {
    const words = spokenWords("-- hello 👍 world!");
    const spans = wordSpans(words, phonesOf(scriptOf(words)), 1e9);
    assert.deepEqual(
      spans.map(({ text }) => text),
      ["-- hello 👍", "world!"],
    );
  });

  test("stay within the audio even if the phones do not", () => {
    const spans = wordSpans(spokenWords("hello world"), phonesOf("hello world"), 100);
    for (const span of spans) assert.ok(span.startSample <= span.endSample && span.endSample <= 100);
  });

  test("are all there for a text without any phone", () => {
    const spans = wordSpans(spokenWords("hello world"), [], 100);
    assert.deepEqual(spans, [
      { text: "hello", startSample: 0, endSample: 0 },
      { text: "world", startSample: 0, endSample: 0 },
    ]);
  });

  test("start each sentence where its audio starts", () => {
    const phones = readPhones("pau:0.100 a:0.200\nb:0.050\n\n", [0, 5000], 16_000);
    assert.deepEqual(phones, [
      { name: "pau", startSample: 0, endSample: 1600 },
      { name: "a", startSample: 1600, endSample: 3200 },
      { name: "b", startSample: 5000, endSample: 5800 },
    ]);
  });
});

test("a written word's reading spells out numbers, amounts and abbreviations", () => {
  const readings = ["10:30", "$5", "3.14", "1984", "25%", "dr.", "p.m.", "007", "hello"].map((word) =>
    readingOf(word).split(/\W+/).filter(Boolean).join(" "),
  );
  assert.deepEqual(readings, [
    "ten thirty",
    "five dollars",
    "three point one four",
    "nineteen eighty four",
    "twenty five percent",
    "doctor",
    "pee em",
    "zero zero seven",
    "hello",
  ]);
});

describe("the script for flite", () => {
  const script = (text: string) => scriptOf(spokenWords(text));

  test("is printable ASCII", () => {
    assert.equal(script("“Déjà vu” — naïve…\u0000 it’s 5 °C"), "Deja vu , naive... it's 5 degrees C");
    assert.match(script("日本 hello мир \ud800 a\u200bb"), /^[\x20-\x7e\n]+$/);
  });

  test("has a break at a word's end in every stretch that is long without a full stop", () => {
    const parts = script("banana ".repeat(100)).split("\n\n");
    assert.ok(parts.length >= 3);
    for (const part of parts) assert.ok(part.length <= 240 && /^(banana ?)+$/.test(part), part);
    assert.equal(script("One is here. Two is here.").includes("\n"), false);
  });

  test("breaks up words that no one could say in one go", () => {
    for (const part of script("x".repeat(1000)).split(/\s+/)) assert.ok(part.length <= 40);
  });
});
