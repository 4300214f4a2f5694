/**
 * A whole load: the server, what callers say, one call alone, then rung after rung. What it costs and shows is for
 * `docs/BENCHMARKS.md`; how to run it from a program:
 *
 * ```ts
 * const load = await openLoad({ ...LOAD_DEFAULTS, url: "ws://127.0.0.1:8080", measureMs: 20_000 });
 * try {
 *   const { result } = await load.rung(10);
 *   result.metrics.final_after_endpoint.p95;
 * } finally {
 *   await load.close();
 * }
 * ```
 */
import { join } from "node:path";
import { packageRoot } from "../../base/package-root.js";
import type { Manners } from "./caller.js";
import { type DialOptions, LOAD_FACES, type LoadDriver, type LoadFace } from "./driver.js";
import { type LoadClock, realClock } from "./frame-schedule.js";
import { loadRecordings, type Recording } from "./recordings.js";
import { type RungResult, recordOf, resultOf, type TurnRecord } from "./result.js";
import { type LoadSample, type RungTraces, runRung } from "./rung.js";
import { probeServer, type ServerProbe } from "./server-probe.js";
import { type LoadedServer, startLoadedServer } from "./server-process.js";
import { type Solo, soloOf } from "./solo.js";
import type { TurnTrace } from "./trace.js";

export interface LoadOptions extends Manners {
  /** A running server. Without it, one is started from `config`. */
  readonly url?: string;
  readonly config?: string;
  /** Of a server at `url` on this machine, whose CPU and memory the system then tells. */
  readonly pid?: number;
  readonly face: LoadFace;
  readonly graph?: string;
  readonly model?: string;
  readonly apiKey?: string;
  /** Folder of recordings; default: those of the package. */
  readonly recordings?: string;
  readonly seed: number;
  readonly thinkMs: number;
  readonly arrivalsPerSecond: number;
  readonly isSynchronised: boolean;
  readonly slowReaders: number;
  readonly abrupt: number;
  readonly callMs?: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly clock?: LoadClock;
  /** One line for whoever waits. */
  readonly onProgress?: (text: string) => void;
  readonly onTurn?: (turn: TurnRecord, calls: number) => void;
  readonly onSample?: (sample: LoadSample, calls: number) => void;
}

/** A mixed conversation at a moderate pace, for half a minute. */
export const LOAD_DEFAULTS = {
  face: "native",
  seed: 1,
  thinkMs: 1_000,
  bargeIn: 0.1,
  finalize: 0,
  answerMs: 10_000,
  arrivalsPerSecond: 5,
  isSynchronised: false,
  slowReaders: 0,
  abrupt: 0,
  warmupMs: 5_000,
  measureMs: 30_000,
} as const satisfies LoadOptions;

export interface RungOutcome {
  readonly result: RungResult;
  readonly traces: RungTraces;
}

export interface OpenLoad {
  readonly url: string;
  readonly solo: Solo;
  readonly recordings: readonly Recording[];
  /** Calls that the server takes; `undefined` if it does not say. */
  readonly maxCalls: number | undefined;
  /** Runs a rung of so many calls: arrivals, warm-up, the measured time, and until the last call is closed. */
  rung(calls: number): Promise<RungOutcome>;
  /** Stops the server, if it was started here. */
  close(): Promise<void>;
}

/**
 * Starts or finds the server and holds one call alone with it.
 * Throws LOAD_SERVER_FAILED, LOAD_RECORDINGS_NONE, LOAD_CALL_REFUSED, LOAD_NO_ANSWER.
 */
export async function openLoad(options: LoadOptions): Promise<OpenLoad> {
  const { face, graph, model, apiKey, onProgress = () => {}, clock = realClock } = options;
  const driver = await LOAD_FACES[face].load();
  const recordings = await loadRecordings(options.recordings ?? join(packageRoot(), "samples"));
  let server: LoadedServer | undefined;
  if (options.url === undefined) {
    onProgress(`starting the server of ${options.config}`);
    server = await startLoadedServer(options.config!);
  }
  const url = options.url ?? server!.url;
  const dial: DialOptions = {
    url,
    ...(graph === undefined ? {} : { graph }),
    ...(model === undefined ? {} : { model }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
  try {
    const probe = probeServer(url, options.pid ?? server?.pid);
    onProgress(`one call alone says ${recordings.length} recordings`);
    const solo = await soloOf({ driver, dial, recordings, clock, answerMs: options.answerMs });
    const maxCalls = (await probe.capacity())?.maxCalls;
    const whole = { driver, dial, clock, probe, solo, recordings };
    const rung = (calls: number): Promise<RungOutcome> => oneRung(options, whole, calls);
    return { url, solo, recordings, maxCalls, rung, close: async () => server?.stop() };
  } catch (error) {
    await server?.stop();
    throw error;
  }
}

interface Whole {
  readonly driver: LoadDriver;
  readonly dial: DialOptions;
  readonly clock: LoadClock;
  readonly probe: ServerProbe;
  readonly solo: Solo;
  readonly recordings: readonly Recording[];
}

async function oneRung(options: LoadOptions, whole: Whole, calls: number): Promise<RungOutcome> {
  const { onProgress = () => {}, onTurn, onSample, callMs, ...manners } = options;
  const { driver, dial, clock, probe, solo, recordings } = whole;
  onProgress(`${calls} calls for ${Math.round(options.measureMs / 1000)} s`);
  const beganMs = clock.nowMs();
  const traces = await runRung({
    ...manners,
    driver,
    dial,
    clock,
    probe,
    recordings,
    calls,
    callMs,
    answer: solo.answer,
    ...(onTurn === undefined ? {} : { onTurn: (turn: TurnTrace) => onTurn(recordOf(turn, beganMs), calls) }),
    ...(onSample === undefined ? {} : { onSample: (sample: LoadSample) => onSample(sample, calls) }),
  });
  return { traces, result: resultOf(calls, traces, solo.texts) };
}
