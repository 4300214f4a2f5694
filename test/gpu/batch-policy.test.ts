import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type BatchRow, chooseRows, rowsInTime, waitUsOf } from "../../src/gpu/batch-policy.js";
import type { StepPredictor } from "../../src/gpu/step-times.js";

const CHECK = { seed: 90_210, numRuns: 400 };

const linear = (fixedMs: number, rowMs: number): StepPredictor => ({ predictMs: (rows) => fixedMs + rowMs * rows });
const UNKNOWN: StepPredictor = { predictMs: () => 0 };

const predictor = fc
  .record({ fixed: fc.double({ min: 0.1, max: 20, noNaN: true }), row: fc.double({ min: 0, max: 5, noNaN: true }) })
  .map(({ fixed, row }) => linear(fixed, row));
const situation = fc.record({
  callCount: fc.integer({ min: 1, max: 64 }),
  ageUs: fc.integer({ min: 0, max: 100_000 }),
  slackUs: fc.integer({ min: -50_000, max: 200_000 }),
  absentCount: fc.integer({ min: 0, max: 64 }),
  gapUs: fc.integer({ min: 0, max: 50_000 }),
  rowsMax: fc.integer({ min: 1, max: 64 }),
  waitUs: fc.integer({ min: 0, max: 80_000 }),
  nowUs: fc.integer({ min: 1_000_000, max: 2_000_000 }),
  steps: predictor,
});
type Situation = typeof situation extends fc.Arbitrary<infer T> ? T : never;

function waitOf(given: Situation, changes: Partial<Situation> = {}): number {
  const { callCount, ageUs, slackUs, absentCount, gapUs, rowsMax, waitUs, nowUs, steps } = { ...given, ...changes };
  const pending = { callCount, oldestUs: nowUs - ageUs, earliestDueUs: nowUs + slackUs };
  return waitUsOf(pending, { absentCount, gapUs }, { rowsMax, waitUs }, nowUs, steps);
}

describe("a batch", () => {
  test("never waits past the maximum wait of its oldest row, nor past the slack of its most urgent", () => {
    let waits = 0;
    const property = fc.property(situation, (given) => {
      const waitUs = waitOf(given);
      assert.ok(waitUs >= 0);
      if (waitUs === 0) return;
      waits++;
      // Sums of fractions of a microsecond round.
      assert.ok(waitUs + given.ageUs <= given.waitUs + 1e-6);
      assert.ok(waitUs + given.steps.predictMs(given.callCount) * 1000 <= given.slackUs + 1e-6);
    });
    fc.assert(property, CHECK);
    assert.ok(waits > 20, `the situations make batches wait: ${waits}`);
  });

  test("does not wait when nothing is gained: full, nobody absent, nobody expected in time, nothing known, no wait", () => {
    const property = fc.property(situation, (given) => {
      assert.equal(waitOf(given, { callCount: given.rowsMax }), 0);
      assert.equal(waitOf(given, { absentCount: 0 }), 0);
      assert.equal(waitOf(given, { gapUs: given.waitUs }), 0);
      assert.equal(waitOf(given, { steps: UNKNOWN }), 0);
      assert.equal(waitOf(given, { waitUs: 0 }), 0);
      // Rows that cost in one step what they cost alone.
      assert.equal(waitOf(given, { steps: linear(0, 1) }), 0);
    });
    fc.assert(property, CHECK);
  });

  test("waits until the slack of its most urgent row is the predicted time of a step of that size", () => {
    const given = { callCount: 4, ageUs: 1_000, slackUs: 20_000, absentCount: 3, gapUs: 500, rowsMax: 32 };
    const wait = (changes: Partial<Situation>): number =>
      waitOf({ ...given, waitUs: 50_000, nowUs: 1_000_000, steps: linear(2, 1), ...changes });
    assert.equal(wait({}), 20_000 - 6_000);
    assert.equal(wait({ callCount: 10 }), 20_000 - 12_000);
    assert.equal(wait({ callCount: 18 }), 0);
    assert.equal(wait({ waitUs: 5_000 }), 4_000);
  });
});

const row = fc.record({
  dueUs: fc.integer({ min: 0, max: 1_000 }),
  call: fc.integer({ min: 0, max: 6 }),
  weight: fc.constantFrom(1, 1, 2, 3),
  isStale: fc.boolean(),
});
const rowLists = fc.array(row, { maxLength: 40 }).map((rows) => {
  // A weight is the call's, not the row's.
  const weights = new Map<number, number>();
  for (const { call, weight } of rows) if (!weights.has(call)) weights.set(call, weight);
  return rows.map((each) => ({ ...each, weight: weights.get(each.call)! }));
});
const sizes = fc.integer({ min: 1, max: 20 });

function countOf(rows: readonly BatchRow[], indices: readonly number[], call: number): number {
  return indices.filter((index) => rows[index]!.call === call).length;
}

describe("the rows of a step", () => {
  test("are no more than the maximum, none of them stale, none twice, and fewer only if there are no more", () => {
    const property = fc.property(rowLists, sizes, (rows, rowsMax) => {
      const chosen = chooseRows(rows, rowsMax);
      const fresh = rows.filter(({ isStale }) => !isStale).length;
      assert.equal(chosen.length, Math.min(rowsMax, fresh));
      assert.equal(new Set(chosen).size, chosen.length);
      for (const index of chosen) assert.equal(rows[index]!.isStale, false);
    });
    fc.assert(property, CHECK);
  });

  test("are those with the earliest deadlines, where each call has one", () => {
    const property = fc.property(rowLists, sizes, (rows, rowsMax) => {
      const ofOwn = rows.map((each, call) => ({ ...each, call }));
      const chosen = chooseRows(ofOwn, rowsMax);
      const due = chosen.map((index) => ofOwn[index]!.dueUs);
      assert.deepEqual(
        due,
        [...due].sort((a, b) => a - b),
      );
      const left = ofOwn.filter(({ isStale }, index) => !isStale && !chosen.includes(index));
      for (const { dueUs } of left) assert.ok(dueUs >= due.at(-1)!);
    });
    fc.assert(property, CHECK);
  });

  test("leave no call out while another has more than its weight of rows", () => {
    const property = fc.property(rowLists, sizes, (rows, rowsMax) => {
      const chosen = chooseRows(rows, rowsMax);
      const calls = new Set(rows.filter(({ isStale }) => !isStale).map(({ call }) => call));
      for (const call of calls) {
        if (countOf(rows, chosen, call) > 0) continue;
        for (const other of calls) {
          const { weight } = rows.find((each) => each.call === other)!;
          assert.ok(countOf(rows, chosen, other) <= weight, `call ${call} waits, call ${other} has too many`);
        }
      }
    });
    fc.assert(property, CHECK);
  });

  test("of one call are its first ones, in its order", () => {
    const property = fc.property(rowLists, sizes, (rows, rowsMax) => {
      const chosen = chooseRows(rows, rowsMax);
      for (const call of new Set(rows.map((each) => each.call))) {
        const own = rows.flatMap((each, index) => (each.call === call && !each.isStale ? [index] : []));
        const taken = chosen.filter((index) => rows[index]!.call === call);
        assert.deepEqual(taken, own.slice(0, taken.length));
      }
    });
    fc.assert(property, CHECK);
  });

  test("serve every row after at most as many steps as rows that were due before it need", () => {
    const arrivals = fc.array(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 5 }), {
      minLength: 1,
      maxLength: 40,
    });
    const property = fc.property(arrivals, sizes, (rounds, rowsMax) => {
      interface Waiting extends BatchRow {
        readonly arrivedAt: number;
      }
      let waiting: Waiting[] = [];
      let call = 0;
      for (let step = 0; step < rounds.length || waiting.length > 0; step++) {
        for (const budget of rounds[step] ?? []) {
          waiting.push({ dueUs: step + budget, call: call++, weight: 1, isStale: false, arrivedAt: step });
        }
        const chosen = new Set(chooseRows(waiting, rowsMax));
        for (const [index, { dueUs, arrivedAt }] of waiting.entries()) {
          if (chosen.has(index)) continue;
          const before = waiting.filter((other, at) => chosen.has(at) && other.dueUs > dueUs);
          assert.deepEqual(before, [], "nothing less urgent goes first");
          // 8 is the longest budget: whatever arrives later than that is due later, and waits behind this row.
          assert.ok(step - arrivedAt <= 8 + (5 * 9 * 8) / rowsMax, "bounded");
        }
        waiting = waiting.filter((_, index) => !chosen.has(index));
      }
    });
    fc.assert(property, CHECK);
  });
});

describe("rows in time", () => {
  test("are as many as end within the slack, and one more would not", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: -1_000, max: 200_000 }),
      predictor,
      (rowCount, slackUs, steps) => {
        const count = rowsInTime(rowCount, slackUs, steps);
        const isInTime = (rows: number): boolean => steps.predictMs(rows) * 1000 <= slackUs;
        assert.ok(count >= 0 && count <= rowCount);
        assert.ok((count === 0 || isInTime(count)) && (count === rowCount || !isInTime(count + 1)));
      },
    );
    fc.assert(property, CHECK);
  });
});
