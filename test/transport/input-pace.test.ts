import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { InputPace, type PaceVerdict } from "../../src/transport/input-pace.js";
import { TRANSPORT_LIMITS } from "../../src/transport/limits.js";
import { Liveness } from "../../src/transport/liveness.js";

/** Plays a sender of 20 ms messages at `factor` times real time, who stands still while held back. */
function play(
  factor: number,
  forMs: number,
  audioMs = Number.POSITIVE_INFINITY,
): { verdicts: Set<PaceVerdict>; servedMs: number } {
  const pace = new InputPace(TRANSPORT_LIMITS, 0);
  const verdicts = new Set<PaceVerdict>();
  let servedMs = 0;
  let isHeld = false;
  let backlogMs = 0;
  let producedMs = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += 1) {
    const newMs = Math.min(factor, audioMs - producedMs);
    producedMs += newMs;
    backlogMs += newMs;
    if (isHeld && nowMs % 500 === 0) isHeld = !pace.mayResume(nowMs);
    while (!isHeld && backlogMs >= 20) {
      backlogMs -= 20;
      servedMs += 20;
      const verdict = pace.spend(20, nowMs);
      verdicts.add(verdict);
      if (verdict === "flood") return { verdicts, servedMs };
      isHeld = verdict === "pause";
    }
  }
  return { verdicts, servedMs };
}

describe("input pace", () => {
  test("never holds back a sender at up to twice real time", () => {
    for (const factor of [0.5, 1, 1.9, 2]) assert.deepEqual([...play(factor, 60_000).verdicts], ["ok"], `${factor}×`);
  });

  test("serves a faster sender at twice real time after a burst, and never ends its call", () => {
    const { verdicts, servedMs } = play(3, 120_000);
    assert.deepEqual([...verdicts].sort(), ["ok", "pause"]);
    assert.ok(servedMs > 2 * 118_000 && servedMs < 2 * 120_000 + 6_000, `${servedMs} ms`);
  });

  test("ends a sender at a hundred times real time that pausing does not calm", () => {
    const { verdicts, servedMs } = play(100, 60_000);
    assert.ok(verdicts.has("pause") && verdicts.has("flood"));
    assert.ok(servedMs < 30_000, `${servedMs} ms`);
  });

  test("forgives a short file that is sent at once", () => {
    const { verdicts, servedMs } = play(100, 60_000, 15_000);
    assert.ok(!verdicts.has("flood"));
    assert.equal(servedMs, 15_000);
  });
});

describe("liveness", () => {
  const limits = { ...TRANSPORT_LIMITS, pingMs: 100, pingMisses: 2 };

  test("pings a quiet client, and gives it up after the second ping without an answer", () => {
    const liveness = new Liveness(limits, 10_000, 0);
    const verdicts = [0, 99, 100, 150, 200, 250, 300].map((nowMs) => liveness.check(nowMs, true));
    assert.deepEqual(verdicts, ["alive", "alive", "ping", "alive", "ping", "alive", "dead"]);
  });

  test("takes a pong as life but not as a message", () => {
    const liveness = new Liveness(limits, 1_000, 0);
    for (let nowMs = 0; nowMs < 1_000; nowMs += 50) {
      if (liveness.check(nowMs, true) === "ping") liveness.sign(nowMs);
    }
    assert.equal(liveness.check(1_000, true), "idle");
    liveness.message(1_000);
    assert.equal(liveness.check(1_050, true), "alive");
  });

  test("does not count against a client what a paused socket cannot hear", () => {
    const liveness = new Liveness(limits, 10_000, 0);
    for (let nowMs = 0; nowMs < 5_000; nowMs += 50) assert.equal(liveness.check(nowMs, false), "alive");
  });
});
