import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DEGRADE_LEVEL_MAX } from "../../../src/base/degrade.js";
import { seeded } from "../../../src/base/prng.js";
import { ALARM_OFF_MS, ALARM_ON_MS, Alarm } from "../../../src/runtime/admission/alarm.js";
import { FALL_MS, Ladder, RISE_MS } from "../../../src/runtime/admission/ladder.js";

const STEP_MS = 250;

/** The level after each look. */
function climb(pressures: readonly number[], ladder = new Ladder()): number[] {
  return pressures.map((pressure, index) => ladder.update(pressure, index * STEP_MS));
}

describe("the ladder", () => {
  test("goes up rung by rung under pressure, a second apart, and down after a while without", () => {
    const ladder = new Ladder();
    const risen = climb(new Array(40).fill(1.5), ladder).indexOf(DEGRADE_LEVEL_MAX);
    assert.equal(risen, ((DEGRADE_LEVEL_MAX - 1) * RISE_MS) / STEP_MS);
    assert.ok(ladder.isAtEnd);
    let nowMs = 40 * STEP_MS;
    for (let left = DEGRADE_LEVEL_MAX - 1; left >= 0; left--) {
      assert.equal(ladder.update(0.1, nowMs), left + 1);
      nowMs += FALL_MS;
      assert.equal(ladder.update(0.1, nowMs), left);
    }
  });

  test("moves one rung at a time, and never out of its bounds, whatever the pressure does", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { maxLength: 400 }), (pressures) => {
        let before = 0;
        for (const level of climb(pressures)) {
          assert.ok(Math.abs(level - before) <= 1 && level >= 0 && level <= DEGRADE_LEVEL_MAX);
          before = level;
        }
      }),
    );
  });

  test("is never lower for a pressure that is never lower", () => {
    const pair = fc.tuple(fc.double({ min: 0, max: 1.2, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));
    // Held for a while each, so that falls happen too.
    const held = fc.array(fc.tuple(pair, fc.integer({ min: 1, max: 120 })), { maxLength: 12 });
    fc.assert(
      fc.property(held, (phases) => {
        const low = phases.flatMap(([[pressure], looks]) => new Array<number>(looks).fill(pressure));
        const high = phases.flatMap(([[pressure, more], looks]) => new Array<number>(looks).fill(pressure + more));
        const lower = climb(low);
        climb(high).forEach((level, index) => {
          assert.ok(level >= lower[index]!, `at look ${index}`);
        });
      }),
    );
  });

  test("does not flap: a constant pressure with noise moves it to its place and leaves it there", () => {
    const chance = seeded(7);
    for (let pressure = 0.05; pressure < 1.3; pressure += 0.05) {
      const noisy = Array.from({ length: 2_400 }, () => pressure + (chance.next() - 0.5) * 0.18);
      const levels = climb(noisy);
      const moves = levels.filter((level, index) => index > 0 && level !== levels[index - 1]).length;
      assert.ok(moves <= DEGRADE_LEVEL_MAX, `${moves} moves in ten minutes at ${pressure.toFixed(2)}`);
      assert.equal(new Set(levels.slice(-1_200)).size, 1, `still moving at ${pressure.toFixed(2)}`);
    }
  });
});

test("the alarm needs a pressure that lasts, both ways", () => {
  const alarm = new Alarm();
  assert.equal(alarm.update(2, 0), false);
  assert.equal(alarm.update(0.9, ALARM_ON_MS), false, "it was interrupted");
  assert.equal(alarm.update(2, ALARM_ON_MS + 1), false);
  assert.equal(alarm.update(1, 2 * ALARM_ON_MS + 1), true);
  assert.equal(alarm.update(0.6, 10_000), true);
  assert.equal(alarm.update(0.8, 10_000 + ALARM_OFF_MS), true, "not calm enough");
  assert.equal(alarm.update(0.6, 20_000), true);
  assert.equal(alarm.update(0.6, 20_000 + ALARM_OFF_MS), false);
});
