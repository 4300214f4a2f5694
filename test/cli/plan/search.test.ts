import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseSlo } from "../../../src/cli/commands/plan.js";
import type { Measured } from "../../../src/cli/plan/messages.js";
import { CapacitySearch, type Outcome, shareRange } from "../../../src/cli/plan/search.js";
import { judge, quantile } from "../../../src/cli/plan/verdict.js";

function search(callsMax: number, outcomeOf: (calls: number) => Outcome) {
  const found = new CapacitySearch(callsMax);
  const tried: number[] = [];
  for (let calls = found.next; calls !== undefined; calls = found.next) {
    tried.push(calls);
    found.note(calls, outcomeOf(calls));
    assert.ok(tried.length < 40, "it ends");
  }
  return { found, tried };
}

describe("the search for the most calls", () => {
  test("comes within a tenth of it, and never above it, in a few tries", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 900 }), (truth) => {
        const { found, tried } = search(1_000, (calls) => ({
          verdict: calls <= truth ? "kept" : "broken",
          ease: calls / Math.max(1, truth),
        }));
        assert.ok(found.keptCalls <= truth && found.brokenCalls! > truth);
        assert.ok(truth - found.keptCalls <= Math.max(1, 0.1 * truth), `${found.keptCalls} of ${truth}`);
        assert.ok(tried.length <= 12, `${tried}`);
        assert.equal(found.limitedBy, "promise");
      }),
    );
  });

  test("tries a number again whose generator was late, and takes it for the upper end when it is late again", () => {
    const { found, tried } = search(64, (calls) => ({ verdict: calls > 20 ? "void" : "kept", ease: 0.5 }));
    assert.deepEqual(tried.slice(0, 4), [8, 16, 32, 32]);
    assert.equal(found.limitedBy, "generator");
    assert.ok(found.keptCalls >= 19 && found.keptCalls <= 20);
  });

  test("says so when all the slots there are kept the promise", () => {
    const { found } = search(48, () => ({ verdict: "kept", ease: 0.1 }));
    assert.deepEqual([found.keptCalls, found.brokenCalls, found.limitedBy], [48, undefined, "slots"]);
  });
});

describe("a verdict", () => {
  const slo = { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 100 };
  const quick: Measured = { type: "measured", final: [], ttfa: [], lag: [], sendLateMs: [1], faults: 0 };
  const some = (early: number, late: number): number[] => [...new Array(early).fill(50), ...new Array(late).fill(400)];

  test("is kept up to one answer in twenty that is late, in each kind of answer", () => {
    assert.equal(judge(4, 6, { ...quick, final: some(95, 5) }, slo).rung.verdict, "kept");
    assert.equal(judge(4, 6, { ...quick, final: some(94, 6) }, slo).rung.verdict, "broken");
    assert.equal(judge(4, 6, { ...quick, final: some(100, 0), ttfa: some(18, 2) }, slo).rung.verdict, "broken");
  });

  test("is broken by a call that failed, void if the generator was late, and nothing without an answer", () => {
    assert.equal(judge(4, 6, { ...quick, final: some(99, 0), faults: 1 }, slo).rung.verdict, "broken");
    assert.equal(judge(4, 6, { ...quick, final: some(99, 0), sendLateMs: some(90, 10) }, slo).rung.verdict, "void");
    assert.equal(judge(4, 6, quick, slo).isEmpty, true);
  });

  test("is close while the share of late answers may lie on either side of one in twenty", () => {
    assert.equal(judge(4, 6, { ...quick, final: some(20, 0) }, slo).isClose, true);
    assert.equal(judge(4, 6, { ...quick, final: some(200, 0) }, slo).isClose, false);
    assert.equal(judge(4, 6, { ...quick, final: some(20, 20) }, slo).isClose, false);
    assert.deepEqual(shareRange(0, 0), [0, 1]);
    const [low, high] = shareRange(5, 100);
    assert.ok(low > 0.02 && low < 0.05 && high > 0.05 && high < 0.11, `${low} to ${high}`);
    assert.equal(quantile([4, 1, 3, 2], 0.5), 2);
  });
});

test("a promise is read from the command line, and anything else is refused", () => {
  assert.deepEqual(parseSlo("final_p95=300ms, ttfa_p95=0.25s"), { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 60_000 });
  for (const wrong of ["", "final_p95", "final_p99=3ms", "ttfa_p95=0", "lag_p95=2h", "__proto__=5ms"]) {
    assert.throws(() => parseSlo(wrong), { code: "CLI_OPTION_INVALID" }, wrong);
  }
});
