import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CLAUSE_CHARS_MAX, ClauseSplitter } from "../../../src/actors/text/clauses.js";

/** All clauses of one reply that arrives in the given deltas. */
function split(...deltas: readonly string[]): string[] {
  const splitter = new ClauseSplitter();
  const clauses = deltas.flatMap((delta) => splitter.push(delta));
  return [...clauses, ...splitter.flush()];
}

/** The clauses after a first one, which is cut by other rules. */
function splitLater(text: string): string[] {
  const clauses = split(`Well. ${text}`);
  assert.equal(clauses[0], "Well.");
  return clauses.slice(1);
}

const withoutSpace = (text: string): string => text.replace(/\s+/g, "");

describe("the first clause", () => {
  test("ends at the first comma once it is long enough", () => {
    assert.deepEqual(split("Sure, I can do that for you, and more, if you like."), [
      "Sure, I can do that for you,",
      "and more, if you like.",
    ]);
  });

  test("ends at a dash, a colon or an ellipsis too", () => {
    assert.equal(split("Here is the answer—forty two.")[0], "Here is the answer—");
    assert.equal(split("Here is the answer - forty two.")[0], "Here is the answer -");
    assert.equal(split("Here is the answer: forty two.")[0], "Here is the answer:");
    assert.equal(split("Let me think about it... okay.")[0], "Let me think about it...");
  });

  test("ends at a full stop however short it is", () => {
    assert.deepEqual(split("Yes. It is, I think."), ["Yes.", "It is, I think."]);
  });

  test("leaves as soon as the white space after its end is there", () => {
    const splitter = new ClauseSplitter();
    assert.deepEqual(splitter.push("Of course I can"), []);
    assert.deepEqual(splitter.push(","), []);
    assert.deepEqual(splitter.push(" "), ["Of course I can,"]);
    assert.deepEqual(splitter.push("let me see, one moment."), []);
    assert.deepEqual(splitter.push("\n"), ["let me see, one moment."]);
  });

  test("comes anew after a flush", () => {
    const splitter = new ClauseSplitter();
    assert.deepEqual(splitter.push("One thing at a time, please"), ["One thing at a time,"]);
    assert.deepEqual(splitter.flush(), ["please"]);
    assert.deepEqual(splitter.push("Another reply now, it is. "), ["Another reply now,", "it is."]);
    assert.deepEqual(splitter.flush(), []);
  });
});

describe("sentences", () => {
  test("end at full stops, question and exclamation marks, with their quotes", () => {
    assert.deepEqual(splitLater('It is. Is it? It is! He said "so." (Or not.) Good?! Yes'), [
      "It is.",
      "Is it?",
      "It is!",
      'He said "so."',
      "(Or not.)",
      "Good?!",
      "Yes",
    ]);
  });

  for (const whole of [
    "Ask Dr. Smith about it.",
    "Mr. and Mrs. Jones met Prof. Lee in St. Ives.",
    "Pi is 3.14 and e is 2.718 or so.",
    "Some fruit, e.g. apples, i.e. nothing more.",
    "Look at https://example.com/a.b?c=1.2 for it.",
    "Write to a.b@example.com or example.org now.",
    "It is 10:30 now, or 5 p.m. in London.",
    "Well... I am not sure… Perhaps.",
    "J. R. R. Tolkien lived in the U.K. for long.",
    "See No. 5 and Fig. 2 on p. 7 of Vol. 3 from Jan. 4.",
    "Apples, pears, etc. are fruit.",
    "Made by Foo Inc. in 1999 for approx. 5 hours.",
    'He cried "Stop!" and ran.',
    "It grew by 1,000.50 or v2.0.1 a year.",
    "This line was\nmerely wrapped.",
    "1. Take the lid off.",
  ]) {
    test(`are not cut inside: ${JSON.stringify(whole)}`, () => {
      assert.deepEqual(splitLater(whole), [whole.replace(/\s/g, " ")]);
      assert.deepEqual(splitLater(`${whole} Next one.`), [whole.replace(/\s/g, " "), "Next one."]);
    });
  }

  test("end after an abbreviation if a capital follows", () => {
    assert.deepEqual(splitLater("Come at 5 p.m. Then go. Pears, etc. Then eat. No. Really."), [
      "Come at 5 p.m.",
      "Then go.",
      "Pears, etc.",
      "Then eat.",
      "No.",
      "Really.",
    ]);
    assert.deepEqual(splitLater("So do I. You know."), ["So do I.", "You know."]);
  });

  test("end at blank lines and at the lines of a list", () => {
    assert.deepEqual(splitLater("Shopping list\n\nfor today\n- milk\n- bread\n2. Take it"), [
      "Shopping list",
      "for today",
      "- milk",
      "- bread",
      "2. Take it",
    ]);
  });

  test("end without white space in scripts that use none", () => {
    assert.deepEqual(splitLater("你好。你好吗？"), ["你好。", "你好吗？"]);
  });

  test("never consist of marks alone unless there is nothing else", () => {
    assert.deepEqual(splitLater("--- ... !! Hello there. *** "), ["--- ... !! Hello there.", "***"]);
    assert.deepEqual(split(" \n "), []);
    assert.deepEqual(split("..."), ["..."]);
  });
});

describe("a text without an end", () => {
  test("is cut after a comma in the second half of the longest clause, else between words", () => {
    const words = "word ".repeat(100);
    for (const clause of splitLater(words)) assert.match(clause, /^(word ?)+$/);
    const comma = `${"word ".repeat(50)}word, ${words}`;
    assert.equal(splitLater(comma)[0], `${"word ".repeat(50)}word,`);
  });

  test("is cut inside a word, but not inside a character, if there is only one word", () => {
    for (const unit of ["x", "😀", "a😀"]) {
      const clauses = splitLater(unit.repeat(500));
      for (const clause of clauses) {
        assert.ok(clause.length <= CLAUSE_CHARS_MAX);
        assert.equal(Buffer.from(clause).toString(), clause);
      }
      assert.equal(clauses.join(""), unit.repeat(500));
    }
  });
});

describe("for any text", () => {
  const piece = fc.constantFrom(
    ..."abcXYZI 019.,;:!?…-—'\"()\n\n  ",
    "Dr. ",
    "p.m. ",
    "e.g. ",
    "... ",
    "3.14",
    " word",
    " Word",
    ". ",
    ".\n",
    "? ",
    "😀",
    "。",
    "No. ",
    "word ".repeat(30),
    "x".repeat(200),
  );
  const anyText = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));
  const cuts = fc.array(fc.nat(), { maxLength: 40 });

  function deltasOf(text: string, at: readonly number[]): string[] {
    const sorted = [0, ...at.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
    return sorted.slice(1).map((to, index) => text.slice(sorted[index], to));
  }

  test("the clauses are the same however the text was cut into deltas", () => {
    const property = fc.property(anyText, cuts, (text, at) => {
      assert.deepEqual(split(...deltasOf(text, at)), split(text));
      assert.deepEqual(split(...text), split(text));
    });
    fc.assert(property, { numRuns: 400, seed: 3 });
  });

  test("the clauses are the whole text, trimmed, and none is too long or empty", () => {
    const property = fc.property(fc.oneof(anyText, fc.string({ unit: "binary" })), (text) => {
      const clauses = split(text);
      assert.equal(withoutSpace(clauses.join(" ")), withoutSpace(text));
      for (const clause of clauses) {
        assert.ok(clause.length > 0 && clause.length <= CLAUSE_CHARS_MAX);
        assert.equal(clause, clause.trim().replace(/\s+/g, " "));
      }
    });
    fc.assert(property, { numRuns: 400, seed: 4 });
  });

  test("a splitter restored from its saved state goes on as if nothing had happened", () => {
    const property = fc.property(anyText, cuts, (text, at) => {
      let splitter = new ClauseSplitter();
      const clauses: string[] = [];
      for (const delta of deltasOf(text, at)) {
        clauses.push(...splitter.push(delta));
        const state = splitter.save();
        assert.ok(state.length < 4 * CLAUSE_CHARS_MAX);
        splitter = ClauseSplitter.restore(state);
      }
      assert.deepEqual([...clauses, ...splitter.flush()], split(text));
    });
    fc.assert(property, { numRuns: 200, seed: 5 });
  });

  test("the time taken does not grow with the square of the text", () => {
    const timeOf = (text: string): number => {
      const start = performance.now();
      split(text);
      return performance.now() - start;
    };
    const unit = "It is one thing, and another one. ";
    timeOf(unit.repeat(3_000));
    assert.ok(timeOf(unit.repeat(30_000)) < 60 * timeOf(unit.repeat(3_000)));
  });
});
