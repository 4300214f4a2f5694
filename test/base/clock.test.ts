import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock, elapsedUs32, SimulatedClock } from "../../src/base/clock.js";

test("clocks of one base agree, however often a thread was put to sleep while it made one", (t) => {
  // The first read of the two clocks is torn apart, as by a thread that loses its core for 7 ms.
  const real = process.hrtime.bigint;
  let reads = 0;
  t.mock.method(process.hrtime, "bigint", () => {
    const now = real();
    if (reads++ < 3) for (const until = performance.now() + 7; performance.now() < until; );
    return now;
  });
  const disturbed = createClock(0n);
  t.mock.restoreAll();
  assert.ok(reads > 3, "it looked more than once");
  const nowUs = (): number => Number(process.hrtime.bigint()) / 1000;
  // Between two reads of the true clock, up to half of one sleep.
  const before = nowUs();
  const stamp = disturbed.nowUs();
  const after = nowUs();
  assert.ok(stamp >= before - 3_500, `${before - stamp} µs late`);
  assert.ok(stamp <= after + 3_500, `${stamp - after} µs early`);
});

test("a clock never runs backwards and begins at its base", () => {
  const clock = createClock();
  let last = clock.nowUs();
  assert.ok(last >= 0);
  for (let read = 0; read < 10_000; read++) {
    const now = clock.nowUs();
    assert.ok(now >= last);
    last = now;
  }
});

test("stamps in 32 bits keep their distance when they wrap", () => {
  assert.equal(elapsedUs32(0x7fff_fff0 | 0, 0x8000_0010 | 0), 32);
  const clock = new SimulatedClock();
  clock.advance(5);
  assert.equal(clock.nowUs(), 5);
});
