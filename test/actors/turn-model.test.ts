import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TURN_PRE_ROLL_SAMPLES, turnActor } from "../../src/actors/turn.js";
import { seeded } from "../../src/base/prng.js";
import { fakeTurn } from "../support/fake-models.js";
import { type ActorRun, runActor, type Step } from "../support/run-actor.js";
import { close, fence, interleave, type Stretch } from "../support/steps.js";
import { heard, story } from "./turn-support.js";

const KIND = { kind: "model" } as const;

/** Two pieces that only together are a finished turn. */
const HESITATING: readonly Stretch[] = [
  ["quiet", 700],
  ["loud", 300],
  ["quiet", 800],
  ["loud", 300],
  ["quiet", 900],
];

/** Where stream time stood when a turn's end left. */
function endedAt(run: ActorRun): number {
  const end = run.of("turn").find((turn) => turn.meta.what === "end")!;
  const before = run.emitted.slice(0, run.emitted.indexOf(end)).findLast((frame) => frame.kind === "audio.in")!;
  return before.position + before.pcm.length;
}

function on(call: number, steps: readonly Step[]): Step[] {
  return steps.map((step) => ({ ...step, call }));
}

describe("turn with a model", () => {
  test("asks at each silence, ends the turn at once if the model says so, and waits if not", async () => {
    const model = fakeTurn();
    const run = await runActor(turnActor, KIND, await heard(HESITATING), { model });
    assert.deepEqual(story(run), [
      "vad start",
      "turn start model",
      "vad stop",
      "vad start",
      "vad stop",
      "turn end model",
    ]);
    const end = run.of("turn")[1]!.meta;
    assert.equal(end.atSample, 2_100 * 16);
    assert.ok(end.confidence >= 0.5, "the model's own");
    assert.deepEqual(model.questions.length, 2);
    // The voice detector's 250 ms, and nothing on top.
    assert.ok(endedAt(run) <= (2_100 + 250 + 40) * 16, `${endedAt(run)}`);
  });

  test("ends a turn after timeoutMs of silence whatever the model says", async () => {
    const model = fakeTurn();
    const steps = await heard([
      ["quiet", 700],
      ["loud", 300],
      ["quiet", 1_500],
    ]);
    const run = await runActor(turnActor, { ...KIND, timeoutMs: 1_000 }, steps, { model });
    assert.deepEqual(story(run).slice(2), ["vad stop", "turn end timeout"]);
    assert.equal(endedAt(run), 2_000 * 16);
    const patient = await runActor(turnActor, KIND, steps, { model: fakeTurn() });
    assert.deepEqual(story(patient).slice(2), ["vad stop"]);
  });

  test("threshold decides what the model has to be sure of", async () => {
    const steps = await heard(HESITATING);
    const sure = await runActor(turnActor, { ...KIND, threshold: 1 }, steps, { model: fakeTurn() });
    assert.ok(!story(sure).some((line) => line.includes("end")));
    const hasty = await runActor(turnActor, { ...KIND, threshold: 0.0001 }, steps, { model: fakeTurn() });
    assert.deepEqual(
      story(hasty).filter((line) => line.includes("end")),
      ["turn end model", "turn end model"],
    );
  });

  test("gives the model the turn from half a second before it began, and its window at most", async () => {
    const steps = await heard(HESITATING);
    const [long, short] = [fakeTurn(), fakeTurn(8_000)];
    await runActor(turnActor, KIND, steps, { model: long });
    const start = 700 * 16 - TURN_PRE_ROLL_SAMPLES;
    for (const [i, end] of [1_000, 2_100].entries()) {
      const [samples] = long.questions[i]!;
      assert.ok(Math.abs(samples! - ((end + 250) * 16 - start)) <= 40 * 16, `question ${i}: ${samples}`);
    }
    await runActor(turnActor, KIND, steps, { model: short });
    assert.deepEqual(short.questions, [[8_000], [8_000]]);
  });

  test("asks for all calls of a batch together", async () => {
    const model = fakeTurn();
    const steps = await Promise.all([0, 1, 2].map(async (call) => on(call, await heard(HESITATING, [], call + 1))));
    await runActor(turnActor, KIND, steps.flat(), { model, calls: 3 });
    assert.deepEqual(
      model.questions.map((sounds) => sounds.length),
      [3, 3],
    );
  });

  test("says the same however frames fall into batches, wherever the worker dies, whoever else speaks", async () => {
    const tail = [fence("a", "finalize"), close()];
    const pause: Stretch = ["quiet", 2_000];
    const scripts = await Promise.all(
      [1, 2, 3].map((seed) => heard([["quiet", 130 * seed], ...HESITATING, pause, ["loud", 300], pause], tail, seed)),
    );
    for (const windowSamples of [128_000, 9_000]) {
      const confidences = (run: ActorRun, call: number): unknown => run.of("turn", call).map(({ meta }) => meta);
      const alone: ActorRun[] = [];
      for (const steps of scripts) {
        alone.push(await runActor(turnActor, KIND, steps, { model: fakeTurn(windowSamples) }));
      }
      assert.ok(story(alone[0]!).length >= 10);
      for (let seed = 1; seed <= 6; seed++) {
        const steps = interleave(
          seeded(seed),
          scripts.map((script, call) => on(call, script)),
        );
        const run = await runActor(turnActor, KIND, steps, {
          model: fakeTurn(windowSamples),
          calls: 3,
          seed,
          batchMax: 20,
          killAfter: 0.2,
          killDuring: 0.2,
        });
        for (const [call, one] of alone.entries()) {
          assert.deepEqual(story(run, call), story(one), `seed ${seed}`);
          assert.deepEqual(confidences(run, call), confidences(one, 0), `seed ${seed}`);
        }
      }
    }
  });

  test("a model with a longer window than a row holds is refused, and no kind takes another's keys", () => {
    const { options } = turnActor;
    const resources = { model: fakeTurn(200_000) } as never;
    assert.throws(() => turnActor.create(options.parse(KIND), resources), /window fits into a row/);
    assert.equal(options.safeParse({ ...KIND, endMs: 600 }).success, false);
    assert.equal(options.safeParse({ threshold: 0.5 }).success, false);
    assert.equal(turnActor.needsModel!(options.parse({})), false);
    assert.equal(turnActor.needsModel!(options.parse(KIND)), true);
  });
});
