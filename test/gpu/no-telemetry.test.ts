import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../src/base/package-root.js";

/** What a process that imports the package's door sees, and what its first worker thread does. */
function settingOf(given: Record<string, string>): string {
  const door = pathToFileURL(join(packageRoot(), "dist", "src", "index.js")).href;
  const script = `await import(${JSON.stringify(door)}); process.stdout.write(String(process.env.ORT_DISABLE_TELEMETRY));`;
  const { ORT_DISABLE_TELEMETRY: _own, ...env } = process.env;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: { ...env, ...given },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test("ONNX Runtime is told not to report to anybody before it can", () => {
  assert.equal(settingOf({}), "1");
});

test("who wants it to report can say so", () => {
  assert.equal(settingOf({ ORT_DISABLE_TELEMETRY: "0" }), "0");
});
