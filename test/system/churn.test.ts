import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Program } from "../support/system.js";
import type { ChurnReport } from "./churn-run.js";

const SCRIPT = fileURLToPath(new URL("./churn-script.js", import.meta.url));

/** In a process of its own, where the collector can be told to run and nothing else is in memory. */
async function churned(...args: string[]): Promise<ChurnReport> {
  const { code, stdout, stderr } = await new Program("--expose-gc", [SCRIPT, "--json", ...args]).finished;
  assert.equal(code, 0, `${stdout}${stderr}`);
  const report = JSON.parse(stdout) as ChurnReport;
  assert.equal(report.activeCalls, 0);
  assert.equal(report.restarts, 0);
  return report;
}

test("calls that open and close by the thousand leave nothing behind", { timeout: 60_000 }, async () => {
  const report = await churned("4000");
  assert.deepEqual(report.resourcesAfter, report.resourcesBefore);
  // A call that left one kibibyte of JavaScript behind would show as 1000 KiB per thousand calls.
  assert.ok(report.heapSlopeKib < 200, `heap grows by ${report.heapSlopeKib} KiB per 1000 calls`);
  assert.ok(report.rssSlopeKib < 3_000, `memory grows by ${report.rssSlopeKib} KiB per 1000 calls: ${report.rssMib}`);
});

test("WebSocket clients that come and go by the thousand leave nothing behind", { timeout: 60_000 }, async () => {
  const report = await churned("1000", "--socket");
  assert.ok(report.heapSlopeKib < 1_500, `heap grows by ${report.heapSlopeKib} KiB per 1000 calls: ${report.heapMib}`);
});
