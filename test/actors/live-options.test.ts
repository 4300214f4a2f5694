/** Options of a call that differ from the node's, and change while it is open. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sttActor } from "../../src/actors/stt.js";
import { turnActor } from "../../src/actors/turn.js";
import { vadActor } from "../../src/actors/vad.js";
import { seeded } from "../../src/base/prng.js";
import type { Frame } from "../../src/frames/kinds.js";
import { frame } from "../../src/frames/kinds.js";
import { fakeStt, fakeTurn, fakeVad } from "../support/fake-models.js";
import { runActor, type Step } from "../support/run-actor.js";
import { audioSteps, change, pcmOf, type Stretch } from "../support/steps.js";
import { heard, ONE_TURN, story } from "./turn-support.js";

const PAUSES: readonly Stretch[] = [
  ["quiet", 300],
  ["loud", 500],
  ["quiet", 300],
  ["loud", 500],
  ["quiet", 300],
  ["loud", 500],
  ["quiet", 800],
];

const DEATHS = Array.from({ length: 6 }, (_, index) => ({
  seed: index + 1,
  batchMax: 9,
  killAfter: 0.3,
  killDuring: 0.2,
}));

/** The steps with one more behind the audio that ends at `ms` of stream time. */
function insert(steps: readonly Step[], ms: number, added: Step): Step[] {
  const at = steps.findIndex(({ frame: found }) => found?.kind === "audio.in" && found.position >= ms * 16);
  return [...steps.slice(0, at), added, ...steps.slice(at)];
}

describe("a call's own options", () => {
  test("of vad: a shorter pause ends speech for this call, from the change on, wherever the worker dies", async () => {
    const steps = audioSteps(pcmOf(seeded(1), PAUSES));
    const stops = async (script: readonly Step[], run = {}): Promise<number[]> => {
      const made = await runActor(vadActor, { stopMs: 400 }, script, { model: fakeVad(), ...run });
      return made
        .of("vad")
        .filter(({ meta }) => meta.what === "stop")
        .map(({ meta }) => meta.atSample / 16);
    };
    assert.deepEqual(await stops(steps), [2400]);
    assert.deepEqual(await stops(steps, { callOptions: { stopMs: 200 } }), [800, 1600, 2400]);
    const changed = insert(steps, 1200, change(1, { stopMs: 200 }));
    assert.deepEqual(await stops(changed), [1600, 2400]);
    for (const run of DEATHS) assert.deepEqual(await stops(changed, run), [1600, 2400], `seed ${run.seed}`);
  });

  test("of turn: another silence ends it, an eager end is told or taken away", async () => {
    const steps = await heard([...ONE_TURN, ["quiet", 400], ...ONE_TURN, ["quiet", 600]]);
    const lines = async (script: readonly Step[], run = {}): Promise<string[]> => {
      const made = story(await runActor(turnActor, { endMs: 1_200, eagerMs: 400 }, script, run));
      return made.filter((line) => line.startsWith("turn"));
    };
    const eager = ["turn start model", "turn eager_end model", "turn end timeout"];
    const plain = ["turn start model", "turn end timeout"];
    assert.deepEqual(await lines(steps), [...eager, ...eager]);
    assert.deepEqual(await lines(steps, { callOptions: { eagerMs: null } }), [...plain, ...plain]);
    const changed = insert(steps, 1_900, change(1, { eagerMs: null, endMs: 300 }));
    assert.deepEqual(await lines(changed), [...eager, ...plain]);
    for (const run of DEATHS) assert.deepEqual(await lines(changed, run), [...eager, ...plain], `seed ${run.seed}`);
  });

  test("of turn with a model: between the two thresholds an end is eager, with the model's confidence", async () => {
    const steps = await heard([
      ["quiet", 700],
      ["loud", 300],
      ["quiet", 1_500],
    ]);
    const callOptions = { threshold: 0.9, eagerThreshold: 0.01, timeoutMs: 1_000 };
    const run = await runActor(turnActor, { kind: "model" }, steps, { model: fakeTurn(), callOptions });
    const [, eager, end] = run.of("turn").map(({ meta }) => meta);
    assert.equal(eager?.what, "eager_end");
    assert.ok(eager.confidence >= 0.01 && eager.confidence < 0.9, `${eager.confidence}`);
    assert.equal(end?.trigger, "timeout");
  });

  test("of stt: new keyterms hold from the next segment on", async () => {
    const audio = audioSteps(pcmOf(seeded(1), PAUSES));
    const vad = await runActor(vadActor, { stopMs: 200 }, insert(audio, 1_000, change(1, {})), { model: fakeVad() });
    const steps = vad.emitted.map(({ kind, meta, position, pcm }) => {
      const copy = frame(kind, meta, position, Int16Array.from(pcm)) as Frame;
      return kind === "fence" ? change(1, { keyterms: ["Syrinx"] }) : { frame: copy };
    });
    for (const run of [{ seed: 1 }, ...DEATHS]) {
      const made = await runActor(sttActor, {}, steps, { model: fakeStt(), ...run });
      const texts = made.of("transcript.final").map(({ meta }) => meta.text.startsWith("Syrinx"));
      assert.deepEqual(texts, [false, true, true], `seed ${run.seed}`);
    }
  });
});
