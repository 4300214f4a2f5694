import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { EDGE_OUT, type Plan } from "../config/plan.js";
import type { FrameKind } from "../frames/kinds.js";
import type { FaceRequest, GraphFacts, GraphWiring } from "./faces/face.js";
import type { Route } from "./routes.js";

/** What faces may know of each graph of a plan, by name. */
export function graphFactsOf(plan: Plan): ReadonlyMap<string, GraphFacts> {
  const models = new Map(plan.models.map(({ name, family, options }) => [name, { name, family, options }]));
  return new Map(
    plan.graphs.map(({ name, accepts, hasAgent, nodes }) => [
      name,
      {
        name,
        takesAudio: accepts.includes("audio.in"),
        takesText: accepts.includes("text"),
        hasAgent,
        takesQuestions: accepts.includes("ask"),
        nodes: nodes.map((index) => {
          const { name: node, actor, options, model } = plan.nodes[index]!;
          const facts = model === undefined ? undefined : models.get(model);
          return { name: node, actor, options, ...(facts === undefined ? {} : { model: facts }) };
        }),
      },
    ]),
  );
}

export function graphWiringOf(plan: Plan, graph: string): GraphWiring {
  const tells = new Set<FrameKind>();
  const reaches = new Map<string, Set<FrameKind>>();
  for (const { graph: of, to, kinds } of plan.edges) {
    if (of !== graph) continue;
    const name = to === EDGE_OUT ? undefined : plan.nodes[to]!.name;
    const known = name === undefined ? tells : (reaches.get(name) ?? new Set<FrameKind>());
    for (const kind of kinds) known.add(kind);
    if (name !== undefined) reaches.set(name, known);
  }
  return { tells, reaches };
}

/** A request as a face sees it. `path` is the request's own, without the query; `facts` are of all graphs. */
export function faceRequestOf(
  request: IncomingMessage,
  path: string,
  route: Route,
  facts: ReadonlyMap<string, GraphFacts>,
): FaceRequest {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const subprotocols = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  return {
    requestId: randomUUID(),
    method: request.method ?? "GET",
    path,
    query: new URLSearchParams((request.url ?? "").slice(path.length + 1)),
    headers,
    subprotocols: subprotocols.filter((name) => name !== ""),
    isEncrypted: request.socket instanceof TLSSocket,
    graph: route.graph,
    graphs: route.anyGraph || route.graph === undefined ? [...facts.keys()] : [route.graph],
    facts,
    options: route.options,
  };
}
