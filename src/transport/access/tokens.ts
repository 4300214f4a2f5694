/** Short-lived stand-ins for a key, for clients that must not hold one: each lets one connection or request in. */
import { randomBytes } from "node:crypto";
import { SyrinxError } from "../../base/errors.js";
import { digestOf } from "../../config/api-keys.js";
import type { Identity, Keys } from "./keys.js";

export const TOKEN_LIMITS = {
  /** Tokens that nobody has used yet, of all keys. At it: TOKEN_LIMIT. */
  waiting: 16_384,
  /** Of one key, so that no key can keep the others from having any. At it: TOKEN_LIMIT. */
  waitingPerKey: 4_096,
  lifeSecondsMax: 3_600,
} as const;

/** A credential of this form is a token, whatever its rest. */
const TOKEN_PREFIX = "syxt_";
const TOKEN_BYTES = 32;

interface Waiting {
  readonly identity: Identity;
  readonly untilMs: number;
}

export class Tokens {
  readonly #keys: Keys;
  readonly #limits: { readonly waiting: number; readonly waitingPerKey: number };
  /**
   * By digest, in hexadecimal: nothing that is kept lets anybody in. A table may be used here, because who looks for a
   * collision cannot choose digests.
   */
  readonly #waiting = new Map<string, Waiting>();

  constructor(keys: Keys, limits: { readonly waiting: number; readonly waitingPerKey: number } = TOKEN_LIMITS) {
    this.#keys = keys;
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  static isToken(credential: string): boolean {
    return credential.startsWith(TOKEN_PREFIX);
  }

  /**
   * @param graph the only one that the token is for
   * Throws TOKEN_LIMIT.
   */
  issue(identity: Identity, lifeMs: number, nowMs: number, graph?: string): string {
    this.#makeRoom(identity, nowMs);
    const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
    const bound = graph === undefined ? identity : { ...identity, graph };
    this.#waiting.set(digestOf(token).toString("hex"), { identity: bound, untilMs: nowMs + lifeMs });
    return token;
  }

  /** Uses the token up. @returns whose it was, unless it is unknown, used, too old, or its key was revoked. */
  take(token: string, nowMs: number): Identity | undefined {
    const digest = digestOf(token).toString("hex");
    const found = this.#waiting.get(digest);
    this.#waiting.delete(digest);
    return found !== undefined && nowMs < found.untilMs && this.#keys.isValid(found.identity)
      ? found.identity
      : undefined;
  }

  #makeRoom(identity: Identity, nowMs: number): void {
    let ofKey = 0;
    for (const [digest, { identity: owner, untilMs }] of this.#waiting) {
      if (untilMs <= nowMs) this.#waiting.delete(digest);
      else if (owner.account === identity.account) ofKey += 1;
    }
    const limit = ofKey >= this.#limits.waitingPerKey ? this.#limits.waitingPerKey : this.#limits.waiting;
    if (ofKey >= limit || this.#waiting.size >= limit) throw new SyrinxError("TOKEN_LIMIT", { limit });
  }
}
