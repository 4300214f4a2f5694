import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { Runtime } from "../runtime/api.js";
import type { Face, ServerFacts } from "./faces/face.js";
import type { RestSide } from "./faces/rest.js";
import type { RestDesk } from "./rest/rest-desk.js";
import { findRoute, type Routes } from "./routes.js";
import { statusOf, statusText } from "./status.js";

/** Everything that is not a WebSocket: probes, metrics, capacity, and an index of how to talk to the server. */
export interface HttpContext {
  readonly runtime: Pick<Runtime, "capacity" | "liveness" | "metrics" | "plan" | "readiness">;
  readonly routes: Routes;
  readonly facts: ServerFacts;
  /** Serves what the routes' faces answer. */
  readonly desk: RestDesk;
  /** Time in which the body of a request that nobody reads must have come. */
  readonly requestMs: number;
  isDraining(): boolean;
  connectionCount(): number;
}

interface Answer {
  readonly status: number;
  readonly body: string | object;
  readonly contentType?: string;
}

type Endpoint = (context: HttpContext) => Answer | Promise<Answer>;

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/": index,
  "/livez": ({ runtime }) => {
    const { live, reason } = runtime.liveness();
    return { status: live ? 200 : 503, body: { live, reason } };
  },
  "/readyz": readyz,
  "/metrics": async ({ runtime }) => ({
    status: 200,
    body: await runtime.metrics(),
    contentType: "text/plain; version=0.0.4; charset=utf-8",
  }),
  "/v1/capacity": ({ runtime, connectionCount }) => ({
    status: 200,
    body: { ...runtime.capacity(), connections: connectionCount() },
  }),
};

/** Answers one request. Never throws. */
export async function answerHttp(
  request: IncomingMessage,
  response: ServerResponse,
  context: HttpContext,
): Promise<void> {
  const path = pathOf(request.url);
  const route = Object.hasOwn(ENDPOINTS, path) ? undefined : findRoute(context.routes, path);
  const rest = route?.face.rest;
  if (route !== undefined && rest !== undefined && !wantsSocket(request, route.face, rest)) {
    return context.desk.serve(request, response, path, route, rest);
  }
  throwAway(request, context.requestMs);
  let answer: Answer;
  const headers: Record<string, string> = {};
  try {
    const endpoint = Object.hasOwn(ENDPOINTS, path) ? ENDPOINTS[path] : undefined;
    if (endpoint === undefined) {
      answer = refusal(route === undefined ? notFound(path) : upgradeRequired(request, path));
      if (answer.status === 426) headers.upgrade = "websocket";
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      answer = refusal(new SyrinxError("HTTP_METHOD", { path, method: request.method ?? "", allowed: "GET" }));
      headers.allow = "GET, HEAD";
    } else {
      answer = await endpoint(context);
    }
  } catch (error) {
    answer = refusal(new SyrinxError("INTERNAL", { reason: reasonOf(error) }, error));
  }
  const { status, body, contentType } = answer;
  const text = typeof body === "string" ? body : `${JSON.stringify(body, null, 2)}\n`;
  response.writeHead(status, {
    ...headers,
    "content-type": contentType ?? "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Whether a request that is no upgrade was meant to be one. */
function wantsSocket({ method }: IncomingMessage, face: Face, { methods }: RestSide): boolean {
  return method === "GET" && face.negotiate !== undefined && !methods.includes("GET");
}

/** Nothing here reads a body. Whatever comes is thrown away, within `requestMs`. */
function throwAway(request: IncomingMessage, requestMs: number): void {
  request.resume();
  if (request.complete) return;
  const timer = setTimeout(() => request.destroy(), requestMs);
  request.once("close", () => clearTimeout(timer));
}

/** Answers an upgrade request with an error instead, and closes its socket. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  contentType = "application/json; charset=utf-8",
): void {
  const lines = [
    `HTTP/1.1 ${status} ${statusText(status)}`,
    "connection: close",
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.once("finish", () => socket.destroy());
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  socket.end(body);
}

/** The error as every HTTP answer of the server says it. */
export function errorBody(error: SyrinxError): { readonly error: object; readonly retry_after_ms?: number } {
  const { code, message, hint, retryable, detail } = error;
  const told = { error: { code, message, hint, retryable } };
  return typeof detail.retryAfterMs === "number" ? { ...told, retry_after_ms: detail.retryAfterMs } : told;
}

/** The value of `retry-after`: whole seconds, not too soon. */
export function retryAfterOf({ detail }: SyrinxError): string {
  const ms = typeof detail.retryAfterMs === "number" ? detail.retryAfterMs : 1_000;
  return String(Math.max(1, Math.ceil(ms / 1000)));
}

/** The path of a request target, without its query. */
export function pathOf(target: string | undefined): string {
  return (target ?? "/").split("?", 1)[0] ?? "/";
}

function refusal(error: SyrinxError): Answer {
  return { status: statusOf(error.code), body: errorBody(error) };
}

export function notFound(path: string): SyrinxError {
  return new SyrinxError("HTTP_NOT_FOUND", { path: path.slice(0, 100) });
}

function upgradeRequired(request: IncomingMessage, path: string): SyrinxError {
  return new SyrinxError("HTTP_UPGRADE_REQUIRED", { path, host: (request.headers.host ?? "HOST").slice(0, 100) });
}

function readyz(context: HttpContext): Answer {
  if (context.isDraining()) return { status: 503, body: { ready: false, reason: "the server is stopping" } };
  const { ready, reason } = context.runtime.readiness();
  return ready ? { status: 200, body: { ready } } : { status: 503, body: { ready, reason } };
}

function index({ routes, facts, runtime }: HttpContext): Answer {
  const { name, version } = facts;
  const calls = [...routes]
    .filter(([, { face }]) => face.negotiate !== undefined)
    .map(([path, { face, graph }]) => ({ path, face: face.name, graph: graph ?? "?graph=NAME" }));
  const requests = [...routes].flatMap(([path, { face }]) => {
    return face.rest === undefined ? [] : face.rest.methods.map((method) => `${method} ${path}`);
  });
  const graphs = runtime.plan.graphs.map((graph) => graph.name);
  const http = [...Object.keys(ENDPOINTS).filter((path) => path !== "/"), ...requests];
  const hint = "Connect a WebSocket to one of `calls`; docs/PROTOCOL.md and docs/COMPATIBILITY.md have the protocols.";
  return { status: 200, body: { name, version, calls, graphs, http, hint } };
}
