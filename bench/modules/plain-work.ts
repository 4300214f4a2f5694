/** A worker as one would write it: each message is a piece of work, and "stop" is a message too. */
import { parentPort, workerData } from "node:worker_threads";
import { WorkLog, workFor } from "./work.js";

const { log: buffer, workMs } = workerData as { readonly log: SharedArrayBuffer; readonly workMs: number };
const log = new WorkLog(buffer);
let isStopped = false;

parentPort!.on("message", (message: unknown) => {
  if (message === "stop") isStopped = true;
  if (isStopped) return;
  workFor(workMs);
  log.done();
});
parentPort!.postMessage("listening");
