/** What `syrinx devices` reports: every kind of device, tried in a process of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Card, listCards } from "./cards.js";
import { DEVICE_KINDS, type DeviceKind, PROVIDERS, whyAbsent } from "./devices.js";
import { env } from "./ort.js";
import type { ProbeResult, ProbeStep } from "./probe-measure.js";

export interface DeviceReport {
  /** As it is written in the configuration. */
  readonly name: DeviceKind;
  /** ONNX Runtime's execution provider. */
  readonly provider: string;
  readonly available: boolean;
  /** What was tried if available, what is missing if not. */
  readonly reason: string;
  /** ONNX Runtime's version, which its providers share. */
  readonly runtimeVersion: string;
  readonly cards: readonly Card[];
  /** f32 matrix products as measured, on one thread of a CPU; undefined if not available. */
  readonly gigaflops?: number;
  /** fp16 ones; undefined if the device does not compute them. */
  readonly gigaflopsFp16?: number;
  readonly int8?: boolean;
  readonly step?: ProbeStep;
}

const ENTRY = fileURLToPath(new URL("./probe-entry.js", import.meta.url));
/** At it: the process is ended, and the device does not work. A software WebGPU driver took 9 s on two busy cores. */
const PROBE_MS_MAX = 120_000;
/** Output kept of a probe. At it: the beginning is forgotten. */
const OUTPUT_CHARS_MAX = 100_000;

/** Tries every kind of device, one after the other. Takes up to some seconds where there is an accelerator. */
export async function listDevices(kinds: readonly DeviceKind[] = DEVICE_KINDS): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const name of kinds) reports.push(await report(name));
  return reports;
}

async function report(name: DeviceKind): Promise<DeviceReport> {
  const runtimeVersion = env.versions.node ?? env.versions.common;
  const about = { name, provider: PROVIDERS[name], runtimeVersion };
  const absent = whyAbsent(name);
  if (absent !== undefined) return { ...about, cards: await listCards(name), available: false, reason: absent };
  const { works, reason, ...found } = await probe(name);
  const tried = "ran matrix products and the starter detector";
  return { ...about, cards: await listCards(name), available: works, reason: reason ?? tried, ...found };
}

function probe(kind: DeviceKind): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [ENTRY, kind], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PROBE_MS_MAX,
      killSignal: "SIGKILL",
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-OUTPUT_CHARS_MAX);
    });
    child.once("error", (error) => resolve({ works: false, reason: error.message }));
    child.once("close", (code, signal) => resolve(readProbe(output, errors, signal ?? `code ${code}`)));
  });
}

/** What a probe's process left behind. A result counts even if the process crashed after printing it. */
export function readProbe(output: string, errors: string, end: string): ProbeResult {
  const line = output.split("\n").find((candidate) => candidate.startsWith('{"works":'));
  const cause = causeOf(errors);
  if (line === undefined) return { works: false, reason: `its process ended with ${end}${cause && `: ${cause}`}` };
  const result: ProbeResult = JSON.parse(line);
  return result.works || cause === "" ? result : { ...result, reason: cause };
}

/** Native code tells causes on stderr that its exceptions leave out: which library could not be loaded. */
function causeOf(errors: string): string {
  const found = /with error: (.+)/.exec(errors) ?? /Warning: (Couldn't load .+)/.exec(errors);
  return found?.[1]?.trim() ?? "";
}
