/**
 * The ring against a model that is an array: any sequence of operations on both ends, with either end replaced at any
 * moment, on rings so small that they wrap all the time, from positions next to the overflow.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRingBuffer, maxPayloadBytes, RingReader, RingWriter } from "../../src/ring/index.js";
import { recordByteLength } from "../../src/ring/layout.js";
import { commitRecord, faultIn, fillPayload } from "./records.js";

interface ModelRecord {
  readonly sequence: number;
  readonly byteCount: number;
  /** Position behind the record, as a number that never overflows. */
  readonly end: number;
}

class Model {
  readonly capacityBytes: number;
  /** Published and not acknowledged. */
  queue: ModelRecord[] = [];
  committed: ModelRecord[] = [];
  /** Records of the queue that `next` has given, and that the last `refresh` saw. */
  readCount = 0;
  seenCount = 0;
  claimed: { byteCount: number; padding: number } | undefined;
  write: number;
  head: number;
  tail: number;
  highWater = 0;
  attempts = 0;
  sequence = 0;
  fullCount = 0;

  constructor(capacityBytes: number, startPosition: number) {
    this.capacityBytes = capacityBytes;
    // The overflow-free twin of the start position: same low bits, not negative.
    this.write = startPosition >>> 0;
    this.head = this.write;
    this.tail = this.write;
  }

  /** Padding before a record of this size, or -1 when the ring is full. */
  room(byteCount: number): number {
    const toEnd = this.capacityBytes - (this.write % this.capacityBytes);
    const bytes = recordByteLength(byteCount);
    const padding = bytes > toEnd ? toEnd : 0;
    return padding + bytes > this.capacityBytes - (this.write - this.tail) ? -1 : padding;
  }
}

class Real {
  readonly buffer: SharedArrayBuffer;
  writer: RingWriter;
  reader: RingReader;
  offset = -1;

  constructor(capacityBytes: number, startPosition: number) {
    this.buffer = createRingBuffer(capacityBytes, { startPosition });
    this.writer = new RingWriter(this.buffer);
    this.reader = new RingReader(this.buffer);
  }
}

type Step = (model: Model, real: Real) => void;

/** One operation: does it to both and compares what both said. */
class Operation implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #can: (model: Model) => boolean;
  readonly #step: Step;

  constructor(name: string, step: Step, can: (model: Model) => boolean = () => true) {
    this.#name = name;
    this.#can = can;
    this.#step = step;
  }

  check(model: Readonly<Model>): boolean {
    return this.#can(model);
  }

  run(model: Model, real: Real): void {
    this.#step(model, real);
    assert.equal(real.reader.highWaterBytes, model.highWater);
  }

  toString(): string {
    return this.#name;
  }
}

/** @param share of the largest payload */
function claim(share: number): Operation {
  const step: Step = (model, real) => {
    const byteCount = Math.floor(share * maxPayloadBytes(model.capacityBytes));
    const padding = model.room(byteCount);
    real.offset = real.writer.claim(byteCount);
    assert.equal(real.offset >= 0, padding >= 0, `room for ${byteCount} bytes`);
    if (padding >= 0) model.claimed = { byteCount, padding };
    else model.fullCount++;
  };
  return new Operation(`claim(${share})`, step, (model) => model.claimed === undefined);
}

/** @param share of the claimed payload that is kept */
function commit(share: number): Operation {
  const step: Step = (model, real) => {
    const byteCount = Math.floor(share * model.claimed!.byteCount);
    const sequence = ++model.sequence;
    fillPayload(real.writer, real.offset, byteCount, sequence);
    commitRecord(real.writer, byteCount, sequence);
    model.write += model.claimed!.padding + recordByteLength(byteCount);
    model.committed.push({ sequence, byteCount, end: model.write });
    model.claimed = undefined;
  };
  return new Operation(`commit(${share})`, step, (model) => model.claimed !== undefined);
}

const abandon = new Operation("abandon", (model, real) => {
  real.writer.abandon();
  model.claimed = undefined;
});

const flush = new Operation("flush", (model, real) => {
  assert.equal(real.writer.flush(), model.committed.length > 0);
  model.queue.push(...model.committed);
  model.committed = [];
  if (model.head !== model.write) model.highWater = Math.max(model.highWater, model.write - model.tail);
  model.head = model.write;
});

const refresh = new Operation("refresh", (model, real) => {
  const readEnd = model.readCount === 0 ? model.tail : model.queue[model.readCount - 1]!.end;
  assert.equal(real.reader.refresh(), model.head - readEnd);
  model.seenCount = model.queue.length;
});

const next = new Operation("next", (model, real) => {
  const found = real.reader.next();
  assert.equal(found, model.readCount < model.seenCount);
  if (found) model.readCount++;
  // Whatever was read and not acknowledged is intact, not only the newest.
  if (found) {
    const { byteCount, sequence } = model.queue[model.readCount - 1]!;
    assert.equal(faultIn(real.reader, byteCount, sequence), undefined);
  }
});

const ack = new Operation("ack", (model, real) => {
  real.reader.ack();
  if (model.readCount > 0) model.tail = model.queue[model.readCount - 1]!.end;
  model.queue.splice(0, model.readCount);
  model.seenCount -= model.readCount;
  model.readCount = 0;
  model.attempts = 0;
});

const begin = new Operation("begin", (model, real) => {
  assert.equal(real.reader.begin(), ++model.attempts);
});

const rewind = new Operation("rewind", (model, real) => {
  real.reader.rewind();
  model.readCount = 0;
});

const newReader = new Operation("new reader", (model, real) => {
  real.reader = new RingReader(real.buffer);
  assert.equal(real.reader.attempts, model.attempts);
  model.readCount = 0;
  model.seenCount = 0;
});

const newWriter = new Operation("new writer", (model, real) => {
  real.writer = new RingWriter(real.buffer);
  model.committed = [];
  model.claimed = undefined;
  model.write = model.head;
});

/** What a producer does most of the time: as much as fits of a few records. */
function burst(shares: readonly number[]): Operation {
  const step: Step = (model, real) => {
    for (const share of shares) {
      claim(share).run(model, real);
      if (model.claimed !== undefined) commit(1).run(model, real);
    }
  };
  return new Operation(`burst(${shares})`, step, (model) => model.claimed === undefined);
}

/** What a consumer does most of the time. @param count records at most */
function drain(count: number): Operation {
  const step: Step = (model, real) => {
    refresh.run(model, real);
    for (let taken = 0; taken < count; taken++) next.run(model, real);
    ack.run(model, real);
  };
  return new Operation(`drain(${count})`, step);
}

/** The fill as both ends see it. Not after each operation: looking refreshes the TAIL that the writer knows. */
const look = new Operation("look", (model, real) => {
  assert.equal(real.writer.usedBytes, model.write - model.tail);
  assert.equal(real.writer.freeBytes, model.capacityBytes - (model.write - model.tail));
  assert.equal(real.reader.fillBytes, model.head - model.tail);
});

test("a ring behaves as an array queue under any sequence of operations on both ends", (t) => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  // fc.commands draws each kind equally often, so a kind's weight is how often it is listed.
  const weighted = (weight: number, operation: fc.Arbitrary<Operation>): fc.Arbitrary<Operation>[] =>
    new Array<fc.Arbitrary<Operation>>(weight).fill(operation);
  const operations = [
    ...weighted(8, share.map(claim)),
    ...weighted(8, fc.oneof(fc.constant(1), share).map(commit)),
    ...weighted(6, fc.array(share, { minLength: 1, maxLength: 6 }).map(burst)),
    ...weighted(12, fc.constantFrom(flush, refresh)),
    ...weighted(8, fc.constant(next)),
    ...weighted(3, fc.constant(ack)),
    ...weighted(6, fc.integer({ min: 1, max: 12 }).map(drain)),
    ...weighted(1, fc.constant(abandon)),
    ...weighted(2, fc.constantFrom(begin, rewind, newReader, newWriter, look)),
  ];
  const starts = fc.constantFrom(0, 32, 0x7fffffff - 31, 0x7fffffff - 255, -32, -256);
  let wrapCount = 0;
  let fullCount = 0;
  const property = fc.property(
    fc.constantFrom(256, 512, 1024),
    starts,
    fc.commands(operations, { maxCommands: 1000, size: "max" }),
    (capacityBytes, startPosition, commands) => {
      const model = new Model(capacityBytes, startPosition);
      fc.modelRun(() => ({ model, real: new Real(capacityBytes, startPosition) }), commands);
      wrapCount += Math.floor(model.write / capacityBytes) - Math.floor((startPosition >>> 0) / capacityBytes);
      fullCount += model.fullCount;
    },
  );
  fc.assert(property, { seed: 20, numRuns: 1000 });
  assert.ok(wrapCount > 5000 && fullCount > 5000, `the runs go around and fill up: ${wrapCount}, ${fullCount}`);
  t.diagnostic(`${wrapCount} wraps, ${fullCount} times full`);
});
