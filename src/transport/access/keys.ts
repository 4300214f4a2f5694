/** Who may use the server, and how much of it: API keys, their limits, and what is in use of these. Main thread. */
import { timingSafeEqual } from "node:crypto";
import { SyrinxError } from "../../base/errors.js";
import { type ApiKey, digestOf, KEY_LIMITS } from "../../config/api-keys.js";
import type { CallRequest } from "../faces/face.js";

/** What a key allows, and what is in use of it. */
interface Account {
  readonly digest: Buffer;
  key: ApiKey;
  /** False once the key is revoked; what it has open goes on. */
  isValid: boolean;
  calls: number;
  /** Audio that may be sent now, in milliseconds. Below 0: a debt, and who has it waits. */
  audioMs: number;
  audioAtMs: number;
}

/** Somebody who was let in. Made by {@link Keys} and the tokens alone. */
export interface Identity {
  /** The label of the key; for logs. Absent: the server has no keys. */
  readonly keyName?: string;
  /** The only graph that may be used, if the token says so. */
  readonly graph?: string;
  readonly account?: Account;
}

/** Where there are no keys: no name, and no limits but the server's. */
export const ANYBODY: Identity = {};

/**
 * A place of an identity: so many calls, until it leaves. Whoever enters leaves exactly once, whatever happens; leaving
 * again does nothing.
 */
export class Lease {
  readonly identity: Identity;
  readonly #burstMs: number;
  #calls = 0;
  #hasLeft = false;

  /** By {@link Keys.enter} alone. */
  constructor(identity: Identity, burstMs: number) {
    this.identity = identity;
    this.#burstMs = burstMs;
  }

  /** Before the calls are opened, the first of which it has. Throws AUTH_GRAPH, KEY_CALLS_LIMIT. */
  open({ graph, channels = 1 }: Pick<CallRequest, "graph" | "channels">): void {
    const only = this.identity.graph;
    if (only !== undefined && only !== graph) throw new SyrinxError("AUTH_GRAPH", { graph: only });
    this.grow(channels - 1);
  }

  /** Takes more calls. Throws KEY_CALLS_LIMIT, and then has taken none. */
  grow(callCount: number): void {
    const { account } = this.identity;
    if (account === undefined || this.#hasLeft) return;
    const limit = account.key.maxCalls;
    if (limit !== undefined && account.calls + callCount > limit) throw new SyrinxError("KEY_CALLS_LIMIT", { limit });
    account.calls += callCount;
    this.#calls += callCount;
  }

  /**
   * So much audio came. Allocates nothing.
   * @param nowMs of one monotonic clock, the same for all leases
   * @returns how many milliseconds to wait before reading more; 0 if none
   */
  spendAudio(audioMs: number, nowMs: number): number {
    const { account } = this.identity;
    if (account?.key.audioRate === undefined) return 0;
    this.#refill(account, account.key.audioRate, nowMs);
    account.audioMs -= audioMs;
    return waitMs(account, account.key.audioRate);
  }

  /** After a wait: what is left of it now, as others of the same key may have sent meanwhile. */
  audioWaitMs(nowMs: number): number {
    const { account } = this.identity;
    if (account?.key.audioRate === undefined) return 0;
    this.#refill(account, account.key.audioRate, nowMs);
    return waitMs(account, account.key.audioRate);
  }

  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    if (this.identity.account !== undefined) this.identity.account.calls -= this.#calls;
  }

  #refill(account: Account, rate: number, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - account.audioAtMs);
    account.audioMs = Math.min(rate * this.#burstMs, account.audioMs + rate * elapsedMs);
    account.audioAtMs = nowMs;
  }
}

function waitMs({ audioMs }: Account, rate: number): number {
  return audioMs >= 0 ? 0 : Math.ceil(-audioMs / rate);
}

/** The server's keys, as digests. */
export class Keys {
  readonly #burstMs: number;
  /** By digest; a revoked key stays until its last call has left. */
  readonly #accounts = new Map<string, Account>();
  #valid: readonly Account[] = [];

  /** @param burstMs what may come at once after a silence, as the time in which the key's rate would bring it */
  constructor(keys: readonly ApiKey[], burstMs: number) {
    this.#burstMs = burstMs;
    this.replace(keys);
  }

  get size(): number {
    return this.#valid.length;
  }

  /** From now on these are the keys. Calls that are open go on, and count for their key if it is still one. */
  replace(keys: readonly ApiKey[]): void {
    for (const account of this.#valid) account.isValid = false;
    this.#valid = keys.map((key) => {
      const account = this.#accounts.get(key.digest) ?? this.#createAccount(key);
      account.key = key;
      account.isValid = true;
      return account;
    });
    for (const [digest, account] of this.#accounts) {
      if (!account.isValid && account.calls === 0) this.#accounts.delete(digest);
    }
  }

  /** Whose key this is, if anybody's. Looks at all of them, whichever matches: the time taken says nothing about any. */
  find(credential: string): Identity | undefined {
    if (credential.length > KEY_LIMITS.charsMax) return undefined;
    const offered = digestOf(credential);
    let found: Account | undefined;
    for (const account of this.#valid) if (timingSafeEqual(offered, account.digest)) found = account;
    return found === undefined ? undefined : { keyName: found.key.name, account: found };
  }

  /** Whether the identity could come in again. */
  isValid({ account }: Identity): boolean {
    return account === undefined || account.isValid;
  }

  /** Throws KEY_CALLS_LIMIT. */
  enter(identity: Identity, callCount = 1): Lease {
    const lease = new Lease(identity, this.#burstMs);
    lease.grow(callCount);
    return lease;
  }

  #createAccount(key: ApiKey): Account {
    const audioMs = (key.audioRate ?? 0) * this.#burstMs;
    const digest = Buffer.from(key.digest, "hex");
    const account: Account = { digest, key, isValid: true, calls: 0, audioMs, audioAtMs: 0 };
    this.#accounts.set(key.digest, account);
    return account;
  }
}
