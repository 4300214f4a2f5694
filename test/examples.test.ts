/** The examples do what the pages that show them say. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../src/base/package-root.js";
import { createRuntime } from "../src/runtime/runtime.js";
import { silentLogger } from "../src/telemetry/logger.js";

const ROOT = packageRoot();

test("examples/own.yaml: a family of one's own finds the speech, an actor of one's own makes it twice as loud", async () => {
  const runtime = await createRuntime(join(ROOT, "examples", "own.yaml"), { logger: silentLogger });
  try {
    const call = await runtime.open("loud-echo");
    const tone = Int16Array.from({ length: 16_000 }, (_, n) => Math.round(8_000 * Math.sin(n / 5)));
    call.write(tone);
    call.write(new Int16Array(16_000));
    const heard: number[] = [];
    const speech: string[] = [];
    for await (const event of call) {
      if (event.type === "vad") speech.push(event.what);
      if (event.type === "audio") heard.push(...event.pcm);
      if (heard.length === 32_000 && speech.includes("stop")) break;
    }
    assert.deepEqual(speech, ["start", "stop"]);
    assert.ok(Math.abs(Math.max(...heard.slice(0, 16_000)) / 8_000 - 10 ** (6 / 20)) < 0.01);
    await call.close();
  } finally {
    await runtime.drain();
  }
});

test("examples/embedded.ts holds a turn in 30 lines", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/examples/embedded.js"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /heard: what is the weather like tomorrow\n/);
  assert.match(stdout, /^\d+\.\d s of audio$/m);
});
