/** Checked drafts → plan: numbers for names, workers for models, edges with their kinds. Pure. */
import type { FrameKind } from "../frames/kinds.js";
import { modelId } from "../models/catalogue/index.js";
import type { ModelTask } from "../models/family.js";
import { type GraphDraft, IN, type ModelDraft, modelTaskOf, type NodeDraft } from "./drafts.js";
import {
  EDGE_IN,
  EDGE_OUT,
  type OnFull,
  type PlanEdge,
  type PlanGraph,
  type PlanModel,
  type PlanNode,
  type PlanWorker,
} from "./plan.js";
import { CALLER_KINDS, kindsForCaller, type WiredEdge, type Wiring } from "./wiring.js";

export interface WiredGraph {
  readonly draft: GraphDraft;
  readonly wiring: Wiring;
}

export interface Layout {
  readonly models: readonly PlanModel[];
  readonly nodes: readonly PlanNode[];
  readonly edges: readonly PlanEdge[];
  readonly graphs: readonly PlanGraph[];
  readonly workers: readonly PlanWorker[];
}

/** Requires that no check found an error. Latencies and state sizes come from the actors: their code runs here. */
export function compile(models: readonly ModelDraft[], graphs: readonly WiredGraph[]): Layout {
  const used = new Set(graphs.flatMap(({ draft }) => draft.nodes.map((node) => node.model?.name)));
  const placement = placeNodes(
    models.filter((model) => used.has(model.name)),
    graphs,
  );
  const nodes: PlanNode[] = [];
  const edges: PlanEdge[] = [];
  const planned: PlanGraph[] = [];
  for (const graph of graphs) {
    const indices = new Map<NodeDraft, number>();
    for (const node of graph.wiring.order) {
      indices.set(node, nodes.length);
      nodes.push(planNode(node, nodes.length, placement.workersOf.get(node)!));
    }
    planned.push(planGraph(graph, indices, nodes, edges));
  }
  const workers = placement.workers.map((worker) => ({
    ...worker,
    nodes: nodes.filter((node) => node.workers.includes(worker.index)).map((node) => node.index),
  }));
  return { models: models.map(planModel), nodes, edges, graphs: planned, workers };
}

/**
 * A detector and a filter: two frames. A recogniser: less than the time between two partials; so a question about a turn,
 * which somebody waits for. A voice: what nobody calls slow.
 */
const DEADLINES_MS: Readonly<Record<ModelTask, number>> = { vad: 40, denoise: 40, stt: 160, turn: 160, tts: 400 };

function planModel(draft: ModelDraft): PlanModel {
  const config = draft.config!;
  return {
    name: draft.name,
    family: draft.family!.name,
    task: draft.family!.task,
    ...(draft.catalogue === undefined ? {} : { catalogue: modelId(draft.catalogue.model) }),
    options: draft.options,
    device: config.device,
    replicas: config.replicas,
    standby: config.standby,
    batchMax: config.batch.max,
    batchWaitMs: config.batch.waitMs,
    batchDeadlineMs: config.batch.deadlineMs ?? DEADLINES_MS[draft.family!.task],
    session: config.session,
  };
}

function planNode(draft: NodeDraft, index: number, workers: readonly number[]): PlanNode {
  const actor = draft.actor!;
  const options = draft.options!.data;
  return {
    index,
    graph: draft.graph,
    name: draft.name,
    actor: actor.name,
    options,
    model: modelTaskOf(draft) === undefined ? undefined : draft.model!.name,
    workers,
    stateBytes: actor.stateBytes?.(options) ?? 0,
    latencyMs: actor.latencyMs(options),
  };
}

interface Placement {
  readonly workers: readonly Omit<PlanWorker, "nodes">[];
  readonly workersOf: ReadonlyMap<NodeDraft, readonly number[]>;
}

/**
 * A node with a model lives on that model's workers, one with asynchronous work on the I/O worker, any other where its
 * first upstream node lives: its frames then cross no ring. What the caller feeds directly goes to the I/O worker.
 */
function placeNodes(models: readonly ModelDraft[], graphs: readonly WiredGraph[]): Placement {
  const IO = "io";
  const homes = new Map<NodeDraft, string>();
  for (const { wiring } of graphs) {
    for (const node of wiring.order) {
      const actor = node.actor!;
      if (modelTaskOf(node) !== undefined) homes.set(node, `model ${node.model!.name}`);
      else if (actor.thread === "io") homes.set(node, IO);
      else {
        const upstream = wiring.edges.find((edge) => edge.to === node && edge.from !== IN && !edge.isFeedback)?.from;
        homes.set(node, upstream === undefined || upstream === IN ? IO : homes.get(upstream)!);
      }
    }
  }
  const workers: Omit<PlanWorker, "nodes">[] = [];
  const indices = new Map<string, number[]>([[IO, []]]);
  const add = (home: string, worker: Pick<PlanWorker, "name" | "thread" | "model">): void => {
    workers.push({ index: workers.length + 1, ...worker });
    indices.get(home)!.push(workers.length);
  };
  if ([...homes.values()].includes(IO)) add(IO, { name: IO, thread: "io", model: undefined });
  for (const { name, config } of models) {
    indices.set(`model ${name}`, []);
    for (let replica = 0; replica < config!.replicas; replica++) {
      add(`model ${name}`, { name: `${name}/${replica}`, thread: "compute", model: name });
    }
  }
  return { workers, workersOf: new Map([...homes].map(([node, home]) => [node, indices.get(home)!])) };
}

const CONTROL: readonly FrameKind[] = ["fence", "close"];

function planGraph(
  { draft, wiring }: WiredGraph,
  indices: ReadonlyMap<NodeDraft, number>,
  nodes: readonly PlanNode[],
  edges: PlanEdge[],
): PlanGraph {
  const add = (from: number, to: number, kinds: readonly FrameKind[], onFull?: OnFull): number => {
    const policy = onFull ?? (kinds.includes("audio.in") ? "drop-newest" : "block-source");
    edges.push({ index: edges.length, graph: draft.name, from, to, kinds, onFull: policy });
    return edges.length - 1;
  };
  for (const node of wiring.order) {
    for (const edge of wiring.edges) {
      if (edge.to !== node) continue;
      const kinds = edge.isFeedback ? edge.kinds : [...edge.kinds, ...CONTROL];
      // The caller is never made to wait: its edges keep their default.
      if (edge.from === IN) add(EDGE_IN, indices.get(node)!, kinds);
      else add(indices.get(edge.from)!, indices.get(node)!, kinds, node.onFull);
    }
  }
  const sent = kindsForCaller(draft, wiring);
  const finalizers = finalizeNodes(wiring);
  const finalizeEdges: number[] = [];
  const terminalEdges: number[] = [];
  for (const node of wiring.order) {
    const isTerminal = wiring.sinks.includes(node);
    const isFinalizer = finalizers.includes(node);
    const kinds = [...(sent.get(node) ?? [])];
    // A reply is over when its audio has left the last node, so that node's word counts, though it only passes it on.
    if (isTerminal && passesReply(node, wiring) && !kinds.includes("reply")) kinds.push("reply");
    if (isTerminal) kinds.push(...CONTROL);
    else if (isFinalizer) kinds.push("fence");
    if (kinds.length === 0) continue;
    const edge = add(indices.get(node)!, EDGE_OUT, kinds);
    if (isTerminal) terminalEdges.push(edge);
    if (isFinalizer) finalizeEdges.push(edge);
  }
  const fromCaller = wiring.edges.filter((edge) => edge.from === IN).flatMap((edge) => edge.kinds);
  return {
    name: draft.name,
    nodes: wiring.order.map((node) => indices.get(node)!),
    accepts: [
      ...CALLER_KINDS.filter((kind) => kind !== "reply" && fromCaller.includes(kind)),
      // Comes past all edges, as priority frames do.
      ...(draft.nodes.some((node) => node.actor!.inputs.includes("ask")) ? (["ask"] as const) : []),
    ],
    finalizeEdges,
    terminalEdges,
    hasAgent: draft.nodes.some((node) => node.actor!.outputs.includes("reply")),
    latencyMs: longestPathMs(wiring, (node) => nodes[indices.get(node)!]!.latencyMs),
  };
}

function passesReply(node: NodeDraft, wiring: Wiring): boolean {
  const reaches = wiring.edges.some((edge) => edge.to === node && edge.kinds.includes("reply"));
  return reaches && node.actor!.forwards.includes("reply");
}

/** The last recognisers: those without another below them; in a graph without any, the last nodes. */
function finalizeNodes(wiring: Wiring): readonly NodeDraft[] {
  const recognisers = wiring.order.filter((node) => node.actor!.task === "stt");
  const last = recognisers.filter(
    (node) => !recognisers.some((other) => other !== node && isBelow(other, node, wiring)),
  );
  return last.length > 0 ? last : wiring.sinks;
}

function isBelow(lower: NodeDraft, upper: NodeDraft, wiring: Wiring): boolean {
  return forwardInputs(lower, wiring).some(
    ({ from }) => from !== IN && (from === upper || isBelow(from, upper, wiring)),
  );
}

function longestPathMs(wiring: Wiring, latencyMs: (node: NodeDraft) => number): number {
  const until = new Map<NodeDraft, number>();
  for (const node of wiring.order) {
    const before = forwardInputs(node, wiring).map(({ from }) => (from === IN ? 0 : until.get(from)!));
    const beforeMs = Math.max(0, ...before);
    const ownMs = latencyMs(node);
    until.set(node, node.actor!.latencyOverlaps === true ? Math.max(beforeMs, ownMs) : beforeMs + ownMs);
  }
  return Math.max(0, ...until.values());
}

function forwardInputs(node: NodeDraft, wiring: Wiring): readonly WiredEdge[] {
  return wiring.edges.filter((edge) => edge.to === node && !edge.isFeedback);
}
