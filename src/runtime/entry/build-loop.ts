/** Makes an actor loop from the plan and the mesh: used by the worker's entry and by simulations. */
import type { ActorResources, AnyActor } from "../../actors/define.js";
import type { Clock } from "../../base/clock.js";
import { EDGE_OUT, type Plan, type PlanModel, type PlanNode } from "../../config/plan.js";
import type { FrameKind } from "../../frames/index.js";
import type { Model } from "../../models/family.js";
import { CallWords, type Doorbell, EdgeSequences, GraphLevels, StateSlab } from "../../ring/index.js";
import { BatchWindow } from "../batch-window.js";
import { HostedNode, type OutEdge } from "../hosted-node.js";
import { InLink } from "../in-link.js";
import { ActorLoop } from "../loop.js";
import type { LoopObserver } from "../loop-observer.js";
import { LoopSequences } from "../loop-sequences.js";
import { type Mesh, ROW_HEADER_BYTES } from "../mesh.js";
import { OutLink } from "../out-link.js";

export interface BuildSpec {
  readonly plan: Plan;
  readonly mesh: Mesh;
  readonly workerIndex: number;
  readonly clock: Clock;
  /** The worker's open model, if it owns one. */
  readonly model: Model | undefined;
  readonly findActor: (name: string) => AnyActor | undefined;
  readonly observer: LoopObserver;
  /** Where a thread that parks in its event loop is woken; by thread index. */
  readonly doorbellTo: (thread: number) => Doorbell | undefined;
  readonly wake: () => void;
  readonly log: ActorResources["log"];
}

export async function buildLoop(spec: BuildSpec): Promise<{ loop: ActorLoop; nodes: readonly HostedNode[] }> {
  const { plan, mesh, workerIndex, clock } = spec;
  const worker = plan.workers.find((candidate) => candidate.index === workerIndex)!;
  const nowUs = (): number => clock.nowUs();
  const nodes: HostedNode[] = [];
  for (const index of inGraphOrder(plan, worker.nodes)) nodes.push(await hostNode(spec, plan.nodes[index]!));
  const policy = worker.thread === "compute" ? "wait" : "hold";
  // Main first: what it is told comes before what others make of the same batch.
  const links = mesh.links.filter((link) => link.from === workerIndex).sort((a, b) => a.to - b.to);
  const planned = plan.models.find((candidate) => candidate.name === worker.model);
  const level = levelOf(plan, mesh, new Set(worker.nodes.map((node) => plan.nodes[node]!.graph)));
  const loop = new ActorLoop({
    workerIndex,
    nodes,
    inbound: mesh.links.filter((link) => link.to === workerIndex).map((link) => new InLink(link)),
    outbound: links.map((link) => new OutLink(link, mesh.bells[link.to]!, policy, nowUs, spec.doorbellTo(link.to))),
    words: new CallWords(mesh.words),
    sequences: new LoopSequences(
      new EdgeSequences(mesh.sequences, Math.max(1, plan.edges.length), mesh.slotCount),
      plan.edges,
    ),
    nowUs,
    graphs: new Map(plan.graphs.map((graph) => [graph.name, graph])),
    observer: spec.observer,
    window: planned === undefined ? undefined : windowOf(planned, spec.model, level),
    wake: spec.wake,
  });
  return { loop, nodes };
}

/** The level of the most degraded of these graphs. Allocates nothing when asked. */
function levelOf(plan: Plan, mesh: Mesh, graphs: ReadonlySet<string>): () => number {
  const levels = new GraphLevels(mesh.levels);
  const indices = plan.graphs.flatMap(({ name }, index) => (graphs.has(name) ? [index] : []));
  return () => {
    let most = 0;
    for (const index of indices) most = Math.max(most, levels.level(index));
    return most;
  };
}

function windowOf(
  { batchMax, batchWaitMs, batchDeadlineMs }: PlanModel,
  model: Model | undefined,
  level: () => number,
): BatchWindow {
  return new BatchWindow({
    rowsMax: batchMax,
    waitUs: batchWaitMs * 1000,
    deadlineUs: batchDeadlineMs * 1000,
    steps: model?.steps,
    level,
  });
}

function inGraphOrder(plan: Plan, hosted: readonly number[]): number[] {
  const order = plan.graphs.flatMap((graph) => graph.nodes);
  return [...hosted].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

async function hostNode(spec: BuildSpec, node: PlanNode): Promise<HostedNode> {
  const { plan, mesh } = spec;
  const definition = spec.findActor(node.actor)!;
  const inEdges = plan.edges.filter((edge) => edge.to === node.index);
  const outEdges: OutEdge[] = plan.edges
    .filter((edge) => edge.from === node.index)
    .map(({ index, to, kinds, onFull }) => ({
      index,
      to,
      kinds: new Set<FrameKind>(kinds),
      mayDrop: onFull === "drop-newest" && to !== EDGE_OUT,
    }));
  const planned = plan.models.find((model) => model.name === node.model);
  const instance = await definition.create(node.options, {
    nodeName: `${node.graph}.${node.name}`,
    // The plan was checked: a node with a task sits on the worker of a model of that task.
    model: spec.model as never,
    clock: spec.clock,
    inputKinds: new Set(inEdges.flatMap((edge) => edge.kinds)),
    batchMax: planned?.batchMax ?? plan.server.maxCalls,
    deadlineUs: (planned?.batchDeadlineMs ?? 0) * 1000,
    degradeLevel: levelOf(plan, mesh, new Set([node.graph])),
    log: spec.log,
  });
  const slab = mesh.slabs[node.index];
  const rows = slab === undefined ? undefined : new StateSlab(slab, ROW_HEADER_BYTES + node.stateBytes);
  const fenceEdges = inEdges.filter((edge) => edge.kinds.includes("fence")).length;
  return new HostedNode(node, definition, instance, outEdges, fenceEdges, rows);
}
