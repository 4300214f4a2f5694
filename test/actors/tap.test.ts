import assert from "node:assert/strict";
import { test } from "node:test";
import { RMS_DBFS_MIN, tapActor } from "../../src/actors/tap.js";
import { frame } from "../../src/frames/kinds.js";
import { runActor, type Step } from "../support/run-actor.js";
import { audioSteps, close, fence } from "../support/steps.js";

const square = new Int16Array(16_000).fill(16_384);

test("tap passes every frame on untouched and reports counts, seconds and levels at the close", async () => {
  const meta = { contextId: 0, rateHz: 8_000 };
  const steps: Step[] = [
    ...audioSteps(square),
    { frame: frame("audio.out", meta, 0, new Int16Array(800)) },
    { frame: frame("text", { contextId: 0, text: "a secret" }) },
    fence("a"),
    close(),
  ];
  const run = await runActor(tapActor, {}, steps, { batchMax: 4 });
  assert.deepEqual(
    run.emitted.map(({ kind, meta: passed, pcm }) => [kind, passed, pcm]),
    steps.map(({ frame: made }) => [made!.kind, made!.meta, [...made!.pcm]]),
  );
  assert.equal(run.logs.length, 1);
  assert.deepEqual(run.logs[0]!.fields, {
    callId: "call-0",
    node: "test.node",
    frames: { "audio.in": 50, "audio.out": 1, text: 1, fence: 1, close: 1 },
    audio: { "audio.in": { seconds: 1, rmsDbfs: -6 }, "audio.out": { seconds: 0.1, rmsDbfs: RMS_DBFS_MIN } },
  });
  assert.ok(!JSON.stringify(run.logs).includes("secret"));
});

test("tap logs every so many seconds of audio if it is asked to", async () => {
  const run = await runActor(tapActor, { logEvery: 0.25 }, [...audioSteps(square), close()]);
  assert.equal(run.logs.length, 4 + 1 - 1, "three full quarters and the rest: 0.26, 0.52, 0.78 s, and the close");
});
