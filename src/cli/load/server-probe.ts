/** What the server uses while it is loaded: from the system if its process is on this machine, else from its metrics. */
import { readFileSync } from "node:fs";

/** Since the process began, and now. */
export interface ServerReading {
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** On the generator's machine: its CPU time is a part of that machine's. */
  readonly isHere: boolean;
}

export interface ServerCapacity {
  readonly activeCalls: number;
  readonly maxCalls: number;
}

export interface ServerProbe {
  /** `undefined` where neither the system nor the server tells. */
  read(): Promise<ServerReading | undefined>;
  /** `/v1/capacity`; `undefined` if the server has none. */
  capacity(): Promise<ServerCapacity | undefined>;
}

const ANSWER_MS_MAX = 2_000;
/** Of Linux, on every architecture that Node runs on: `getconf CLK_TCK`. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** @param pid of the server, if it runs on this machine */
export function probeServer(url: string, pid: number | undefined): ServerProbe {
  const base = new URL(url);
  base.protocol = base.protocol.replace(/^ws/, "http");
  return {
    read: async () =>
      (pid === undefined ? undefined : readProcess(pid)) ?? (await readMetrics(new URL("/metrics", base))),
    capacity: () => readCapacity(new URL("/v1/capacity", base)),
  };
}

/** proc(5): CPU of all threads in ticks, resident set in pages. `undefined` on systems without /proc. */
function readProcess(pid: number): ServerReading | undefined {
  try {
    // The name in brackets may hold spaces; what follows it does not.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rssBytes: pages * PAGE_BYTES, isHere: true };
  } catch {
    return undefined;
  }
}

async function readMetrics(url: URL): Promise<ServerReading | undefined> {
  const text = await get(url);
  if (text === undefined) return undefined;
  const cpuSeconds = metricOf(text, "process_cpu_seconds_total");
  const rssBytes = metricOf(text, "process_resident_memory_bytes");
  return cpuSeconds === undefined || rssBytes === undefined
    ? undefined
    : { cpuMs: cpuSeconds * 1000, rssBytes, isHere: LOOPBACK.test(url.hostname) };
}

/** The value of a metric without labels in Prometheus' text, whatever prefix the server gives its names. */
export function metricOf(text: string, name: string): number | undefined {
  const found = new RegExp(`^(?:\\w+_)?${name} ([\\d.eE+-]+)`, "m").exec(text);
  return found === null ? undefined : Number(found[1]);
}

async function readCapacity(url: URL): Promise<ServerCapacity | undefined> {
  const text = await get(url);
  if (text === undefined) return undefined;
  try {
    const { activeCalls, maxCalls } = JSON.parse(text) as Partial<ServerCapacity>;
    return activeCalls === undefined || maxCalls === undefined ? undefined : { activeCalls, maxCalls };
  } catch {
    // Another server's page.
    return undefined;
  }
}

/** A server that is too busy to answer costs one sample, not the run. */
async function get(url: URL): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}
