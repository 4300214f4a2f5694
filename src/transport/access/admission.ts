import { assert } from "../../base/assert.js";
import { type SyrinxError, toSyrinxError } from "../../base/errors.js";
import type { Doorkeeper } from "../auth.js";
import type { CallRequest } from "../faces/face.js";
import type { Identity, Lease } from "./keys.js";

/**
 * A connection's place: who it is of, and what it uses of that key. A stranger is a connection of a face whose clients
 * give their key in the first message: it has its socket, and nothing else, until it has.
 */
export class Admission {
  readonly #door: Pick<Doorkeeper, "recognise" | "enter">;
  readonly #onKnown: () => void;
  #lease: Lease | undefined;
  #hasLeft = false;

  /**
   * @param identity absent: a stranger
   * @param onKnown once, when a stranger is one no longer: known, or gone
   * Throws KEY_CALLS_LIMIT.
   */
  constructor(door: Pick<Doorkeeper, "recognise" | "enter">, identity: Identity | undefined, onKnown = (): void => {}) {
    this.#door = door;
    this.#onKnown = onKnown;
    if (identity !== undefined) this.#lease = door.enter(identity);
  }

  get isStranger(): boolean {
    return this.#lease === undefined;
  }

  get keyName(): string | undefined {
    return this.#lease?.identity.keyName;
  }

  /** The stranger's key came. @returns why it may not come in, if it may not: AUTH_INVALID, AUTH_TOKEN, KEY_CALLS_LIMIT. */
  introduce(credential: string): SyrinxError | undefined {
    assert(this.isStranger && !this.#hasLeft, "only a stranger is introduced, and only once");
    try {
      this.#lease = this.#door.enter(this.#door.recognise(credential));
    } catch (error) {
      return toSyrinxError(error);
    }
    this.#onKnown();
    return undefined;
  }

  /** Before the calls are opened. Throws AUTH_GRAPH, KEY_CALLS_LIMIT. */
  open(request: CallRequest): void {
    this.#lease?.open(request);
  }

  /** @returns milliseconds to wait before reading more; 0 if none. */
  spendAudio(audioMs: number, nowMs: number): number {
    return this.#lease?.spendAudio(audioMs, nowMs) ?? 0;
  }

  audioWaitMs(nowMs: number): number {
    return this.#lease?.audioWaitMs(nowMs) ?? 0;
  }

  /** The connection is gone. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    if (this.#lease === undefined) this.#onKnown();
    else this.#lease.leave();
  }
}
