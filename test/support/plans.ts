/** Plans built by hand, for tests of the runtime that need workers where they want them and no configuration. */

import { EDGE_IN, EDGE_OUT, type Plan, type PlanEdge, type PlanNode, type PlanWorker } from "../../src/config/plan.js";
import type { FrameKind } from "../../src/frames/index.js";

export interface ChainNode {
  readonly name: string;
  readonly actor: string;
  readonly options?: unknown;
  /** 1-based; nodes of one worker share it. Several: replicas. */
  readonly worker: number | readonly number[];
  readonly stateBytes?: number;
  /** Kinds on the edge to the next node, and on the edge to main. */
  readonly next?: readonly FrameKind[];
  readonly out?: readonly FrameKind[];
}

export interface ChainOptions {
  readonly io?: readonly number[];
  readonly maxCalls?: number;
  readonly modules?: readonly string[];
  readonly hasAgent?: boolean;
}

/** One graph `test`, a chain of the given nodes. */
export function chainPlan(chain: readonly ChainNode[], options: ChainOptions = {}): Plan {
  const workersOf = (node: ChainNode): readonly number[] =>
    typeof node.worker === "number" ? [node.worker] : node.worker;
  const nodes: PlanNode[] = chain.map((node, index) => ({
    index,
    graph: "test",
    name: node.name,
    actor: node.actor,
    options: node.options ?? {},
    model: undefined,
    workers: workersOf(node),
    stateBytes: node.stateBytes ?? 0,
    latencyMs: 0,
  }));
  const edges: PlanEdge[] = [];
  const edge = (from: number, to: number, kinds: readonly FrameKind[]): number => {
    const onFull = kinds.includes("audio.in") ? "drop-newest" : "block-source";
    edges.push({ index: edges.length, graph: "test", from, to, kinds, onFull });
    return edges.length - 1;
  };
  edge(EDGE_IN, 0, ["audio.in", "text", "reply", "fence", "close"]);
  chain.slice(0, -1).forEach((node, index) => {
    edge(index, index + 1, [...(node.next ?? ["audio.in"]), "fence", "close"]);
    if (node.out !== undefined) edge(index, EDGE_OUT, node.out);
  });
  const terminal = edge(chain.length - 1, EDGE_OUT, [...(chain.at(-1)!.out ?? []), "fence", "close"]);
  const indices = [...new Set(chain.flatMap(workersOf))].sort((a, b) => a - b);
  const workers: PlanWorker[] = indices.map((index) => ({
    index,
    name: `worker-${index}`,
    thread: options.io?.includes(index) === true ? "io" : "compute",
    model: undefined,
    nodes: nodes.filter((node) => node.workers.includes(index)).map((node) => node.index),
  }));
  return {
    version: 1,
    baseFolder: ".",
    server: {
      host: "127.0.0.1",
      port: 0,
      maxCalls: options.maxCalls ?? 8,
      apiKeys: undefined,
      idleTimeoutMs: 60_000,
      logLevel: "silent",
      logContent: false,
    },
    models: [],
    nodes,
    edges,
    graphs: [
      {
        name: "test",
        nodes: nodes.map((node) => node.index),
        accepts: ["audio.in", "text"],
        finalizeEdges: [terminal],
        terminalEdges: [terminal],
        hasAgent: options.hasAgent ?? false,
        latencyMs: 0,
      },
    ],
    workers,
    routes: [],
    modules: options.modules ?? [new URL("./test-actors.js", import.meta.url).href],
  };
}
