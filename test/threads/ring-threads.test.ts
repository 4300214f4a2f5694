/** Rings and bells between two real threads. No timing is asserted: a test fails by a wrong byte or a lost wake-up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { createBellBuffer, createRingBuffer, Ring } from "../../src/ring/index.js";
import { TAIL_WORD } from "../../src/ring/layout.js";
import type { RingReport, RingTask, Wire } from "./ring-worker.js";

const KIB = 1024;

/** Next to the overflow of the position counters, so that it happens early in every run. */
const START_POSITION = 0x7fffffff - 4095;

/** Many times what the longest run takes on a busy machine. */
const HANG_MS = 60_000;

/** Runs both ends, each on its own thread; rejects with the first fault, and ends the other end then. */
async function runTogether(first: RingTask, second: RingTask): Promise<[RingReport, RingReport]> {
  const [left, right] = [first, second].map((task) => {
    const transferList: MessagePort[] = task.port === undefined ? [] : [task.port];
    return new Worker(new URL("./ring-worker.js", import.meta.url), { workerData: task, transferList });
  }) as [Worker, Worker];
  const { promise: tooLate, timer } = deadline();
  try {
    return await Promise.race([Promise.all([reportOf(left), reportOf(right)]), tooLate]);
  } finally {
    clearTimeout(timer);
    await Promise.all([left.terminate(), right.terminate()]);
  }
}

/** A hang is a failure too: an end that polls has no timeout of its own. */
function deadline(): { promise: Promise<never>; timer: NodeJS.Timeout } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the two ends wait for each other")), HANG_MS);
  });
  return { promise, timer: timer! };
}

function reportOf(worker: Worker): Promise<RingReport> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a ring worker left with ${code} and no report`)));
  });
}

function createWire(capacityBytes: number): Wire {
  return { ring: createRingBuffer(capacityBytes, { startPosition: START_POSITION }), bell: createBellBuffer() };
}

/** The two ends of a doorbell, if the mode has one. */
function createPorts(mode: RingTask["mode"]): [{ port?: MessagePort }, { port?: MessagePort }] {
  if (mode !== "port") return [{}, {}];
  const { port1, port2 } = new MessageChannel();
  return [{ port: port1 }, { port: port2 }];
}

describe("records of random length between two threads", () => {
  for (const [mode, recordCount, capacityKib] of [
    ["futex", 1_000_000, 8],
    ["port", 200_000, 16],
    ["poll", 200_000, 64],
  ] as const) {
    test(`arrive whole, once and in order: ${recordCount} through ${capacityKib} KiB, ${mode}`, async (t) => {
      const wire = createWire(capacityKib * KIB);
      const [left, right] = createPorts(mode);
      const common = { mode, seed: 1234, recordCount };
      const [sent, received] = await runTogether(
        { ...common, ...left, role: "produce", out: wire },
        { ...common, ...right, role: "consume", in: wire },
      );
      assert.equal(received.recordCount, recordCount);
      assert.equal(received.byteCount, sent.byteCount);
      const ring = new Ring(wire.ring);
      assert.equal(ring.fillBytes, 0);
      assert.ok(ring.highWaterBytes > 0 && ring.highWaterBytes <= capacityKib * KIB);
      const wraps = ((ring.i32[TAIL_WORD]! - START_POSITION) >>> 0) / (capacityKib * KIB);
      assert.ok(wraps > 100, `${wraps} wraps`);
      assert.ok(ring.i32[TAIL_WORD]! < 0, "the counters overflowed");
      t.diagnostic(`${Math.round(wraps)} wraps, ${received.parkCount} parks, ${sent.wakeCount} wake-ups`);
    });
  }
});

describe("a thread that sleeps on its bell", () => {
  for (const [mode, recordCount] of [
    ["futex", 40_000],
    ["port", 20_000],
  ] as const) {
    test(`is woken each time, ${mode}: ${recordCount} records there and back`, async (t) => {
      const there = createWire(4 * KIB);
      const back = createWire(4 * KIB);
      const [left, right] = createPorts(mode);
      const [ping, pong] = await runTogether(
        { ...left, mode, recordCount, role: "ping", seed: 7, out: there, in: back },
        { ...right, mode, recordCount, role: "pong", seed: 8, out: back, in: there },
      );
      assert.ok(ping.parkCount > 0 && pong.parkCount > 0, "both ends slept");
      assert.ok(ping.wakeCount > 0 && pong.wakeCount > 0, "both ends were woken");
      t.diagnostic(`${ping.parkCount} + ${pong.parkCount} parks, ${ping.wakeCount} + ${pong.wakeCount} wake-ups`);
    });
  }
});

test("a producer that sleeps for room is woken each time by the consumer's acknowledgement", async (t) => {
  const recordCount = 40_000;
  const wire = createWire(256);
  const common = { mode: "futex", seed: 99, recordCount } as const;
  const [sent, received] = await runTogether(
    { ...common, role: "squeeze-produce", out: wire },
    { ...common, role: "squeeze-consume", in: wire },
  );
  assert.equal(received.recordCount, recordCount);
  assert.ok(sent.wakeCount > 1000, `${sent.wakeCount} waits`);
  t.diagnostic(`${sent.wakeCount} waits for room, ${received.parkCount} parks for records`);
});
