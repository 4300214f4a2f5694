/**
 * A program whose main thread and two workers log 200 lines each at once: more than a pipe holds. One worker dies.
 * With the argument `kill`: only main logs, flushes, and is gone at once.
 * With the argument `full`: one worker logs far more than a pipe holds, ends, and main says so on stdout.
 */
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { createLogger, createWorkerLogger, type Logger } from "../../src/telemetry/log.js";

const LINES = 200;
const MANY_LINES = 3000;

function logLines(log: Logger, from: number, to: number): void {
  for (let number = from; number < to; number += 1) log.info({ number, filler: "x".repeat(number % 250) }, "a line");
}

if (isMainThread && process.argv[2] === "kill") {
  const log = createLogger({ level: "info" });
  logLines(log, 0, LINES);
  await log.flush();
  process.kill(process.pid, "SIGKILL");
} else if (isMainThread && process.argv[2] === "full") {
  const worker = new Worker(new URL(import.meta.url), { workerData: "many" });
  worker.on("exit", () => process.stdout.write("the worker has ended"));
} else if (isMainThread) {
  const log = createLogger({ level: "info" });
  const workers = ["ears/0", "voice/0"].map((worker) => new Worker(new URL(import.meta.url), { workerData: worker }));
  for (const worker of workers) worker.on("error", () => {});
  logLines(log, 0, LINES);
  // Not `once` of node:events, which rejects when the fault comes first.
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.on("exit", resolve))));
  process.exitCode = 3;
} else if (workerData === "many") {
  logLines(createWorkerLogger({ level: "info", worker: "many" }), 0, MANY_LINES);
} else {
  logLines(createWorkerLogger({ level: "info", worker: workerData as string }), 0, LINES);
  if (workerData === "ears/0") throw new Error("the fault of this test");
}
