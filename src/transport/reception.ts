import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.js";
import { SyrinxError } from "../base/errors.js";
import type { Logger } from "../telemetry/logger.js";
import { createDoorkeeper, type Doorkeeper } from "./auth.js";
import type { CallSocket } from "./call-socket.js";
import { faceRequestOf } from "./face-request.js";
import type { FaceCodec, FaceRequest, GraphFacts, ServerFacts } from "./faces/face.js";
import { errorBody, notFound, pathOf, refuseUpgrade, retryAfterOf, statusOf } from "./http.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";
import type { Route, Routes } from "./routes.js";
import { createUpgrade, type Upgrade } from "./web-socket-server.js";

/** A client that came in. With `refusal`, only to be told why it must leave. */
export interface Guest {
  readonly socket: CallSocket;
  readonly codec: FaceCodec;
  readonly face: string;
  /** Bytes of one message, if it is not the transport's own limit. */
  readonly messageBytes: number | undefined;
  /** Silence that ends the call, if it is not the server's own. */
  readonly idleTimeoutMs: number | undefined;
  readonly refusal: SyrinxError | undefined;
}

export interface ReceptionSetup {
  readonly routes: Routes;
  readonly graphs: ReadonlyMap<string, GraphFacts>;
  readonly apiKeys: readonly string[] | undefined;
  readonly facts: ServerFacts;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  /** Why a call of this graph may not come in now: full, or stopping. `undefined`: the graph is not known yet. */
  readonly objection: (graph: string | undefined) => SyrinxError | undefined;
  readonly onGuest: (guest: Guest) => void;
}

/** Decides about upgrade requests: path, key, origin, room, then the face's own negotiation. */
export class Reception {
  readonly #setup: ReceptionSetup;
  readonly #doorkeeper: Doorkeeper;
  /** By the size of message that they let through. */
  readonly #upgrades = new Map<number, Upgrade>();

  constructor(setup: ReceptionSetup) {
    this.#setup = setup;
    this.#doorkeeper = createDoorkeeper(setup.apiKeys);
  }

  /** Takes over the socket of an `upgrade` event. */
  receive(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { clock, metrics } = this.#setup;
    const startUs = clock.nowUs();
    const isAccepted = this.#decide(request, socket, head);
    metrics.handshake(isAccepted ? "ok" : "refused", (clock.nowUs() - startUs) / 1e6);
  }

  /** @returns whether the socket became a WebSocket. Decides, and answers, within the call. */
  #decide(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    socket.on("error", dropSocket);
    const path = pathOf(request.url);
    const route = this.#setup.routes.get(path);
    if (route === undefined) return this.#refuse(socket, notFound(path));
    const knock = faceRequestOf(request, path, route, this.#setup.graphs);
    const objection = this.#objection(request, route, knock);
    if (objection !== undefined) return this.#refuse(socket, objection, route, knock);

    const { face } = route;
    if (face.negotiate === undefined) return this.#refuse(socket, notFound(path), route, knock);
    const outcome = face.negotiate(knock, this.#setup.facts);
    if (!outcome.accepted && outcome.http !== undefined) {
      this.#setup.metrics.admissionRejected(outcome.error.code);
      refuseUpgrade(socket, outcome.http.status, outcome.http.body, outcome.http.headers);
      return false;
    }
    const { headers = {}, idleTimeoutMs } = outcome.accepted ? outcome : {};
    const { messageBytes } = face;
    let isAccepted = false;
    this.#upgradeFor(messageBytes)(
      request,
      socket,
      head,
      { subprotocol: outcome.subprotocol, headers },
      (webSocket) => {
        isAccepted = true;
        socket.off("error", dropSocket);
        const refusal = outcome.accepted ? undefined : outcome.error;
        const codec = outcome.createCodec();
        this.#setup.onGuest({ socket: webSocket, codec, face: face.name, messageBytes, idleTimeoutMs, refusal });
      },
    );
    return isAccepted;
  }

  #upgradeFor(messageBytes = this.#setup.limits.messageBytes): Upgrade {
    let upgrade = this.#upgrades.get(messageBytes);
    if (upgrade === undefined) {
      upgrade = createUpgrade({ ...this.#setup.limits, messageBytes });
      this.#upgrades.set(messageBytes, upgrade);
    }
    return upgrade;
  }

  /** Whatever forbids the upgrade, before anything is allocated for it. */
  #objection(request: IncomingMessage, route: Route, knock: FaceRequest): SyrinxError | undefined {
    const { headers } = request;
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
      return new SyrinxError("HTTP_REQUEST", { problem: "an upgrade request has a body" });
    }
    const visitor = { headers: knock.headers, faceCredential: route.face.credential?.(knock) };
    return this.#doorkeeper(visitor) ?? this.#setup.objection(wantedGraph(knock));
  }

  /** In the face's own shape, if one is concerned. */
  #refuse(socket: Duplex, error: SyrinxError, route?: Route, knock?: FaceRequest): false {
    const { metrics, logger } = this.#setup;
    metrics.admissionRejected(error.code);
    logger.debug({ error: error.code }, "upgrade refused");
    const status = statusOf(error.code);
    const headers: Record<string, string> = {};
    if (status === 401) headers["www-authenticate"] = "Bearer";
    if (status === 503) headers["retry-after"] = retryAfterOf(error);
    const own = knock === undefined ? undefined : route?.face.refusal?.(error, knock);
    if (own === undefined) refuseUpgrade(socket, status, JSON.stringify(errorBody(error)), headers);
    else refuseUpgrade(socket, own.status, own.body, { ...headers, ...own.headers }, own.contentType);
    return false;
  }
}

/** The graph that the call will have, as far as that is known before the face has looked at the request. */
function wantedGraph({ query, graph, graphs }: FaceRequest): string | undefined {
  const asked = query.get("graph") ?? graph ?? (graphs.length === 1 ? graphs[0] : undefined);
  return asked !== undefined && graphs.includes(asked) ? asked : undefined;
}

function dropSocket(this: Duplex): void {
  this.destroy();
}
