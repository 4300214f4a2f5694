/** A server of the load's own: a child process that serves a configuration on a free port, and nothing else. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SyrinxError } from "../../base/errors.js";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
/** From its start to its first line. At it: LOAD_SERVER_FAILED. */
const START_MS_MAX = 180_000;
/** `serve` stops within 5 s. */
const STOP_MS_MAX = 8_000;
/** What is kept of what it complains. */
const COMPLAINT_CHARS = 2_000;

export interface LoadedServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Resolves when every model is warm. Throws LOAD_SERVER_FAILED. */
export async function startLoadedServer(config: string): Promise<LoadedServer> {
  const child = spawn(process.execPath, [MAIN, "serve", config, "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-COMPLAINT_CHARS);
  });
  const url = await firstLine(child, () => complaint, config);
  return { url, pid: child.pid!, stop: () => stop(child) };
}

function firstLine(child: ChildProcess, complaint: () => string, config: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new SyrinxError("LOAD_SERVER_FAILED", { config, reason: `${reason}\n${complaint()}`.trim() }));
    };
    const timer = setTimeout(() => fail(`it was not ready within ${START_MS_MAX / 1000} s`), START_MS_MAX);
    let output = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (!output.includes("\n")) return;
      clearTimeout(timer);
      const line = JSON.parse(output.split("\n", 1)[0]!) as { readonly url?: string; readonly message?: string };
      if (line.url === undefined) fail(line.message ?? "it said something else than its address");
      else resolve(line.url);
    });
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(`it ended with ${signal ?? code}`));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(timer);
}
