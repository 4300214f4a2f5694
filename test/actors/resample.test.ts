import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resampleActor } from "../../src/actors/resample.js";
import { createResampler, RESAMPLER_RATES_HZ } from "../../src/audio/resampler.js";
import { seeded } from "../../src/base/prng.js";
import { frame } from "../../src/frames/kinds.js";
import { type ActorRun, runActor, type Step } from "../support/run-actor.js";
import { close, fence } from "../support/steps.js";

function noise(seed: number, count: number): Int16Array {
  const chance = seeded(seed);
  return Int16Array.from({ length: count }, () => chance.integer(-12_000, 12_000));
}

function audio(pcm: Int16Array, contextId: number, rateHz: number, frameSamples = 700): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < pcm.length; at += frameSamples) {
    steps.push({ frame: frame("audio.out", { contextId, rateHz }, at, pcm.slice(at, at + frameSamples)) });
  }
  return steps;
}

const end = (contextId: number): Step => ({
  frame: frame("reply", { what: "end", contextId, turnIndex: 0, reason: "completed" }),
});

function samples(run: ActorRun, contextId: number): number[] {
  let position = 0;
  const found: number[] = [];
  for (const { meta, pcm, position: at } of run.of("audio.out")) {
    if (meta.contextId !== contextId) continue;
    assert.equal(at, position, "positions are contiguous");
    position += pcm.length;
    found.push(...pcm);
  }
  return found;
}

function converted(pcm: Int16Array, from: number, to: number): number[] {
  const resampler = createResampler(from, to);
  const output = new Int16Array(resampler.outputBound(pcm.length) + resampler.outputBound(0));
  const count = resampler.process(pcm, 0, pcm.length, output);
  const tail = new Int16Array(resampler.outputBound(0));
  return [...output.subarray(0, count), ...tail.subarray(0, resampler.flush(tail))];
}

describe("resample", () => {
  test("each context is one stream at the new rate, whole when its reply ends", async () => {
    const [first, second] = [noise(1, 9_000), noise(2, 5_000)];
    const steps = [...audio(first, 0, 16_000), end(0), ...audio(second, 1, 16_000), end(1), close()];
    const run = await runActor(resampleActor, { rateHz: 24_000 }, steps);
    assert.deepEqual(samples(run, 0), converted(first, 16_000, 24_000));
    assert.deepEqual(samples(run, 1), converted(second, 16_000, 24_000));
    assert.equal(run.of("audio.out")[0]!.meta.rateHz, 24_000);
    const ends = run.emitted.flatMap(({ kind }, index) => (kind === "reply" ? [index] : []));
    assert.equal(run.emitted[ends[0]! + 1]!.kind, "audio.out");
  });

  test("a successor goes on to the bit, for every pair of rates", async () => {
    for (const from of RESAMPLER_RATES_HZ) {
      for (const to of RESAMPLER_RATES_HZ) {
        const pcm = noise(from + to, 12_000);
        const steps = [...audio(pcm, 0, from), end(0), close()];
        const run = await runActor(resampleActor, { rateHz: to }, steps, {
          seed: from ^ to,
          batchMax: 3,
          killAfter: 0.4,
          killDuring: 0.2,
        });
        assert.deepEqual(samples(run, 0), converted(pcm, from, to), `${from} to ${to}`);
      }
    }
  });

  test("alignments move to the new rate", async () => {
    const spans = [{ text: "hello", startSample: 160, endSample: 4_800 }];
    const meta = { contextId: 0, unit: "word", rateHz: 16_000, spans } as const;
    const run = await runActor(resampleActor, { rateHz: 8_000 }, [
      { frame: frame("alignment", { ...meta, spans }, 160) },
    ]);
    const [found] = run.of("alignment");
    assert.deepEqual(found!.meta, {
      ...meta,
      rateHz: 8_000,
      spans: [{ text: "hello", startSample: 80, endSample: 2_400 }],
    });
    assert.equal(found!.position, 80);
  });

  test("a fence finds everything before it converted, and the context goes on behind it", async () => {
    const pcm = noise(3, 6_000);
    const steps = [...audio(pcm, 0, 16_000), fence("a"), ...audio(pcm, 0, 16_000), close()];
    const run = await runActor(resampleActor, { rateHz: 48_000 }, steps, { batchMax: 2, killAfter: 0.3 });
    const once = converted(pcm, 16_000, 48_000);
    assert.deepEqual(samples(run, 0), [...once, ...once]);
  });

  test("an interrupted context is not flushed into the next", async () => {
    const steps: Step[] = [
      ...audio(noise(4, 3_000), 0, 16_000),
      { act: (call) => call.interrupt("client") },
      ...audio(noise(5, 3_000), 1, 16_000),
      end(1),
    ];
    const run = await runActor(resampleActor, { rateHz: 8_000 }, steps);
    assert.deepEqual(samples(run, 1), converted(noise(5, 3_000), 16_000, 8_000));
    assert.ok(samples(run, 0).length < 1_500);
  });
});
