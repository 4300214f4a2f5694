import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import type { CallEvent, ReceiptEvent, TurnEvent } from "../../src/frames/events.js";
import { loadFamily } from "../../src/models/registry.js";
import { smartTurnGraph } from "../models/turn-graphs.js";
import { writeModel } from "../support/onnx-writer.js";
import { eventsUntil, startPlan } from "../support/runtimes.js";
import { finalsOf, hear, joined, readSample, silence, TIMER_TEXT } from "../support/system.js";

describe("a graph whose turns end when a model says so", { timeout: 60_000 }, () => {
  let folder: string;

  before(async () => {
    await Promise.all(["starter-vad", "smart-turn", "starter-ctc", "flite"].map(loadFamily));
    folder = mkdtempSync(join(tmpdir(), "syrinx-turns-"));
    writeModel(join(folder, "turner.onnx"), smartTurnGraph());
  });
  after(() => rmSync(folder, { recursive: true }));

  test("ends them on the model's worker for many calls, without waiting for the timeout", async () => {
    const text = [
      "version: 1",
      "models:",
      "  vad: { family: starter-vad }",
      "  turner: { family: smart-turn, file: turner.onnx }",
      "graphs:",
      "  turns:",
      "    - vad: { model: vad }",
      "    - turn: { kind: model, model: turner, threshold: 0.3, timeoutMs: 10000 }",
    ].join("\n");
    const { plan } = loadConfigText(text, "turns.yaml", { baseFolder: folder });
    assert.equal(plan.nodes.find(({ name }) => name === "turn")!.model, "turner");
    const runtime = await startPlan(plan);
    const speech = joined(await readSample("timer.wav"), silence(900));
    const heard = await Promise.all([0, 1, 2].map(async () => hear(await runtime.open("turns"), speech)));
    await runtime.drain();
    for (const events of heard) {
      const turns = events.filter((event: CallEvent): event is TurnEvent => event.type === "turn");
      assert.deepEqual(
        turns.map(({ what, trigger }) => `${what} ${trigger}`),
        ["start model", "end model"],
      );
    }
  });

  test("answers them, and accounts for every millisecond, whoever ended the turn", async () => {
    for (const [trigger, options] of [
      ["model", "threshold: 0.3, timeoutMs: 10000"],
      ["timeout", "threshold: 1, timeoutMs: 400"],
    ] as const) {
      const text = [
        "version: 1",
        "models:",
        "  vad: { family: starter-vad }",
        "  turner: { family: smart-turn, file: turner.onnx }",
        "  ears: { family: starter-ctc }",
        "  voice: { family: flite }",
        "graphs:",
        "  assistant:",
        "    - vad: { model: vad }",
        `    - turn: { kind: model, model: turner, ${options} }`,
        "    - stt: { model: ears }",
        "    - agent",
        "    - tts: { model: voice }",
      ].join("\n");
      const runtime = await startPlan(loadConfigText(text, "turns.yaml", { baseFolder: folder }).plan);
      const call = await runtime.open("assistant");
      call.write(joined(await readSample("timer.wav"), silence(900)));
      const events = await eventsUntil(call, ({ type }) => type === "receipt");
      await call.close();
      await runtime.drain();
      assert.equal(finalsOf(events), TIMER_TEXT);
      const end = events.find((event): event is TurnEvent => event.type === "turn" && event.what === "end");
      assert.equal(end!.trigger, trigger);
      const { totalMs, stages } = events.at(-1) as ReceiptEvent;
      assert.ok(stages.some(({ stage, computeMs }) => stage === "turn" && computeMs > 0));
      let sumMs = 0;
      for (const { queueMs, batchWaitMs, computeMs, waitMs } of stages) {
        sumMs += queueMs + batchWaitMs + computeMs + waitMs;
      }
      assert.ok(Math.abs(sumMs - totalMs) < 1, `stages sum to ${sumMs}, the whole is ${totalMs}`);
    }
  });
});
