/**
 * Runs the compiled suite with Node's own runner. Exists because `node --test` takes globs only from Node 21 on.
 *
 *   node dist/test/run.js [substring of a file name …]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const wanted = process.argv.slice(2);

function testFiles(under: string): string[] {
  return readdirSync(under, { withFileTypes: true }).flatMap((entry) => {
    const path = join(under, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.js") ? [path] : [];
  });
}

const files = testFiles(folder)
  .filter((file) => wanted.length === 0 || wanted.some((part) => relative(folder, file).includes(part)))
  .sort();
// Two files at once: the suite is written for two cores, and thread tests already use several.
const args = ["--test", "--test-concurrency=2", "--test-reporter=spec", ...files];
// What runs learn of this machine is not for the developer's own cache, nor the other way round.
const cache = mkdtempSync(join(tmpdir(), "syrinx-cache-"));
const env = { ...process.env, SYRINX_CACHE: cache };
const { status } = spawnSync(process.execPath, args, { stdio: "inherit", env });
rmSync(cache, { recursive: true, force: true });
process.exitCode = status ?? 1;
