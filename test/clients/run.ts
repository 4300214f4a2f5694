/** Runs the compiled client tests with Node's own runner: `npm run test:clients`. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(folder)
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => join(folder, file));
const args = ["--test", "--test-concurrency=2", "--test-reporter=spec", ...files];
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
