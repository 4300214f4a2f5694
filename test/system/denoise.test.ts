import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import type { Plan } from "../../src/config/plan.js";
import type { CallEvent, VadEvent } from "../../src/frames/events.js";
import { loadFamily } from "../../src/models/registry.js";
import type { RuntimeImpl } from "../../src/runtime/runtime.js";
import { gtcrnGraph } from "../models/filter-graphs.js";
import { sabotaged } from "../support/faulty.js";
import { writeModel } from "../support/onnx-writer.js";
import { startPlan } from "../support/runtimes.js";
import { hear, joined, readSample, silence } from "../support/system.js";

/** What the filter's echo and the detector's windows may shift an event by. */
const NEAR_MS = 100;

describe("a graph that cleans its caller's audio", { timeout: 60_000 }, () => {
  let folder: string;
  let plan: Plan;
  let speech: Int16Array;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "syrinx-denoise-"));
    writeModel(join(folder, "clean.onnx"), gtcrnGraph());
    const text = [
      "version: 1",
      "models:",
      "  clean: { family: gtcrn, file: clean.onnx }",
      "  vad: { family: starter-vad }",
      "graphs:",
      "  cleaned:",
      "    - denoise: { model: clean }",
      "    - vad: { model: vad }",
      "  plain:",
      "    - vad: { model: vad }",
    ].join("\n");
    await Promise.all(["gtcrn", "starter-vad"].map(loadFamily));
    plan = loadConfigText(text, "clean.yaml", { baseFolder: folder }).plan;
    speech = joined(await readSample("timer.wav"), silence(500));
  });
  after(() => rmSync(folder, { recursive: true }));

  async function heard(runtime: RuntimeImpl, graph: string): Promise<CallEvent[]> {
    const events = await hear(await runtime.open(graph), speech);
    assert.deepEqual(
      events.filter(({ type }) => type === "error" || type === "gap"),
      [],
    );
    return events;
  }

  const speechIn = (events: readonly CallEvent[]): VadEvent[] => events.filter((event) => event.type === "vad");

  test("tells of speech where it was in the caller's audio, and the delay is in the graph's latency", async () => {
    const runtime = await startPlan(plan);
    const cleaned = speechIn(await heard(runtime, "cleaned"));
    const plain = speechIn(await heard(runtime, "plain"));
    await runtime.drain();
    assert.ok(plain.length >= 2);
    assert.equal(cleaned.length, plain.length);
    for (const [i, event] of plain.entries()) {
      assert.equal(cleaned[i]!.what, event.what);
      assert.ok(Math.abs(cleaned[i]!.atMs - event.atMs) <= NEAR_MS, `${event.what} ${i}`);
    }
    const latencies = Object.fromEntries(plan.graphs.map(({ name, latencyMs }) => [name, latencyMs]));
    assert.equal(latencies.cleaned! - latencies.plain!, 32);
  });

  test("says the same if the filter's worker dies three times on the way", async () => {
    const faulty = sabotaged(plan, ["clean"]);
    const sabotage = faulty.sabotage.get("clean")!;
    const runtime = await startPlan(faulty.plan);
    const undisturbed = speechIn(await heard(runtime, "cleaned"));
    sabotage.arm([1, 40, 90]);
    assert.deepEqual(speechIn(await heard(runtime, "cleaned")), undisturbed);
    assert.equal(sabotage.faultCount, 3, "it died as often as planned");
    await runtime.drain();
  });
});
