/**
 * Question: how long after its process begins can a server take calls?
 *
 *     spawn ──► node ──► modules ──► YAML ──► workers: load, warm (vad, stt, tts) ──► listen ──► GET /readyz = 200
 *     spawn ──► node ──► onnxruntime-node ──► the same two ONNX files, one after the other ──► ready      (baseline)
 *
 * `syrinx serve configs/assistant.yaml` as a user starts it, models on disc and in the system's cache after the first
 * start, which does not count. The baseline warms nothing, knows no voice and speaks no protocol: it is a floor.
 *
 * What it is not: the time to pull an image or to download a model.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../src/base/package-root.js";
import { type Bench, type BenchContext, type Figure, numberOf } from "./harness/bench.js";
import { alternate, figure } from "./harness/figures.js";
import { sleep } from "./harness/pace.js";

const CLI = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const BARE = fileURLToPath(new URL("./modules/bare-sessions.js", import.meta.url));

interface Started {
  readonly process: ChildProcess;
  /** First line on stdout. */
  readonly line: string;
  readonly startMs: number;
}

async function start(args: readonly string[]): Promise<Started> {
  const startMs = performance.now();
  const child = spawn(process.execPath, args, { cwd: packageRoot(), stdio: ["ignore", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`${args[0]} ended with ${code}\n${complaints}`)));
  });
  return { process: child, line, startMs };
}

async function serve(): Promise<Record<string, number>> {
  const server = await start([CLI, "serve", "configs/assistant.yaml", "--port", "0", "--json"]);
  const { url } = JSON.parse(server.line) as { readonly url: string };
  for (;;) {
    const { status } = await fetch(`${url}/readyz`);
    if (status === 200) break;
    await sleep(2);
  }
  const readyMs = performance.now() - server.startMs;
  const exited = new Promise((resolve) => server.process.once("exit", resolve));
  server.process.kill("SIGTERM");
  const stopMs = performance.now();
  await exited;
  return { readyMs, stopMs: performance.now() - stopMs };
}

async function bare(): Promise<Record<string, number>> {
  const started = await start([BARE]);
  const readyMs = performance.now() - started.startMs;
  await new Promise((resolve) => started.process.once("exit", resolve));
  return { readyMs };
}

export const readyBench: Bench = {
  name: "ready",
  variants: { serve, bare },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    if (!context.isSmoke) await context.variant("serve", {});
    const { serve: served, bare: floor } = await alternate(context, ["serve", "bare"], context.isSmoke ? 1 : 9);
    const values = served.map((sample) => numberOf(sample, "readyMs"));
    const baselines = floor.map((sample) => numberOf(sample, "readyMs"));
    const bar = { of: "value", must: "be under", bar: 2_000, aim: 1_000 } as const;
    const stops = served.map((sample) => numberOf(sample, "stopMs"));
    return [
      figure({ bench: readyBench, metric: "process start to /readyz 200", unit: "ms", values, baselines, bar }),
      figure({ bench: readyBench, metric: "SIGTERM to end of process", unit: "ms", values: stops }),
    ];
  },
};
