/**
 * How near each graph is to missing its promise, measured and predicted. 1 is what the promise can bear: half of it may go
 * into predicted waiting, as computing takes time too; measured waiting may reach it.
 *
 * A promise speaks of a stretch of the graph: a final transcript of the nodes down to the last recogniser, the first audio of
 * all of them. Each node counts once per worker, with the wait of the worker's queue.
 */
import type { AdmissionSlo, Plan, PlanGraph } from "../../config/plan.js";
import { coreStretch, mainP99Ms, type ProcessLoad, queueP99Ms, type WorkerLoad } from "./load-model.js";

const QUEUE_SHARE = 0.5;

/** One promise of one graph. */
interface Stretch {
  readonly promiseMs: number;
  /** For each node on it: the workers, one of which serves the call. */
  readonly stations: readonly (readonly number[])[];
}

export interface LoadReading {
  /** By worker index. */
  worker(index: number): WorkerLoad;
  process(): ProcessLoad;
}

export interface Prediction {
  /** 1: as much as the promise can bear. */
  readonly pressure: number;
  readonly waitMs: number;
}

export class GraphPressure {
  readonly #stretches: readonly Stretch[];

  constructor(plan: Plan, graph: PlanGraph, slo: AdmissionSlo) {
    this.#stretches = stretchesOf(plan, graph, slo);
  }

  /** What waiting takes of the promise now: the worst of its stretches. */
  measured(load: LoadReading): number {
    const wait = (workers: readonly number[]): number =>
      Math.max(...workers.map((index) => load.worker(index).queueP99Ms));
    return this.#worst(wait, load.process().mainDelayP99Ms).pressure;
  }

  /**
   * The 99th percentile of the wait as it would be with more calls, and how much that is of what the promise can bear.
   * @param addedTo how many more on each worker, by its index
   * @param added how many more in all
   */
  predicted(load: LoadReading, addedTo: ReadonlyMap<number, number>, added: number): Prediction {
    const process = load.process();
    const stretch = coreStretch(process, process.callCount + added);
    const waitAt = (index: number): number => {
      const worker = load.worker(index);
      return stretch * queueP99Ms(worker, worker.callCount + (addedTo.get(index) ?? 0));
    };
    const wait = (workers: readonly number[]): number => Math.max(...workers.map(waitAt));
    const { pressure, waitMs } = this.#worst(wait, mainP99Ms(process, process.callCount + added));
    return { pressure: pressure / QUEUE_SHARE, waitMs };
  }

  #worst(waitOf: (workers: readonly number[]) => number, mainMs: number): Prediction {
    let pressure = 0;
    let waitMs = 0;
    for (const { promiseMs, stations } of this.#stretches) {
      const totalMs = stations.reduce((sum, workers) => sum + waitOf(workers), mainMs);
      pressure = Math.max(pressure, totalMs / promiseMs);
      waitMs = Math.max(waitMs, totalMs);
    }
    return { pressure, waitMs };
  }
}

function stretchesOf(plan: Plan, graph: PlanGraph, slo: AdmissionSlo): readonly Stretch[] {
  const nodes = graph.nodes.map((index) => plan.nodes[index]!);
  const taskOf = (model: string | undefined) => plan.models.find(({ name }) => name === model)?.task;
  const lastEars = nodes.findLastIndex(({ model }) => taskOf(model) === "stt");
  const stations = (count: number): (readonly number[])[] => {
    const byWorkers = new Map(nodes.slice(0, count).map(({ workers }) => [workers.join(), workers]));
    return [...byWorkers.values()];
  };
  const stretches: Stretch[] = [];
  if (lastEars >= 0) stretches.push({ promiseMs: slo.finalP95Ms, stations: stations(lastEars + 1) });
  if (nodes.some(({ model }) => taskOf(model) === "tts")) {
    stretches.push({ promiseMs: slo.ttfaP95Ms, stations: stations(nodes.length) });
  }
  if (stretches.length === 0) stretches.push({ promiseMs: slo.lagP95Ms, stations: stations(nodes.length) });
  return stretches;
}
