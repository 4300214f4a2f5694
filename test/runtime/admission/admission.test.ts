import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Admission, CALLS_UNKNOWN, type Estimate } from "../../../src/runtime/admission/admission.js";

const GRAPHS = ["talk", "hear", "say"];

function planned(capacities: Record<string, number>): Admission {
  return new Admission(Object.keys(capacities), new Map(Object.entries(capacities)));
}

/** Opens the call if nothing is in its way. */
function tryOpen(admission: Admission, graph: string): boolean {
  const reason = admission.objection(graph);
  admission.decided(graph, reason);
  if (reason === undefined) admission.opened(graph);
  return reason === undefined;
}

function openAll(admission: Admission, graph: string): number {
  let taken = 0;
  while (tryOpen(admission, graph)) taken++;
  return taken;
}

function estimate(pressureOf: (calls: number) => number, seasonedCount: number, admission: Admission): Estimate {
  return {
    seasonedCount,
    isDistressed: false,
    pressureWith: (_graph, more) => pressureOf(admission.activeCount + more),
  };
}

describe("admission by plan", () => {
  test("takes exactly the planned calls of one graph, and again one for each that ends", () => {
    const admission = planned({ talk: 7 });
    assert.equal(openAll(admission, "talk"), 7);
    assert.equal(admission.objection("talk"), "plan");
    admission.closed("talk", 1_000);
    assert.equal(openAll(admission, "talk"), 1);
  });

  test("the costs of the open calls never sum to more than 1, whatever is opened and closed in whatever mixture", () => {
    const capacity = fc.integer({ min: 1, max: 400 });
    const capacities = fc.record({ talk: capacity, hear: capacity, say: capacity });
    const moves = fc.array(fc.tuple(fc.constantFrom("talk", "hear", "say"), fc.boolean()), { maxLength: 600 });
    fc.assert(
      fc.property(capacities, moves, (limits: Record<string, number>, steps) => {
        const admission = planned(limits);
        for (const [graph, isOpening] of steps) {
          if (isOpening) tryOpen(admission, graph);
          else if (admission.active.get(graph)! > 0) admission.closed(graph, 5_000);
          const cost = GRAPHS.reduce((sum, name) => sum + admission.active.get(name)! / limits[name]!, 0);
          assert.ok(cost <= 1 + 1e-6, `${cost}`);
        }
      }),
    );
  });

  test("what it calls the safe maximum is what it takes", () => {
    const capacity = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(capacity, capacity, fc.nat(40), (talk, hear, before) => {
        const admission = planned({ talk, hear });
        for (let call = 0; call < before; call++) tryOpen(admission, "hear");
        assert.equal(openAll(admission, "talk"), admission.safeMax("talk", 256));
      }),
    );
  });

  test("takes one call when idle, even of a graph that cannot keep its promise", () => {
    const admission = planned({ talk: 0, hear: 4 });
    assert.equal(openAll(admission, "talk"), 1);
    assert.equal(admission.objection("hear"), "plan");
  });
});

describe("admission by estimate", () => {
  test("lets in what is predicted to go well, and nothing more", () => {
    const admission = new Admission(GRAPHS, undefined);
    admission.looked(estimate((calls) => calls / 40, 100, admission));
    assert.equal(openAll(admission, "talk"), 40);
    assert.equal(admission.objection("talk"), "estimate");
    assert.equal(admission.safeMax("talk", 256), 40);
  });

  test("after a refusal the pressure must fall by a part before anybody comes in: it does not flap", () => {
    const admission = new Admission(GRAPHS, undefined);
    let pressure = 0.5;
    admission.looked(estimate(() => pressure, 100, admission));
    for (let call = 0; call < 10; call++) assert.ok(tryOpen(admission, "talk"));
    for (pressure of [1.01, 0.99, 0.9, 0.86]) assert.ok(!tryOpen(admission, "talk"), `${pressure}`);
    for (pressure of [0.84, 0.99]) assert.ok(tryOpen(admission, "talk"), `${pressure}`);
  });

  test("a burst after the start is let in only as far as calls have been seen at work", () => {
    const admission = new Admission(GRAPHS, undefined);
    admission.looked(estimate(() => 0.1, 0, admission));
    const first = openAll(admission, "talk");
    assert.equal(admission.objection("talk"), "slow_start");
    admission.looked(estimate(() => 0.1, first, admission));
    assert.equal(openAll(admission, "talk"), first, "twice as many as were seen");
    admission.looked(estimate(() => 0.1, 2 * first, admission));
    assert.equal(openAll(admission, "talk"), 2 * first);
  });

  test("says nothing about the first few calls, and of distress to those after them", () => {
    const admission = new Admission(GRAPHS, undefined);
    admission.looked({ seasonedCount: 0, isDistressed: true, pressureWith: () => 99 });
    assert.equal(openAll(admission, "talk"), CALLS_UNKNOWN);
    assert.equal(admission.objection("talk"), "distress");
  });
});

test("those who are refused together are told times one after the other, within a minute", () => {
  const admission = planned({ talk: 4 });
  openAll(admission, "talk");
  admission.closed("talk", 8_000);
  admission.opened("talk");
  const told = Array.from({ length: 200 }, () => admission.retryAfterMs(1_000));
  assert.deepEqual(told.slice(0, 3), [2_000, 4_000, 6_000], "a place every 8 s / 4 calls");
  assert.equal(told.at(-1), 60_000);
  assert.equal(admission.retryAfterMs(100_000), 2_000, "later, they have come and gone");
});
