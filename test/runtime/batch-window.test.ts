import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FrameKind } from "../../src/frames/index.js";
import { BatchWindow, type BatchWindowSpec } from "../../src/runtime/batch-window.js";
import type { InboxItem } from "../../src/runtime/hosted-node.js";
import type { LoopCall } from "../../src/runtime/loop-call.js";
import { fakeSteps } from "../support/fake-models.js";

/** 2 ms and 1 ms for each row: company saves 2 ms. */
const STEPS = { ...fakeSteps(1), predictMs: (rows: number) => 2 + rows };
const SPEC: BatchWindowSpec = { rowsMax: 8, waitUs: 10_000, deadlineUs: 40_000, steps: STEPS };

/** A window with calls that have been heard every millisecond until `nowUs`, and the batch before it done. */
function opened(callCount: number, spec: Partial<BatchWindowSpec> = {}, nowUs = 1_000_000) {
  const window = new BatchWindow({ ...SPEC, ...spec });
  window.moved(callCount);
  const calls = Array.from({ length: callCount }, () => ({ windowStamp: 0 }) as LoopCall);
  const note = (call: number, enqueuedUs: number, kind: FrameKind = "audio.in"): void =>
    window.note({ kind, enqueuedUs } as InboxItem, calls[call]!);
  for (let ago = 50; ago > 0; ago--) {
    note(ago % callCount, nowUs - ago * 1_000);
    window.reset();
  }
  return { window, note, nowUs };
}

describe("a batch window", () => {
  test("gives a row the maximum wait, and closes earlier as the batch grows and time passes", () => {
    const { window, note, nowUs } = opened(100, { waitUs: 38_000, rowsMax: 64 });
    note(0, nowUs);
    assert.equal(window.waitUs(nowUs), 37_000, "40 ms until it is due, less a step of 3 ms");
    note(1, nowUs + 1_000);
    assert.equal(window.waitUs(nowUs + 1_000), 35_000);
    assert.equal(window.waitUs(nowUs + 36_000), 0);
    assert.equal(opened(8).window.waitUs(nowUs), 0, "nothing waits");
  });

  test("waits longer under load: a quarter of the deadline, unless more is configured", () => {
    let level = 0;
    const { window, note, nowUs } = opened(100, { waitUs: 0, rowsMax: 64, level: () => level });
    note(0, nowUs);
    assert.equal(window.waitUs(nowUs), 0);
    level = 1;
    assert.equal(window.waitUs(nowUs), 0);
    for (level of [2, 3]) assert.equal(window.waitUs(nowUs), 10_000, "of 40 ms");
    const patient = opened(100, { waitUs: 30_000, rowsMax: 64, level: () => 3 });
    patient.note(0, patient.nowUs);
    assert.equal(patient.window.waitUs(patient.nowUs), 30_000);
  });

  test("is looked at again when it should be full, or everybody in it", () => {
    const few = opened(4, { waitUs: 38_000 });
    few.note(0, few.nowUs);
    assert.equal(few.window.waitUs(few.nowUs), 3_000, "three more calls, one each millisecond");
    const many = opened(100, { waitUs: 38_000, rowsMax: 8 });
    many.note(0, many.nowUs);
    assert.equal(many.window.waitUs(many.nowUs), 7_000);
  });

  test("never makes a call wait that is alone, nor the last one of several", () => {
    const alone = opened(1);
    alone.note(0, alone.nowUs);
    assert.equal(alone.window.waitUs(alone.nowUs), 0);
    const two = opened(2);
    two.note(0, two.nowUs);
    assert.ok(two.window.waitUs(two.nowUs) > 0);
    two.note(1, two.nowUs);
    assert.equal(two.window.waitUs(two.nowUs), 0);
    two.window.moved(1);
    assert.ok(two.window.waitUs(two.nowUs) > 0, "a third call opens");
  });

  test("counts a call once, however many frames it has", () => {
    const { window, note, nowUs } = opened(3);
    for (let frame = 0; frame < 5; frame++) note(0, nowUs);
    note(1, nowUs);
    assert.equal(window.callCount, 2);
    window.reset();
    note(0, nowUs);
    assert.equal(window.callCount, 1);
  });

  test("closes for the end of speech, a turn, a fence or text", () => {
    for (const kind of ["vad", "turn", "fence", "close", "text"] as const) {
      const { window, note, nowUs } = opened(4);
      note(0, nowUs);
      assert.ok(window.waitUs(nowUs) > 0);
      note(1, nowUs, kind);
      assert.equal(window.waitUs(nowUs), 0, kind);
    }
  });

  test("does not wait for calls that are silent", () => {
    const { window, note, nowUs } = opened(4);
    // The next frame comes after a pause that is longer than any wait.
    note(0, nowUs + 500_000);
    assert.equal(window.waitUs(nowUs + 500_000), 0);
  });

  test("does not wait by default, and not before something is known of the model's steps", () => {
    for (const spec of [{ waitUs: 0 }, { steps: undefined }]) {
      const { window, note, nowUs } = opened(4, spec);
      note(0, nowUs);
      assert.equal(window.waitUs(nowUs), 0);
    }
  });

  test("believes the rounds that it saw rather than the model's own table", () => {
    const { window, note, nowUs } = opened(100, { waitUs: 39_000, rowsMax: 64 });
    for (let round = 0; round < 40; round++) for (const calls of [1, 2, 3]) window.ran(calls, 20 + calls);
    note(0, nowUs);
    const wait = window.waitUs(nowUs);
    assert.ok(wait > 15_000 && wait < 19_500, `${wait} µs of 40 ms, less a round of 21 ms`);
  });
});
