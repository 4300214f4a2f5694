/**
 * Question: how many calls does one core listen to for speech, done by this runtime and by others with the same model?
 *
 *     generator ─ 20 ms of N calls, each at its time ─► detector (the same Silero file) ─► done: how late?
 *
 * Every driver is a process that holds its generator and its detector, hears the same recording on the same schedule and
 * counts the beginnings of speech, which must agree. The largest N is searched at which the 99th percentile of a frame's
 * lateness stays within a limit; then N is divided by the cores that were busy. The drivers are measured next to each
 * other, again and again.
 *
 * What it is not: a judgement of what these programs are for. sherpa-onnx runs on the generator's own thread, without
 * rings, events or threads, and no interruption; Pipecat's processor carries far more than a detector.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Command } from "commander";
import { packageRoot } from "../../src/base/package-root.js";
import type { Figure } from "../harness/bench.js";
import { figure } from "../harness/figures.js";
import { describeMachine, ForeignLoad } from "../harness/machine.js";
import { saveResult } from "../harness/results.js";
import { tableOf } from "../harness/table.js";
import type { DriverReport } from "./drivers/calls.js";

const HERE = fileURLToPath(new URL("./drivers/", import.meta.url));
const PEERS = join(packageRoot(), "bench/peers");
const DRIVER_MS_MAX = 120_000;
const NAMES = ["syrinx", "pipecat", "sherpa-onnx", "postMessage", "process per call"] as const;
type Name = (typeof NAMES)[number];

interface Options {
  readonly model: string;
  readonly audio: string;
  readonly python: string;
  readonly seconds: number;
  readonly repeats: number;
  readonly limitMs: number;
  readonly save?: boolean;
}

const number = (text: string): number => Number(text);
const program = new Command("bench:peers")
  .description("Voice detection for many calls, by this runtime and by others, with the same model on the same audio.")
  .option("--model <file>", "Silero VAD v5", join(packageRoot(), "../shared/models/vad/silero_vad.onnx"))
  .option("--audio <file>", "16 kHz mono WAV", join(packageRoot(), "samples/question.wav"))
  .option("--python <file>", "a Python that has bench/peers/requirements.txt", venvPython())
  .option("--seconds <n>", "measured at each number of calls", number, 6)
  .option("--repeats <n>", "whole searches", number, 3)
  .option("--limit-ms <n>", "lateness of a frame, 99th percentile", number, 60)
  .option("--save", "keep the result in bench/results")
  .action(main);

function venvPython(): string {
  return join(process.env.SYRINX_PIPECAT_VENV ?? join(tmpdir(), "syrinx-pipecat-1.14.0"), "bin/python");
}

/** What starts a driver, or why it cannot be started here. */
function commandOf(
  name: Name,
  { python }: Options,
): { readonly command: readonly string[] } | { readonly missing: string } {
  const node = (file: string): { command: readonly string[] } => ({ command: [process.execPath, join(HERE, file)] });
  if (name === "syrinx") return node("syrinx.js");
  if (name === "postMessage") return node("post-message.js");
  if (name === "process per call") return node("processes.js");
  if (name === "pipecat") {
    if (existsSync(python)) return { command: [python, join(PEERS, "drivers/pipecat_vad.py")] };
    return { missing: `no ${python}: python3 -m venv, then pip install -r bench/peers/requirements.txt` };
  }
  if (existsSync(join(PEERS, "node_modules/sherpa-onnx-node"))) return node("sherpa.js");
  return { missing: "no sherpa-onnx-node: npm install --prefix bench/peers" };
}

async function drive(
  command: readonly string[],
  calls: number,
  { seconds, model, audio }: Options,
): Promise<DriverReport> {
  const [file, ...first] = command;
  const args = [...first, String(calls), String(seconds), model, audio];
  const running = promisify(execFile)(file!, args, { timeout: DRIVER_MS_MAX, killSignal: "SIGKILL" });
  // Some end by a signal to themselves, when they have reported: a model run that is under way must not be waited for.
  const { stdout } = await running.catch((error: { readonly stdout?: string; readonly stderr?: string }) => {
    if (error.stdout?.includes('"driver"')) return { stdout: error.stdout };
    throw new Error(`${file} with ${calls} calls failed:\n${error.stderr}`);
  });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as DriverReport;
}

interface Found {
  readonly most: DriverReport;
  readonly all: readonly DriverReport[];
}

/** Doubles until the limit is broken, then halves the distance. A broken size is tried twice: machines have hiccups. */
async function search(name: Name, command: readonly string[], options: Options): Promise<Found> {
  const all: DriverReport[] = [];
  const holds = async (calls: number): Promise<DriverReport | undefined> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const report = await drive(command, calls, options);
      all.push(report);
      process.stderr.write(
        `${name}: ${calls} calls, p99 ${report.p99Ms?.toFixed(1)} ms, ${report.cores.toFixed(2)} cores\n`,
      );
      if (report.p99Ms !== null && report.p99Ms <= options.limitMs && report.doneShare > 0.999) return report;
    }
    return undefined;
  };
  let most = await holds(8);
  if (most === undefined) throw new Error(`${name} does not hold 8 calls`);
  let tooMany = 16;
  for (let report = await holds(tooMany); report !== undefined; report = await holds(tooMany)) {
    most = report;
    tooMany *= 2;
  }
  while (tooMany - most.calls > Math.max(2, most.calls / 12)) {
    const middle = Math.round((most.calls + tooMany) / 2);
    const report = await holds(middle);
    if (report === undefined) tooMany = middle;
    else most = report;
  }
  return { most, all };
}

/** MiB for each call more, from the smallest and the largest number of calls of a search. */
function memoryPerCall({ all }: Found): number {
  const sorted = [...all].sort((a, b) => a.calls - b.calls);
  const [least, most] = [sorted[0]!, sorted.at(-1)!];
  return (most.rssMiB - least.rssMiB) / (most.calls - least.calls);
}

async function main(options: Options): Promise<void> {
  if (!existsSync(options.model)) throw new Error(`there is no model ${options.model}: name one with --model`);
  const load = new ForeignLoad();
  const commands = new Map<Name, readonly string[]>();
  const notes = [`A frame counts as in time within ${options.limitMs} ms of when it was due, 99th percentile.`];
  for (const name of NAMES) {
    const start = commandOf(name, options);
    if ("command" in start) commands.set(name, start.command);
    else notes.push(`${name} was not measured: ${start.missing}`);
  }
  notes.push(
    "sherpa-onnx's WebSocket server was not measured: it serves recognisers only, and none of its models is at hand.",
  );
  const found = new Map<Name, Found[]>([...commands.keys()].map((name) => [name, []]));
  for (let repeat = 0; repeat < options.repeats; repeat++) {
    for (const [name, command] of commands) found.get(name)!.push(await search(name, command, options));
  }
  for (const [name, runs] of found) {
    const { version } = runs[0]!.most;
    const heard = runs.map(({ most }) => (most.speechStarts / most.calls).toFixed(2)).join(", ");
    notes.push(`${name} ${version}: beginnings of speech a call ${heard}`);
  }
  const figures = figuresOf(found);
  if (options.save === true) {
    const raw = Object.fromEntries([...found].map(([name, runs]) => [name, runs.map(({ all }) => all)]));
    saveResult({ bench: "peers", command: "npm run bench:peers", foreignCores: load.cores(), figures, notes, raw });
  }
  process.stdout.write(`${tableOf(figures)}\n\n${notes.join("\n")}\n\n${describeMachine()}\n`);
  process.stdout.write(`meanwhile cores busy with others: ${load.cores()?.toFixed(2) ?? "?"}\n`);
}

function figuresOf(found: ReadonlyMap<Name, readonly Found[]>): Figure[] {
  const bench = { name: "peers" };
  const own = found.get("syrinx")!;
  const perCore = ({ most }: Found): number => most.calls / most.cores;
  const figures: Figure[] = [];
  for (const [name, runs] of found) {
    const bar = { of: "ratio", must: "be at least", bar: 4, aim: 10 } as const;
    figures.push(
      figure({ bench, metric: `calls in time, ${name}`, unit: "calls", values: runs.map(({ most }) => most.calls) }),
    );
    figures.push(
      figure({ bench, metric: `p99 at that, ${name}`, unit: "ms", values: runs.map(({ most }) => most.p99Ms) }),
    );
    figures.push(figure({ bench, metric: `memory a call, ${name}`, unit: "MiB", values: runs.map(memoryPerCall) }));
    const ofOwn = {
      bench,
      unit: "calls",
      better: "more",
      values: own.map(perCore),
      baselines: runs.map(perCore),
    } as const;
    if (name === "syrinx")
      figures.push(figure({ bench, metric: "calls a core", unit: "calls", values: own.map(perCore) }));
    else if (name === "pipecat") figures.push(figure({ ...ofOwn, metric: `calls a core, against ${name}`, bar }));
    else figures.push(figure({ ...ofOwn, metric: `calls a core, against ${name}` }));
  }
  return figures;
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench:peers: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
