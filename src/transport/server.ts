import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, createClock } from "../base/clock.js";
import { reasonOf, SyrinxError } from "../base/errors.js";
import { packageVersion } from "../base/package-root.js";
import type { Runtime } from "../runtime/api.js";
import { type Logger, silentLogger } from "../telemetry/logger.js";
import { Connection } from "./connection.js";
import { graphFactsOf } from "./face-request.js";
import type { Face, ServerFacts } from "./faces/face.js";
import { answerHttp, type HttpContext } from "./http.js";
import { TRANSPORT_LIMITS, type TransportLimits } from "./limits.js";
import { noMetrics, type TransportMetrics } from "./metrics.js";
import { type Guest, Reception } from "./reception.js";
import { buildRoutes, type Routes } from "./routes.js";

export interface ServerOptions {
  readonly logger?: Logger;
  /** Default: the runtime's, so that `/metrics` shows both. */
  readonly metrics?: TransportMetrics;
  /** Instead of the plan's. Port 0 takes a free one. */
  readonly host?: string;
  readonly port?: number;
  /** For tests: shorter times, smaller bounds. */
  readonly limits?: Partial<TransportLimits>;
  readonly clock?: Clock;
  /** For tests: instead of the registry's. */
  readonly faces?: ReadonlyMap<string, Face>;
}

export interface RunningServer {
  readonly port: number;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /**
   * Takes no new connections at once; lets calls go on for at most `graceMs` (default 0), then tells the rest that the
   * server stops (`close` with reason `drain`, code 1012) and cuts those that do not close by themselves within 2 s.
   * Resolves when all sockets are closed. Idempotent. The runtime stays open.
   */
  close(graceMs?: number): Promise<void>;
}

/** Listens for calls. Resolves when connections are accepted. Throws ROUTE_INVALID, SERVER_LISTEN_FAILED. */
export async function startServer(runtime: Runtime, options: ServerOptions = {}): Promise<RunningServer> {
  const server = new CallServer(runtime, options);
  await server.listen();
  return server;
}

class CallServer implements RunningServer {
  readonly #runtime: Runtime;
  readonly #limits: TransportLimits;
  readonly #logger: Logger;
  readonly #metrics: TransportMetrics;
  readonly #clock: Clock;
  readonly #host: string;
  readonly #wantedPort: number;
  readonly #routes: Routes;
  readonly #facts: ServerFacts;
  readonly #http: Server;
  readonly #connections = new Set<Connection>();
  #port = 0;
  #ticker: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #onLastGone: (() => void) | undefined;

  constructor(runtime: Runtime, options: ServerOptions) {
    const { server } = runtime.plan;
    this.#runtime = runtime;
    this.#limits = { ...TRANSPORT_LIMITS, ...options.limits };
    this.#logger = options.logger ?? silentLogger;
    this.#metrics = options.metrics ?? runtime.transportMetrics ?? noMetrics;
    this.#clock = options.clock ?? createClock();
    this.#host = options.host ?? server.host;
    this.#wantedPort = options.port ?? server.port;
    this.#routes = buildRoutes(runtime.plan, options.faces);
    const { messageBytes, audioMessageBytes, paceFactor, paceBurstMs } = this.#limits;
    const identity = { name: "syrinx", version: packageVersion(), idleTimeoutMs: server.idleTimeoutMs };
    this.#facts = { ...identity, messageBytes, audioMessageBytes, paceFactor, paceBurstMs };
    this.#http = this.#createHttp();
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const isAnywhere = this.#host === "0.0.0.0" || this.#host === "::";
    const named = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `http://${isAnywhere ? "localhost" : named}:${this.#port}`;
  }

  async listen(): Promise<void> {
    const host = this.#host;
    const port = this.#wantedPort;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => {
        reject(new SyrinxError("SERVER_LISTEN_FAILED", { host, port, reason: reasonOf(error) }, error));
      };
      this.#http.once("error", onError);
      this.#http.listen({ host, port }, () => {
        this.#http.off("error", onError);
        this.#http.on("error", (error) => this.#logger.error({ err: error }, "server socket failed"));
        resolve();
      });
    });
    this.#port = (this.#http.address() as AddressInfo).port;
    this.#ticker = setInterval(() => this.#tick(), this.#limits.tickMs);
    this.#ticker.unref();
  }

  close(graceMs = 0): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    await this.#allGone(graceMs);
    for (const connection of [...this.#connections]) connection.drain();
    await this.#allGone(this.#limits.closeHandshakeMs);
    for (const connection of [...this.#connections]) connection.terminate();
    clearInterval(this.#ticker);
    this.#http.closeAllConnections();
    await closed;
  }

  /** Resolves when no connection is left, or after `timeoutMs`. */
  #allGone(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0 || timeoutMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onLastGone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tick(): void {
    let most = 0;
    for (const connection of this.#connections) {
      connection.tick();
      most = Math.max(most, connection.waitingBytes);
    }
    this.#metrics.bufferedBytes(most);
  }

  #createHttp(): Server {
    const { httpHeadersMs, httpRequestMs, httpKeepAliveMs, httpHeaderBytes } = this.#limits;
    const http = createServer({
      headersTimeout: httpHeadersMs,
      requestTimeout: httpRequestMs,
      keepAliveTimeout: httpKeepAliveMs,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: httpHeaderBytes,
      insecureHTTPParser: false,
    });
    const context: HttpContext = {
      runtime: this.#runtime,
      routes: this.#routes,
      facts: this.#facts,
      isDraining: () => this.#closing !== undefined,
      connectionCount: () => this.#connections.size,
    };
    http.on("request", (request, response) => {
      // Nothing here reads a body. Whatever comes is thrown away, within the request's timeout.
      request.resume();
      void answerHttp(request, response, context);
    });
    const reception = new Reception({
      routes: this.#routes,
      graphs: graphFactsOf(this.#runtime.plan),
      apiKeys: this.#runtime.plan.server.apiKeys,
      facts: this.#facts,
      limits: this.#limits,
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
      objection: (graph) => this.#objection(graph),
      onGuest: (guest) => this.#admit(guest),
    });
    http.on("upgrade", (request, socket, head) => reception.receive(request, socket, head));
    return http;
  }

  #objection(graph: string | undefined): SyrinxError | undefined {
    if (this.#closing !== undefined) return new SyrinxError("RUNTIME_CLOSED");
    const { maxCalls } = this.#runtime.plan.server;
    if (this.#connections.size >= maxCalls + this.#limits.spareConnections) {
      return new SyrinxError("CALL_LIMIT", { limit: maxCalls, retryAfterMs: 1_000 });
    }
    return graph === undefined ? undefined : this.#runtime.objection?.(graph);
  }

  #admit({ socket, codec, face, refusal, messageBytes, idleTimeoutMs }: Guest): void {
    const connection: Connection = new Connection({
      runtime: this.#runtime,
      socket,
      codec,
      face,
      idleTimeoutMs: idleTimeoutMs ?? this.#facts.idleTimeoutMs,
      limits: messageBytes === undefined ? this.#limits : { ...this.#limits, messageBytes },
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
      onGone: () => {
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#onLastGone?.();
      },
    });
    this.#connections.add(connection);
    connection.start(refusal);
  }
}
