/** The graph that a request is for, and the node in it that does what the protocol is about. */
import { SyrinxError } from "../../base/errors.js";
import type { FaceRequest, GraphFacts, NodeFacts } from "./face.js";

export interface GraphNode {
  readonly graph: string;
  readonly node: NodeFacts;
}

/** Throws CALL_GRAPH_UNKNOWN, CALL_TEXT_REFUSED. */
export function speakingNode(request: FaceRequest): GraphNode {
  const graph = graphOf(request);
  const node = speaker(request.facts.get(graph));
  if (node === undefined) throw new SyrinxError("CALL_TEXT_REFUSED", { graph });
  return { graph, node };
}

/** Throws CALL_GRAPH_UNKNOWN, CALL_AUDIO_REFUSED. */
export function listeningNode(request: FaceRequest): GraphNode {
  const graph = graphOf(request);
  const node = listener(request.facts.get(graph));
  if (node === undefined) throw new SyrinxError("CALL_AUDIO_REFUSED", { graph });
  return { graph, node };
}

/** What keeps a graph from speaking for a route, in words. */
export function lacksVoice(facts: GraphFacts): string | undefined {
  return speaker(facts) === undefined
    ? `graph ${facts.name} does not begin with a voice: it needs a node tts that takes text`
    : undefined;
}

/** What keeps a graph from transcribing for a route, in words. */
export function lacksRecogniser(facts: GraphFacts): string | undefined {
  if (facts.hasAgent) return `graph ${facts.name} answers; this face is for graphs that only listen`;
  return listener(facts) === undefined
    ? `graph ${facts.name} does not recognise speech: it needs a node stt`
    : undefined;
}

/** The voice of a graph that takes text. */
export function speaker(facts: GraphFacts | undefined): NodeFacts | undefined {
  return facts?.takesText === true ? facts.nodes.find(({ actor }) => actor === "tts") : undefined;
}

/** The recogniser of a graph that takes audio. */
export function listener(facts: GraphFacts | undefined): NodeFacts | undefined {
  return facts?.takesAudio === true ? facts.nodes.find(({ actor }) => actor === "stt") : undefined;
}

function graphOf({ query, graph, graphs }: FaceRequest): string {
  const asked = query.get("graph") ?? graph ?? graphs[0] ?? "";
  if (graphs.includes(asked)) return asked;
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: asked.slice(0, 64), known: graphs.join(", ") });
}
