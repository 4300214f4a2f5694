import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, reasonOf, SyrinxError } from "../base/errors.js";
import type { Runtime } from "../runtime/api.js";
import type { ServerFacts } from "./faces/face.js";
import type { Routes } from "./routes.js";

/** Everything that is not a WebSocket: probes, metrics, capacity, and an index of how to talk to the server. */
export interface HttpContext {
  readonly runtime: Pick<Runtime, "capacity" | "liveness" | "metrics" | "plan" | "readiness">;
  readonly routes: Routes;
  readonly facts: ServerFacts;
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
  let answer: Answer;
  const headers: Record<string, string> = {};
  try {
    const endpoint = Object.hasOwn(ENDPOINTS, path) ? ENDPOINTS[path] : undefined;
    if (endpoint === undefined) {
      answer = refusal(context.routes.get(path) === undefined ? notFound(path) : upgradeRequired(request, path));
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

/** Answers an upgrade request with an error instead, and closes its socket. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  contentType = "application/json; charset=utf-8",
): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Error"}`,
    "connection: close",
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.once("finish", () => socket.destroy());
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  socket.end(body);
}

export function statusOf(code: ErrorCode): number {
  return STATUS_OF[code] ?? 500;
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

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  AUTH_CROWDED: 503,
  AUTH_GRAPH: 403,
  AUTH_INVALID: 401,
  AUTH_MISSING: 401,
  AUTH_ORIGIN: 403,
  AUTH_TOKEN: 401,
  CALL_GRAPH_UNKNOWN: 404,
  CALL_LIMIT: 503,
  CAPACITY_EXCEEDED: 503,
  HTTP_METHOD: 405,
  HTTP_NOT_FOUND: 404,
  HTTP_REQUEST: 400,
  HTTP_UPGRADE_REQUIRED: 426,
  KEY_CALLS_LIMIT: 429,
  RUNTIME_CLOSED: 503,
  TOKEN_LIMIT: 429,
  TOKEN_REQUEST: 400,
};

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
  const calls = [...routes].map(([path, { face, graph }]) => ({
    path,
    face: face.name,
    graph: graph ?? "?graph=NAME",
  }));
  const graphs = runtime.plan.graphs.map((graph) => graph.name);
  const http = Object.keys(ENDPOINTS).filter((path) => path !== "/");
  const hint = "Connect a WebSocket to one of `calls`; docs/PROTOCOL.md describes the native protocol.";
  return { status: 200, body: { name, version, calls, graphs, http, hint } };
}
