/** The governor over a real runtime's memory, as its plan says; none if admission is off. Main thread; reads a small file. */
import type { Plan } from "../../config/plan.js";
import { GraphLevels } from "../../ring/index.js";
import { type Logger, type Metrics, StatsReader, workerSections } from "../../telemetry/index.js";
import type { Mesh } from "../mesh.js";
import { type CapacityFile, capacityKey, machineOf, readCapacity } from "./capacity-file.js";
import { Governor, type GovernorSpec } from "./governor.js";
import { LoadMeter } from "./load-meter.js";
import { RealProcessProbe } from "./process-probe.js";

export interface RuntimeParts extends Pick<GovernorSpec, "nowMs" | "callsOn" | "openedBefore" | "onLevel"> {
  readonly plan: Plan;
  readonly mesh: Mesh;
  /** By position in the plan's workers. */
  readonly stats: readonly SharedArrayBuffer[];
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Throws CAPACITY_FILE_INVALID. */
export function createGovernor({ plan, mesh, stats, log, ...rest }: RuntimeParts): Governor | undefined {
  const { admission } = plan.server;
  if (admission === undefined || admission.mode === "off") return undefined;
  const capacity = admission.mode === "live" ? undefined : readCapacity(plan);
  tell(log, plan, capacity, admission.mode);
  const readers = plan.workers.map(
    (worker, position) => new StatsReader(stats[position]!, workerSections(worker.nodes.length)),
  );
  return new Governor({
    ...rest,
    plan,
    mode: admission.mode,
    slo: capacity?.slo ?? admission.slo,
    degrade: admission.degrade,
    capacity,
    meter: new LoadMeter(plan, readers, new RealProcessProbe()),
    levels: new GraphLevels(mesh.levels),
  });
}

function tell(log: Logger, plan: Plan, capacity: CapacityFile | undefined, mode: "plan" | "live"): void {
  if (capacity === undefined) {
    const hint = mode === "plan" ? "`syrinx plan` measures how many calls this machine serves" : undefined;
    log.info({ hint }, "calls are admitted by estimate");
    return;
  }
  const graphs = Object.fromEntries(
    Object.entries(capacity.graphs).map(([name, { capacity: calls }]) => [name, calls]),
  );
  log.info({ graphs, about: capacity.about }, "calls are admitted by the capacity plan");
  const missing = plan.graphs.map(({ name }) => name).filter((name) => !Object.hasOwn(capacity.graphs, name));
  if (missing.length > 0)
    log.warn({ graphs: missing }, "graphs are not in the capacity plan and get one call at a time");
  if (capacity.key === capacityKey(plan)) return;
  log.warn({ plan: capacity.about, here: machineOf() }, "the capacity plan is of other models or of another machine");
}
