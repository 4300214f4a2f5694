import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRuntime } from "../../src/runtime/runtime.js";

const MODULE = fileURLToPath(new URL("../support/recording-family.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "syrinx-release-"));
after(() => rmSync(folder, { recursive: true }));

test("a model is opened with its session's settings on each replica, and released there when the runtime drains", async () => {
  const notes = join(folder, "notes.txt");
  const config = join(folder, "config.yaml");
  const model = { family: "recording-vad", notes, device: "cpu", replicas: 2, session: { threads: 2 } };
  const content = { version: 1, modules: [MODULE], models: { v: model }, graphs: { g: [{ vad: { model: "v" } }] } };
  writeFileSync(config, JSON.stringify(content));
  const runtime = await createRuntime(config, { logLevel: "error" });
  const opened = "opened on cpu, 2 threads\n";
  assert.equal(readFileSync(notes, "utf8"), opened.repeat(2));
  await runtime.drain();
  assert.equal(readFileSync(notes, "utf8"), `${opened.repeat(2)}${"released\n".repeat(2)}`);
});
