import type { Clock } from "../base/clock.js";
import { SyrinxError } from "../base/errors.js";
import type { PlanServer } from "../config/plan.js";
import { credentialOf, type Offer, withoutCredentials } from "./access/credentials.js";
import { ANYBODY, type Identity, Keys, type Lease } from "./access/keys.js";
import { Origins } from "./access/origins.js";
import { Tokens } from "./access/tokens.js";
import type { FaceRequest } from "./faces/face.js";
import type { TransportLimits } from "./limits.js";

/** A request that may come in. */
export interface Visit {
  /** Absent: a stranger, whose key comes in the first message. */
  readonly identity: Identity | undefined;
  /** As a face may see it: without keys, and with the graphs that the visitor may use. */
  readonly request: FaceRequest;
}

/**
 * With keys: a visitor needs one of them, or a token; where it comes from does not matter, because a key is never sent by
 * itself as a cookie is. Without keys: anyone who reaches the (loopback) port, but of browser pages only local ones.
 */
export class Doorkeeper {
  readonly origins: Origins;
  /** Absent: none is wanted. */
  readonly keys: Keys | undefined;
  readonly #all: Keys;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor({ apiKeys, origins }: Pick<PlanServer, "apiKeys" | "origins">, limits: TransportLimits, clock: Clock) {
    this.#all = new Keys(apiKeys?.keys ?? [], limits.paceBurstMs);
    this.keys = apiKeys === undefined ? undefined : this.#all;
    this.origins = new Origins(origins, apiKeys !== undefined);
    this.#tokens = new Tokens(this.#all);
    this.#clock = clock;
  }

  /**
   * A token is used up by it.
   * @param mayComeLater the key may come in the first message
   * Throws AUTH_ORIGIN, AUTH_MISSING, AUTH_INVALID, AUTH_TOKEN, AUTH_GRAPH.
   */
  admit(request: FaceRequest, mayComeLater = false): Visit {
    this.#checkOrigin(request.headers.origin);
    const credential = credentialOf(request);
    const seen = withoutCredentials(request);
    if (mayComeLater && credential === undefined && this.keys !== undefined) {
      return { identity: undefined, request: seen };
    }
    const identity = this.recognise(credential);
    const { graph } = identity;
    if (graph === undefined) return { identity, request: seen };
    if (!seen.graphs.includes(graph)) throw new SyrinxError("AUTH_GRAPH", { graph });
    return { identity, request: { ...seen, graph, graphs: [graph] } };
  }

  /** Throws AUTH_MISSING, AUTH_INVALID, AUTH_TOKEN. */
  recognise(credential: string | undefined): Identity {
    if (this.keys === undefined) return ANYBODY;
    if (credential === undefined || credential === "") throw new SyrinxError("AUTH_MISSING");
    if (Tokens.isToken(credential)) {
      const found = this.#tokens.take(credential, this.#nowMs());
      if (found !== undefined) return found;
      throw new SyrinxError("AUTH_TOKEN");
    }
    const found = this.keys.find(credential);
    if (found !== undefined) return found;
    throw new SyrinxError("AUTH_INVALID");
  }

  /** Throws KEY_CALLS_LIMIT. */
  enter(identity: Identity, callCount = 1): Lease {
    return this.#all.enter(identity, callCount);
  }

  /**
   * For a request that brings a key: a token that lets one visitor in, in its stead. No token gets another one.
   * Throws AUTH_ORIGIN, AUTH_MISSING, AUTH_INVALID, TOKEN_LIMIT.
   */
  issueToken(offer: Offer, lifeMs: number, graph?: string): string {
    this.#checkOrigin(offer.headers.origin);
    const credential = credentialOf(offer);
    if (credential !== undefined && Tokens.isToken(credential)) throw new SyrinxError("AUTH_INVALID");
    return this.#tokens.issue(this.recognise(credential), lifeMs, this.#nowMs(), graph);
  }

  #checkOrigin(origin: string | undefined): void {
    if (!this.origins.admits(origin)) throw new SyrinxError("AUTH_ORIGIN", { origin: origin?.slice(0, 100) });
  }

  #nowMs(): number {
    return this.#clock.nowUs() / 1000;
  }
}
