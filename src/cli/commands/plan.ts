import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { packageRoot } from "../../base/package-root.js";
import { SLO_NAMES } from "../../config/admission-schema.js";
import type { AdmissionSlo, Plan, PlanGraph } from "../../config/plan.js";
import {
  type CapacityFile,
  capacityKey,
  capacityPath,
  type GraphCapacity,
  machineOf,
  writeCapacity,
} from "../../runtime/admission/capacity-file.js";
import { Jobs } from "../../runtime/jobs.js";
import { readPlan } from "../../runtime/read-plan.js";
import { startRuntime } from "../../runtime/runtime.js";
import { startServer } from "../../transport/server.js";
import { shippedConfig } from "../options.js";
import { calibrate } from "../plan/calibrate.js";
import { graphText, promiseText, rungLine } from "../plan/report.js";

/** Of the calls that kept the promise for a few seconds, the share that is planned. */
const SAFETY_FACTOR = 0.8;
const SECONDS = { preset: 60, min: 8, max: 3_600 } as const;
const RECORDINGS_MAX = 32;

export function addPlan(program: Command): void {
  program
    .command("plan")
    .summary("measure how many calls this machine serves")
    .description("Offers calls to a configuration on this machine until a promise is broken, and keeps what was found.")
    .option("-c, --config <file>", "configuration file", shippedConfig("assistant"))
    .option("--slo <list>", "the promise, as final_p95=300ms,ttfa_p95=250ms (default: the configuration's)")
    .option("--seconds <number>", "how long to measure, for all graphs together", String(SECONDS.preset))
    .option("--recordings <folder>", "what callers say: WAV, FLAC or MP3 files (default: those of the package)")
    .option("-o, --output <file>", "where to keep it (default: in the cache, where the server looks)")
    .option("--json", "print what was found as one line of JSON")
    .addHelpText(
      "after",
      "\nNothing else should run on the machine meanwhile.\n\nExamples:\n  syrinx plan --config my.yaml\n  syrinx plan --config my.yaml --slo final_p95=300ms,ttfa_p95=250ms --seconds 120 -o capacity.json\n",
    )
    .action(plan);
}

interface PlanOptions {
  readonly config: string;
  readonly slo?: string;
  readonly seconds: string;
  readonly recordings?: string;
  readonly output?: string;
  readonly json?: boolean;
}

async function plan(options: PlanOptions): Promise<void> {
  const seconds = parseSeconds(options.seconds);
  const read = await readPlan(options.config, { logLevel: "error" });
  const slo = options.slo === undefined ? read.plan.server.admission!.slo : parseSlo(options.slo);
  const recordings = await readRecordings(options.recordings ?? join(packageRoot(), "samples"));
  const say = (text: string): void => void (options.json === true || process.stdout.write(text));
  say(`Promise: ${promiseText(slo)}. About ${seconds} s on ${machineOf()}.\n`);
  const graphs = await measure(read.plan, slo, seconds, recordings, say);
  const file: Omit<CapacityFile, "version"> = {
    key: capacityKey(read.plan),
    about: `${options.config}, ${machineOf()}`,
    safetyFactor: SAFETY_FACTOR,
    slo,
    graphs,
  };
  const path = options.output ?? capacityPath(read.plan);
  writeCapacity(path, file);
  for (const [name, found] of Object.entries(graphs)) say(graphText(name, found, SAFETY_FACTOR));
  const isFound = options.output === undefined;
  say(`Kept in ${path}${isFound ? "" : "; name it as server.admission.file"}. Start the server again to go by it.\n`);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ type: "plan", path, ...file })}\n`);
}

async function measure(
  whole: Plan,
  slo: AdmissionSlo,
  seconds: number,
  recordings: readonly Int16Array[],
  say: (text: string) => void,
): Promise<Record<string, GraphCapacity>> {
  const { apiKeys: _, admission: __, tls: ___, ...server } = whole.server;
  const routes: Plan["routes"] = [
    { path: "/v1/call", face: "native", graph: whole.graphs[0]!.name, options: { anyGraph: true } },
  ];
  const open: Plan = { ...whole, routes, server: { ...server, apiKeys: undefined, host: "127.0.0.1", port: 0 } };
  const runtime = await startRuntime(open, { logLevel: "error" });
  const found: Record<string, GraphCapacity> = {};
  try {
    const { url, close } = await listening(runtime);
    for (const graph of whole.graphs) {
      found[graph.name] = await calibrate({
        url,
        graph,
        slo,
        recordings: graph.accepts.includes("audio.in") ? recordings : [],
        hasAnswers: hasAnswers(whole, graph),
        callsMax: whole.server.maxCalls,
        seconds: seconds / whole.graphs.length,
        safetyFactor: SAFETY_FACTOR,
        progress: (rung) => say(rungLine(graph.name, rung)),
      });
    }
    await close();
  } finally {
    await runtime.drain();
  }
  return found;
}

async function listening(runtime: Awaited<ReturnType<typeof startRuntime>>) {
  const server = await startServer(runtime);
  return { url: `ws://127.0.0.1:${server.port}`, close: () => server.close() };
}

/** Finals or replies come, so that marks need not tell how late the graph is. */
function hasAnswers(plan: Plan, graph: PlanGraph): boolean {
  const models = new Set(graph.nodes.map((index) => plan.nodes[index]!.model));
  return plan.models.some(({ name, task }) => models.has(name) && (task === "stt" || task === "tts"));
}

async function readRecordings(folder: string): Promise<Int16Array[]> {
  const names = readdirSync(folder).filter((name) => /\.(wav|flac|mp3)$/i.test(name));
  const jobs = new Jobs();
  try {
    const files = names.sort().slice(0, RECORDINGS_MAX);
    const decoded = await Promise.all(files.map((name) => jobs.decodeFile(join(folder, name))));
    if (decoded.length > 0) return decoded.map(({ pcm }) => pcm);
  } finally {
    await jobs.close();
  }
  throw new SyrinxError("CLI_OPTION_INVALID", {
    option: "--recordings",
    value: folder,
    expected: "a folder with WAV, FLAC or MP3 files",
  });
}

/** `final_p95=300ms,ttfa_p95=0.25s`; what is not named has no bound worth the name. */
export function parseSlo(text: string): AdmissionSlo {
  const slo = { finalP95Ms: 60_000, ttfaP95Ms: 60_000, lagP95Ms: 60_000 };
  for (const part of text.split(",")) {
    const [, name = "", value = "", unit = ""] = /^\s*(\w+)\s*=\s*(\d+(?:\.\d+)?)(ms|s)?\s*$/.exec(part) ?? [];
    const ms = Number(value) * (unit === "s" ? 1000 : 1);
    if (!Object.hasOwn(SLO_NAMES, name) || !(ms >= 1 && ms <= 60_000)) {
      const expected = `${Object.keys(SLO_NAMES).join(", ")} with 1ms to 60s each, such as final_p95=300ms,ttfa_p95=250ms`;
      throw new SyrinxError("CLI_OPTION_INVALID", { option: "--slo", value: text, expected });
    }
    slo[SLO_NAMES[name as keyof typeof SLO_NAMES]] = ms;
  }
  return slo;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds >= SECONDS.min && seconds <= SECONDS.max) return seconds;
  const expected = `${SECONDS.min} to ${SECONDS.max}`;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--seconds", value: text, expected });
}
