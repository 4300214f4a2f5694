import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { largestLoad, type Trial } from "../../../src/cli/load/search.js";

function searching(max: number, trialOf: (calls: number) => Trial, confirmations = 1, start = 1) {
  const tried: number[] = [];
  const attempt = async (calls: number): Promise<Trial> => {
    tried.push(calls);
    return trialOf(calls);
  };
  return largestLoad({ attempt, start, max, confirmations }).then((found) => ({ ...found, tried }));
}

describe("the search for the largest load", () => {
  test("finds every limit of a system without noise, within its resolution, in few rungs", async () => {
    for (let limit = 1; limit <= 256; limit++) {
      const { calls, tried } = await searching(256, (count) => (count <= limit ? "meets" : "misses"));
      assert.ok(calls <= limit && limit - calls <= 0.05 * limit, `${calls} for ${limit}`);
      assert.ok(tried.length <= 18, `${tried.length} rungs for ${limit}`);
    }
  });

  test("doubles, halves the rest, and tries the winner again", async () => {
    const { tried } = await searching(64, (count) => (count <= 11 ? "meets" : "misses"));
    assert.deepEqual(tried, [1, 2, 4, 8, 16, 12, 10, 11, 11]);
  });

  test("begins where it is told, and goes down from there", async () => {
    const { calls, tried } = await searching(256, (count) => (count <= 5 ? "meets" : "misses"), 0, 20);
    assert.equal(calls, 5);
    assert.deepEqual(tried, [20, 10, 5, 7, 6]);
  });

  test("says 0 if not even one call meets the objectives, and says if the largest allowed does", async () => {
    assert.equal((await searching(8, () => "misses")).calls, 0);
    const { calls, isAtMax, tried } = await searching(24, () => "meets");
    assert.deepEqual([calls, isAtMax], [24, true]);
    assert.deepEqual(tried, [1, 2, 4, 8, 16, 24, 24]);
  });

  test("a winner that misses when tried again is not the winner: what met below it is", async () => {
    let asked8 = 0;
    const { calls, tried } = await searching(16, (count) => {
      if (count === 8) return asked8++ === 0 ? "meets" : "misses";
      return count < 8 ? "meets" : "misses";
    });
    assert.equal(calls, 7);
    assert.ok(asked8 === 2 && tried.at(-1) === 7);
  });

  test("a winner stands if most of its runs meet the objectives: one miss of three does not fell it", async () => {
    const runs: Trial[] = ["meets", "misses", "meets"];
    const { calls, tried } = await searching(4, (count) => (count === 4 ? runs.shift()! : "meets"), 2);
    assert.deepEqual([calls, tried], [4, [1, 2, 4, 4, 4]]);
    const worse: Trial[] = ["meets", "misses", "misses"];
    const felled = await searching(4, (count) => (count === 4 ? worse.shift()! : "meets"), 2);
    assert.deepEqual([felled.calls, felled.tried], [3, [1, 2, 4, 4, 4, 3, 3, 3].slice(0, felled.tried.length)]);
  });

  test("a void rung is tried again before it counts", async () => {
    let voids = 2;
    const found = await searching(4, (count) => (count === 4 && voids-- > 0 ? "void" : "meets"), 0);
    assert.deepEqual([found.calls, found.tried], [4, [1, 2, 4, 4, 4]]);
  });

  test("of a noisy system it finds a load that the system bears, and ends", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const prng = seeded(seed);
      // Meets surely up to 40, never above 60, and by chance between.
      const chance = (count: number): Trial => (prng.next() < (60 - count) / 20 ? "meets" : "misses");
      const { calls, tried } = await searching(256, chance, 2);
      assert.ok(calls >= 36 && calls < 60, `${calls}`);
      assert.ok(tried.length < 60);
    }
  });

  test("knows when a void rung, and not the server, was the limit", async () => {
    const found = await searching(64, (count) => (count <= 6 ? "meets" : count < 10 ? "void" : "misses"));
    assert.deepEqual([found.calls, found.isLimitedByGenerator], [6, true]);
    const clear = await searching(64, (count) => (count <= 6 ? "meets" : count < 10 ? "misses" : "void"));
    assert.deepEqual([clear.calls, clear.isLimitedByGenerator], [6, false]);
  });
});
