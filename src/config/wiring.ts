/**
 * How the nodes of one graph hang together: which edges there are, what travels on them, in which order nodes come. Pure;
 * works on broken graphs too, so that the checks can speak of all their faults at once.
 */
import { FRAME_KINDS, type FrameKind } from "../frames/kinds.js";
import { type GraphDraft, IN, type NamedPlace, type NodeDraft } from "./drafts.js";

export interface WiredEdge {
  readonly from: NodeDraft | typeof IN;
  readonly to: NodeDraft;
  /** The input that asked for it. */
  readonly place: NamedPlace;
  /** Closes a circle at a node with `feedback: true`; carries no fence and no close, since those would wait for themselves. */
  readonly isFeedback: boolean;
  /** Without `fence` and `close`, in the order of the consumer's declaration. */
  readonly kinds: readonly FrameKind[];
}

export interface Wiring {
  /** Topological, ties in the file's order. Nodes of a forbidden circle come last. */
  readonly order: readonly NodeDraft[];
  readonly edges: readonly WiredEdge[];
  /** Kinds that reach a node's inputs. */
  readonly reach: ReadonlyMap<NodeDraft, ReadonlySet<FrameKind>>;
  /** Nodes below one whose actor is unknown: nothing can be said about what reaches them. */
  readonly uncertain: ReadonlySet<NodeDraft>;
  readonly unreachable: readonly NodeDraft[];
  /** Nodes of one forbidden circle each, in its direction. */
  readonly cycles: readonly (readonly NodeDraft[])[];
  /** Nodes after which nothing comes. */
  readonly sinks: readonly NodeDraft[];
}

/** What the caller may send into a graph. A `reply` end goes with text: it says that a context is complete. */
export const CALLER_KINDS: readonly FrameKind[] = ["audio.in", "text", "reply"];

/** True of kinds that edges are made for: fence and close travel on every edge, priority frames on none. */
export function isEdgeData(kind: FrameKind): boolean {
  return kind !== "fence" && kind !== "close" && FRAME_KINDS[kind].lane === "data";
}

interface Link {
  readonly from: NodeDraft | typeof IN;
  readonly to: NodeDraft;
  readonly place: NamedPlace;
}

export function wire(graph: GraphDraft): Wiring {
  const links = linksOf(graph);
  const downstream = new Map(graph.nodes.map((node) => [node, reachableFrom(node, links)]));
  const isFeedback = (link: Link): boolean =>
    link.to.feedback && link.from !== IN && downstream.get(link.to)!.has(link.from);
  const forward = links.filter((link) => !isFeedback(link));
  const { order, rest } = sortNodes(graph.nodes, forward);
  const { reach, edges } = spread(graph.nodes, links, isFeedback);
  const reached = reachableFrom(IN, forward);
  const vague = graph.nodes.filter((node) => node.actor === undefined);
  return {
    order: [...order, ...rest],
    edges,
    reach,
    uncertain: new Set(vague.flatMap((node) => [node, ...downstream.get(node)!])),
    unreachable: graph.nodes.filter((node) => !reached.has(node)),
    cycles: circlesOf(rest, forward),
    sinks: graph.nodes.filter((node) => !forward.some((link) => link.from === node)),
  };
}

/**
 * What each output node sends to the caller: what it originates, never what it passes on, so that each event comes once.
 * A kind that another output node takes and makes anew (a resampler after a voice) is sent by that one alone.
 */
export function kindsForCaller(graph: GraphDraft, wiring: Wiring): ReadonlyMap<NodeDraft, readonly FrameKind[]> {
  const names = new Set(graph.outputs.map((place) => place.name));
  const outputs = wiring.order.filter((node) => names.has(node.name));
  const sent = (node: NodeDraft): readonly FrameKind[] =>
    (node.actor?.outputs ?? []).filter(
      (kind) =>
        isEdgeData(kind) &&
        kind !== "audio.in" &&
        !makersAfter(node, kind, wiring).some((maker) => outputs.includes(maker)),
    );
  return new Map(outputs.map((node) => [node, sent(node)]));
}

/** Nodes that frames of a kind come to from `start`, and that make that kind themselves. */
function makersAfter(start: NodeDraft, kind: FrameKind, wiring: Wiring): NodeDraft[] {
  const seen = new Set<NodeDraft>([start]);
  const waiting = [start];
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    for (const edge of wiring.edges) {
      if (edge.from !== here || edge.isFeedback || !edge.kinds.includes(kind) || seen.has(edge.to)) continue;
      seen.add(edge.to);
      waiting.push(edge.to);
    }
  }
  seen.delete(start);
  return [...seen].filter((node) => node.actor?.outputs.includes(kind));
}

function linksOf(graph: GraphDraft): Link[] {
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  return graph.nodes.flatMap((to) => {
    const seen = new Set<string>();
    return to.inputs.flatMap((place) => {
      const from = place.name === IN ? IN : byName.get(place.name);
      if (from === undefined || seen.has(place.name)) return [];
      seen.add(place.name);
      return [{ from, to, place }];
    });
  });
}

/** All nodes that frames from `start` come to; `start` itself only through a circle. */
function reachableFrom(start: NodeDraft | typeof IN, links: readonly Link[]): Set<NodeDraft> {
  const found = new Set<NodeDraft>();
  const waiting: (NodeDraft | typeof IN)[] = [start];
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    for (const link of links) {
      if (link.from !== here || found.has(link.to)) continue;
      found.add(link.to);
      waiting.push(link.to);
    }
  }
  return found;
}

function sortNodes(nodes: readonly NodeDraft[], links: readonly Link[]): { order: NodeDraft[]; rest: NodeDraft[] } {
  const order: NodeDraft[] = [];
  const rest = new Set(nodes);
  for (;;) {
    const isReady = (node: NodeDraft): boolean =>
      links.every((link) => link.to !== node || link.from === IN || !rest.has(link.from));
    const next = [...rest].find(isReady);
    if (next === undefined) return { order, rest: [...rest] };
    order.push(next);
    rest.delete(next);
  }
}

/** One circle for each group of nodes that feed each other. */
function circlesOf(rest: readonly NodeDraft[], links: readonly Link[]): NodeDraft[][] {
  const told = new Set<NodeDraft>();
  const circles: NodeDraft[][] = [];
  for (const node of rest) {
    if (told.has(node)) continue;
    const circle = shortestCircle(node, links);
    if (circle === undefined) continue;
    for (const other of reachableFrom(node, links)) {
      if (reachableFrom(other, links).has(node)) told.add(other);
    }
    circles.push(circle);
  }
  return circles;
}

function shortestCircle(start: NodeDraft, links: readonly Link[]): NodeDraft[] | undefined {
  const seen = new Set<NodeDraft>();
  const paths: NodeDraft[][] = [[start]];
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    for (const link of links) {
      if (link.from !== path.at(-1)) continue;
      if (link.to === start) return path;
      if (seen.has(link.to)) continue;
      seen.add(link.to);
      paths.push([...path, link.to]);
    }
  }
  return undefined;
}

/** Spreads kinds along the links until nothing new arrives anywhere. */
function spread(
  nodes: readonly NodeDraft[],
  links: readonly Link[],
  isFeedback: (link: Link) => boolean,
): Pick<Wiring, "reach" | "edges"> {
  const reach = new Map(nodes.map((node) => [node, new Set<FrameKind>()]));
  const carried = (link: Link): readonly FrameKind[] => {
    const wanted = (link.to.actor?.inputs ?? []).filter(isEdgeData);
    if (link.from === IN) return wanted.filter((kind) => CALLER_KINDS.includes(kind));
    const { actor } = link.from;
    const arriving = reach.get(link.from)!;
    const forwarded = actor?.forwards.filter((kind) => arriving.has(kind)) ?? [];
    return wanted.filter((kind) => actor?.outputs.includes(kind) || forwarded.includes(kind));
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const link of links) {
      const kinds = reach.get(link.to)!;
      for (const kind of carried(link)) {
        if (kinds.has(kind)) continue;
        kinds.add(kind);
        changed = true;
      }
    }
  }
  const edges = links.map((link) => ({ ...link, isFeedback: isFeedback(link), kinds: carried(link) }));
  return { reach, edges };
}
