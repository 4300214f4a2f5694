import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import {
  createRingBuffer,
  maxPayloadBytes,
  RECORD_HEADER_BYTES,
  Ring,
  RingReader,
  RingWriter,
  ringByteLength,
} from "../../src/ring/index.js";
import { HEAD_WORD, MAGIC_WORD, RING_HEADER_BYTES, TAIL_WORD, VERSION_WORD } from "../../src/ring/layout.js";
import { commitRecord, faultIn, fillPayload, writeRecord } from "./records.js";

/** Two steps before the position counters overflow. */
const NEAR_OVERFLOW = 0x7fffffff - 63;

function pair(capacityBytes: number, startPosition = 0) {
  const buffer = createRingBuffer(capacityBytes, { startPosition });
  return { buffer, writer: new RingWriter(buffer), reader: new RingReader(buffer) };
}

function drain(reader: RingReader): number[] {
  const sequences: number[] = [];
  reader.refresh();
  while (reader.next()) sequences.push(reader.sequence);
  return sequences;
}

describe("a ring's memory", () => {
  test("keeps the producer's and the consumer's words on different cache lines", () => {
    assert.equal(HEAD_WORD >> 4, 1);
    assert.equal(TAIL_WORD >> 4, 2);
    assert.equal(ringByteLength(1024), 256 + 1024);
  });

  test("is refused with a capacity that is no power of two from 256 to 2^30", () => {
    for (const capacityBytes of [0, 128, 1000, 2 ** 31, 512.5, Number.NaN]) {
      assert.throws(() => createRingBuffer(capacityBytes), AssertionFailure, String(capacityBytes));
    }
    assert.throws(() => createRingBuffer(256, { startPosition: 16 }), AssertionFailure);
  });

  test("is refused when it is not a ring, of another version or cut short", () => {
    assert.throws(() => new Ring(new SharedArrayBuffer(64)), AssertionFailure);
    for (const word of [MAGIC_WORD, VERSION_WORD]) {
      const buffer = createRingBuffer(256);
      new Int32Array(buffer)[word]!--;
      assert.throws(() => new Ring(buffer), AssertionFailure);
    }
    const whole = new Uint8Array(createRingBuffer(512));
    const cut = new SharedArrayBuffer(ringByteLength(256));
    new Uint8Array(cut).set(whole.subarray(0, cut.byteLength));
    assert.throws(() => new RingReader(cut), AssertionFailure);
  });

  test("is not written by a third party that looks at it", () => {
    const { buffer, writer } = pair(1024);
    writeRecord(writer, 100, 1);
    writer.flush();
    const before = new Uint8Array(buffer).slice();
    const probe = new Ring(buffer);
    assert.equal(probe.fillBytes, 160);
    assert.equal(probe.highWaterBytes, 160);
    assert.equal(probe.droppedCount, 0);
    assert.deepEqual(new Uint8Array(buffer), before);
  });
});

describe("a record", () => {
  test("comes out as it went in, header and payload, at extreme values too", () => {
    const { writer, reader } = pair(1024);
    const offset = writer.claim(8);
    writer.f64[offset >> 3] = Math.PI;
    writer.commit(8, -1, 0x7fffffff, -0x80000000, 0x7fffffff, -2, Number.MAX_SAFE_INTEGER);
    writer.flush();
    assert.equal(reader.refresh(), RECORD_HEADER_BYTES + 32);
    assert.equal(reader.next(), true);
    assert.equal(reader.f64[reader.offset >> 3], Math.PI);
    const { byteCount, word, slot, generation, sequence, aux, timestamp } = reader;
    assert.deepEqual(
      [byteCount, word, slot, generation, sequence, aux, timestamp],
      [8, -1, 0x7fffffff, -0x80000000, 0x7fffffff, -2, Number.MAX_SAFE_INTEGER],
    );
    assert.equal(reader.next(), false);
    assert.equal(reader.word, -1, "the fields stand when there is no next record");
  });

  test("may be empty, or half of the ring", () => {
    const { writer, reader } = pair(256, NEAR_OVERFLOW);
    for (let sequence = 1; sequence < 50; sequence++) {
      const byteCount = sequence % 2 === 0 ? 0 : maxPayloadBytes(256);
      assert.ok(writeRecord(writer, byteCount, sequence), `an empty ring takes record ${sequence}`);
      writer.flush();
      reader.refresh();
      assert.ok(reader.next());
      assert.equal(faultIn(reader, byteCount, sequence), undefined);
      reader.ack();
    }
    assert.throws(() => writer.claim(maxPayloadBytes(256) + 1), AssertionFailure);
    for (const byteCount of [-1, 1.5, Number.NaN]) assert.throws(() => writer.claim(byteCount), AssertionFailure);
  });

  test("is invisible until it is flushed, and then only to a reader that refreshes", () => {
    const { writer, reader } = pair(1024);
    assert.ok(writeRecord(writer, 10, 1));
    assert.deepEqual(drain(reader), []);
    assert.equal(writer.flush(), true);
    assert.equal(reader.next(), false);
    assert.deepEqual(drain(reader), [1]);
    assert.equal(writer.flush(), false, "there is nothing left to publish");
  });

  test("shrinks at commit, and what it gives back is claimed next", () => {
    const { writer, reader } = pair(1024);
    const first = writer.claim(400);
    fillPayload(writer, first, 40, 1);
    commitRecord(writer, 40, 1);
    assert.equal(writer.claim(1), first + 64 + RECORD_HEADER_BYTES);
    writer.abandon();
    writer.flush();
    reader.refresh();
    reader.next();
    assert.equal(faultIn(reader, 40, 1), undefined);
  });

  test("is committed once, within its claim", () => {
    const { writer } = pair(1024);
    assert.throws(() => commitRecord(writer, 0, 1), AssertionFailure);
    writer.claim(10);
    assert.throws(() => writer.claim(10), AssertionFailure, "one claim at a time");
    assert.throws(() => commitRecord(writer, 11, 1), AssertionFailure);
    commitRecord(writer, 10, 1);
    assert.throws(() => commitRecord(writer, 0, 1), AssertionFailure);
  });
});

describe("the bytes around a record", () => {
  /** Offsets of the bytes that changed, as [first, behind the last] runs. */
  function changes(before: Uint8Array, after: Uint8Array): [number, number][] {
    const runs: [number, number][] = [];
    for (let at = 0; at < after.length; at++) {
      if (before[at] === after[at]) continue;
      const last = runs.at(-1);
      if (last !== undefined && last[1] === at) last[1]++;
      else runs.push([at, at + 1]);
    }
    return runs;
  }

  test("stay as they were: claim and abandon write nothing, commit its header, flush the producer's line", () => {
    for (const startPosition of [0, 96, 448, 480, NEAR_OVERFLOW]) {
      const { buffer, writer } = pair(512, startPosition);
      const memory = new Uint8Array(buffer);
      memory.fill(0xa5, RING_HEADER_BYTES);
      const fresh = memory.slice();
      let offset = writer.claim(100);
      assert.deepEqual(changes(fresh, memory), []);
      writer.abandon();
      assert.deepEqual(changes(fresh, memory), []);

      offset = writer.claim(100);
      memory.fill(0x5a, offset, offset + 100);
      const filled = memory.slice();
      writer.commit(100, 1, 2, 3, 4, 5, 6);
      const header = offset - RECORD_HEADER_BYTES;
      const padding = RING_HEADER_BYTES + (startPosition & 511);
      for (const [from, to] of changes(filled, memory)) {
        const inHeader = from >= header && to <= offset;
        const inPaddingMark = header !== padding && from >= padding && to <= padding + 4;
        assert.ok(inHeader || inPaddingMark, `start ${startPosition}: bytes ${from} to ${to} changed`);
      }

      const committed = memory.slice();
      writer.flush();
      const flushed = changes(committed, memory);
      assert.ok(flushed.length > 0);
      for (const [from, to] of flushed) assert.ok(from >= 64 && to <= 128, `flush changed bytes ${from} to ${to}`);
    }
  });

  test("stay as they were when records are read and acknowledged, but for the consumer's line", () => {
    const { buffer, writer, reader } = pair(512, NEAR_OVERFLOW);
    for (let sequence = 1; sequence <= 4; sequence++) assert.ok(writeRecord(writer, 50, sequence));
    writer.flush();
    const memory = new Uint8Array(buffer);
    const before = memory.slice();
    reader.refresh();
    reader.begin();
    while (reader.next());
    reader.ack();
    const runs = changes(before, memory);
    assert.ok(runs.length > 0);
    for (const [from, to] of runs) assert.ok(from >= 128 && to <= 192, `bytes ${from} to ${to} changed`);
  });
});

describe("a full ring", () => {
  test("refuses a claim, keeps what it has, and takes again what was acknowledged", () => {
    const { writer, reader } = pair(1024, 0x7fffffff - 511);
    let written = 0;
    while (written < 100 && writeRecord(writer, 96, written + 1)) written++;
    assert.equal(written, 8, "128 bytes each");
    assert.equal(writer.freeBytes, 0);
    writer.countDropped();
    writer.countDropped(3);
    writer.flush();
    reader.refresh();
    assert.ok(reader.next());
    assert.equal(writer.claim(96), -1, "read is not yet acknowledged");
    reader.ack();
    assert.ok(writeRecord(writer, 96, 9));
    assert.equal(writer.claim(96), -1);
    writer.flush();
    assert.deepEqual(drain(reader), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(reader.droppedCount, 4);
  });

  test("is full when padding leaves too little, although bytes are free", () => {
    const { writer, reader } = pair(512);
    for (const sequence of [1, 2, 3]) writeRecord(writer, 96, sequence);
    writer.flush();
    reader.refresh();
    reader.next();
    reader.ack();
    assert.equal(writer.freeBytes, 256);
    assert.equal(writer.claim(160), -1, "128 bytes at the end and 128 at the start do not hold 192 in a row");
    assert.ok(writer.claim(96) > 0);
    writer.abandon();
    assert.ok(drain(reader).length === 2);
    reader.ack();
    assert.equal(writer.claim(160), RING_HEADER_BYTES + RECORD_HEADER_BYTES, "behind the padding is the start");
  });

  test("shows its fill, its high-water mark and the room in it", () => {
    const { writer, reader } = pair(1024);
    for (const sequence of [1, 2, 3]) writeRecord(writer, 96, sequence);
    assert.deepEqual([writer.usedBytes, writer.freeBytes], [384, 640]);
    assert.deepEqual([reader.fillBytes, reader.highWaterBytes], [0, 0], "nothing is published");
    writer.flush();
    assert.deepEqual([reader.fillBytes, reader.highWaterBytes], [384, 384]);
    drain(reader);
    assert.equal(reader.fillBytes, 384);
    reader.ack();
    assert.deepEqual([reader.fillBytes, writer.usedBytes, writer.freeBytes], [0, 0, 1024]);
    for (let sequence = 4; sequence < 100; sequence++) {
      writeRecord(writer, 96, sequence);
      writer.flush();
      drain(reader);
      reader.ack();
    }
    assert.equal(writer.highWaterBytes, 384, "one record at a time does not raise the mark");
  });

  test("gives a waiting producer room at once if there is some, and false after the timeout if not", () => {
    const { writer, reader } = pair(256);
    assert.equal(writer.waitForSpace(96, 0), true);
    for (const sequence of [1, 2]) assert.ok(writeRecord(writer, 96, sequence));
    assert.equal(writer.waitForSpace(96, 1), false);
    assert.deepEqual(drain(reader), [1, 2], "waiting publishes what was committed");
    assert.equal(writer.waitForSpace(96, 0), false);
    reader.ack();
    assert.equal(writer.waitForSpace(96, 0), true);
  });
});
