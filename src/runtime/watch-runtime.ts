/** Tells the metrics where the shared memory of a runtime lies. Main thread; once at start, and when a model is open. */
import type { Plan, PlanWorker } from "../config/plan.js";
import { Ring } from "../ring/index.js";
import { type Metrics, StatsReader, workerSections } from "../telemetry/index.js";
import type { WorkerReport } from "./control.js";
import { MAIN_THREAD, type Mesh } from "./mesh.js";

export interface WatchSpec {
  readonly metrics: Metrics;
  readonly plan: Plan;
  readonly mesh: Mesh;
  /** By position in `plan.workers`. */
  readonly stats: readonly SharedArrayBuffer[];
}

export function watchRings({ metrics, plan, mesh }: WatchSpec): void {
  const nameOf = (thread: number): string =>
    thread === MAIN_THREAD ? "main" : plan.workers.find((worker) => worker.index === thread)!.name;
  for (const link of mesh.links) {
    for (const lane of ["data", "priority"] as const) {
      const ring = new Ring(link[lane]);
      metrics.watchRing({
        edge: `${nameOf(link.from)}>${nameOf(link.to)}${lane === "data" ? "" : " priority"}`,
        read: () => ({
          fillBytes: ring.fillBytes,
          highWaterBytes: ring.highWaterBytes,
          capacityBytes: ring.capacityBytes,
          droppedCount: ring.droppedCount,
        }),
      });
    }
  }
}

/** A worker runs, for the first time or again. */
export function tellStarted(spec: WatchSpec, worker: PlanWorker, report: WorkerReport): void {
  const { metrics, plan } = spec;
  const { device, description, loadMs } = report;
  watchWorker(spec, worker, device);
  metrics.workerState(worker.name, "running");
  const model = plan.models.find((candidate) => candidate.name === worker.model);
  if (model === undefined) return;
  const sha256 = /sha256 ([0-9a-f]+)/.exec(description)?.[1];
  const loaded = { model: model.name, family: model.family, device, seconds: loadMs / 1000 };
  metrics.modelLoaded(sha256 === undefined ? loaded : { ...loaded, sha256 });
}

/** A worker has died, and another takes its place. */
export function tellRestarting({ metrics, plan }: WatchSpec, worker: PlanWorker, reason: string): void {
  const actors = worker.nodes.map((node) => plan.nodes[node]!.actor);
  metrics.workerRestarted(actors, reason.includes("memory") ? "out_of_memory" : "exception");
  metrics.workerState(worker.name, "restarting");
}

/** @param device where the worker's model was found to run */
function watchWorker({ metrics, plan, stats }: WatchSpec, worker: PlanWorker, device: string): void {
  const position = plan.workers.indexOf(worker);
  metrics.watchWorker({
    worker: worker.name,
    reader: new StatsReader(stats[position]!, workerSections(worker.nodes.length)),
    nodes: worker.nodes.map((index) => {
      const node = plan.nodes[index]!;
      return { graph: node.graph, stage: node.name, model: node.model ?? "none", device };
    }),
  });
}
