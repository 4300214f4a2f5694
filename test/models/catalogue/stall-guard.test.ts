import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { StallGuard } from "../../../src/models/catalogue/stall-guard.js";

describe("a guard against stalls", () => {
  test("aborts when nothing came in time, and says so", async () => {
    const guard = new StallGuard(1);
    await once(guard.signal, "abort");
    assert.equal(guard.hasStalled, true);
    guard.release();
  });

  test("aborts at once with the signal around it, and that is no stall", () => {
    const outer = new AbortController();
    const guard = new StallGuard(600_000, outer.signal);
    outer.abort();
    assert.deepEqual([guard.signal.aborted, guard.hasStalled], [true, false]);
    guard.release();
    const late = new StallGuard(600_000, outer.signal);
    assert.equal(late.signal.aborted, true);
    late.release();
  });

  test("closes what is open when it is released, and keeps no process alive", () => {
    const guard = new StallGuard(600_000);
    guard.touch();
    guard.release();
    assert.deepEqual([guard.signal.aborted, guard.hasStalled], [true, false]);
  });
});
