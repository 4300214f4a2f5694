/**
 * Watches the load and decides: who comes in, and what graphs do without. Main thread. It looks at shared memory a few
 * times a second, and answers an open from what it saw last: in microseconds, however busy the workers are.
 */
import { SyrinxError } from "../../base/errors.js";
import type { AdmissionSlo, Plan } from "../../config/plan.js";
import type { GraphLevels } from "../../ring/index.js";
import type { Metrics } from "../../telemetry/metrics.js";
import type { AdmissionReport, GraphCapacityReport } from "../api.js";
import { Admission, type Estimate, type RefusalReason } from "./admission.js";
import { Alarm } from "./alarm.js";
import type { CapacityFile } from "./capacity-file.js";
import { Ladder } from "./ladder.js";
import type { ProcessLoad, WorkerLoad } from "./load-model.js";
import { GraphPressure, type LoadReading } from "./pressure.js";

/** What it looks at; `load-meter.ts` over real workers. */
export interface Meter {
  /** @param callCount calls open now */
  read(nowMs: number, callCount: number): void;
  /** By position in the plan's workers. */
  worker(position: number): WorkerLoad;
  process(): ProcessLoad;
  stop(): void;
}

export interface GovernorSpec {
  readonly plan: Plan;
  readonly mode: "plan" | "live";
  readonly slo: AdmissionSlo;
  readonly degrade: boolean;
  readonly capacity: CapacityFile | undefined;
  readonly meter: Meter;
  readonly levels: GraphLevels;
  readonly metrics: Metrics;
  readonly nowMs: () => number;
  /** Calls placed on a worker now, by its index. */
  readonly callsOn: (worker: number) => number;
  /** How many of the open calls were opened before this. */
  readonly openedBefore: (ms: number) => number;
  /** A graph is degraded further, or less. */
  readonly onLevel: (graph: string, level: number) => void;
}

/** How often it looks. */
export const LOOK_MS = 250;
/** A call that has been open for so long shows what it costs. */
const SEASONED_MS = 4_000;

export class Governor implements Estimate {
  readonly #spec: GovernorSpec;
  readonly #admission: Admission;
  readonly #alarm = new Alarm();
  readonly #graphs: readonly { readonly name: string; readonly pressure: GraphPressure; readonly ladder: Ladder }[];
  /** For each graph: the workers that an added call may come to, and its share of each. */
  readonly #sharesOf: ReadonlyMap<string, ReadonlyMap<number, number>>;
  #load: LoadReading;
  #timer: NodeJS.Timeout | undefined;
  seasonedCount = 0;
  isDistressed = false;

  constructor(spec: GovernorSpec) {
    const { plan, capacity } = spec;
    this.#spec = spec;
    const names = plan.graphs.map(({ name }) => name);
    const capacities = capacity === undefined || spec.mode === "live" ? undefined : capacitiesOf(capacity);
    this.#admission = new Admission(names, capacities);
    this.#graphs = plan.graphs.map((graph) => ({
      name: graph.name,
      pressure: new GraphPressure(plan, graph, spec.slo),
      ladder: new Ladder(),
    }));
    this.#sharesOf = new Map(plan.graphs.map(({ name, nodes }) => [name, sharesOf(plan, nodes)]));
    this.#load = this.#snapshot();
  }

  /** `plan` if there is one, whatever was asked for. */
  get source(): "plan" | "live" {
    return this.#spec.capacity === undefined || this.#spec.mode === "live" ? "live" : "plan";
  }

  start(): void {
    // What the step times of a former process tell counts from the first call on.
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#spec.meter.stop();
  }

  opened(graph: string): void {
    this.#admission.opened(graph);
  }

  closed(graph: string, durationMs: number): void {
    this.#admission.closed(graph, durationMs);
  }

  level(graph: string): number {
    return this.#graphs.find(({ name }) => name === graph)?.ladder.level ?? 0;
  }

  /** Why one more call of the graph may not come in, if it may not. */
  objection(graph: string): SyrinxError | undefined {
    const reason = this.#admission.objection(graph);
    this.#admission.decided(graph, reason);
    if (reason === undefined) return undefined;
    this.#spec.metrics.callRefused(graph, reason);
    const retryAfterMs = this.#admission.retryAfterMs(this.#spec.nowMs());
    return new SyrinxError("CAPACITY_EXCEEDED", { graph, reason: REASONS[reason], retryAfterMs });
  }

  /** Looks at the load, moves the levels, and notes what may come in from now on. */
  look(): void {
    const { meter, nowMs, openedBefore, metrics } = this.#spec;
    const now = nowMs();
    meter.read(now, this.#admission.activeCount);
    this.#load = this.#snapshot();
    this.seasonedCount = openedBefore(now - SEASONED_MS);
    let unhelped = 0;
    for (const [index, { name, pressure, ladder }] of this.#graphs.entries()) {
      const isUsed = this.#admission.active.get(name)! > 0;
      const measured = isUsed ? pressure.measured(this.#load) : 0;
      if (this.#spec.degrade) this.#climb(index, isUsed ? this.#signal(pressure, measured) : 0, now);
      if (!this.#spec.degrade || ladder.isAtEnd) unhelped = Math.max(unhelped, measured);
    }
    this.isDistressed = this.#alarm.update(unhelped, now);
    this.#admission.looked(this);
    metrics.capacityUsed(this.#admission.usedShare);
    for (const { name, pressure, ladder } of this.#graphs) {
      const waitSeconds = pressure.predicted(this.#load, NOBODY, 0).waitMs / 1000;
      metrics.graphLoad(name, ladder.level, waitSeconds, this.#safeMax(name));
    }
  }

  /** Of the graphs that are in use, and this one. @param more calls of `graph` beside those open now */
  pressureWith(graph: string, more: number): number {
    const added = new Map<number, number>();
    for (const [worker, share] of this.#sharesOf.get(graph)!) added.set(worker, share * more);
    let worst = 0;
    for (const { name, pressure } of this.#graphs) {
      if (name !== graph && this.#admission.active.get(name) === 0) continue;
      const extra = this.#admission.activeCount + more - this.#load.process().callCount;
      worst = Math.max(worst, pressure.predicted(this.#load, added, extra).pressure);
    }
    return worst;
  }

  report(): AdmissionReport {
    const graphs: Record<string, GraphCapacityReport> = {};
    for (const { name, pressure, ladder } of this.#graphs) {
      graphs[name] = {
        active: this.#admission.active.get(name)!,
        safeMax: this.#safeMax(name),
        predictedP99Ms: rounded(pressure.predicted(this.#load, NOBODY, 0).waitMs),
        degradeLevel: ladder.level,
        accepting: this.#admission.objection(name) === undefined,
      };
    }
    const all = Object.values(graphs);
    const isFull = all.every(({ accepting }) => !accepting);
    return {
      source: this.source,
      usedShare: Math.round(this.#admission.usedShare * 1000) / 1000,
      predictedP99Ms: Math.max(...all.map(({ predictedP99Ms }) => predictedP99Ms)),
      degradeLevel: Math.max(...all.map(({ degradeLevel }) => degradeLevel)),
      retryAfterMs: isFull ? this.#admission.nextPlaceMs : 0,
      graphs,
    };
  }

  /** By plan, what was measured counts alone: the plan has foreseen the rest. */
  #signal(pressure: GraphPressure, measured: number): number {
    return this.source === "plan" ? measured : Math.max(measured, pressure.predicted(this.#load, NOBODY, 0).pressure);
  }

  #climb(index: number, pressure: number, nowMs: number): void {
    const { name, ladder } = this.#graphs[index]!;
    const before = ladder.level;
    const level = ladder.update(pressure, nowMs);
    if (level === before) return;
    this.#spec.levels.set(index, level);
    this.#spec.onLevel(name, level);
  }

  #safeMax(graph: string): number {
    return this.#admission.safeMax(graph, this.#spec.plan.server.maxCalls);
  }

  /** What the meter says, once: it is asked for many combinations. How many calls a worker has is as of the asking. */
  #snapshot(): LoadReading {
    const { plan, meter, callsOn } = this.#spec;
    const process = meter.process();
    const loads = new Map(plan.workers.map((worker, position) => [worker.index, meter.worker(position)]));
    return { process: () => process, worker: (index) => ({ ...loads.get(index)!, callCount: callsOn(index) }) };
  }
}

const NOBODY: ReadonlyMap<number, number> = new Map();

const REASONS: Readonly<Record<RefusalReason, string>> = {
  plan: "the capacity plan allows no more",
  estimate: "the estimate from step times and the present load allows no more",
  slow_start: "too few calls have been seen at work to know what more would do",
  distress: "calls are waiting too long already",
};

function capacitiesOf(file: CapacityFile): ReadonlyMap<string, number> {
  return new Map(Object.entries(file.graphs).map(([name, { capacity }]) => [name, capacity]));
}

function sharesOf(plan: Plan, nodes: readonly number[]): ReadonlyMap<number, number> {
  const shares = new Map<number, number>();
  for (const index of nodes) {
    const { workers } = plan.nodes[index]!;
    for (const worker of workers) shares.set(worker, 1 / workers.length);
  }
  return shares;
}

/** Infinity is no JSON: a wait of more than a minute is told as a minute. */
function rounded(ms: number): number {
  return Math.round(Math.min(60_000, ms) * 10) / 10;
}
