import { z } from "zod";
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { Plan, PlanRoute } from "../config/plan.js";
import { graphFactsOf, graphWiringOf } from "./face-request.js";
import type { Face, GraphFacts } from "./faces/face.js";
import { FACES } from "./faces/registry.js";

export interface Route {
  readonly face: Face;
  /** What the client gets if it names none. Absent: it must name one, unless there is only one. */
  readonly graph: string | undefined;
  /** The client may name any graph of the configuration. */
  readonly anyGraph: boolean;
  /** Every client gets receipts, of a face that offers them. */
  readonly receipts: boolean;
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
  const facts = graphFactsOf(plan);
  const routes = new Map<string, Route>();
  for (const wanted of plan.routes) {
    const route = buildRoute(plan, wanted, facts, faces);
    if (typeof route === "string") throw new SyrinxError("ROUTE_INVALID", { path: wanted.path, problem: route });
    routes.set(wanted.path, route);
  }
  return routes;
}

/** What is wrong with each route for which `buildRoutes` would throw, by path. */
export function routeProblems(plan: Plan): ReadonlyMap<string, string> {
  const facts = graphFactsOf(plan);
  const problems = new Map<string, string>();
  for (const wanted of plan.routes) {
    const route = buildRoute(plan, wanted, facts, FACES);
    if (typeof route === "string") problems.set(wanted.path, route);
  }
  return problems;
}

/** A route, or what is wrong with it. */
function buildRoute(
  plan: Plan,
  { face: name, graph, options }: PlanRoute,
  facts: ReadonlyMap<string, GraphFacts>,
  faces: ReadonlyMap<string, Face>,
): Route | string {
  const face = faces.get(name);
  if (face === undefined) return `there is no face ${name}; there are ${[...faces.keys()].join(", ")}`;
  const of = facts.get(graph);
  const lack = of === undefined ? undefined : face.lacks?.(of, graphWiringOf(plan, graph));
  if (lack !== undefined) return lack;
  const { anyGraph = false, receipts = false, ...ofFace } = options;
  if (typeof receipts !== "boolean") return "options.receipts: true or false";
  if (receipts && face.offersReceipts !== true) return `options.receipts: the face ${name} does not offer them`;
  try {
    return { face, graph, anyGraph: anyGraph === true, receipts, options: face.parseOptions(ofFace) };
  } catch (error) {
    return error instanceof z.ZodError ? error.issues.map(issueText).join("; ") : reasonOf(error);
  }
}

function issueText({ path, message }: z.core.$ZodIssue): string {
  return `${["options", ...path].join(".")}: ${message}`;
}
