import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Plan } from "../../../src/config/plan.js";
import {
  capacityKey,
  capacityPath,
  readCapacity,
  writeCapacity,
} from "../../../src/runtime/admission/capacity-file.js";
import { chainPlan } from "../../support/plans.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-capacity-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const plan = chainPlan([{ name: "node", actor: "echo", worker: 1 }]);
const SLO = { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 100 };
const graph = { capacity: 8, keptCalls: 10, brokenCalls: 12, limitedBy: "promise" as const, rungs: [] };
const FILE = { key: capacityKey(plan), about: "a machine", safetyFactor: 0.8, slo: SLO, graphs: { test: graph } };

function named(file: string): Plan {
  return { ...plan, server: { ...plan.server, admission: { mode: "plan", file, slo: SLO, degrade: false } } };
}

test("a plan is found again by the models and graphs, whatever the network side, and not by others", () => {
  assert.equal(readCapacity(plan, folder), undefined, "none is no error");
  writeCapacity(capacityPath(plan, folder), FILE);
  const elsewhere: Plan = { ...plan, server: { ...plan.server, port: 9_000, maxCalls: 3 } };
  assert.deepEqual(readCapacity(elsewhere, folder), { version: 1, ...FILE });
  const other = chainPlan([{ name: "node", actor: "echo", worker: 1, options: { more: true } }]);
  assert.equal(readCapacity(other, folder), undefined);
});

test("a file that is named must be there and be a plan", () => {
  const path = join(folder, "own.json");
  assert.throws(() => readCapacity(named(path)), { code: "CAPACITY_FILE_INVALID" });
  for (const wrong of ["", "[]", '{"version":2}', JSON.stringify({ version: 1, ...FILE, graphs: { test: {} } })]) {
    writeFileSync(path, wrong);
    assert.throws(() => readCapacity(named(path)), { code: "CAPACITY_FILE_INVALID" }, wrong);
  }
  writeCapacity(path, FILE);
  assert.equal(readCapacity(named(path))!.graphs.test!.capacity, 8);
});
