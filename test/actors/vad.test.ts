import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GAP_HEARD_SAMPLES, vadActor } from "../../src/actors/vad.js";
import { seeded } from "../../src/base/prng.js";
import { frame } from "../../src/frames/kinds.js";
import { fakeVad } from "../support/fake-models.js";
import { type ActorRun, runActor, type Step } from "../support/run-actor.js";
import { audioSteps, close, fence, interleave, pcmOf, type Stretch } from "../support/steps.js";

const TALK: readonly Stretch[] = [
  ["quiet", 300],
  ["loud", 500],
  ["quiet", 600],
  ["loud", 200],
  ["quiet", 100],
  ["loud", 300],
  ["quiet", 500],
];

/** Order matters: kinds with what they say, audio as its end position. */
function story(run: ActorRun, call = 0): string[] {
  return run.emitted
    .filter((found) => found.call === call)
    .map((found) => {
      if (found.kind === "audio.in") return `audio to ${found.position + found.pcm.length}`;
      if (found.kind !== "vad") return found.kind;
      const { what, atSample } = found.meta as { what: string; atSample: number };
      return `${what} ${atSample}`;
    });
}

function events(run: ActorRun, call = 0): string[] {
  return story(run, call).filter((line) => /^(start|stop)/.test(line));
}

describe("vad", () => {
  test("puts each event behind the frame that settled it, and passes audio on untouched", async () => {
    const pcm = pcmOf(seeded(1), TALK);
    const run = await runActor(vadActor, {}, audioSteps(pcm), { model: fakeVad() });
    assert.deepEqual(events(run), ["start 4800", "stop 12800", "start 22400", "stop 32000"]);
    const lines = story(run);
    assert.equal(lines[lines.indexOf("start 4800") - 1], "audio to 5760", "three windows of speech settle it");
    assert.deepEqual(
      run.of("audio.in").flatMap((found) => found.pcm),
      [...pcm],
    );
  });

  test("says the same however the samples are cut into frames and batches, wherever the worker dies", async () => {
    const pcms = [1, 2, 3].map((seed) => pcmOf(seeded(seed), [["quiet", seed * 130], ...TALK]));
    for (const windowSamples of [320, 512]) {
      const whole = await runActor(
        vadActor,
        {},
        pcms.flatMap((pcm, call) => [...audioSteps(pcm, call), close(call)]),
        { model: fakeVad(windowSamples), calls: 3 },
      );
      assert.equal(events(whole).length, 4);
      for (let seed = 1; seed <= 8; seed++) {
        const chance = seeded(seed);
        const scripts = pcms.map((pcm, call) => [...audioSteps(pcm, call, 0, chance), close(call)]);
        const run = await runActor(vadActor, {}, interleave(chance, scripts), {
          model: fakeVad(windowSamples),
          calls: 3,
          seed,
          batchMax: 12,
          killAfter: 0.2,
          killDuring: 0.2,
        });
        for (const call of [0, 1, 2]) assert.deepEqual(events(run, call), events(whole, call), `seed ${seed}`);
      }
    }
  });

  test("advances all calls of a batch together, in as many rounds as the longest has windows", async () => {
    const model = fakeVad();
    const steps: Step[] = [3, 1, 2].flatMap((windows, call) => audioSteps(new Int16Array(320 * windows), call));
    await runActor(vadActor, {}, steps, { model, calls: 3 });
    assert.deepEqual(model.stepSizes, [3, 2, 1]);
  });

  test("accounts for the lag of the model's probability", async () => {
    const pcm = pcmOf(seeded(1), TALK);
    const run = await runActor(vadActor, {}, audioSteps(pcm), { model: fakeVad(320, 160) });
    assert.deepEqual(events(run).slice(0, 2), ["start 4640", "stop 12640"]);
  });

  test("lost samples count as silence, in whatever number", async () => {
    for (const gap of [8_000, GAP_HEARD_SAMPLES + 12_345, 16_000 * 3_600]) {
      const model = fakeVad();
      const loud = pcmOf(seeded(1), [["loud", 400]]);
      const steps = [...audioSteps(loud), ...audioSteps(loud, 0, loud.length + gap), close()];
      const run = await runActor(vadActor, {}, steps, { model, batchMax: 3, killAfter: 0.3 });
      const end = 2 * loud.length + gap;
      const second = Number(events(run)[2]!.split(" ")[1]);
      assert.ok(second >= loud.length + gap - 320 && second <= loud.length + gap + 320, `speech after ${gap}`);
      assert.deepEqual(events(run), ["start 0", "stop 6400", `start ${second}`, `stop ${end}`]);
      assert.ok(model.stepSizes.length < 160, "a long gap costs no model time");
    }
  });

  test("a call that ends while somebody speaks stops speaking before it closes", async () => {
    const run = await runActor(vadActor, {}, [...audioSteps(pcmOf(seeded(1), [["loud", 400]])), close()], {
      model: fakeVad(),
    });
    assert.deepEqual(story(run).slice(-2), ["stop 6400", "close"]);
  });

  test("fences keep their place in the stream", async () => {
    const pcm = pcmOf(seeded(1), TALK);
    const steps = audioSteps(pcm);
    steps.splice(20, 0, fence("a"));
    const run = await runActor(vadActor, {}, steps, { model: fakeVad() });
    const lines = story(run);
    assert.equal(lines[lines.indexOf("fence") - 1], "audio to 6400");
  });

  test("startMs, stopMs and threshold decide what counts", async () => {
    const steps = audioSteps(pcmOf(seeded(1), TALK));
    const slow = await runActor(vadActor, { startMs: 400, stopMs: 250 }, steps, { model: fakeVad() });
    assert.deepEqual(events(slow), ["start 4800", "stop 12800"]);
    const patient = await runActor(vadActor, { stopMs: 700 }, steps, { model: fakeVad() });
    assert.deepEqual(events(patient), ["start 4800"]);
    assert.equal(vadActor.options.safeParse({ threshold: 0.1 }).success, false);
  });

  test("refuses a model whose state does not fit into a row", () => {
    const model = { ...fakeVad(), stateFloats: 100_000 };
    assert.throws(() => vadActor.create(vadActor.options.parse({}), { model } as never), /state fits into a row/);
  });

  test("silence of any value makes no event", async () => {
    const steps = [frame("audio.in", {}, 0, new Int16Array(16_000)), frame("audio.in", {}, 16_000, new Int16Array(1))];
    const run = await runActor(
      vadActor,
      {},
      steps.map((made) => ({ frame: made })),
      { model: fakeVad() },
    );
    assert.deepEqual(events(run), []);
  });
});
