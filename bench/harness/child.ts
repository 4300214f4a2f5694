/** A variant in a process of its own: no JIT, no heap and no caches from the variant before. */
import { fork } from "node:child_process";
import type { Sample, VariantParameters } from "./bench.js";

export interface VariantOrder {
  readonly bench: string;
  readonly variant: string;
  readonly parameters: VariantParameters;
}

const ENTRY = new URL("./variant.js", import.meta.url);
/** A variant that takes longer hangs. At it: its process is killed and the bench fails. */
const VARIANT_MS_MAX = 180_000;

/** Resolves when the process has ended by itself. Rejects with what it wrote to stderr if it failed. */
export function runVariant(order: VariantOrder): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = fork(ENTRY, [], { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "pipe", "ipc"] });
    const deadline = setTimeout(() => child.kill("SIGKILL"), VARIANT_MS_MAX);
    let sample: Sample | undefined;
    let complaints = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      complaints += text;
    });
    child.on("message", (message) => {
      sample = message as Sample;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(deadline);
      if (code === 0 && sample !== undefined) resolve(sample);
      else reject(new Error(`${order.bench}, ${order.variant}: ended with ${signal ?? code}\n${complaints}`));
    });
    child.send(order);
  });
}
