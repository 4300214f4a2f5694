/**
 * The memory that all threads of one runtime share: made once by the main thread from the plan, handed to every worker,
 * and to every successor of a worker, as it is. It outlives all of them.
 */
import { LIMITS } from "../base/limits.js";
import { EDGE_IN, EDGE_OUT, type Plan } from "../config/plan.js";
import {
  createBellBuffer,
  createCallWordsBuffer,
  createEdgeSequencesBuffer,
  createGraphLevelsBuffer,
  createRingBuffer,
  createSlabBuffer,
} from "../ring/index.js";

/** Bytes at the head of each state row that belong to the loop, not to the actor. */
export const ROW_HEADER_BYTES = 64;

/** The main thread's index among the threads of a mesh; workers are 1 … n as in the plan. */
export const MAIN_THREAD = 0;

/** One pair of rings from one thread to another. */
export interface MeshLink {
  readonly from: number;
  readonly to: number;
  readonly data: SharedArrayBuffer;
  readonly priority: SharedArrayBuffer;
}

export interface Mesh {
  /** Distinguishes the doorbells of several runtimes in one process. */
  readonly id: string;
  /** Origin of every clock of this runtime. */
  readonly baseNs: bigint;
  readonly slotCount: number;
  readonly words: SharedArrayBuffer;
  readonly sequences: SharedArrayBuffer;
  /** How far each graph is degraded. */
  readonly levels: SharedArrayBuffer;
  /** One per thread, by thread index. */
  readonly bells: readonly SharedArrayBuffer[];
  readonly links: readonly MeshLink[];
  /** By node index; `undefined` for nodes without saved state. */
  readonly slabs: readonly (SharedArrayBuffer | undefined)[];
}

/** Allocates everything. Pages are touched only as they are used, so unused slots cost address space alone. */
export function createMesh(plan: Plan, id: string, baseNs: bigint, ringBytes: number = LIMITS.ringBytes): Mesh {
  const slotCount = plan.server.maxCalls;
  const pairs = new Set<string>();
  for (const worker of plan.workers) {
    // Every worker hears of opens and aborts from main, and reports errors to it.
    pairs.add(`${MAIN_THREAD}:${worker.index}`).add(`${worker.index}:${MAIN_THREAD}`);
  }
  for (const edge of plan.edges) {
    const producers = edge.from === EDGE_IN ? [MAIN_THREAD] : plan.nodes[edge.from]!.workers;
    const consumers = edge.to === EDGE_OUT ? [MAIN_THREAD] : plan.nodes[edge.to]!.workers;
    for (const from of producers) for (const to of consumers) if (from !== to) pairs.add(`${from}:${to}`);
  }
  const links = [...pairs].map((pair) => {
    const [from, to] = pair.split(":").map(Number) as [number, number];
    return { from, to, data: createRingBuffer(ringBytes), priority: createRingBuffer(LIMITS.priorityRingBytes) };
  });
  return {
    id,
    baseNs,
    slotCount,
    words: createCallWordsBuffer(slotCount),
    sequences: createEdgeSequencesBuffer(Math.max(1, plan.edges.length), slotCount),
    levels: createGraphLevelsBuffer(plan.graphs.length),
    bells: [MAIN_THREAD, ...plan.workers.map((worker) => worker.index)].map(() => createBellBuffer()),
    links,
    slabs: plan.nodes.map((node) =>
      node.stateBytes > 0 ? createSlabBuffer(slotCount, ROW_HEADER_BYTES + node.stateBytes) : undefined,
    ),
  };
}

/** The channel on which a thread that parks in its event loop is woken. Survives restarts: it is found by name. */
export function doorbellName(mesh: Mesh, threadIndex: number): string {
  return `syrinx-bell-${mesh.id}-${threadIndex}`;
}
