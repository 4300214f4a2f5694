/** A plan for people: which node runs where, what travels between, which edges cross a ring. For `syrinx graph`. */
import { EDGE_IN, EDGE_OUT, type Plan, type PlanEdge, type PlanGraph, type PlanNode } from "./plan.js";

export type DescribeFormat = "text" | "mermaid" | "dot";

const MAIN = 0;

/** Never throws for a valid plan; shows no secrets. No trailing newline. */
export function describePlan(plan: Plan, options: { readonly format?: DescribeFormat } = {}): string {
  switch (options.format ?? "text") {
    case "mermaid":
      return asMermaid(plan);
    case "dot":
      return asDot(plan);
    default:
      return asText(plan);
  }
}

export interface RingPair {
  /** Worker index; 0 is the main thread. */
  readonly from: number;
  readonly to: number;
  /** Indices of the edges that share it. Empty: control only (opens, aborts, errors). */
  readonly edges: readonly number[];
}

/** Every pair of threads that needs rings: those with an edge between them, and main with each worker both ways. */
export function ringPairs(plan: Plan): readonly RingPair[] {
  const pairs = new Map<string, { from: number; to: number; edges: number[] }>();
  const pair = (from: number, to: number): { edges: number[] } => {
    const key = `${from}:${to}`;
    const found = pairs.get(key) ?? { from, to, edges: [] };
    pairs.set(key, found);
    return found;
  };
  for (const worker of plan.workers) {
    pair(MAIN, worker.index);
    pair(worker.index, MAIN);
  }
  for (const edge of plan.edges) {
    const [producers, consumers] = ends(plan, edge);
    for (const from of producers) for (const to of consumers) if (from !== to) pair(from, to).edges.push(edge.index);
  }
  return [...pairs.values()].sort((a, b) => a.from - b.from || a.to - b.to);
}

function ends(plan: Plan, edge: PlanEdge): [readonly number[], readonly number[]] {
  return [
    edge.from === EDGE_IN ? [MAIN] : plan.nodes[edge.from]!.workers,
    edge.to === EDGE_OUT ? [MAIN] : plan.nodes[edge.to]!.workers,
  ];
}

/** A call has one worker per node, so an edge is local exactly if both ends have the same workers. */
function isLocal(plan: Plan, edge: PlanEdge): boolean {
  const [producers, consumers] = ends(plan, edge);
  return producers.join() === consumers.join();
}

function workerName(plan: Plan, index: number): string {
  return index === MAIN ? "main" : (plan.workers.find((worker) => worker.index === index)?.name ?? String(index));
}

function workerNames(plan: Plan, indices: readonly number[]): string {
  return indices.map((index) => workerName(plan, index)).join(", ");
}

function endName(plan: Plan, index: number): string {
  if (index === EDGE_IN) return "in";
  return index === EDGE_OUT ? "out" : plan.nodes[index]!.name;
}

function asText(plan: Plan): string {
  const blocks = plan.graphs.map((graph) => graphText(plan, graph));
  const workers = plan.workers.map((worker) => [
    `  ${worker.name}`,
    `${worker.thread} thread`,
    worker.model === undefined ? "event loop" : `owns the model ${worker.model}`,
    worker.nodes.map((node) => `${plan.nodes[node]!.graph}.${plan.nodes[node]!.name}`).join(", "),
  ]);
  blocks.push(["workers", ...table([["  main", "main thread", "sockets, call table, events"], ...workers])].join("\n"));
  const rings = ringPairs(plan).map(({ from, to, edges }) => [
    `  ${workerName(plan, from)} → ${workerName(plan, to)}`,
    edges.length === 0 ? "control only" : `${edges.length} ${edges.length === 1 ? "edge" : "edges"}`,
  ]);
  blocks.push(["rings (a data and a priority ring each)", ...table(rings)].join("\n"));
  const routes = plan.routes.map((route) => [
    `  ${route.path}`,
    route.face,
    route.options.anyGraph === true ? `${route.graph}, or ?graph=NAME` : route.graph,
  ]);
  if (routes.length > 0) blocks.push(["routes", ...table(routes)].join("\n"));
  return blocks.join("\n\n");
}

function graphText(plan: Plan, graph: PlanGraph): string {
  const nodes = graph.nodes.map((index) => {
    const node = plan.nodes[index]!;
    const what = node.model === undefined ? node.actor : `${node.actor} with ${node.model}`;
    return [`    ${node.name}`, what, `on ${workerNames(plan, node.workers)}`, `${node.latencyMs} ms`];
  });
  const edges = edgesOf(plan, graph).map((edge) => [
    `    ${endName(plan, edge.from)} → ${endName(plan, edge.to)}`,
    isLocal(plan, edge) ? "same worker" : `ring, ${edge.onFull}`,
    edge.kinds.join(" "),
  ]);
  const takes = graph.accepts.length === 0 ? "nothing" : graph.accepts.join(" and ");
  return [
    `graph ${graph.name}: takes ${takes}; worst-case latency by design ${graph.latencyMs} ms`,
    "  nodes",
    ...table(nodes),
    "  edges",
    ...table(edges),
  ].join("\n");
}

function edgesOf(plan: Plan, graph: PlanGraph): readonly PlanEdge[] {
  return plan.edges.filter((edge) => edge.graph === graph.name);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

/** Nodes grouped by the workers that host them. */
function byWorkers(plan: Plan, graph: PlanGraph): Map<string, PlanNode[]> {
  const groups = new Map<string, PlanNode[]>();
  for (const index of graph.nodes) {
    const node = plan.nodes[index]!;
    const name = workerNames(plan, node.workers);
    groups.set(name, [...(groups.get(name) ?? []), node]);
  }
  return groups;
}

function nodeLabel(node: PlanNode): string {
  return node.name === node.actor ? node.name : `${node.name}: ${node.actor}`;
}

function endId(plan: Plan, graph: PlanGraph, index: number): string {
  const place = plan.graphs.indexOf(graph);
  if (index === EDGE_IN) return `g${place}in`;
  return index === EDGE_OUT ? `g${place}out` : `n${index}`;
}

function asMermaid(plan: Plan): string {
  const lines = ["flowchart LR"];
  for (const [place, graph] of plan.graphs.entries()) {
    lines.push(`  subgraph g${place}["${graph.name} (${graph.latencyMs} ms)"]`);
    lines.push(`    g${place}in(["in"])`, `    g${place}out(["out"])`);
    for (const [group, [workers, nodes]] of [...byWorkers(plan, graph)].entries()) {
      lines.push(`    subgraph g${place}w${group}["${workers}"]`);
      for (const node of nodes) lines.push(`      n${node.index}["${nodeLabel(node)}"]`);
      lines.push("    end");
    }
    for (const edge of edgesOf(plan, graph)) {
      const arrow = isLocal(plan, edge) ? "-.->" : "-->";
      lines.push(
        `    ${endId(plan, graph, edge.from)} ${arrow}|"${edge.kinds.join(" ")}"| ${endId(plan, graph, edge.to)}`,
      );
    }
    lines.push("  end");
  }
  return lines.join("\n");
}

function asDot(plan: Plan): string {
  const lines = ["digraph syrinx {", "  rankdir=LR;", "  node [shape=box];"];
  for (const [place, graph] of plan.graphs.entries()) {
    lines.push(`  subgraph cluster_g${place} {`, `    label="${graph.name} (${graph.latencyMs} ms)";`);
    lines.push(`    g${place}in [label="in", shape=oval];`, `    g${place}out [label="out", shape=oval];`);
    for (const [group, [workers, nodes]] of [...byWorkers(plan, graph)].entries()) {
      lines.push(`    subgraph cluster_g${place}w${group} {`, `      label="${workers}";`);
      for (const node of nodes) lines.push(`      n${node.index} [label="${nodeLabel(node)}"];`);
      lines.push("    }");
    }
    for (const edge of edgesOf(plan, graph)) {
      const style = isLocal(plan, edge) ? ", style=dashed" : "";
      const kinds = edge.kinds.join("\\n");
      lines.push(`    ${endId(plan, graph, edge.from)} -> ${endId(plan, graph, edge.to)} [label="${kinds}"${style}];`);
    }
    lines.push("  }");
  }
  lines.push("}");
  return lines.join("\n");
}
