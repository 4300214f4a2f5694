/**
 * How many calls of a graph keep a promise on this machine: the real runtime and server, in this process, against a
 * generator in another one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { setPriority } from "node:os";
import { SyrinxError } from "../../base/errors.js";
import type { AdmissionSlo, PlanGraph } from "../../config/plan.js";
import type { GraphCapacity, Rung } from "../../runtime/admission/capacity-file.js";
import type { Failed, Measured, Order, Setup } from "./messages.js";
import { CapacitySearch } from "./search.js";
import { judge } from "./verdict.js";

export interface Calibration {
  readonly url: string;
  readonly graph: PlanGraph;
  readonly slo: AdmissionSlo;
  /** 16 kHz mono. */
  readonly recordings: readonly Int16Array[];
  /** Whether finals or replies come, so that marks need not tell. */
  readonly hasAnswers: boolean;
  readonly callsMax: number;
  readonly seconds: number;
  /** Of the calls that kept the promise, the share that is planned. */
  readonly safetyFactor: number;
  readonly progress: (rung: Rung) => void;
}

const ENTRY = new URL("./generator.js", import.meta.url);
const SETTLE_MS = 1_500;
/** One conversation's turn, so that each call is heard at least once; with few calls so many answers, or so long. */
const MEASURE_MS = { turn: 6_000, max: 18_000 } as const;
const ANSWERS_MIN = 16;
/** The generator goes before the server where the system lets it: what it is late would count as the server's. */
const GENERATOR_PRIORITY = -10;
/** A verdict that is close is looked at so much longer. */
const CLOSE_MS = 4_000;

/** Throws CAPACITY_VOID if no number of calls gave a verdict. */
export async function calibrate(calibration: Calibration): Promise<GraphCapacity> {
  const { graph, callsMax, seconds, safetyFactor, progress } = calibration;
  const search = new CapacitySearch(callsMax);
  const rungs: Rung[] = [];
  const generator = new GeneratorProcess(calibration);
  const untilMs = performance.now() + seconds * 1000;
  try {
    for (let calls = search.next; calls !== undefined && performance.now() < untilMs; calls = search.next) {
      const judged = await generator.try(calls);
      if (judged.isEmpty) throw new SyrinxError("CAPACITY_VOID", { reason: nothingHeard(graph.name) });
      rungs.push(judged.rung);
      progress(judged.rung);
      search.note(calls, judged.outcome);
    }
  } finally {
    generator.stop();
  }
  if (rungs.every(({ verdict }) => verdict === "void")) {
    const late = Math.min(...rungs.map(({ generatorLateP99Ms }) => generatorLateP99Ms));
    throw new SyrinxError("CAPACITY_VOID", { reason: `the generator of calls was ${late} ms late itself` });
  }
  const { keptCalls, brokenCalls, limitedBy } = search;
  const capacity = keptCalls === 0 ? 0 : Math.max(1, Math.floor(safetyFactor * keptCalls));
  return {
    capacity,
    keptCalls,
    ...(brokenCalls === undefined ? {} : { brokenCalls }),
    limitedBy: search.next === undefined ? limitedBy : "time",
    rungs,
  };
}

function nothingHeard(graph: string): string {
  return `graph ${graph} gave hardly an answer to the recordings; give others with --recordings`;
}

class GeneratorProcess {
  readonly #calibration: Calibration;
  readonly #child: ChildProcess;

  constructor(calibration: Calibration) {
    const { url, graph, recordings, hasAnswers } = calibration;
    this.#calibration = calibration;
    this.#child = fork(ENTRY, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    hurry(this.#child);
    const texts = recordings.map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength).toString("base64"),
    );
    const setup: Setup = { type: "setup", url, graph: graph.name, recordings: texts, isMarked: !hasAnswers };
    this.#child.send(setup);
  }

  async try(calls: number): Promise<ReturnType<typeof judge>> {
    const { slo } = this.#calibration;
    const measureMs = Math.min(MEASURE_MS.max, MEASURE_MS.turn * Math.max(1, ANSWERS_MIN / calls));
    const first = await this.#measure({ type: "rung", calls, settleMs: SETTLE_MS, measureMs });
    const judged = judge(calls, measureMs / 1000, first, slo);
    if (!judged.isClose || judged.rung.verdict === "void") return judged;
    const more = await this.#measure({ type: "rung", calls, settleMs: 0, measureMs: CLOSE_MS });
    return judge(calls, (measureMs + CLOSE_MS) / 1000, joined(first, more), slo);
  }

  stop(): void {
    this.#child.disconnect();
  }

  #measure(order: Order): Promise<Measured> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new SyrinxError("CAPACITY_VOID", { reason: "the generator's process ended" }));
      this.#child.once("exit", gone);
      this.#child.once("message", (message: Measured | Failed) => {
        this.#child.off("exit", gone);
        if (message.type === "measured") resolve(message);
        else reject(new SyrinxError("CAPACITY_VOID", { reason: message.reason }));
      });
      this.#child.send(order);
    });
  }
}

function hurry({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, GENERATOR_PRIORITY);
  } catch {
    // Not allowed: its lateness is measured anyway.
  }
}

function joined(a: Measured, b: Measured): Measured {
  const fault = a.fault ?? b.fault;
  return {
    type: "measured",
    final: [...a.final, ...b.final],
    ttfa: [...a.ttfa, ...b.ttfa],
    lag: [...a.lag, ...b.lag],
    sendLateMs: [...a.sendLateMs, ...b.sendLateMs],
    faults: a.faults + b.faults,
    ...(fault === undefined ? {} : { fault }),
  };
}
