import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { cacheFolder } from "../../src/base/cache-folder.js";
import { KeptStepTimes } from "../../src/gpu/step-times-file.js";

const root = mkdtempSync(join(tmpdir(), "syrinx-step-times-"));
after(() => rmSync(root, { recursive: true, force: true }));

function kept(folder: string, lines: string[] = [], model = "vad.onnx, sha256 0123"): KeptStepTimes {
  return new KeptStepTimes(model, "cpu", (_level, message) => lines.push(message), folder);
}

function files(folder: string): string[] {
  return readdirSync(join(folder, "step-times"));
}

describe("step times on disk", () => {
  test("come back after a restart, for the same model only", () => {
    const folder = join(root, "restart");
    const first = kept(folder);
    for (let step = 0; step < 20; step++) first.observe(4, 5);
    first.save();
    assert.equal(kept(folder).predictMs(4), 5);
    assert.equal(kept(folder, [], "vad.onnx, sha256 4567").predictMs(4), 0);
    assert.equal(files(folder).length, 1, "no temporary file is left behind");
  });

  test("are not written when there is nothing new", () => {
    const folder = join(root, "same");
    kept(folder).save();
    assert.throws(() => files(folder), /ENOENT/);
  });

  test("that are cut off, of another version or of another model cost one line and are replaced", () => {
    const folder = join(root, "broken");
    const first = kept(folder);
    first.observe(1, 2);
    first.save();
    const path = join(folder, "step-times", files(folder)[0]!);
    const good = readFileSync(path, "utf8");
    for (const bad of [good.slice(0, 20), "", good.replace('"version":1', '"version":2'), good.replace("0123", "9")]) {
      writeFileSync(path, bad);
      const lines: string[] = [];
      const next = kept(folder, lines);
      assert.deepEqual(lines, ["saved step times are of no use"], bad);
      assert.equal(next.predictMs(1), 0);
      next.observe(1, 2);
      next.save();
      assert.equal(readFileSync(path, "utf8"), good);
    }
  });

  test("in a folder that cannot be written cost one line, once", () => {
    // A file where the folder should be fails for every user, root included.
    const folder = join(root, "file");
    writeFileSync(folder, "");
    const lines: string[] = [];
    const times = kept(folder, lines);
    lines.length = 0;
    for (let save = 0; save < 3; save++) {
      times.observe(1, 2);
      times.save();
    }
    assert.deepEqual(lines, ["step times are not kept"]);
  });

  test("in a folder that is read-only are still read", () => {
    const folder = join(root, "read-only");
    const first = kept(folder);
    first.observe(1, 2);
    first.save();
    chmodSync(join(folder, "step-times"), 0o555);
    assert.equal(kept(folder).predictMs(1), 2);
    chmodSync(join(folder, "step-times"), 0o755);
  });
});

test("the cache is where SYRINX_CACHE says, else where the platform keeps caches", () => {
  assert.equal(cacheFolder({ SYRINX_CACHE: "/tmp/c" }, "linux"), "/tmp/c");
  assert.equal(cacheFolder({ XDG_CACHE_HOME: "/x" }, "linux"), join("/x", "syrinx"));
  assert.match(cacheFolder({ SYRINX_CACHE: "" }, "linux"), /\.cache.syrinx$/);
  assert.match(cacheFolder({}, "darwin"), /Library.Caches.syrinx$/);
  assert.equal(cacheFolder({ LOCALAPPDATA: "l" }, "win32"), join("l", "syrinx", "cache"));
});
