import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { exponential, poissonArrivals } from "../../../src/cli/load/chance.js";
import { FrameSchedule } from "../../../src/cli/load/frame-schedule.js";
import { FakeClock } from "../../support/load-stage.js";

/** Notes when each frame was due and when it was sent. */
function recorder(clock: FakeClock, count = Number.POSITIVE_INFINITY) {
  const frames: { frame: number; dueMs: number; sentMs: number }[] = [];
  const sendFrame = (frame: number, dueMs: number): boolean => {
    frames.push({ frame, dueMs, sentMs: clock.nowMs() });
    return frames.length < count;
  };
  return { frames, sendFrame };
}

describe("the frame schedule", () => {
  test("sends each frame when its last sample has been spoken", async () => {
    const clock = new FakeClock();
    const schedule = new FrameSchedule(clock);
    const source = recorder(clock);
    const startMs = schedule.add(source);
    await clock.run(100);
    assert.deepEqual(
      source.frames.map(({ frame, sentMs }) => [frame, sentMs - startMs]),
      [0, 1, 2, 3, 4].map((frame) => [frame, 20 * (frame + 1)]),
    );
    assert.equal(schedule.latenessMs.summary().max, 0);
    schedule.stop();
  });

  test("is absolute: after a stall, what was missed goes out at once, and no later frame is shifted", async () => {
    const clock = new FakeClock();
    const schedule = new FrameSchedule(clock);
    const source = recorder(clock);
    const startMs = schedule.add(source);
    await clock.run(40);
    clock.stall(70);
    await clock.run(50);
    assert.deepEqual(
      source.frames.map(({ dueMs, sentMs }) => [dueMs - startMs, sentMs - startMs]),
      [
        [20, 20],
        [40, 40],
        [60, 110],
        [80, 110],
        [100, 110],
        [120, 120],
        [140, 140],
        [160, 160],
      ],
    );
    // Of 8 frames the latest was 50 ms late: a schedule that slept after sending would have recorded 50 and then nothing.
    const { n, p50, max } = schedule.latenessMs.summary();
    assert.deepEqual([n, max], [8, 50]);
    assert.ok(p50 < 1);
    schedule.stop();
  });

  test("keeps calls in the order in which their frames are due, also those that join after a stall", async () => {
    const clock = new FakeClock();
    const schedule = new FrameSchedule(clock);
    const first = recorder(clock);
    const second = recorder(clock);
    const firstStart = schedule.add(first);
    await clock.run(5);
    clock.stall(90);
    // The thread wakes late, and dials before its timer comes.
    const secondStart = schedule.add(second);
    assert.equal(secondStart - firstStart, 95);
    assert.equal(first.frames.length, 4);
    await clock.run(60);
    for (const { frames, startMs } of [
      { frames: first.frames, startMs: firstStart },
      { frames: second.frames, startMs: secondStart },
    ]) {
      for (const { frame, dueMs } of frames) assert.equal(dueMs - startMs, 20 * (frame + 1));
      for (const { dueMs, sentMs } of frames.slice(-2)) assert.equal(sentMs, dueMs);
    }
    schedule.stop();
  });

  test("a source that says so gets no more frames", async () => {
    const clock = new FakeClock();
    const schedule = new FrameSchedule(clock);
    const source = recorder(clock, 2);
    schedule.add(source);
    await clock.run(200);
    assert.equal(source.frames.length, 2);
  });
});

describe("arrivals", () => {
  test("are the same for the same seed, and others for another", () => {
    const arrivals = (seed: number): number[] => poissonArrivals(seeded(seed), 20, 5);
    assert.deepEqual(arrivals(7), arrivals(7));
    assert.notDeepEqual(arrivals(7), arrivals(8));
  });

  test("are a Poisson process: the gaps are exponential, so their deviation equals their mean", () => {
    const arrivals = poissonArrivals(seeded(3), 20_000, 10);
    const gaps = arrivals.map((at, index) => at - (arrivals[index - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    assert.ok(Math.abs(mean - 100) < 3, `${mean}`);
    assert.ok(Math.abs(deviation / mean - 1) < 0.03, `${deviation}`);
    assert.ok(gaps.every((gap) => gap >= 0));
  });

  test("an exponential length has its mean", () => {
    const prng = seeded(5);
    const sum = Array.from({ length: 20_000 }, () => exponential(prng, 40)).reduce((total, value) => total + value, 0);
    assert.ok(Math.abs(sum / 20_000 - 40) < 1);
  });
});
