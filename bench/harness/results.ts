/** Results that are kept: a file for each bench, with all that is needed to judge its figures and to repeat them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.js";
import type { Figure } from "./bench.js";
import { type Machine, readMachine } from "./machine.js";

export interface NewResult {
  readonly bench: string;
  readonly command: string;
  /** Cores that others kept busy meanwhile, on average; absent where the system does not tell. */
  readonly foreignCores: number | undefined;
  readonly figures: readonly Figure[];
  /** What a reader must know of this run beside the bench's own method. */
  readonly notes?: readonly string[];
  /** What the figures were made from, where that is more than their repeats. */
  readonly raw?: unknown;
}

export interface Result extends NewResult, Machine {
  /** UTC. */
  readonly date: string;
}

const FOLDER = join(packageRoot(), "bench/results");

export function saveResult(result: NewResult): void {
  mkdirSync(FOLDER, { recursive: true });
  const whole: Result = { ...result, ...readMachine(), date: new Date().toISOString().slice(0, 10) };
  writeFileSync(join(FOLDER, `${result.bench}.json`), `${JSON.stringify(whole, undefined, 1)}\n`);
}

/** By bench, sorted. */
export function readResults(): Result[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Result);
}
