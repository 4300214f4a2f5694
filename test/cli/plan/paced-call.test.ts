/** What a paced call makes of what it hears. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Gauge, PacedCall } from "../../../src/cli/plan/paced-call.js";
import type { ClientEvent, SyrinxClient } from "../../../src/client/client.js";

/** A turn that ended so, answered by one frame of audio, with a receipt that says how long was waited by design. */
function turn(turnIndex: number, trigger: "timeout" | "manual", waitMs: number): ClientEvent[] {
  const stage = { stage: "endpointing", queueMs: 0, batchWaitMs: 0, computeMs: 0, waitMs, batchSize: 0 };
  return [
    { type: "turn", what: "end", turnIndex, atMs: 1_000 * (turnIndex + 1), confidence: 1, trigger },
    { type: "audio", contextId: turnIndex, rateHz: 16_000, offsetSamples: 0, pcm: new Int16Array(320) },
    { type: "receipt", turnIndex, contextId: turnIndex, totalMs: waitMs, stages: [stage], milestones: {} },
  ];
}

test("a turn that the end of its call cut short is not measured, and its wait is nobody else's", async () => {
  const heard = [...turn(0, "timeout", 600), ...turn(1, "manual", 40)];
  let done = (): void => {};
  const ended = new Promise<void>((resolve) => {
    done = resolve;
  });
  const client = {
    isClosed: false,
    closeCode: 1000,
    async *[Symbol.asyncIterator]() {
      yield* heard;
      done();
    },
  } as unknown as SyrinxClient;
  const waits = new Map<number, number>();
  const ttfa: number[] = [];
  const nothing = (): void => {};
  const gauge: Gauge = { final: nothing, ttfa: (ms) => ttfa.push(ms), lag: nothing, sendLate: nothing, fault: nothing };
  new PacedCall(client, { recordings: [new Int16Array(320)], isMarked: false }, waits, 0, gauge, 0);
  await ended;
  assert.equal(ttfa.length, 1);
  assert.deepEqual([...waits], [[0, 600]]);
});
