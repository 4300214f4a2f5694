import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { eventually, hear, joined, readSample, silence } from "../support/system.js";

const MODULE = fileURLToPath(new URL("../support/recording-family.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "syrinx-release-"));
after(() => rmSync(folder, { recursive: true }));

async function start(model: Record<string, unknown>): Promise<{ runtime: RuntimeImpl; notes: () => string[] }> {
  const file = join(folder, `${Object.keys(model).join("-")}.txt`);
  const config = join(folder, "config.yaml");
  const models = { v: { family: "recording-vad", notes: file, device: "cpu", ...model } };
  writeFileSync(
    config,
    JSON.stringify({ version: 1, modules: [MODULE], models, graphs: { g: [{ vad: { model: "v" } }] } }),
  );
  const runtime = await createRuntime(config, { logLevel: "silent" });
  return { runtime, notes: () => readFileSync(file, "utf8").trim().split("\n") };
}

test("a model is opened with its session's settings on each replica, and released there when the runtime drains", async () => {
  const { runtime, notes } = await start({ replicas: 2, session: { threads: 2 } });
  const opened = "opened on cpu, 2 threads";
  assert.deepEqual(notes(), [opened, opened]);
  await runtime.drain();
  assert.deepEqual(notes(), [opened, opened, "released", "released"]);
});

test("a standby has the model open before its worker dies, takes over, and has a standby again", async () => {
  const pcm = joined(await readSample("timer.wav"), silence(500));
  const { runtime, notes } = await start({ standby: true, deaths: 1 });
  const opened = "opened on cpu, 1 threads";
  await eventually("the standby is open", () => notes().length === 2);
  const events = await hear(await runtime.open("g"), pcm);
  assert.deepEqual(
    events.flatMap((event) => (event.type === "vad" ? [event.what] : [])),
    ["start", "stop"],
  );
  assert.equal(runtime.status()[0]!.restarts, 1);
  await eventually("the next standby is open", () => notes().length === 4);
  await runtime.drain();
  assert.deepEqual(notes(), [opened, opened, "died", opened, "released", "released"]);
});

test("a standby that is still loading does not keep the runtime from draining", async () => {
  const { runtime, notes } = await start({ standby: true });
  await runtime.drain();
  assert.deepEqual(notes().sort(), ["opened on cpu, 1 threads", "opened on cpu, 1 threads", "released", "released"]);
});
