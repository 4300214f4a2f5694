/** One rung of a load: so many calls, from the first dialling to the last hanging up, and everything that was seen. */
import { type Prng, seeded } from "../../base/prng.js";
import type { Answer, Manners } from "./caller.js";
import { exponential, poissonArrivals } from "./chance.js";
import type { DialOptions, LoadDriver } from "./driver.js";
import { FrameSchedule, type LoadClock } from "./frame-schedule.js";
import { type CallCounts, Line, type LineKind } from "./lines.js";
import { machineCpuMs } from "./machine.js";
import type { Recording } from "./recordings.js";
import type { ServerProbe, ServerReading } from "./server-probe.js";
import type { Summary } from "./statistics.js";
import type { TurnTrace } from "./trace.js";

export interface RungSpec extends Manners {
  readonly driver: LoadDriver;
  readonly dial: DialOptions;
  readonly calls: number;
  readonly answer: Answer;
  readonly recordings: readonly Recording[];
  readonly seed: number;
  /** Mean of the pause before each utterance, in milliseconds. */
  readonly thinkMs: number;
  /** Rate of the Poisson process in which calls arrive. */
  readonly arrivalsPerSecond: number;
  /** All calls begin, speak and pause at the same instants, and say the same: the worst case for a batching server. */
  readonly isSynchronised: boolean;
  /** Shares of the calls that read slowly, and that vanish without a word and dial again. */
  readonly slowReaders: number;
  readonly abrupt: number;
  /** Mean length of calls; `undefined`: as long as the rung. */
  readonly callMs: number | undefined;
  /** After the last arrival, not measured. */
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly clock: LoadClock;
  readonly probe: ServerProbe;
  /** Hears of each turn of the measured time as soon as nothing more can come of it, and of each sample. */
  readonly onTurn?: (turn: TurnTrace) => void;
  readonly onSample?: (sample: LoadSample) => void;
}

/** The state of things, once a second. */
export interface LoadSample {
  /** Since the rung's beginning, before the first call. */
  readonly atMs: number;
  readonly openCalls: number;
  readonly server: ServerReading | undefined;
  /** CPU time of the generator's process since it began. */
  readonly generatorCpuMs: number;
  /** CPU time of everything on the generator's machine; `undefined` where the system does not tell. */
  readonly machineCpuMs: number | undefined;
}

export interface RungTraces {
  readonly beganMs: number;
  /** The measured time, on the generator's clock. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly lateness: Summary;
  /** Of polite calls, that began in the measured time. */
  readonly turns: readonly TurnTrace[];
  readonly setups: readonly number[];
  readonly counts: Readonly<Record<LineKind, CallCounts>>;
  /** Of polite calls, in the measured time alone. */
  readonly measuredCounts: CallCounts;
  /** Errors by code. */
  readonly troubles: ReadonlyMap<string, number>;
  /** Input that the server says it lost. */
  readonly gapMs: number;
  readonly samples: readonly LoadSample[];
  /** Calls that the server still counts as open after all have gone; `undefined` if it does not say. */
  readonly leakedCalls: number | undefined;
}

const SAMPLE_MS = 1_000;
/** After the end: for turns under way, beyond what callers wait anyway. At it: they are cut. */
const LAST_TURNS_MS = 45_000;
/** For the server to count its calls down. */
const SLOTS_MS_MAX = 10_000;
const SLOTS_POLL_MS = 100;

export async function runRung(spec: RungSpec): Promise<RungTraces> {
  const { clock, probe } = spec;
  const seen = new Seen(spec);
  const before = await probe.capacity();
  const lines = makeLines(spec, seen);
  const sampling = new Sampling(spec, seen.beganMs, lines);
  await sampling.take();
  const running = Promise.all(lines.map((line) => line.run()));
  const rampMs = spec.isSynchronised ? 0 : arrivalsOf(spec).at(-1)!;
  await sleep(clock, rampMs + spec.warmupMs);
  seen.measure(spec.measureMs);
  const from = countsOf(lines).polite;
  await sleep(clock, spec.measureMs);
  const until = countsOf(lines).polite;
  const lateness = seen.schedule.latenessMs.summary();
  for (const line of lines) line.stop();
  const cancelCut = clock.after(spec.answerMs + LAST_TURNS_MS, () => {
    for (const line of lines) line.cut();
  });
  await running;
  cancelCut();
  seen.schedule.stop();
  sampling.stop();
  const leakedCalls = await leaked(spec, before?.activeCalls);
  return {
    beganMs: seen.beganMs,
    fromMs: seen.fromMs,
    untilMs: seen.fromMs + spec.measureMs,
    lateness,
    turns: seen.turns,
    setups: seen.setups,
    counts: countsOf(lines),
    measuredCounts: {
      opened: until.opened - from.opened,
      refused: until.refused - from.refused,
      lost: until.lost - from.lost,
    },
    troubles: seen.troubles,
    gapMs: seen.gapMs,
    samples: sampling.samples,
    leakedCalls,
  };
}

/** What lines report, kept if it belongs to the measured time. */
class Seen {
  readonly schedule: FrameSchedule;
  readonly beganMs: number;
  readonly turns: TurnTrace[] = [];
  readonly setups: number[] = [];
  readonly troubles = new Map<string, number>();
  gapMs = 0;
  fromMs = Number.POSITIVE_INFINITY;
  #untilMs = Number.POSITIVE_INFINITY;
  readonly #spec: RungSpec;

  constructor(spec: RungSpec) {
    this.#spec = spec;
    this.schedule = new FrameSchedule(spec.clock);
    this.beganMs = spec.clock.nowMs();
  }

  measure(forMs: number): void {
    this.fromMs = this.#spec.clock.nowMs();
    this.#untilMs = this.fromMs + forMs;
    this.schedule.latenessMs.clear();
    this.gapMs = 0;
  }

  onTurn(turn: TurnTrace, kind: LineKind): void {
    if (kind !== "polite" || turn.beganMs < this.fromMs || turn.beganMs >= this.#untilMs) return;
    this.turns.push(turn);
    this.#spec.onTurn?.(turn);
  }

  onTrouble(code: string): void {
    this.troubles.set(code, (this.troubles.get(code) ?? 0) + 1);
  }
}

class Sampling {
  readonly samples: LoadSample[] = [];
  readonly #spec: RungSpec;
  readonly #beganMs: number;
  readonly #lines: readonly Line[];
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(spec: RungSpec, beganMs: number, lines: readonly Line[]) {
    this.#spec = spec;
    this.#beganMs = beganMs;
    this.#lines = lines;
  }

  /** Now, and then every second of an absolute schedule. */
  async take(): Promise<void> {
    const { clock, probe, onSample } = this.#spec;
    const atMs = clock.nowMs() - this.#beganMs;
    const server = await probe.read();
    if (this.#isStopped) return;
    const { user, system } = process.cpuUsage();
    const openCalls = this.#lines.filter((line) => line.isOpen).length;
    const generatorCpuMs = (user + system) / 1000;
    const sample = { atMs, openCalls, server, generatorCpuMs, machineCpuMs: machineCpuMs() };
    this.samples.push(sample);
    onSample?.(sample);
    const nextMs = Math.max(this.samples.length, Math.ceil(atMs / SAMPLE_MS)) * SAMPLE_MS;
    const delayMs = Math.max(0, nextMs - (clock.nowMs() - this.#beganMs));
    this.#cancel = clock.after(delayMs, () => void this.take());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }
}

function arrivalsOf({ seed, calls, arrivalsPerSecond }: RungSpec): number[] {
  return poissonArrivals(seeded(seed), calls, arrivalsPerSecond);
}

function makeLines(spec: RungSpec, seen: Seen): Line[] {
  const { driver, dial, clock, callMs, isSynchronised, seed } = spec;
  const arrivals = arrivalsOf(spec);
  const mayBegin = isSynchronised ? barrier(spec.calls) : async () => {};
  const kinds = kindsOf(spec);
  let callCount = 0;
  return arrivals.map((atMs, index) => {
    const kind = kinds[index]!;
    return new Line({
      kind,
      seed: isSynchronised ? seed : seed + 7919 * (index + 1),
      driver,
      dial,
      schedule: seen.schedule,
      clock,
      arrivesMs: seen.beganMs + (isSynchronised ? 0 : atMs),
      callMs,
      mayBegin,
      callerSpec: (prng, call) => callerSpec(spec, prng, call),
      nextCallNumber: () => callCount++,
      onTurn: (turn, of) => seen.onTurn(turn, of),
      onSetup: (setupMs) => {
        if (kind === "polite") seen.setups.push(setupMs);
      },
      onTrouble: (code) => seen.onTrouble(code),
      onGap: (durationMs) => {
        seen.gapMs += durationMs;
      },
    });
  });
}

function callerSpec(spec: RungSpec, prng: Prng, call: number) {
  const { answer, bargeIn, finalize, answerMs, thinkMs, recordings, isSynchronised } = spec;
  return {
    call,
    prng,
    answer,
    bargeIn,
    finalize,
    answerMs,
    pauseMs: () => (isSynchronised ? thinkMs : exponential(prng, thinkMs)),
    nextRecording: () => prng.pick(recordings),
  };
}

/** Of so many shares the next whole one is reached here; a share such as 1/3 must not miss it by rounding. */
function isNext(share: number, index: number): boolean {
  const reached = (count: number): number => Math.floor(count * share + 1e-9);
  return reached(index + 1) > reached(index);
}

/** Those who are not polite are spread evenly over the order of arrival, and the two kinds over them. */
function kindsOf({ calls, slowReaders, abrupt }: RungSpec): LineKind[] {
  let impolite = 0;
  return Array.from({ length: calls }, (_, index) => {
    if (!isNext(slowReaders + abrupt, index)) return "polite";
    const isSlow = isNext(slowReaders / (slowReaders + abrupt), impolite);
    impolite += 1;
    return isSlow ? "slow-reader" : "abrupt";
  });
}

/** Opens when so many have come to it; from then on it stays open. */
function barrier(count: number): () => Promise<void> {
  let missing = count;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    missing -= 1;
    if (missing === 0) open();
    return opened;
  };
}

function countsOf(lines: readonly Line[]): Record<LineKind, CallCounts> {
  const counts: Record<LineKind, CallCounts> = {
    polite: { opened: 0, refused: 0, lost: 0 },
    "slow-reader": { opened: 0, refused: 0, lost: 0 },
    abrupt: { opened: 0, refused: 0, lost: 0 },
  };
  for (const { kind, counts: of } of lines) {
    for (const key of ["opened", "refused", "lost"] as const) counts[kind][key] += of[key];
  }
  return counts;
}

/** Whoever else calls the server meanwhile is counted in: a test server should have no other callers. */
async function leaked({ probe, clock }: RungSpec, before: number | undefined): Promise<number | undefined> {
  if (before === undefined) return undefined;
  const untilMs = clock.nowMs() + SLOTS_MS_MAX;
  let left = Number.NaN;
  do {
    const now = await probe.capacity();
    if (now !== undefined) left = Math.max(0, now.activeCalls - before);
    if (left === 0) return 0;
    await sleep(clock, SLOTS_POLL_MS);
  } while (clock.nowMs() < untilMs);
  return Number.isNaN(left) ? undefined : left;
}

export function sleep(clock: LoadClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
