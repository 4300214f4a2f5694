/** Tells the metrics where the shared memory of a runtime lies. Main thread; once at start, and when a model is open. */
import type { Plan } from "../config/plan.js";
import { Ring } from "../ring/index.js";
import { type Metrics, StatsReader, workerSections } from "../telemetry/index.js";
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

/** @param device where the worker's model was found to run */
export function watchWorker({ metrics, plan, stats }: WatchSpec, position: number, device: string): void {
  const worker = plan.workers[position]!;
  metrics.watchWorker({
    worker: worker.name,
    reader: new StatsReader(stats[position]!, workerSections(worker.nodes.length)),
    nodes: worker.nodes.map((index) => {
      const node = plan.nodes[index]!;
      return { graph: node.graph, stage: node.name, model: node.model ?? "none", device };
    }),
  });
}
