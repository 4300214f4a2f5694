import { type Clock, createClock } from "../base/clock.js";
import { SyrinxError } from "../base/errors.js";
import { packageVersion } from "../base/package-root.js";
import type { PlanTls } from "../config/plan.js";
import { isLoopback } from "../config/server.js";
import type { Runtime } from "../runtime/api.js";
import { type Logger, silentLogger } from "../telemetry/logger.js";
import { Front } from "./access/front.js";
import { watchKeys } from "./access/key-file.js";
import { Doorkeeper } from "./auth.js";
import type { ChangingFiles } from "./changing-files.js";
import { Connection } from "./connection.js";
import { graphFactsOf } from "./face-request.js";
import type { Face, ServerFacts } from "./faces/face.js";
import { answerHttp, type HttpContext } from "./http.js";
import { TRANSPORT_LIMITS, type TransportLimits } from "./limits.js";
import { Listeners } from "./listeners.js";
import { noMetrics, type TransportMetrics } from "./metrics.js";
import { type Guest, Reception, type Wish } from "./reception.js";
import { RestDesk } from "./rest/rest-desk.js";
import { buildRoutes, type Routes } from "./routes.js";
import { linkedTo } from "./trace-link.js";

export interface ServerOptions {
  readonly logger?: Logger;
  /** Default: the runtime's, so that `/metrics` shows both. */
  readonly metrics?: TransportMetrics;
  /** Instead of the plan's. Port 0 takes a free one. */
  readonly host?: string;
  readonly port?: number;
  readonly tls?: PlanTls;
  /** For tests: shorter times, smaller bounds. */
  readonly limits?: Partial<TransportLimits>;
  readonly clock?: Clock;
  /** For tests: instead of the registry's. */
  readonly faces?: ReadonlyMap<string, Face>;
}

export interface RunningServer {
  readonly port: number;
  /** `http://host:port`, or `https:` with TLS, without a path. */
  readonly url: string;
  /** Of the plain port on loopback beside TLS, if the configuration has both. */
  readonly localUrl: string | undefined;
  /** What clients must be told to trust, if the server made its certificate itself. Absolute. */
  readonly certificateFile: string | undefined;
  /**
   * Takes no new connections at once; lets calls go on for at most `graceMs` (default 0), then tells the rest that the
   * server stops (`close` with reason `drain`, code 1012) and cuts those that do not close by themselves within 2 s.
   * Resolves when all sockets are closed. Idempotent. The runtime stays open.
   */
  close(graceMs?: number): Promise<void>;
}

/** Listens for calls. Resolves when connections are accepted. Throws ROUTE_INVALID, SERVER_ANONYMOUS,
 * SERVER_LISTEN_FAILED, TLS_INVALID. */
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
  readonly #options: ServerOptions;
  readonly #door: Doorkeeper;
  readonly #routes: Routes;
  readonly #facts: ServerFacts;
  readonly #desk: RestDesk;
  readonly #listeners: Listeners;
  readonly #connections = new Set<Connection>();
  #keyFile: ChangingFiles | undefined;
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
    this.#options = options;
    this.#door = new Doorkeeper(server, this.#limits, this.#clock);
    this.#routes = buildRoutes(runtime.plan, options.faces);
    const { messageBytes, audioMessageBytes, paceFactor, paceBurstMs } = this.#limits;
    const identity = { name: "syrinx", version: packageVersion(), idleTimeoutMs: server.idleTimeoutMs };
    this.#facts = { ...identity, messageBytes, audioMessageBytes, paceFactor, paceBurstMs };
    this.#desk = this.#createDesk();
    this.#listeners = this.#createListeners();
  }

  get port(): number {
    return this.#listeners.port;
  }

  get url(): string {
    return this.#listeners.url;
  }

  get localUrl(): string | undefined {
    return this.#listeners.localUrl;
  }

  get certificateFile(): string | undefined {
    return this.#listeners.certificateFile;
  }

  async listen(): Promise<void> {
    const { host, isOpen, isAllowed } = this.#openness();
    if (isOpen && !isAllowed) throw new SyrinxError("SERVER_ANONYMOUS", { host });
    await this.#listeners.listen();
    this.#ticker = setInterval(() => this.#tick(), this.#limits.tickMs);
    this.#ticker.unref();
    this.#keyFile = watchKeys(this.#runtime.plan.server.apiKeys, this.#door, this.#logger);
    this.#keyFile?.start(this.#limits.filePollMs);
    this.#sayWhoMayCome();
  }

  close(graceMs = 0): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const closed = this.#listeners.close();
    this.#keyFile?.stop();
    await this.#allGone(graceMs);
    for (const connection of [...this.#connections]) connection.drain();
    this.#desk.stop();
    await this.#allGone(this.#limits.closeHandshakeMs);
    for (const connection of [...this.#connections]) connection.terminate();
    clearInterval(this.#ticker);
    this.#desk.terminate();
    this.#listeners.closeAllConnections();
    await closed;
    await this.#allGone(this.#limits.closeHandshakeMs);
    await this.#desk.close();
  }

  get #isEmpty(): boolean {
    return this.#connections.size === 0 && this.#desk.count === 0;
  }

  /** Resolves when no connection and no request is left, or after `timeoutMs`. */
  #allGone(timeoutMs: number): Promise<void> {
    if (this.#isEmpty || timeoutMs <= 0) return Promise.resolve();
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

  #createDesk(): RestDesk {
    return new RestDesk({
      runtime: this.#runtime,
      graphs: graphFactsOf(this.#runtime.plan),
      door: this.#door,
      limits: this.#limits,
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
      isDraining: () => this.#closing !== undefined,
      onIdle: () => {
        if (this.#isEmpty) this.#onLastGone?.();
      },
    });
  }

  #createListeners(): Listeners {
    const { plan } = this.#runtime;
    const graphs = graphFactsOf(plan);
    const context: HttpContext = {
      runtime: this.#runtime,
      routes: this.#routes,
      facts: this.#facts,
      desk: this.#desk,
      requestMs: this.#limits.httpRequestMs,
      isDraining: () => this.#closing !== undefined,
      connectionCount: () => this.#connections.size,
    };
    const front = new Front({
      door: this.#door,
      routes: this.#routes,
      graphs: [...graphs.keys()],
      tokenRequestBytes: this.#limits.tokenRequestBytes,
      metrics: this.#metrics,
    });
    const reception = new Reception({
      routes: this.#routes,
      graphs,
      door: this.#door,
      facts: this.#facts,
      limits: this.#limits,
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
      objection: (wish) => this.#objection(wish),
      onGuest: (guest) => this.#admit(guest),
    });
    const { host = plan.server.host, port = plan.server.port, tls = plan.server.tls } = this.#options;
    return new Listeners({
      host,
      port,
      tls,
      limits: this.#limits,
      logger: this.#logger,
      onRequest: (request, response) => {
        if (front.receive(request, response)) return;
        void answerHttp(request, response, context);
      },
      onUpgrade: (request, socket, head) => reception.receive(request, socket, head),
    });
  }

  /** What whoever runs the server should know, whether or not it is what they meant. */
  #sayWhoMayCome(): void {
    const { url, localUrl, certificateFile } = this;
    const { keys } = this.#door;
    const where = { url, localUrl, certificateFile, tls: url.startsWith("https"), keyCount: keys?.size ?? 0 };
    if (keys !== undefined) this.#logger.info(where, "listening; clients need an API key");
    else if (this.#openness().isOpen) {
      this.#logger.warn(where, "listening without API keys: open to everybody who can reach this address");
    } else this.#logger.info(where, "listening on loopback only, without API keys: open to this machine");
  }

  /** Whether others than this machine get in without a key. The configuration was checked; the options were not. */
  #openness(): { readonly host: string; readonly isOpen: boolean; readonly isAllowed: boolean } {
    const { server } = this.#runtime.plan;
    const host = this.#options.host ?? server.host;
    return {
      host,
      isOpen: this.#door.keys === undefined && !isLoopback(host),
      isAllowed: server.allowAnonymous === true,
    };
  }

  #objection({ face, graph, isReadable }: Wish): SyrinxError | undefined {
    if (this.#closing !== undefined) return new SyrinxError("RUNTIME_CLOSED");
    const { maxCalls } = this.#runtime.plan.server;
    if (this.#connections.size >= maxCalls + this.#limits.spareConnections) {
      return new SyrinxError("CALL_LIMIT", { limit: maxCalls, retryAfterMs: 1_000 });
    }
    const objection = graph === undefined || !isReadable ? undefined : this.#runtime.objection?.(graph);
    if (objection !== undefined || face.refusal === undefined) return objection;
    const isFull = this.#runtime.capacity().activeCalls >= maxCalls;
    return isFull ? new SyrinxError("CALL_LIMIT", { limit: maxCalls, retryAfterMs: 1_000 }) : undefined;
  }

  #admit({ socket, codec, face, admission, refusal, headers, messageBytes, idleTimeoutMs, audioLeadMs }: Guest): void {
    const connection: Connection = new Connection({
      runtime: linkedTo(this.#runtime, headers),
      socket,
      codec,
      face,
      admission,
      idleTimeoutMs: idleTimeoutMs ?? this.#facts.idleTimeoutMs,
      audioLeadMs,
      limits: messageBytes === undefined ? this.#limits : { ...this.#limits, messageBytes },
      clock: this.#clock,
      logger: this.#logger,
      metrics: this.#metrics,
      onGone: () => {
        this.#connections.delete(connection);
        if (this.#isEmpty) this.#onLastGone?.();
      },
    });
    this.#connections.add(connection);
    connection.start(refusal);
  }
}
