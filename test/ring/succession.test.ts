/** What happens when one end of a ring dies and another takes its place. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { createRingBuffer, RingReader, RingWriter } from "../../src/ring/index.js";
import { faultIn, writeRecord } from "./records.js";

const CAPACITY_BYTES = 2048;
const NEAR_OVERFLOW = 0x7fffffff - 511;

function take(reader: RingReader, count: number): number[] {
  const sequences: number[] = [];
  reader.refresh();
  while (sequences.length < count && reader.next()) {
    assert.equal(faultIn(reader, 64, reader.sequence), undefined);
    sequences.push(reader.sequence);
  }
  return sequences;
}

describe("a dead consumer", () => {
  test("leaves its unacknowledged records, and what was published since, to its successor, in order", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES, { startPosition: NEAR_OVERFLOW });
    const writer = new RingWriter(buffer);
    for (let sequence = 1; sequence <= 8; sequence++) writeRecord(writer, 64, sequence);
    writer.flush();
    const first = new RingReader(buffer);
    assert.deepEqual(take(first, 3), [1, 2, 3]);
    first.ack();
    assert.deepEqual(take(first, 3), [4, 5, 6]);
    for (let sequence = 9; sequence <= 12; sequence++) writeRecord(writer, 64, sequence);
    writer.flush();

    const second = new RingReader(buffer);
    assert.equal(second.next(), false, "a new reader has not looked at HEAD yet");
    assert.deepEqual(take(second, 100), [4, 5, 6, 7, 8, 9, 10, 11, 12]);
    second.ack();
    assert.equal(second.fillBytes, 0);
  });

  test("may not acknowledge once it has a successor", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES);
    const writer = new RingWriter(buffer);
    writeRecord(writer, 64, 1);
    writer.flush();
    const first = new RingReader(buffer);
    take(first, 1);
    const second = new RingReader(buffer);
    assert.throws(() => first.ack(), AssertionFailure);
    assert.deepEqual(take(second, 1), [1], "the refused acknowledgement changed nothing");
    second.ack();
  });

  test("is counted: attempts grow with each begun batch that is not acknowledged, and end with the acknowledgement", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES);
    const writer = new RingWriter(buffer);
    writeRecord(writer, 64, 1);
    writer.flush();
    for (const deaths of [0, 1, 2]) {
      const reader = new RingReader(buffer);
      assert.equal(reader.attempts, deaths);
      assert.equal(reader.begin(), deaths + 1);
    }
    const last = new RingReader(buffer);
    assert.equal(last.begin(9), 9, "a count may be raised");
    assert.equal(last.begin(2), 10, "but not lowered");
    take(last, 1);
    last.ack();
    assert.equal(new RingReader(buffer).attempts, 0);
  });
});

describe("a dead producer", () => {
  test("takes what it had not flushed with it; its successor goes on behind the last published record", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES, { startPosition: NEAR_OVERFLOW });
    const reader = new RingReader(buffer);
    const first = new RingWriter(buffer);
    for (const sequence of [1, 2]) writeRecord(first, 64, sequence);
    first.flush();
    for (const sequence of [901, 902]) writeRecord(first, 64, sequence);
    first.claim(200);

    const second = new RingWriter(buffer);
    for (const sequence of [3, 4]) writeRecord(second, 64, sequence);
    second.flush();
    assert.deepEqual(take(reader, 100), [1, 2, 3, 4]);
  });

  test("may not publish once it has a successor", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES);
    const first = new RingWriter(buffer);
    writeRecord(first, 64, 1);
    const second = new RingWriter(buffer);
    assert.throws(() => first.flush(), AssertionFailure);
    assert.equal(second.usedBytes, 0);
  });

  test("leaves its counters behind", () => {
    const buffer = createRingBuffer(CAPACITY_BYTES);
    const first = new RingWriter(buffer);
    writeRecord(first, 64, 1);
    first.flush();
    first.countDropped(7);
    const second = new RingWriter(buffer);
    second.countDropped();
    assert.equal(second.droppedCount, 8);
    assert.equal(second.highWaterBytes, 96);
  });
});
