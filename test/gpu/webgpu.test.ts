import assert from "node:assert/strict";
import { type ExecFileException, execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { whyAbsent } from "../../src/gpu/devices.js";
import { int8Product } from "../../src/gpu/tiny-models.js";
import { TRIAL_DIFFERENCE_MAX } from "../../src/gpu/trial.js";
import type { WebGpuReport } from "./webgpu-child.js";

/**
 * A software Vulkan driver makes WebGPU testable without a graphics card. Debian's `chromium` has one, and the loader
 * beside it; SYRINX_VK_DRIVER names another driver's JSON file.
 */
const DRIVERS = [
  process.env.SYRINX_VK_DRIVER,
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/usr/lib64/chromium-browser/vk_swiftshader_icd.json",
  "/opt/google/chrome/vk_swiftshader_icd.json",
];
const driver = DRIVERS.find((path) => path !== undefined && existsSync(path));
const skip =
  whyAbsent("webgpu") ??
  (process.platform !== "linux" ? "a software driver is looked for on Linux only" : undefined) ??
  (driver === undefined ? "no software Vulkan driver; install Debian's chromium or set SYRINX_VK_DRIVER" : undefined);
const CHILD = fileURLToPath(new URL("./webgpu-child.js", import.meta.url));
const CHILD_MS_MAX = 300_000;
/** Of a probability. Measured: 1e-6. */
const DIFFERENCE_MAX = 1e-3;

const folder = mkdtempSync(join(tmpdir(), "syrinx-webgpu-"));
after(() => rmSync(folder, { recursive: true }));

function runChild(): Promise<WebGpuReport> {
  const int8 = join(folder, "int8.onnx");
  writeFileSync(int8, int8Product());
  const env = {
    ...process.env,
    VK_DRIVER_FILES: driver,
    LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, dirname(driver!)].filter(Boolean).join(":"),
  };
  return new Promise((resolve, reject) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) => {
      const line = stdout.split("\n").find((candidate) => candidate.startsWith("{"));
      if (line === undefined) reject(new Error(`${error?.message}\n${stderr}`));
      else resolve(JSON.parse(line));
    };
    execFile(process.execPath, [CHILD, int8], { env, timeout: CHILD_MS_MAX }, done);
  });
}

describe("WebGPU on a software driver", { skip: skip ?? false, timeout: CHILD_MS_MAX + 10_000 }, () => {
  let report: WebGpuReport;

  test("opens the families that have their files here", async () => {
    report = await runChild();
    assert.equal(report.device, "webgpu");
  });

  for (const family of ["starter-vad", "silero", "firered-vad"]) {
    test(`gives the CPU's probabilities: ${family}`, (t) => {
      const difference = report.vads[family];
      if (difference === undefined) return t.skip(`the files of ${family} are not in ../shared/models`);
      assert.ok(difference <= DIFFERENCE_MAX, `off by ${difference}`);
    });
  }

  test("gives the CPU's text, in a batch that was filled up to the next size", () => {
    const [cpu, webgpu] = report.texts;
    assert.match(cpu, /^what .* \/ what /);
    assert.equal(webgpu, cpu);
  });

  test("says that the answers were checked, and how far off they were", () => {
    assert.equal(report.why.length, Object.keys(report.vads).length + 1);
    for (const why of report.why) assert.match(why, /as configured; answers checked: off by \S+ % from the CPU/);
  });

  test("in ONNX Runtime's default layout is caught by a trial; if not, the layout need not be named any more", (t) => {
    if (report.defaultLayout === undefined) return t.skip("Silero's file is not in ../shared/models");
    assert.ok(report.defaultLayout > TRIAL_DIFFERENCE_MAX, `off by ${report.defaultLayout} only`);
  });

  test("refuses int8 before it loads the file", () => assert.equal(report.int8, "DEVICE_PRECISION"));
});
