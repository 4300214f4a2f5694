/** Admission over real workers and sockets. By plan: what decides is a count, and no measurement. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Plan } from "../../src/config/plan.js";
import { capacityKey, writeCapacity } from "../../src/runtime/admission/capacity-file.js";
import { startServer } from "../../src/transport/server.js";
import { chainPlan } from "../support/plans.js";
import { startPlan } from "../support/runtimes.js";
import { TestSocket } from "../support/test-socket.js";

const CAPACITY = 3;
const SLO = { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 60_000 };
const folder = mkdtempSync(join(tmpdir(), "syrinx-admission-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function planned(more: Partial<Plan> = {}): Plan {
  const chain = chainPlan([{ name: "relay", actor: "test-relay", worker: 1, out: ["audio.in"] }], { maxCalls: 8 });
  const file = join(folder, "capacity.json");
  const test = { capacity: CAPACITY, keptCalls: CAPACITY, limitedBy: "promise" as const, rungs: [] };
  writeCapacity(file, { key: capacityKey(chain), about: "test", safetyFactor: 1, slo: SLO, graphs: { test } });
  const admission = { mode: "plan" as const, file, slo: SLO, degrade: true };
  return { ...chain, ...more, server: { ...chain.server, admission } };
}

describe("a runtime with a capacity plan", { timeout: 60_000 }, () => {
  test("opens so many calls, refuses the next with when to come again, and says all that", async () => {
    const runtime = await startPlan(planned());
    const calls = [];
    for (let call = 0; call < CAPACITY; call++) calls.push(await runtime.open("test"));
    await assert.rejects(runtime.open("test"), (error: { code: string; detail: { retryAfterMs: number } }) => {
      assert.equal(error.code, "CAPACITY_EXCEEDED");
      assert.ok(error.detail.retryAfterMs > 0);
      return true;
    });
    const full = runtime.capacity();
    assert.equal(full.source, "plan");
    assert.equal(full.acceptingCalls, false);
    assert.equal(full.usedShare, 1);
    assert.deepEqual([full.graphs!.test!.active, full.graphs!.test!.safeMax], [CAPACITY, CAPACITY]);
    assert.match(await runtime.metrics(), /syrinx_calls_refused_total\{graph="test",reason="plan"\} 1\n/);
    await calls[0]!.close();
    assert.equal(runtime.capacity().acceptingCalls, true);
    await (await runtime.open("test")).close();
    await runtime.drain();
  });

  test("refuses at the upgrade, before there is a WebSocket", async () => {
    const routes: Plan["routes"] = [{ path: "/v1/call", face: "native", graph: "test", options: {} }];
    const runtime = await startPlan(planned({ routes }));
    const server = await startServer(runtime);
    const dial = () => new TestSocket(`${server.url}/v1/call`);
    const inside = Array.from({ length: CAPACITY }, dial);
    for (const socket of inside) await socket.next("ready");
    const { status, body } = await dial().refusal();
    assert.equal(status, 503);
    assert.match(body, /"code":"CAPACITY_EXCEEDED".*"retry_after_ms":\d+/);
    const told = (await (await fetch(`${server.url}/v1/capacity`)).json()) as { retryAfterMs: number; source: string };
    assert.equal(told.source, "plan");
    assert.ok(told.retryAfterMs > 0);
    inside[0]!.send({ type: "close" });
    await inside[0]!.closed;
    await dial().next("ready");
    await server.close();
    await runtime.drain();
  });

  test("does not start with a plan that cannot be read", async () => {
    const plan = planned();
    writeFileSync(plan.server.admission!.file!, "{}");
    await assert.rejects(startPlan(plan), { code: "CAPACITY_FILE_INVALID" });
  });
});
