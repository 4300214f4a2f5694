import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { PlanTls } from "../config/plan.js";
import { isLoopback } from "../config/server.js";
import type { Logger } from "../telemetry/logger.js";
import { ChangingFiles } from "./changing-files.js";
import type { TransportLimits } from "./limits.js";
import { readTlsMaterial } from "./tls.js";

export interface ListenersSetup {
  readonly host: string;
  readonly port: number;
  readonly tls: PlanTls | undefined;
  readonly limits: TransportLimits;
  readonly logger: Logger;
  readonly onRequest: RequestListener;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

interface Listener {
  readonly server: Server | TlsServer;
  readonly host: string;
  readonly port: number;
}

/** The ports that the server listens on: one, plain or TLS; or TLS and beside it a plain one on loopback. */
export class Listeners {
  readonly #setup: ListenersSetup;
  /** The first is the one that clients are told. */
  readonly #listeners: Listener[] = [];
  #files: ChangingFiles | undefined;
  #certificateFile: string | undefined;

  constructor(setup: ListenersSetup) {
    this.#setup = setup;
  }

  get port(): number {
    return this.#listeners[0]?.port ?? 0;
  }

  get url(): string {
    return urlOf(this.#listeners[0], this.#setup.tls === undefined ? "http" : "https");
  }

  /** Of the plain port beside TLS, if there is one. */
  get localUrl(): string | undefined {
    return this.#listeners[1] === undefined ? undefined : urlOf(this.#listeners[1], "http");
  }

  /** What clients must be told to trust, if the certificate is of the server's own making. */
  get certificateFile(): string | undefined {
    return this.#certificateFile;
  }

  /** Throws TLS_INVALID, SERVER_LISTEN_FAILED; then nothing listens. */
  async listen(): Promise<void> {
    const { host, port, tls } = this.#setup;
    try {
      if (tls === undefined) {
        await this.#add(createServer(this.#options()), host, port);
        return;
      }
      await this.#add(await this.#createTls(tls), host, tls.port ?? port);
      if (tls.port === undefined) return;
      await this.#add(createServer(this.#options()), isLoopback(host) ? host : "127.0.0.1", port);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes no more connections. Resolves when those that are open have closed. */
  async close(): Promise<void> {
    this.#files?.stop();
    await Promise.all(
      this.#listeners.map(({ server }) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        return closed;
      }),
    );
  }

  closeAllConnections(): void {
    for (const { server } of this.#listeners) server.closeAllConnections();
  }

  async #createTls(tls: PlanTls): Promise<TlsServer> {
    const { limits, logger } = this.#setup;
    const { context, certificateFile } = await readTlsMaterial(tls);
    this.#certificateFile = certificateFile;
    const handshake = { ALPNProtocols: ["http/1.1"], handshakeTimeout: limits.httpHeadersMs };
    const server = createTlsServer({ ...this.#options(), ...context, ...handshake });
    if ("cert" in tls) {
      const reload = async (): Promise<void> => {
        server.setSecureContext((await readTlsMaterial(tls)).context);
        logger.info({ files: [tls.cert] }, "certificate read");
      };
      this.#files = new ChangingFiles([tls.cert, tls.key], reload, logger);
      this.#files.start(limits.filePollMs);
    }
    return server;
  }

  #options(): ServerOptions {
    const { httpHeadersMs, restBodyMs, httpKeepAliveMs, httpHeaderBytes } = this.#setup.limits;
    return {
      headersTimeout: httpHeadersMs,
      requestTimeout: restBodyMs,
      keepAliveTimeout: httpKeepAliveMs,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: httpHeaderBytes,
      insecureHTTPParser: false,
    };
  }

  async #add(server: Server | TlsServer, host: string, port: number): Promise<void> {
    const { onRequest, onUpgrade, logger } = this.#setup;
    server.on("request", onRequest);
    // Node would ask for the body at once; so it is asked for when it is known to be wanted.
    server.on("checkContinue", onRequest);
    server.on("upgrade", onUpgrade);
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => {
        reject(new SyrinxError("SERVER_LISTEN_FAILED", { host, port, reason: reasonOf(error) }, error));
      };
      server.once("error", onError);
      server.listen({ host, port }, () => {
        server.off("error", onError);
        server.on("error", (error) => logger.error({ err: error }, "server socket failed"));
        resolve();
      });
    });
    this.#listeners.push({ server, host, port: (server.address() as AddressInfo).port });
  }
}

function urlOf(listener: Listener | undefined, scheme: "http" | "https"): string {
  const { host = "localhost", port = 0 } = listener ?? {};
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const named = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${isAnywhere ? "localhost" : named}:${port}`;
}
