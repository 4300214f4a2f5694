import { reasonOf, SyrinxError } from "../base/errors.js";
import type { Plan } from "../config/plan.js";
import { graphFactsOf, graphWiringOf } from "./face-request.js";
import type { Face } from "./faces/face.js";
import { FACES } from "./faces/registry.js";

export interface Route {
  readonly face: Face;
  /** What the client gets if it names none. Absent: it must name one, unless there is only one. */
  readonly graph: string | undefined;
  /** The client may name any graph of the configuration. */
  readonly anyGraph: boolean;
  /** Checked by the face. */
  readonly options: unknown;
}

export type Routes = ReadonlyMap<string, Route>;

/** The route of a path, or the one that serves everything right below its own path. */
export function findRoute(routes: Routes, path: string): Route | undefined {
  const exact = routes.get(path);
  if (exact !== undefined) return exact;
  for (const [prefix, route] of routes) {
    if (route.face.rest?.isPrefix === true && path.startsWith(`${prefix}/`)) return route;
  }
  return undefined;
}

/** Throws ROUTE_INVALID. */
export function buildRoutes(plan: Plan, faces: ReadonlyMap<string, Face> = FACES): Routes {
  const routes = new Map<string, Route>();
  const facts = graphFactsOf(plan);
  for (const wanted of plan.routes) {
    const route = routeOf(faces, wanted, wanted.graph);
    const graph = facts.get(wanted.graph);
    const problem = graph === undefined ? undefined : route.face.lacks?.(graph, graphWiringOf(plan, graph.name));
    if (problem !== undefined) throw new SyrinxError("ROUTE_INVALID", { path: wanted.path, problem });
    routes.set(wanted.path, route);
  }
  return routes;
}

interface Wanted {
  readonly path: string;
  readonly face: string;
  readonly options: Readonly<Record<string, unknown>>;
}

function routeOf(
  faces: ReadonlyMap<string, Face>,
  { path, face: name, options }: Wanted,
  graph: string | undefined,
): Route {
  const face = faces.get(name);
  if (face === undefined) {
    const problem = `there is no face ${name}; there are ${[...faces.keys()].join(", ")}`;
    throw new SyrinxError("ROUTE_INVALID", { path, problem });
  }
  try {
    const { anyGraph = false, ...ofFace } = options;
    return { face, graph, anyGraph: anyGraph === true, options: face.parseOptions(ofFace) };
  } catch (error) {
    throw new SyrinxError("ROUTE_INVALID", { path, problem: reasonOf(error) }, error);
  }
}
