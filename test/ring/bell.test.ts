import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { Bell, BellRope, createBellBuffer } from "../../src/ring/index.js";

function setup() {
  const buffer = createBellBuffer();
  const messages: number[] = [];
  const port = { postMessage: (value: number) => messages.push(value) };
  return { buffer, bell: new Bell(buffer), rope: new BellRope(buffer, port), messages };
}

describe("a bell", () => {
  test("that nobody sleeps on is not rung", () => {
    const { bell, rope, messages } = setup();
    assert.equal(bell.isParked, false);
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, []);
  });

  test("rung between the announcement and the sleep ends the sleep before it begins", () => {
    const { bell, rope } = setup();
    bell.prepareToPark("futex");
    assert.equal(rope.isParked, true);
    assert.equal(rope.ring(), true);
    assert.equal(rope.isParked, false);
    assert.equal(bell.wait(60_000), "rung");
  });

  test("that nobody rings lets its sleeper go after the timeout, awake", () => {
    const { bell, rope } = setup();
    bell.prepareToPark("futex");
    assert.equal(bell.wait(1), "timed-out");
    assert.equal(bell.isParked, false);
    assert.equal(rope.ring(), false);
  });

  test("is not rung for who naps: a nap is not announced, ends by itself and leaves the bell as it was", () => {
    const { bell, rope, messages } = setup();
    bell.nap(1);
    assert.equal(rope.isParked, false);
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, []);
    // Rung before it naps: the announcement is gone, so the nap still lasts its time and no longer.
    bell.prepareToPark("futex");
    rope.ring();
    bell.nap(1);
    assert.equal(bell.isParked, false);
  });

  test("sends one message to a consumer in its event loop, however many ropes are pulled", () => {
    const { buffer, bell, rope, messages } = setup();
    const other = new BellRope(buffer, { postMessage: () => assert.fail("the second rope finds it awake") });
    bell.prepareToPark("port");
    assert.equal(rope.ring(), true);
    assert.equal(other.ring(), false);
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, [0]);
    bell.prepareToPark("port");
    rope.ring();
    assert.deepEqual(messages, [0, 0]);
  });

  test("is not rung when the sleeper changed its mind", () => {
    const { bell, rope, messages } = setup();
    bell.prepareToPark("port");
    bell.cancelPark();
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, []);
  });

  test("on a port needs a rope with a port", () => {
    const { buffer, bell } = setup();
    bell.prepareToPark("port");
    assert.throws(() => new BellRope(buffer).ring(), AssertionFailure);
  });

  test("wakes its sleeper for a stop request, which stays", () => {
    const { bell, rope } = setup();
    assert.equal(bell.isStopRequested, false);
    bell.prepareToPark("futex");
    rope.requestStop();
    assert.equal(bell.wait(60_000), "rung");
    assert.equal(bell.isStopRequested, true);
    assert.equal(rope.isStopRequested, true);
  });

  test("wakes its sleeper for control messages, and says so once for any number of them", () => {
    const { buffer, bell, rope } = setup();
    assert.equal(bell.takeControl(), false);
    bell.prepareToPark("futex");
    rope.announceControl();
    rope.announceControl();
    assert.equal(bell.wait(60_000), "rung");
    assert.equal(bell.takeControl(), true);
    assert.equal(bell.takeControl(), false);
    assert.equal(new Bell(buffer).takeControl(), true, "a successor looks into its queue once");
  });

  test("shows the heartbeat, which overflows", () => {
    const { buffer, bell, rope } = setup();
    new Int32Array(buffer)[16] = 0x7fffffff;
    const before = rope.heartbeat;
    bell.beat();
    assert.equal((rope.heartbeat - before) | 0, 1);
    assert.equal(bell.heartbeat, -0x80000000);
  });

  test("is refused over another kind of buffer", () => {
    assert.throws(() => new Bell(new SharedArrayBuffer(64)), AssertionFailure);
  });
});
