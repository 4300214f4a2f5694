/**
 * The narrow places of the two sleeping protocols, one by one. Both ends live on this thread; the other end's step is
 * slipped in right before an atomic operation of the first, where a real thread gets to only once in a million times.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Bell, BellRope, createBellBuffer, createRingBuffer, RingReader, RingWriter } from "../../src/ring/index.js";
import { SPACE_PARKED_WORD, TAIL_WORD } from "../../src/ring/layout.js";
import { writeRecord } from "./records.js";

type AtomicName = "load" | "store" | "exchange";

/** Runs `step` once, before the first `Atomics[name]` on the word `index` from now on. */
function before(t: TestContext, name: AtomicName, index: number, step: () => void): void {
  const original = Atomics[name] as unknown as (...operands: unknown[]) => number;
  let done = false;
  t.mock.method(Atomics, name, (...operands: unknown[]) => {
    if (!done && operands[1] === index) {
      done = true;
      step();
    }
    return original(...operands);
  });
}

/** Answers for `Atomics.wait`, which nothing here may really reach. */
function onSleep(t: TestContext, answer: () => "ok" | "timed-out"): { count: number } {
  const sleeps = { count: 0 };
  t.mock.method(Atomics, "wait", () => {
    sleeps.count++;
    return answer();
  });
  return sleeps;
}

const STATE_WORD = 0;

function fullRing() {
  const buffer = createRingBuffer(256);
  const writer = new RingWriter(buffer);
  const reader = new RingReader(buffer);
  for (const sequence of [1, 2]) assert.ok(writeRecord(writer, 96, sequence));
  writer.flush();
  reader.refresh();
  reader.next();
  return { writer, reader };
}

describe("a producer that waits for room", () => {
  test("does not sleep when the acknowledgement comes between its first look and its announcement", (t) => {
    const { writer, reader } = fullRing();
    const sleeps = onSleep(t, () => "timed-out");
    before(t, "store", SPACE_PARKED_WORD, () => reader.ack());
    assert.equal(writer.waitForSpace(96, 60_000), true);
    assert.equal(sleeps.count, 0);
    assert.equal(writer.i32[SPACE_PARKED_WORD], 0, "the announcement is taken back");
  });

  test("is woken by an acknowledgement that comes after its announcement", (t) => {
    const { writer, reader } = fullRing();
    const notify = t.mock.method(Atomics, "notify", () => 1);
    const sleeps = onSleep(t, () => {
      assert.equal(writer.i32[SPACE_PARKED_WORD], 1);
      reader.ack();
      assert.equal(writer.i32[SPACE_PARKED_WORD], 0, "reset before it wakes");
      return "ok";
    });
    assert.equal(writer.waitForSpace(96, 60_000), true);
    assert.equal(sleeps.count, 1);
    assert.equal(notify.mock.callCount(), 1);
  });

  test("is woken when it announces itself while the consumer is just about to store TAIL", (t) => {
    const { writer, reader } = fullRing();
    const notify = t.mock.method(Atomics, "notify", () => 1);
    // The producer's announcement and its second look, which still finds the old TAIL.
    before(t, "store", TAIL_WORD, () => {
      writer.i32[SPACE_PARKED_WORD] = 1;
      assert.equal(writer.claim(96), -1);
    });
    reader.ack();
    assert.equal(notify.mock.callCount(), 1);
    assert.equal(writer.i32[SPACE_PARKED_WORD], 0);
  });

  test("goes on sleeping when the acknowledgement freed too little, until its time is over", (t) => {
    const { writer, reader } = fullRing();
    let nowMs = 0;
    t.mock.method(performance, "now", () => nowMs);
    const sleeps = onSleep(t, () => {
      nowMs += 40;
      if (nowMs > 80) return "timed-out";
      reader.ack();
      return "ok";
    });
    reader.rewind();
    assert.equal(writer.waitForSpace(96, 100), false);
    assert.equal(sleeps.count, 3);
    assert.equal(writer.i32[SPACE_PARKED_WORD], 0);
  });
});

describe("a rope", () => {
  function setup() {
    const buffer = createBellBuffer();
    const messages: number[] = [];
    const rope = new BellRope(buffer, { postMessage: (value) => messages.push(value) });
    return { buffer, bell: new Bell(buffer), rope, messages };
  }

  test("does not ring for a consumer that takes its announcement back between the look and the exchange", (t) => {
    const { bell, rope, messages } = setup();
    bell.prepareToPark("port");
    before(t, "exchange", STATE_WORD, () => bell.cancelPark());
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, []);
    assert.equal(bell.isParked, false);
  });

  test("leaves the waking to another that rings between the look and the exchange", (t) => {
    const { buffer, bell, rope, messages } = setup();
    const other = new BellRope(buffer, { postMessage: () => messages.push(7) });
    bell.prepareToPark("port");
    before(t, "exchange", STATE_WORD, () => assert.equal(other.ring(), true));
    assert.equal(rope.ring(), false);
    assert.deepEqual(messages, [7]);
  });

  test("wakes in the way in which the consumer sleeps now, not in the way it slept at the look", (t) => {
    const { bell, rope, messages } = setup();
    const notify = t.mock.method(Atomics, "notify", () => 1);
    bell.prepareToPark("futex");
    before(t, "exchange", STATE_WORD, () => bell.prepareToPark("port"));
    assert.equal(rope.ring(), true);
    assert.deepEqual(messages, [0]);
    assert.equal(notify.mock.callCount(), 0);
  });

  test("that rings just as the sleep times out has rung", (t) => {
    const { bell, rope } = setup();
    bell.prepareToPark("futex");
    onSleep(t, () => {
      assert.equal(rope.ring(), true);
      return "timed-out";
    });
    assert.equal(bell.wait(10), "rung");
  });
});
