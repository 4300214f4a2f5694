import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { turnActor } from "../../src/actors/turn.js";
import { runActor } from "../support/run-actor.js";
import { close, fence } from "../support/steps.js";
import { heard, ONE_TURN, story } from "./turn-support.js";

describe("turn", () => {
  test("puts turn events in their place between vad and audio, and passes those on", async () => {
    const steps = await heard(ONE_TURN, [close()]);
    const run = await runActor(turnActor, {}, steps);
    assert.deepEqual(story(run), ["vad start", "turn start model", "vad stop", "turn end timeout", "close"]);
    const [, end] = run.of("turn");
    assert.equal(end!.meta.atSample, 12_800);
    const index = run.emitted.indexOf(end!);
    const before = run.emitted[index - 1]!;
    assert.equal(before.position + before.pcm.length, 12_800 + 9_600, "600 ms after the end of speech");
    assert.equal(run.of("audio.in").length, steps.filter((step) => step.frame!.kind === "audio.in").length);
  });

  test("a finalize fence finds the turn ended before it; a mark does not end anything", async () => {
    const steps = await heard([
      ["quiet", 200],
      ["loud", 600],
      ["quiet", 400],
    ]);
    const run = await runActor(turnActor, {}, [...steps, fence("m"), fence("f", "finalize"), fence("g", "finalize")]);
    assert.deepEqual(story(run).slice(3), ["fence m", "turn end manual", "fence f", "fence g"]);
  });

  test("a call that closes in the middle of a turn ends the turn first", async () => {
    const steps = await heard([["loud", 600]], [close()]);
    const run = await runActor(turnActor, {}, steps);
    assert.deepEqual(story(run).slice(-3), ["vad stop", "turn end manual", "close"]);
  });

  test("marks the turn as being answered before its end leaves", async () => {
    const run = await runActor(turnActor, {}, await heard([...ONE_TURN, ...ONE_TURN]));
    assert.deepEqual(run.calls[0]!.markedTurns, [0, 1]);
  });

  test("speech during a reply interrupts it, and the turn that follows belongs to the new generation", async () => {
    const steps = await heard([...ONE_TURN, ...ONE_TURN]);
    const run = await runActor(turnActor, {}, steps);
    assert.deepEqual(run.calls[0]!.interrupts, ["speech"]);
    const ends = run.of("turn").filter((turn) => turn.meta.what === "end");
    // All of the audio was written before the interruption; the second turn is answerable all the same.
    assert.deepEqual(
      ends.map((end) => end.generation),
      [5, 6],
    );
  });

  test("without a reply, or with interrupt off, speech interrupts nothing", async () => {
    const steps = await heard([...ONE_TURN, ...ONE_TURN]);
    const silent = await runActor(turnActor, { interrupt: false }, steps);
    assert.deepEqual(silent.calls[0]!.interrupts, []);
    const first = await runActor(turnActor, {}, await heard(ONE_TURN));
    assert.deepEqual(first.calls[0]!.interrupts, []);
  });

  test("says the same wherever the worker dies", async () => {
    const steps = await heard(
      [...ONE_TURN, ["loud", 300], ["quiet", 300], ...ONE_TURN],
      [fence("a", "finalize"), close()],
    );
    const whole = story(await runActor(turnActor, { eagerMs: 300 }, steps));
    assert.ok(whole.length > 10);
    for (let seed = 1; seed <= 10; seed++) {
      const run = await runActor(turnActor, { eagerMs: 300 }, steps, {
        seed,
        batchMax: 9,
        killAfter: 0.3,
        killDuring: 0.2,
      });
      assert.deepEqual(story(run), whole, `seed ${seed}`);
    }
  });
});
