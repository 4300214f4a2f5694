import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { KEYTERM_WORDS_MAX, Keyterms } from "../../../src/models/starter-ctc/decoder/keyterms.js";
import { letterToSound } from "../../../src/models/starter-ctc/decoder/letter-to-sound.js";
import { PHONES } from "../../../src/models/starter-ctc/decoder/phones.js";
import { decode, labelsOf, lexicon, spell } from "./decoder-support.js";

const said = (word: string): string =>
  letterToSound(word)
    .map((label) => PHONES[label - 1])
    .join(" ");

describe("key terms", () => {
  test("let a word outside the vocabulary be heard, spelled as given", () => {
    assert.equal(lexicon.find("syrinx"), -1);
    const labels = [...labelsOf("please call"), ...letterToSound("syrinx"), ...labelsOf("tomorrow")];
    assert.doesNotMatch(decode(spell(labels)).text, /syrinx/i);
    assert.equal(decode(spell(labels), { keyterms: ["Syrinx"] }).text, "please call Syrinx tomorrow");
  });

  test("win over a likelier word that sounds the same", () => {
    const rows = spell(labelsOf("the right"));
    assert.equal(decode(rows).text, "the right");
    assert.equal(decode(rows, { keyterms: ["wright"] }).text, "the wright");
  });

  test("take phrases word by word and leave common words as they are", () => {
    const terms = new Keyterms(lexicon, ["the Tower of Pisa"]);
    const before = lexicon.find("see");
    assert.equal(terms.lift(lexicon.find("the"), -9, before), -9);
    assert.equal(terms.lift(lexicon.find("of"), -9, before), -9);
    assert.ok(terms.lift(lexicon.find("tower"), -9, before) > -6);
    assert.equal(terms.spellingOf(lexicon.find("tower")), "Tower");
  });

  test("lift a common word that is asked for by itself", () => {
    const terms = new Keyterms(lexicon, ["all of one", "one"]);
    const [one, of, before] = ["one", "of", "see"].map((word) => lexicon.find(word));
    assert.ok(terms.lift(one!, -9, before!) > -6);
    assert.equal(terms.lift(of!, -9, before!), -9);
    const rows = spell(labelsOf("the one"));
    assert.equal(decode(rows).text, "the one");
    assert.equal(decode(rows, { keyterms: ["won"] }).text, "the won");
  });

  test("are lifted further where nothing but a key term stands before them, or nothing at all", () => {
    const terms = new Keyterms(lexicon, ["two", "four", "Syrinx"]);
    const [two, four, see] = ["two", "four", "see"].map((word) => lexicon.find(word));
    const within = terms.lift(two!, -9, see!);
    assert.ok(terms.lift(two!, -9, lexicon.sentenceStart) > within);
    assert.ok(terms.lift(two!, -9, four!) > within);
    const unknown = lexicon.sentenceStart + 3;
    assert.equal(terms.spellingOf(unknown), "Syrinx");
    assert.ok(terms.lift(unknown, -9, see!) > within);
  });

  test("do not appear where nothing like them was said", () => {
    const keyterms = ["Syrinx", "Kubernetes", "wright", "Copenhagen"];
    for (const sentence of ["open the door", "set a timer for ten minutes"]) {
      const rows = spell(labelsOf(sentence), { certainty: 0.7, prng: seeded(4) });
      assert.equal(decode(rows, { keyterms }).text, sentence);
    }
  });

  test("beyond their limit, without letters or in other scripts are ignored", () => {
    const many = Array.from({ length: KEYTERM_WORDS_MAX + 50 }, (_, at) => {
      const letters = [at % 26, Math.floor(at / 26) % 26, Math.floor(at / 676)];
      return `zq${letters.map((letter) => String.fromCharCode(97 + letter)).join("")}`;
    });
    const terms = new Keyterms(lexicon, [...many, "42", "", "東京"]);
    assert.ok(terms.spellingOf(lexicon.sentenceStart + KEYTERM_WORDS_MAX) !== undefined);
    assert.equal(terms.spellingOf(lexicon.sentenceStart + 1 + KEYTERM_WORDS_MAX), undefined);
    assert.equal(new Keyterms(lexicon, ["42", "", "東京"]).trie.nodeCount, 1);
  });

  test("may be abbreviations that are spelled out", () => {
    const letters = "w z q".split(" ").flatMap((letter) => lexicon.pronunciationsOf(lexicon.find(letter))[0]!);
    assert.match(decode(spell([...labelsOf("open"), ...letters]), { keyterms: ["WZQ"] }).text, /WZQ/);
  });
});

describe("letter to sound", () => {
  test("knows digraphs, silent letters, long vowels and doubled consonants", () => {
    assert.equal(said("knight"), "n ay t");
    assert.equal(said("phone"), "f ow n");
    assert.equal(said("shipping"), "sh ih p ih ng");
    assert.equal(said("station"), "s t ae sh ax n");
    assert.equal(said("zylo"), "z ih l ow");
  });

  test("gives nothing for no letters", () => {
    assert.deepEqual(letterToSound(""), []);
    assert.deepEqual(letterToSound("42"), []);
  });
});
