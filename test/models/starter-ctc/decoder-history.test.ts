import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { Candidates, logAdd } from "../../../src/models/starter-ctc/decoder/beam.js";
import { NO_WORDS, WordHistory } from "../../../src/models/starter-ctc/decoder/word-history.js";

const textOf = (history: WordHistory, record: number): number[] => {
  const words: number[] = [];
  for (let at = record; at !== NO_WORDS; at = history.parentOf(at)) words.push(history.wordOf(at));
  return words.reverse();
};

describe("the word history", () => {
  test("keeps the words of its roots through any number of sweeps", () => {
    const prng = seeded(11);
    const history = new WordHistory(64);
    const rootCount = 16;
    const roots = new Int32Array(rootCount);
    const expected: number[][] = Array.from({ length: rootCount }, () => []);
    for (let round = 0; round < 400; round += 1) {
      if (history.recordCount + rootCount > history.capacity) history.sweep(roots, rootCount);
      const [from, to] = [prng.integer(0, rootCount), prng.integer(0, rootCount)];
      // Sometimes a root starts anew, so that whole branches die.
      const parent = prng.next() < 0.05 ? NO_WORDS : roots[from]!;
      const before = parent === NO_WORDS ? [] : expected[from]!;
      roots[to] = history.add(parent, round, round, round + 1, 3, -round);
      expected[to] = [...before, round];
    }
    for (let root = 0; root < rootCount; root += 1) {
      assert.deepEqual(textOf(history, roots[root]!), expected[root]);
      assert.equal(history.depthOf(roots[root]!), expected[root]!.length);
    }
    assert.ok(history.capacity <= 512, `${history.capacity}`);
  });

  test("finds the common beginning by words, not by records", () => {
    const history = new WordHistory(64);
    const chain = (words: readonly number[], slot: number): number =>
      words.reduce((parent, word) => history.add(parent, word, slot, slot + 1, 1, 0), NO_WORDS);
    assert.equal(history.commonDepth(chain([1, 2, 3], 0), chain([1, 2, 4, 5], 9)), 2);
    assert.equal(history.commonDepth(chain([1, 2], 0), chain([1, 2], 5)), 2);
    assert.equal(history.commonDepth(chain([1], 0), NO_WORDS), 0);
    assert.equal(history.commonDepth(chain([2, 1], 0), chain([1, 2], 0)), 0);
  });
});

describe("the candidates of a slot", () => {
  const NEVER = Number.NEGATIVE_INFINITY;
  const zero = (): number => 0;

  test("with the same words and node add up their probabilities", () => {
    const candidates = new Candidates(8);
    assert.equal(candidates.add(1, 2, 77, -1, NEVER, 0), 0);
    assert.equal(candidates.add(1, 2, 77, NEVER, -2, 0), -1);
    assert.equal(candidates.add(1, 2, 77, NEVER, -0.5, 0), 0);
    assert.equal(candidates.rows.count, 1);
    assert.equal(candidates.rows.blank[0], -1);
    assert.ok(Math.abs(candidates.rows.phone[0]! - Math.log(Math.exp(-2) + Math.exp(-0.5))) < 1e-12);
  });

  test("with the same last word and node but other words before leave only the better one", () => {
    const candidates = new Candidates(8);
    candidates.add(1, 2, 77, -1, NEVER, -3);
    assert.equal(candidates.add(1, 2, 88, -1, NEVER, -5), -1);
    assert.equal(candidates.add(1, 2, 99, -1, NEVER, -2), 0);
    assert.equal(candidates.rows.hash[0], 99);
    assert.equal(candidates.rows.language[0], -2);
  });

  test("are ranked by score, cut to the limit and to the margin", () => {
    const candidates = new Candidates(64);
    const prng = seeded(5);
    const scores = Array.from({ length: 40 }, () => -10 * prng.next());
    scores.forEach((score, at) => {
      candidates.add(at, at, at, score, NEVER, 0);
    });
    const expected = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!);
    const kept = candidates.rank(10, 100, zero);
    assert.deepEqual(
      Array.from({ length: kept }, (_, place) => candidates.ranked(place)),
      expected.slice(0, 10),
    );
    const within = scores.filter((score) => score >= Math.max(...scores) - 1).length;
    assert.equal(candidates.rank(40, 1, zero), within);
  });

  test("beyond the capacity are lost, and clearing makes room for all keys again", () => {
    const candidates = new Candidates(4);
    for (let round = 0; round < 3; round += 1) {
      candidates.clear();
      for (let at = 0; at < 4; at += 1) assert.equal(candidates.add(at, round, at, -1, NEVER, 0), at);
      assert.equal(candidates.add(9, round, 9, -1, NEVER, 0), -1);
      assert.equal(candidates.rows.count, 4);
    }
  });

  test("logAdd is right at the ends of its range", () => {
    assert.equal(logAdd(NEVER, NEVER), NEVER);
    assert.equal(logAdd(NEVER, -3), -3);
    assert.equal(logAdd(-3, NEVER), -3);
    assert.ok(Math.abs(logAdd(-1, -1) - (Math.log(2) - 1)) < 1e-12);
  });
});
