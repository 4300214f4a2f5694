import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReceiptEvent } from "../../src/frames/events.js";
import type { Hop, Transcript } from "../../src/frames/kinds.js";
import { Hearing, type HearingFigure } from "../../src/runtime/hearing.js";
import { ReceiptBook } from "../../src/runtime/receipts.js";

const MS = 1_000;
const SAMPLES_PER_MS = 16;

/** One frame through a node: 1 ms in the ring, 1 ms until the batch, 3 ms of work. */
function hop(node: string, enqueuedUs: number): Hop {
  const times = { enqueuedUs, dequeuedUs: enqueuedUs + MS, startedUs: enqueuedUs + 2 * MS };
  return { node, ...times, emittedUs: enqueuedUs + 5 * MS, batchSize: 2 };
}

function final(turnIndex: number, endMs: number, trail: Hop[], wordEndMs?: number): Transcript {
  const words =
    wordEndMs === undefined
      ? []
      : [{ text: "hi", startSample: 0, endSample: wordEndMs * SAMPLES_PER_MS, confidence: 1 }];
  const rest = { segmentId: turnIndex, stableChars: 2, confidence: 1, startSample: 0 };
  return { ...rest, turnIndex, text: "hi", words, endSample: endMs * SAMPLES_PER_MS, trail };
}

/** Audio that arrives as it is spoken: sample n at n / 16 ms. */
function book(lengthMs = 2_000): ReceiptBook {
  const kept = new ReceiptBook();
  for (let ms = 20; ms <= lengthMs; ms += 20) kept.arrivals.add(ms * SAMPLES_PER_MS, ms * MS);
  return kept;
}

function assertSums({ stages, totalMs }: ReceiptEvent): void {
  const sumMs = stages.reduce((sum, part) => sum + part.queueMs + part.batchWaitMs + part.computeMs + part.waitMs, 0);
  assert.ok(Math.abs(sumMs - totalMs) < 0.01, `${sumMs} of ${totalMs}`);
}

describe("the receipt of a turn that is only listened to", () => {
  const verdict = [hop("vad", 1_200 * MS), hop("turn", 1_205 * MS)];

  test("comes with the verdict if the transcript was there before", () => {
    const kept = book();
    kept.turnStarted(500 * SAMPLES_PER_MS);
    kept.transcribed(0, 1_100 * MS, 1_101 * MS);
    kept.turnEnded(0, 1_000 * SAMPLES_PER_MS, verdict, 1_211 * MS, 1_212 * MS);
    const receipt = kept.listened(undefined, 0, 1_212 * MS, false)!;
    assertSums(receipt);
    assert.deepEqual([receipt.totalMs, receipt.speechMs], [212, 500]);
    assert.equal(receipt.milestones.finalSentMs, 101);
    assert.equal(kept.listened(undefined, 0, 1_213 * MS, true), undefined, "once");
  });

  test("waits for the transcript, and then follows its way", () => {
    const kept = book();
    kept.turnEnded(0, 1_000 * SAMPLES_PER_MS, verdict, 1_211 * MS, 1_212 * MS);
    assert.equal(kept.listened(undefined, 0, 1_212 * MS, false), undefined);
    const trail = [hop("vad", 1_100 * MS), hop("stt", 1_300 * MS)];
    kept.transcribed(0, 1_305 * MS, 1_307 * MS);
    const receipt = kept.listened(final(0, 1_150, trail), 1_306 * MS, 1_307 * MS, false)!;
    assertSums(receipt);
    assert.equal(receipt.totalMs, 307);
    assert.deepEqual(
      receipt.stages.map(({ stage }) => stage),
      ["endpointing", "vad", "stt", "egress"],
    );
  });

  test("goes without one that does not come", () => {
    const kept = book();
    kept.turnEnded(0, 1_000 * SAMPLES_PER_MS, verdict, 1_211 * MS, 1_212 * MS);
    const receipt = kept.listened(undefined, 0, 1_900 * MS, true)!;
    assertSums(receipt);
    assert.equal(receipt.totalMs, 212, "of the verdict, not of the waiting");
    assert.equal(receipt.milestones.finalSentMs, undefined);
  });
});

describe("the receipt of a final where there are no turns", () => {
  const trail = [hop("vad", 1_200 * MS), hop("stt", 1_205 * MS)];

  test("counts from where its own speech ended, though the next has begun", () => {
    const kept = book();
    kept.vadStarted(400 * SAMPLES_PER_MS);
    kept.vadStopped(1_000 * SAMPLES_PER_MS, 1_190 * MS);
    kept.vadStarted(1_300 * SAMPLES_PER_MS);
    const receipt = kept.finalAlone(final(0, 1_200, trail, 900), 1_210 * MS, 1_211 * MS, 1_212 * MS)!;
    assertSums(receipt);
    assert.deepEqual([receipt.totalMs, receipt.speechMs, receipt.milestones.vadStopMs], [212, 600, 190]);
  });

  test("counts from the last word without a voice detector, and is none without a trail", () => {
    const kept = book();
    const receipt = kept.finalAlone(final(0, 1_200, trail, 900), 1_210 * MS, 1_211 * MS, 1_212 * MS)!;
    assertSums(receipt);
    assert.deepEqual([receipt.totalMs, receipt.speechMs], [312, undefined]);
    assert.equal(kept.finalAlone(final(1, 1_200, []), 0, 0, 0), undefined);
  });
});

describe("a recogniser's figures", () => {
  function hearing(hasTurns: boolean): { hearing: Hearing; told: [HearingFigure, number][] } {
    const told: [HearingFigure, number][] = [];
    return { hearing: new Hearing(book().arrivals, hasTurns, (figure, seconds) => told.push([figure, seconds])), told };
  }

  test("count the first text from the first sample of speech, and a partial from its last word", () => {
    const { hearing: heard, told } = hearing(true);
    heard.speechBegan(400 * SAMPLES_PER_MS);
    heard.partial({ ...final(0, 700, []), text: "" }, 650 * MS);
    heard.partial(final(0, 800, [], 700), 900 * MS);
    heard.partial(final(0, 900, [], 800), 950 * MS);
    assert.deepEqual(told, [
      ["first_partial", 0.5],
      ["partial_lag", 0.2],
      ["partial_lag", 0.15],
    ]);
  });

  test("count a final from the verdict, or 0 if it was there before", () => {
    const { hearing: heard, told } = hearing(true);
    heard.turnEnded(0, 1_000 * MS);
    heard.final(final(0, 900, []), 1_250 * MS);
    heard.final(final(1, 900, []), 1_300 * MS);
    heard.turnEnded(1, 1_400 * MS);
    assert.deepEqual(told, [
      ["final_after_endpoint", 0.25],
      ["final_after_endpoint", 0],
    ]);
  });

  test("count a finalize to its last final, and not at all without one", () => {
    const { hearing: heard, told } = hearing(false);
    heard.finalizeAsked("a", 1_000 * MS);
    heard.finalized("a");
    heard.finalizeAsked("b", 1_100 * MS);
    heard.final(final(0, 900, []), 1_200 * MS);
    heard.final(final(1, 900, []), 1_300 * MS);
    heard.finalized("b");
    assert.deepEqual(told, [["final_after_finalize", 0.2]]);
  });
});
