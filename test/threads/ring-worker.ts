/**
 * The threads of the ring tests: each role is one end of a test, driven by a seed that both ends know, and ends with one
 * message to its parent. A fault is thrown, which the parent sees as the worker's error.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assert } from "../../src/base/assert.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import { Bell, BellRope, type ParkState, RingReader, RingWriter } from "../../src/ring/index.js";
import { commitRecord, faultIn, fillPayload, writeRecord } from "../ring/records.js";

/** Long enough for the noisiest machine; reaching it is a lost wake-up, not slowness. */
export const LOST_MS = 10_000;

export interface Wire {
  readonly ring: SharedArrayBuffer;
  /** Of the ring's consumer. */
  readonly bell: SharedArrayBuffer;
}

export interface RingTask {
  readonly role: "produce" | "consume" | "ping" | "pong" | "squeeze-produce" | "squeeze-consume";
  /** "poll": nobody ever sleeps, both ends yield to their event loops. */
  readonly mode: ParkState | "poll";
  readonly seed: number;
  readonly recordCount: number;
  readonly out?: Wire;
  readonly in?: Wire;
  /** Leads to the peer's event loop; present when the mode is "port". */
  readonly port?: MessagePort;
}

export interface RingReport {
  readonly recordCount: number;
  readonly byteCount: number;
  /** Times that this end announced sleep and found nothing at its second look. */
  readonly parkCount: number;
  /** Times that this end woke the other, or waited for room. */
  readonly wakeCount: number;
}

const task = workerData as RingTask;

function yieldToLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Mostly a few words, now and then up to the largest record. */
function recordBytes(prng: Prng, maxBytes: number): number {
  return prng.integer(0, 64) === 0 ? prng.integer(0, maxBytes + 1) : prng.integer(0, 256);
}

/** Returns when the doorbell rings; throws when it does not. */
class Sleeper {
  parkCount = 0;
  readonly #bell: Bell;
  #message: (() => void) | undefined;

  constructor(bell: SharedArrayBuffer) {
    this.#bell = new Bell(bell);
    task.port?.on("message", () => this.#message?.());
  }

  /** Sleeps unless `hasWork` says at the second look that there is some. */
  async sleep(hasWork: () => boolean): Promise<void> {
    if (task.mode === "poll") return yieldToLoop();
    this.#bell.prepareToPark(task.mode);
    if (hasWork()) {
      this.#bell.cancelPark();
      return;
    }
    this.parkCount++;
    if (task.mode === "futex") assert(this.#bell.wait(LOST_MS) === "rung", "no wake-up of a futex is lost");
    else await this.#nextMessage();
  }

  /** A late message of a cancelled sleep may come instead: an early return, so callers look again. */
  #nextMessage(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no wake-up of a port is lost")), LOST_MS);
      this.#message = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Writes the records of the seed: random lengths, claims larger than commits, abandoned claims, uneven bursts. */
async function produce(): Promise<RingReport> {
  const writer = new RingWriter(task.out!.ring);
  const rope = new BellRope(task.out!.bell, task.port);
  const lengths = seeded(task.seed);
  const whims = seeded(task.seed + 1);
  let byteCount = 0;
  let wakeCount = 0;
  const publish = (): void => {
    if (writer.flush() && rope.ring()) wakeCount++;
  };
  for (let sequence = 1; sequence <= task.recordCount; sequence++) {
    const length = recordBytes(lengths, writer.maxPayloadBytes);
    const claimed = Math.min(writer.maxPayloadBytes, length + whims.integer(0, 100));
    if (whims.integer(0, 50) === 0 && writer.claim(whims.integer(0, 300)) >= 0) writer.abandon();
    let offset = writer.claim(claimed);
    while (offset < 0) {
      publish();
      if (task.mode === "futex") assert(writer.waitForSpace(claimed, LOST_MS), "a waiting producer gets its room");
      else await yieldToLoop();
      offset = writer.claim(claimed);
    }
    fillPayload(writer, offset, length, sequence);
    commitRecord(writer, length, sequence);
    byteCount += length;
    if (whims.integer(0, 12) === 0) publish();
  }
  publish();
  return { recordCount: task.recordCount, byteCount, parkCount: 0, wakeCount };
}

/** Reads them back; acknowledges in uneven batches, and now and then reads a batch twice. */
async function consume(): Promise<RingReport> {
  const reader = new RingReader(task.in!.ring);
  const sleeper = new Sleeper(task.in!.bell);
  const whims = seeded(task.seed + 2);
  const lengths = seeded(task.seed);
  const batch: number[] = [];
  let sequence = 0;
  let byteCount = 0;
  const check = (length: number, expected: number): void => {
    const fault = faultIn(reader, length, expected);
    assert(fault === undefined, fault ?? "");
  };
  while (sequence < task.recordCount) {
    if (reader.refresh() === 0) {
      await sleeper.sleep(() => reader.refresh() > 0);
      continue;
    }
    batch.length = 0;
    const batchMax = whims.integer(1, 40);
    while (batch.length < batchMax && reader.next()) {
      const length = recordBytes(lengths, reader.capacityBytes / 2 - 32);
      batch.push(length);
      check(length, sequence + batch.length);
      byteCount += length;
    }
    if (whims.integer(0, 20) === 0) {
      reader.rewind();
      for (const [index, length] of batch.entries()) {
        assert(reader.next(), "what was read is read again");
        check(length, sequence + 1 + index);
      }
    }
    sequence += batch.length;
    reader.ack();
  }
  assert(reader.refresh() === 0, "nothing follows the last record");
  return { recordCount: sequence, byteCount, parkCount: sleeper.parkCount, wakeCount: 0 };
}

/** Burns a seeded, short and varying time, so that the two ends meet at every step of the parking protocol. */
function dawdle(prng: Prng): number {
  let burnt = 0;
  for (let left = prng.integer(0, 4) === 0 ? prng.integer(0, 3000) : 0; left > 0; left--)
    burnt = Math.imul(burnt, 3) + left;
  return burnt;
}

/** One record there, one back: every wake-up is needed, and one that is lost stops everything. */
async function volley(serves: boolean): Promise<RingReport> {
  const writer = new RingWriter(task.out!.ring);
  const rope = new BellRope(task.out!.bell, task.port);
  const reader = new RingReader(task.in!.ring);
  const sleeper = new Sleeper(task.in!.bell);
  const whims = seeded(task.seed);
  let wakeCount = 0;
  const send = (sequence: number): void => {
    dawdle(whims);
    assert(writeRecord(writer, 8, sequence), "one record at a time fits");
    writer.flush();
    if (rope.ring()) wakeCount++;
  };
  for (let sequence = 1; sequence <= task.recordCount; sequence++) {
    if (serves) send(sequence);
    while (reader.refresh() === 0) {
      dawdle(whims);
      await sleeper.sleep(() => reader.refresh() > 0);
    }
    assert(reader.next(), "a refreshed record is there");
    const fault = faultIn(reader, 8, sequence);
    assert(fault === undefined, fault ?? "");
    reader.ack();
    if (!serves) send(sequence);
  }
  return { recordCount: task.recordCount, byteCount: 0, parkCount: sleeper.parkCount, wakeCount };
}

/** A ring with room for two records: the producer sleeps for room all the time, the consumer for records. */
function squeezeProduce(): RingReport {
  const writer = new RingWriter(task.out!.ring);
  const rope = new BellRope(task.out!.bell);
  const whims = seeded(task.seed);
  let waits = 0;
  for (let sequence = 1; sequence <= task.recordCount; sequence++) {
    while (!writeRecord(writer, writer.maxPayloadBytes, sequence)) {
      waits++;
      dawdle(whims);
      assert(writer.waitForSpace(writer.maxPayloadBytes, LOST_MS), "no wake-up for room is lost");
    }
    if (writer.flush()) rope.ring();
  }
  return { recordCount: task.recordCount, byteCount: 0, parkCount: 0, wakeCount: waits };
}

async function squeezeConsume(): Promise<RingReport> {
  const reader = new RingReader(task.in!.ring);
  const sleeper = new Sleeper(task.in!.bell);
  const whims = seeded(task.seed + 1);
  for (let sequence = 1; sequence <= task.recordCount; ) {
    if (reader.refresh() === 0) await sleeper.sleep(() => reader.refresh() > 0);
    for (; reader.next(); sequence++) {
      const fault = faultIn(reader, reader.capacityBytes / 2 - 32, sequence);
      assert(fault === undefined, fault ?? "");
    }
    dawdle(whims);
    reader.ack();
  }
  return { recordCount: task.recordCount, byteCount: 0, parkCount: sleeper.parkCount, wakeCount: 0 };
}

const ROLES: Record<RingTask["role"], () => RingReport | Promise<RingReport>> = {
  produce,
  consume,
  ping: () => volley(true),
  pong: () => volley(false),
  "squeeze-produce": squeezeProduce,
  "squeeze-consume": squeezeConsume,
};

const report = await ROLES[task.role]();
parentPort!.postMessage(report);
task.port?.close();
