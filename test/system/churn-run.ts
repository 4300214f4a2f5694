/** Opens and closes calls without end and watches what the process keeps of them. */
import { connect } from "../../src/client/index.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { startServer } from "../../src/transport/server.js";
import { eventually, readSample } from "../support/system.js";

export interface ChurnReport {
  readonly callCount: number;
  readonly seconds: number;
  /** Resident memory after each tenth of the calls, in MiB. */
  readonly rssMib: readonly number[];
  readonly heapMib: readonly number[];
  /** Least-squares slope of resident memory in KiB per thousand calls. */
  readonly rssSlopeKib: number;
  readonly heapSlopeKib: number;
  /** Live resources of the event loop before and after. */
  readonly resourcesBefore: readonly string[];
  readonly resourcesAfter: readonly string[];
  readonly activeCalls: number;
  readonly restarts: number;
}

const CONFIG = {
  version: 1,
  server: { maxCalls: 32, log: { level: "silent" } },
  models: { vad: { family: "starter-vad" }, ears: { family: "starter-ctc", device: "cpu" } },
  graphs: { transcribe: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }] },
};
const POINTS = 20;
const AT_ONCE = 8;
/** Until every ring was written once around, its pages come into memory one by one. */
const WARM_UP_CALLS = 16_000;
const FRAME_SAMPLES = 320;

/**
 * `callCount` cycles of open, 20 ms of a recording, close; several at once, so that slots are used in any order. With
 * `overSocket` each call is a WebSocket client's, and every fifth client hangs up without waiting.
 */
export async function churn(callCount: number, overSocket: boolean): Promise<ChurnReport> {
  const pcm = await readSample("timer.wav");
  const runtime = await createRuntime(CONFIG, { logLevel: "silent", admission: "off" });
  const server = overSocket ? await startServer(runtime, { port: 0 }) : undefined;
  const open: Open = server === undefined ? () => runtime.open("transcribe") : () => dial(server.url);
  await cycles(open, pcm, overSocket ? callCount / 2 : WARM_UP_CALLS);
  await idle(runtime);
  const resourcesBefore = resources();
  const rssMib: number[] = [];
  const heapMib: number[] = [];
  const startMs = performance.now();
  for (let point = 0; point < POINTS; point++) {
    await cycles(open, pcm, callCount / POINTS);
    await idle(runtime);
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    rssMib.push(rss / 2 ** 20);
    heapMib.push(heapUsed / 2 ** 20);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const report: ChurnReport = {
    callCount,
    seconds,
    rssMib,
    heapMib,
    rssSlopeKib: slopeKib(rssMib, callCount / POINTS),
    heapSlopeKib: slopeKib(heapMib, callCount / POINTS),
    resourcesBefore,
    resourcesAfter: resources(),
    activeCalls: runtime.capacity().activeCalls,
    restarts: runtime.status().reduce((sum, { restarts }) => sum + restarts, 0),
  };
  await server?.close();
  await runtime.drain();
  return report;
}

type Open = () => Promise<{ write(pcm: Int16Array): unknown; close(): Promise<void> }>;

let dialled = 0;

async function dial(url: string): ReturnType<Open> {
  const client = await connect(url, { graph: "transcribe" });
  const isRude = ++dialled % 5 === 0;
  return {
    write: (pcm) => client.send(pcm),
    close: async () => {
      const closed = client.close();
      if (!isRude) await closed;
    },
  };
}

/** What the last cycles began to close is closed. */
function idle(runtime: RuntimeImpl): Promise<void> {
  return eventually("no call is open", () => runtime.capacity().activeCalls === 0);
}

async function cycles(open: Open, pcm: Int16Array, count: number): Promise<void> {
  const cycle = async (index: number): Promise<void> => {
    const call = await open();
    // From another place each time: some of it is speech.
    const at = (index * FRAME_SAMPLES) % (pcm.length - FRAME_SAMPLES);
    call.write(pcm.subarray(at, at + FRAME_SAMPLES));
    await call.close();
  };
  const lane = async (first: number): Promise<void> => {
    for (let index = first; index < count; index += AT_ONCE) await cycle(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => lane(first)));
}

function resources(): string[] {
  return process.getActiveResourcesInfo().sort();
}

function slopeKib(mib: readonly number[], callsPerPoint: number): number {
  const meanX = (mib.length - 1) / 2;
  const meanY = mib.reduce((sum, y) => sum + y, 0) / mib.length;
  let above = 0;
  let below = 0;
  mib.forEach((y, x) => {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  });
  return ((above / below) * 1024 * 1000) / callsPerPoint;
}
