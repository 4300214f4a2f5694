import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { decodeAudio } from "../../src/audio/decode.js";
import { packageRoot } from "../../src/base/package-root.js";
import { FRAME_MS, FRAME_SAMPLES } from "../../src/base/units.js";
import { loadConfig } from "../../src/config/load.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { eventsUntil, startPlan } from "../support/runtimes.js";

const CALLS = 10;
const FRAMES = 100;

interface Served {
  /** Beginnings and ends of speech of each call. Probabilities differ in their last bit by the number of rows. */
  readonly events: readonly (readonly string[])[];
  readonly batches: number;
  readonly waitSeconds: number;
}

/** Calls that speak at the same time, their frames spread over the time of a frame. */
async function serve(pcm: Int16Array, batchWaitMs: number): Promise<Served> {
  const path = join(packageRoot(), "configs", "vad.yaml");
  await importNamed(path);
  const { plan } = loadConfig(path);
  const models = plan.models.map((model) => ({ ...model, batchWaitMs }));
  const runtime = await startPlan({ ...plan, models, server: { ...plan.server, logLevel: "silent" } });
  const calls = await Promise.all(Array.from({ length: CALLS }, () => runtime.open("listen")));
  const startMs = performance.now();
  for (let frame = 0; frame < FRAMES; frame++) {
    for (const [index, call] of calls.entries()) {
      const dueMs = startMs + (frame + index / CALLS) * FRAME_MS;
      if (dueMs > performance.now()) await pause(dueMs - performance.now());
      call.write(pcm.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES));
    }
  }
  const events: string[][] = [];
  for (const call of calls) {
    call.finalize("end");
    const own = await eventsUntil(call, (event) => event.type === "finalized");
    events.push(own.flatMap((event) => (event.type === "vad" ? [`${event.what} at ${event.atMs}`] : [])));
  }
  const text = await runtime.metrics();
  assert.match(text, /^syrinx_ready 1$/m);
  await runtime.drain();
  assert.match(await runtime.metrics(), /^syrinx_ready 0$/m);
  const metric = (name: string): number => Number(new RegExp(`^syrinx_${name}{.*} (\\S+)$`, "m").exec(text)![1]);
  return { events, batches: metric("batch_size_count"), waitSeconds: metric("batch_wait_seconds_sum") };
}

describe("a worker whose batches may wait for company", { timeout: 60_000 }, () => {
  test("runs fewer of them, and tells every call what it told it without", async (t) => {
    const path = join(packageRoot(), "samples", "timer.wav");
    const { pcm } = await decodeAudio(readFileSync(path), path);
    const queue = await serve(pcm, 0);
    const waiting = await serve(pcm, 15);
    assert.ok(
      queue.events.every((events) => events.length > 0),
      "there is speech to be told of",
    );
    assert.deepEqual(waiting.events, queue.events);
    t.diagnostic(`${waiting.batches} against ${queue.batches} batches, ${waiting.waitSeconds} s of waiting`);
    assert.ok(waiting.batches < 0.7 * queue.batches, `${waiting.batches} against ${queue.batches} batches`);
    assert.ok(waiting.waitSeconds > 2 * queue.waitSeconds, `${waiting.waitSeconds} against ${queue.waitSeconds} s`);
  });
});
