import type { IncomingMessage, ServerResponse } from "node:http";
import { SyrinxError, toSyrinxError } from "../../base/errors.js";
import type { Doorkeeper } from "../auth.js";
import { errorBody, pathOf } from "../http.js";
import type { TransportMetrics } from "../metrics.js";
import { findRoute, type Routes } from "../routes.js";
import { statusOf } from "../status.js";
import type { Offer } from "./credentials.js";
import { answerTokenRequest, TOKEN_PATHS } from "./token-endpoint.js";

export interface FrontSetup {
  readonly door: Doorkeeper;
  readonly routes: Routes;
  readonly graphs: readonly string[];
  readonly tokenRequestBytes: number;
  readonly metrics: TransportMetrics;
}

/**
 * The part of HTTP that is about who may come in: browsers' preflights, requests for tokens, and on all answers that are
 * for pages the headers that say which of them may read it. Probes and metrics are not for pages.
 */
export class Front {
  readonly #setup: FrontSetup;

  constructor(setup: FrontSetup) {
    this.#setup = setup;
  }

  /** @returns whether the request is answered here. If not, its answer has the headers for pages already. */
  receive(request: IncomingMessage, response: ServerResponse): boolean {
    const { door, routes } = this.#setup;
    const path = pathOf(request.url);
    const isForTokens = TOKEN_PATHS.includes(path);
    if (!isForTokens && findRoute(routes, path) === undefined) return false;
    const { origin } = request.headers;
    if (request.method === "OPTIONS") {
      request.resume();
      response.writeHead(204, door.origins.preflight(request.headers, ["GET", "POST"])).end();
      return true;
    }
    for (const [name, value] of Object.entries(door.origins.headers(origin))) response.setHeader(name, value);
    if (!isForTokens) return false;
    void this.#answerTokens(request, response, path);
    return true;
  }

  async #answerTokens(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { door, graphs, tokenRequestBytes: bodyBytes, metrics } = this.#setup;
    try {
      if (request.method !== "POST") {
        throw new SyrinxError("HTTP_METHOD", { path, method: request.method ?? "", allowed: "POST" });
      }
      send(response, 200, await answerTokenRequest(request, path, offerOf(request), { door, graphs, bodyBytes }));
    } catch (error) {
      const known = toSyrinxError(error);
      metrics.admissionRejected(known.code);
      request.resume();
      send(response, statusOf(known.code), errorBody(known));
    }
  }
}

function offerOf(request: IncomingMessage): Offer {
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return { headers, subprotocols: [], query: new URLSearchParams((request.url ?? "").split("?")[1]) };
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body, null, 2)}\n`;
  if (status === 401) response.setHeader("www-authenticate", "Bearer");
  if (status === 405) response.setHeader("allow", "POST");
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
