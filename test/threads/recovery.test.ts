import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../src/base/prng.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { chainPlan } from "../support/plans.js";
import { eventsUntil, startPlan } from "../support/runtimes.js";
import { expectedSum, sabotage } from "../support/test-actors.js";

const SEED = 20_261;
const FRAME = 320;

function randomFrames(count: number, mark: number): Int16Array[] {
  const prng = seeded(SEED);
  return Array.from({ length: count }, (_, index) => {
    const pcm = Int16Array.from({ length: FRAME }, () => prng.integer(-20_000, 20_000));
    pcm[0] = index === mark ? 32_111 : index % 1000;
    return pcm;
  });
}

function finalText(events: readonly CallEvent[]): string | undefined {
  return events.find((event) => event.type === "transcript")?.text;
}

async function sumOf(call: Call, frames: readonly Int16Array[]): Promise<string | undefined> {
  for (const frame of frames) call.write(frame);
  call.finalize("f");
  return finalText(await eventsUntil(call, (event) => event.type === "finalized"));
}

const plan = (options: unknown, extra = {}) =>
  chainPlan(
    [
      { name: "relay", actor: "test-relay", worker: 1 },
      { name: "sum", actor: "test-sum", options, worker: 2, stateBytes: 64, out: ["transcript.final"] },
    ],
    extra,
  );

describe("a worker that dies", { timeout: 60_000 }, () => {
  test("in the middle of an utterance loses no frame and doubles none", async () => {
    const { options, words } = sabotage(2, { atSample: 32_111 });
    const frames = randomFrames(200, 77);
    const runtime = await startPlan(plan(options));
    const bystander = await runtime.open("test");
    const call = await runtime.open("test");
    const other = randomFrames(50, -1);
    for (const frame of other) bystander.write(frame);
    assert.equal(await sumOf(call, frames), expectedSum(frames));
    assert.equal(await sumOf(bystander, []), expectedSum(other));
    assert.equal(words[2], 3, "two deaths make three incarnations");
    assert.equal(runtime.readiness().ready, true);
    await runtime.drain();
  });

  test("hears each change of its call's options where it was made, and its successor does too", async () => {
    for (const mark of [55, 100, 121]) {
      const { options } = sabotage(2, { atSample: 32_111 });
      const frames = randomFrames(200, mark);
      const runtime = await startPlan(plan(options));
      const call = await runtime.open("test", { nodes: { sum: { factor: 2 } } });
      const factors = frames.map((_, index) => (index < 60 ? 2 : index < 120 ? 7 : index < 122 ? 5 : 3));
      for (const [index, pcm] of frames.entries()) {
        if (index > 0 && factors[index] !== factors[index - 1]) call.configure({ sum: { factor: factors[index] } });
        call.write(pcm);
        // What came so far was saved; the rest stands in one batch, with changes that must not be heard too early.
        if (index !== 90) continue;
        call.mark("saved");
        await eventsUntil(call, (event) => event.type === "mark");
      }
      const scaled = frames.map((pcm, index) => Int32Array.from(pcm, (sample) => factors[index]! * sample));
      assert.equal(await sumOf(call, []), expectedSum(scaled), `death at frame ${mark}`);
      assert.throws(() => call.configure({ relay: {} }), { code: "CALL_CONFIGURE_LATE" });
      assert.throws(() => call.configure({ sum: { factor: 0.5 } }), { code: "CALL_OPTION_INVALID" });
      await runtime.drain();
    }
  });

  test("of a full heap under resourceLimits is restarted and the sum is right", async () => {
    const { options } = sabotage(1, { atSample: 32_111, outOfMemory: true });
    const frames = randomFrames(60, 20);
    const runtime = await startPlan(plan(options), { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 8 });
    assert.equal(await sumOf(await runtime.open("test"), frames), expectedSum(frames));
    await runtime.drain();
  });

  test("on one frame again and again skips that frame, ends its call with CALL_POISON and harms no other", async () => {
    const { options, words } = sabotage(1000, { atSample: 32_111 });
    const runtime = await startPlan(plan(options));
    const healthy = await runtime.open("test");
    const poisoned = await runtime.open("test");
    const good = randomFrames(40, -1);
    for (const frame of good.slice(0, 20)) healthy.write(frame);
    for (const frame of randomFrames(40, 10)) poisoned.write(frame);
    const events = await eventsUntil(poisoned, () => false);
    const error = events.find((event) => event.type === "error");
    assert.equal(error?.code, "CALL_POISON");
    assert.equal(error?.fatal, true);
    assert.match(error!.hint, /other calls/);
    assert.equal(events.at(-1)?.type, "close");
    assert.equal(await sumOf(healthy, good.slice(20)), expectedSum(good));
    assert.ok(words[2]! <= 6, `found in few restarts, not ${words[2]}`);
    await runtime.drain();
  });

  test("at every start is given up after the bounded restarts, and readiness says why", async () => {
    const { options, words } = sabotage(0, { atSample: 32_111, atStart: true });
    const runtime = await startPlan(plan(options));
    const call = await runtime.open("test");
    // From now on every creation fails, and the next frame kills the running one.
    Atomics.store(words, 0, 1000);
    call.write(randomFrames(1, 0)[0]!);
    const events = await eventsUntil(call, () => false);
    assert.ok(events.some((event) => event.type === "error" && event.code === "CALL_WORKER_FAILED"));
    const { ready, reason } = runtime.readiness();
    assert.equal(ready, false);
    assert.match(reason, /worker-2.*sabotaged/);
    await assert.rejects(runtime.open("test"), { code: "CALL_WORKER_FAILED" });
    await runtime.drain();
  });
});

test("frames cross threads without a message each", { timeout: 30_000 }, async () => {
  const runtime = await startPlan(plan({}));
  const call = await runtime.open("test");
  const frames = randomFrames(1000, -1);
  assert.equal(await sumOf(call, frames), expectedSum(frames));
  // Main got one transcript and one fence; 1000 audio frames went over two rings.
  assert.ok(runtime.doorbellCount <= 20, `${runtime.doorbellCount} doorbell messages`);
  await runtime.drain();
});
