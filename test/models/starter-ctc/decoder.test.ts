import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seeded } from "../../../src/base/prng.js";
import { LABEL_COUNT, PHONES, PhoneDecoder } from "../../../src/models/starter-ctc/decoder/index.js";
import { babble, decode, labelsOf, lexicon, slotsOf, spell } from "./decoder-support.js";

const SENTENCES = [
  "what time is it",
  "set a timer for ten minutes",
  "turn on the kitchen lights",
  "what is the weather like tomorrow",
  "remind me to call my mother at six o'clock",
];

describe("the phone decoder", () => {
  for (const sentence of SENTENCES) {
    test(`reads "${sentence}" from its phones`, () => {
      assert.equal(decode(spell(labelsOf(sentence))).text, sentence);
    });
  }

  test("reads words through posteriors that give the wrong phones a third of the probability", () => {
    for (const [seed, sentence] of SENTENCES.entries()) {
      const rows = spell(labelsOf(sentence), { certainty: 0.65, prng: seeded(seed) });
      assert.equal(decode(rows).text, sentence);
    }
  });

  test("corrects a wrong phone where only one word fits", () => {
    const labels = labelsOf("what is the weather like tomorrow");
    const at = labels.indexOf(PHONES.indexOf("m") + 1);
    labels[at] = PHONES.indexOf("n") + 1;
    assert.equal(decode(spell(labels, { certainty: 0.9 })).text, "what is the weather like tomorrow");
  });

  test("chooses among homophones by the words around them", () => {
    const [to, two] = [labelsOf("to"), labelsOf("two")];
    assert.deepEqual(to, two);
    assert.equal(decode(spell(labelsOf("i want to go home"))).text, "I want to go home");
    assert.equal(decode(spell(labelsOf("a table for two people"))).text, "a table for two people");
  });

  test("takes a phone held over several slots for one, and two with a blank between for two", () => {
    const held = spell(labelsOf("turn the page"), { phoneSlots: 3, blankSlots: 1 });
    assert.equal(decode(held).text, "turn the page");
    // Both words are likely, but without a blank the d was said once.
    const [bad, dog] = [labelsOf("bad"), labelsOf("dog")];
    assert.equal(bad.at(-1), dog[0]);
    const parted = spell([...bad, ...dog], { certainty: 0.999 });
    assert.equal(decode(parted).text, "bad dog");
    const joined = spell([...bad, ...dog], { certainty: 0.999, blankSlots: 0 });
    assert.doesNotMatch(decode(joined).text, /dog/);
  });

  test("says nothing for no input and for silence", () => {
    const empty = new PhoneDecoder(lexicon);
    empty.finish();
    assert.deepEqual(empty.hypothesis(), { text: "", words: [], stableChars: 0, confidence: 0 });
    assert.equal(decode(spell([], { certainty: 0.999 })).text, "");
  });

  test("reports words in order, inside the segment, where their phones are", () => {
    const rows = spell(labelsOf("open the door"), { phoneSlots: 2, blankSlots: 2 });
    const { words, text } = decode(rows);
    assert.equal(words.map((word) => word.text).join(" "), text);
    // Five blanks, then four slots a phone: "open" has four phones, "the" two, "door" three.
    assert.deepEqual(
      words.map((word) => [word.startSlot, word.endSlot]),
      [
        [5, 19],
        [21, 27],
        [29, 39],
      ],
    );
  });

  test("is less confident of less certain phones", () => {
    const sure = decode(spell(labelsOf("open the door"), { certainty: 0.99 }));
    const unsure = decode(spell(labelsOf("open the door"), { certainty: 0.6 }));
    assert.equal(unsure.text, sure.text);
    assert.ok(sure.confidence > 0.9 && sure.confidence <= 1);
    assert.ok(unsure.confidence < 0.8 && unsure.confidence > 0);
    for (const word of unsure.words) assert.ok(word.confidence > 0 && word.confidence <= 1);
  });

  test("drops a word that the end cuts off, and keeps those before it", () => {
    const cut = labelsOf("turn on the air conditioning").slice(0, -4);
    const { text } = decode(spell(cut));
    assert.match(text, /^turn on the\b/);
    assert.doesNotMatch(text, /conditioning/);
  });

  test("skips a row that is no distribution", () => {
    const rows = spell(labelsOf("open the door"));
    const withHole = new Float32Array(rows.length + LABEL_COUNT);
    withHole.set(rows.subarray(0, LABEL_COUNT * 3));
    withHole.fill(Number.NaN, LABEL_COUNT * 3, LABEL_COUNT * 4);
    withHole.set(rows.subarray(LABEL_COUNT * 3), LABEL_COUNT * 4);
    assert.equal(decode(withHole).text, "open the door");
  });

  test("refuses rows after finish, rows outside the array and a beam out of range", () => {
    const decoder = new PhoneDecoder(lexicon);
    assert.throws(() => decoder.push(new Float32Array(LABEL_COUNT), 0, 2), /rows lie within/);
    decoder.finish();
    assert.throws(() => decoder.push(new Float32Array(LABEL_COUNT), 0, 1), /after finish/);
    assert.throws(() => new PhoneDecoder(lexicon, { beam: 0 }), /beam/);
  });
});

describe("streaming", () => {
  const rowsOf = (seed: number): Float32Array =>
    spell(labelsOf(SENTENCES[seed % SENTENCES.length]!), { certainty: 0.5, prng: seeded(seed) });

  test("gives the same words, times and confidences however the rows are cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), fc.array(fc.integer({ min: 0, max: 30 })), (seed, cuts) => {
        const rows = rowsOf(seed);
        const total = slotsOf(rows);
        const decoder = new PhoneDecoder(lexicon, { beam: 16 });
        let at = 0;
        for (const cut of [...cuts, total]) {
          const count = Math.min(cut, total - at);
          // As a slice of a larger batch: only the stated rows may be read.
          const batch = new Float32Array((count + 4) * LABEL_COUNT).fill(-0.01);
          batch.set(rows.subarray(at * LABEL_COUNT, (at + count) * LABEL_COUNT), 2 * LABEL_COUNT);
          decoder.push(batch, 2 * LABEL_COUNT, count);
          decoder.hypothesis();
          at += count;
        }
        decoder.finish();
        assert.deepEqual(decoder.hypothesis(), decode(rows, { beam: 16 }));
      }),
      { seed: 7, numRuns: 40 },
    );
  });

  test("never takes back a stable character, and finish makes all of them stable", () => {
    for (let seed = 0; seed < 12; seed += 1) {
      const rows = seed % 3 === 0 ? babble(150, seed) : rowsOf(seed);
      const decoder = new PhoneDecoder(lexicon, { beam: 24 });
      let stable = "";
      for (let slot = 0; slot < slotsOf(rows); slot += 1) {
        decoder.push(rows, slot * LABEL_COUNT, 1);
        const { text, stableChars } = decoder.hypothesis();
        assert.ok(text.startsWith(stable), `"${text}" keeps "${stable}"`);
        assert.ok(stableChars >= stable.length);
        stable = text.slice(0, stableChars);
      }
      decoder.finish();
      const { text, stableChars } = decoder.hypothesis();
      assert.ok(text.startsWith(stable));
      assert.equal(stableChars, text.length);
    }
  });

  test("makes the first words stable before the sentence ends", () => {
    const rows = spell(labelsOf("what is the weather like tomorrow"));
    const decoder = new PhoneDecoder(lexicon);
    decoder.push(rows, 0, slotsOf(rows) - 12);
    const { text, stableChars } = decoder.hypothesis();
    assert.match(text.slice(0, stableChars), /^what is the\b/);
  });

  test("decoders of one lexicon do not disturb each other when their slots alternate", () => {
    const [first, second] = [rowsOf(1), rowsOf(2)];
    const decoders = [first, second].map(() => new PhoneDecoder(lexicon));
    for (let slot = 0; slot < Math.max(slotsOf(first), slotsOf(second)); slot += 1) {
      if (slot < slotsOf(first)) decoders[0]!.push(first, slot * LABEL_COUNT, 1);
      if (slot < slotsOf(second)) decoders[1]!.push(second, slot * LABEL_COUNT, 1);
    }
    for (const decoder of decoders) decoder.finish();
    assert.deepEqual(decoders[0]!.hypothesis(), decode(first));
    assert.deepEqual(decoders[1]!.hypothesis(), decode(second));
  });
});

describe("bounds", () => {
  test("a larger beam never gives a less likely reading of clear speech, and one hypothesis is enough for it", () => {
    const rows = spell(labelsOf("open the door"), { certainty: 0.99 });
    for (const beam of [4, 24, 256]) assert.equal(decode(rows, { beam }).text, "open the door");
    assert.equal(typeof decode(rows, { beam: 1 }).text, "string");
  });

  test("thirty seconds of babble stay within the history that two seconds need, times four", () => {
    const capacityAfter = (slotCount: number): number => {
      const decoder = new PhoneDecoder(lexicon, { beam: 32 });
      decoder.push(babble(slotCount, 3), 0, slotCount);
      return decoder.historyCapacity;
    };
    const [short, long] = [capacityAfter(100), capacityAfter(1500)];
    assert.ok(long <= 4 * short, `${long} records against ${short}`);
  });

  test("thirty seconds cost as much per slot as three", () => {
    const timed = (slotCount: number): number => {
      const rows = babble(slotCount, 5);
      const decoder = new PhoneDecoder(lexicon, { beam: 24 });
      const start = performance.now();
      decoder.push(rows, 0, slotCount);
      return (performance.now() - start) / slotCount;
    };
    timed(150);
    const short = Math.min(timed(150), timed(150), timed(150));
    assert.ok(timed(1500) < 6 * short);
  });
});
