import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Plan } from "../config/plan.js";
import type { FaceRequest, GraphFacts } from "./faces/face.js";
import type { Route } from "./routes.js";

/** What faces may know of each graph of a plan, by name. */
export function graphFactsOf(plan: Plan): ReadonlyMap<string, GraphFacts> {
  return new Map(
    plan.graphs.map(({ name, accepts, hasAgent, nodes }) => [
      name,
      {
        name,
        takesAudio: accepts.includes("audio.in"),
        takesText: accepts.includes("text"),
        hasAgent,
        nodes: nodes.map((index) => {
          const { name: node, actor, options } = plan.nodes[index]!;
          return { name: node, actor, options };
        }),
      },
    ]),
  );
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
    graph: route.graph,
    graphs: route.anyGraph || route.graph === undefined ? [...facts.keys()] : [route.graph],
    facts,
    options: route.options,
  };
}
