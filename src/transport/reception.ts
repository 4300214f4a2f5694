import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.js";
import { SyrinxError, toSyrinxError } from "../base/errors.js";
import type { Logger } from "../telemetry/logger.js";
import { Admission } from "./access/admission.js";
import { withoutCredentials } from "./access/credentials.js";
import type { Identity } from "./access/keys.js";
import type { Doorkeeper, Visit } from "./auth.js";
import type { CallSocket } from "./call-socket.js";
import { faceRequestOf } from "./face-request.js";
import type { Face, FaceCodec, FaceRequest, GraphFacts, ServerFacts } from "./faces/face.js";
import { errorBody, notFound, pathOf, refuseUpgrade, retryAfterOf } from "./http.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";
import { withReceipts } from "./receipt-message.js";
import type { Route, Routes } from "./routes.js";
import { statusOf } from "./status.js";
import { createUpgrade, type Upgrade } from "./web-socket-server.js";

/** A client that came in. With `refusal`, only to be told why it must leave. */
export interface Guest {
  readonly socket: CallSocket;
  readonly codec: FaceCodec;
  readonly face: string;
  readonly admission: Admission;
  /** Bytes of one message, if it is not the transport's own limit. */
  readonly messageBytes: number | undefined;
  /** Silence that ends the call, if it is not the server's own. */
  readonly idleTimeoutMs: number | undefined;
  /** Audio is sent no sooner than so long before it is played. */
  readonly audioLeadMs: number | undefined;
  /** Of its upgrade request, credentials removed. */
  readonly headers: FaceRequest["headers"];
  readonly refusal: SyrinxError | undefined;
}

/** What admission must know of an upgrade request. */
export interface Wish {
  readonly face: Face;
  /** Absent: not known yet. */
  readonly graph: string | undefined;
  /** The client can read an answer by HTTP. */
  readonly isReadable: boolean;
}

export interface ReceptionSetup {
  readonly routes: Routes;
  readonly graphs: ReadonlyMap<string, GraphFacts>;
  readonly door: Doorkeeper;
  readonly facts: ServerFacts;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  /** Why this call may not come in now: full, or stopping. */
  readonly objection: (wish: Wish) => SyrinxError | undefined;
  readonly onGuest: (guest: Guest) => void;
}

/** An `upgrade` event. */
interface Knock {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Decides about upgrade requests: path, key, origin, room, then the face's own negotiation. */
export class Reception {
  readonly #setup: ReceptionSetup;
  /** By the size of message that they let through. */
  readonly #upgrades = new Map<number, Upgrade>();
  /** Connections whose key is still to come. */
  #strangers = 0;

  constructor(setup: ReceptionSetup) {
    this.#setup = setup;
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
    const whole = faceRequestOf(request, path, route, this.#setup.graphs);
    let visit: Visit;
    try {
      this.#objectTo(request, route.face, whole);
      visit = this.#setup.door.admit(whole, route.face.credentialInMessage);
    } catch (error) {
      return this.#refuse(socket, toSyrinxError(error), route, withoutCredentials(whole));
    }
    return this.#negotiate({ request, socket, head }, route, visit);
  }

  #negotiate({ request, socket, head }: Knock, route: Route, { identity, request: seen }: Visit): boolean {
    const { face } = route;
    if (face.negotiate === undefined) return this.#refuse(socket, notFound(seen.path), route, seen);
    const outcome = face.negotiate(seen, this.#setup.facts);
    if (!outcome.accepted && outcome.http !== undefined) {
      this.#setup.metrics.admissionRejected(outcome.error.code);
      refuseUpgrade(socket, outcome.http.status, outcome.http.body, outcome.http.headers);
      return false;
    }
    let admission: Admission;
    try {
      admission = this.#admission(identity);
    } catch (error) {
      return this.#refuse(socket, toSyrinxError(error), route, seen);
    }
    const { headers = {}, idleTimeoutMs, audioLeadMs } = outcome.accepted ? outcome : {};
    // A stranger fills no more memory than anybody may.
    const messageBytes = admission.isStranger ? undefined : face.messageBytes;
    let isAccepted = false;
    const handshake = { subprotocol: outcome.subprotocol, headers };
    this.#upgradeFor(messageBytes)(request, socket, head, handshake, (webSocket) => {
      isAccepted = true;
      socket.off("error", dropSocket);
      const refusal = outcome.accepted ? undefined : outcome.error;
      const codec = seen.wantsReceipts ? withReceipts(outcome.createCodec()) : outcome.createCodec();
      const settings = { messageBytes, idleTimeoutMs, audioLeadMs, headers: seen.headers };
      this.#setup.onGuest({ socket: webSocket, codec, face: face.name, admission, refusal, ...settings });
    });
    if (!isAccepted) admission.leave();
    return isAccepted;
  }

  #admission(identity: Identity | undefined): Admission {
    const { door, limits } = this.#setup;
    if (identity !== undefined) return new Admission(door, identity);
    if (this.#strangers >= limits.strangers) throw new SyrinxError("AUTH_CROWDED", { limit: limits.strangers });
    this.#strangers += 1;
    return new Admission(door, undefined, () => {
      this.#strangers -= 1;
    });
  }

  #upgradeFor(messageBytes = this.#setup.limits.messageBytes): Upgrade {
    let upgrade = this.#upgrades.get(messageBytes);
    if (upgrade === undefined) {
      upgrade = createUpgrade({ ...this.#setup.limits, messageBytes });
      this.#upgrades.set(messageBytes, upgrade);
    }
    return upgrade;
  }

  /** Throws whatever forbids any upgrade now. Before the key is looked at: a token is not used up in vain. */
  #objectTo({ headers }: IncomingMessage, face: Face, request: FaceRequest): void {
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
      throw new SyrinxError("HTTP_REQUEST", { problem: "an upgrade request has a body" });
    }
    // The native protocol can say it over the socket, which is all that a browser can read. Clients of others take a socket
    // that opens only to be closed for a broken server, and come back for ever, or never.
    const isReadable = face.refusal !== undefined || headers.origin === undefined;
    const objection = this.#setup.objection({ face, graph: wantedGraph(request), isReadable });
    if (objection !== undefined) throw objection;
  }

  /** In the face's own shape, if one is concerned. */
  #refuse(socket: Duplex, error: SyrinxError, route?: Route, knock?: FaceRequest): false {
    const { metrics, logger } = this.#setup;
    metrics.admissionRejected(error.code);
    logger.debug({ error: error.code }, "upgrade refused");
    const status = statusOf(error.code);
    const headers: Record<string, string> = {};
    if (status === 401) headers["www-authenticate"] = "Bearer";
    if (status === 503 || status === 429) headers["retry-after"] = retryAfterOf(error);
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
