/** The protocol under "Poison" in ring-reader.ts, carried out by a small consumer that dies of one record. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRingBuffer, RingReader, RingWriter } from "../../src/ring/index.js";
import { writeRecord } from "./records.js";

const BATCH_ATTEMPTS = 3;
const BATCH_RECORDS = 8;

class Death extends Error {}

/** What outlives the consumers: what was done, what was given up, how many died. */
interface Ledger {
  readonly done: number[];
  readonly poison: number[];
  deaths: number;
}

function process(sequence: number, fatal: ReadonlySet<number>): void {
  if (fatal.has(sequence)) throw new Death(`record ${sequence}`);
}

/** One life of a consumer: until the ring is empty, or until it throws. */
function live(buffer: SharedArrayBuffer, fatal: ReadonlySet<number>, ledger: Ledger): void {
  const reader = new RingReader(buffer);
  if (reader.attempts > BATCH_ATTEMPTS) {
    reader.refresh();
    assert.ok(reader.next());
    ledger.poison.push(reader.sequence);
    reader.ack();
  }
  const alone = reader.attempts === BATCH_ATTEMPTS;
  while (reader.refresh() > 0) {
    reader.begin(alone ? BATCH_ATTEMPTS + 1 : 1);
    const batch: number[] = [];
    while (batch.length < (alone ? 1 : BATCH_RECORDS) && reader.next()) batch.push(reader.sequence);
    for (const sequence of batch) process(sequence, fatal);
    // Outputs leave together, before the acknowledgement.
    ledger.done.push(...batch);
    reader.ack();
  }
}

function supervise(recordCount: number, fatal: ReadonlySet<number>): Ledger {
  const buffer = createRingBuffer(8192, { startPosition: 0x7fffffff - 1023 });
  const writer = new RingWriter(buffer);
  for (let sequence = 1; sequence <= recordCount; sequence++) assert.ok(writeRecord(writer, sequence % 90, sequence));
  writer.flush();
  const ledger: Ledger = { done: [], poison: [], deaths: 0 };
  for (;;) {
    try {
      live(buffer, fatal, ledger);
      return ledger;
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      ledger.deaths++;
      assert.ok(ledger.deaths < 100, "the consumers die for ever");
    }
  }
}

function sequencesWithout(recordCount: number, fatal: ReadonlySet<number>): number[] {
  return Array.from({ length: recordCount }, (_, index) => index + 1).filter((sequence) => !fatal.has(sequence));
}

describe("a record that kills its consumer", () => {
  for (const [where, sequence] of [
    ["first in the ring", 1],
    ["within a batch", 13],
    ["last of a batch", 16],
    ["last in the ring", 40],
  ] as const) {
    test(`is skipped after ${BATCH_ATTEMPTS + 1} deaths, all others are done once: ${where}`, () => {
      const fatal = new Set([sequence]);
      const ledger = supervise(40, fatal);
      assert.deepEqual(ledger.poison, [sequence]);
      assert.deepEqual(ledger.done, sequencesWithout(40, fatal));
      assert.equal(ledger.deaths, BATCH_ATTEMPTS + 1);
    });
  }

  test("is found although another one stands in the same batch", () => {
    const fatal = new Set([10, 11, 15]);
    const ledger = supervise(40, fatal);
    assert.deepEqual(ledger.poison, [10, 11, 15]);
    assert.deepEqual(ledger.done, sequencesWithout(40, fatal));
  });

  test("does not make a later batch suspect: passing deaths are forgotten with the acknowledgement", () => {
    const buffer = createRingBuffer(1024);
    const writer = new RingWriter(buffer);
    for (let batch = 0; batch < 10; batch++) {
      writeRecord(writer, 10, batch);
      writer.flush();
      for (let life = 1; life < BATCH_ATTEMPTS; life++) new RingReader(buffer).begin();
      const reader = new RingReader(buffer);
      assert.equal(reader.attempts, BATCH_ATTEMPTS - 1);
      reader.refresh();
      reader.next();
      reader.ack();
    }
  });
});
