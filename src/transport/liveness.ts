import type { TransportLimits } from "./limits.js";

/** `ping`: send one. `dead`: no sign of life for too long. `idle`: alive, but has said nothing for too long. */
export type LivenessVerdict = "alive" | "ping" | "dead" | "idle";

/** Whether a client is still there. Pure: the caller tells the time, in milliseconds of one monotonic clock. */
export class Liveness {
  readonly #limits: TransportLimits;
  readonly #idleTimeoutMs: number;
  #messageMs: number;
  #signMs: number;
  #pings = 0;

  constructor(limits: TransportLimits, idleTimeoutMs: number, nowMs: number) {
    this.#limits = limits;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#messageMs = nowMs;
    this.#signMs = nowMs;
  }

  /** A message came. */
  message(nowMs: number): void {
    this.#messageMs = nowMs;
    this.sign(nowMs);
  }

  /** Any sign of life: a message, a ping, a pong. */
  sign(nowMs: number): void {
    this.#signMs = nowMs;
    this.#pings = 0;
  }

  /** `mayPing` is false while the socket is not read: it would not see the pong. */
  check(nowMs: number, mayPing: boolean): LivenessVerdict {
    if (nowMs - this.#messageMs >= this.#idleTimeoutMs) return "idle";
    if (!mayPing || nowMs - this.#signMs < this.#limits.pingMs * (this.#pings + 1)) return "alive";
    if (this.#pings >= this.#limits.pingMisses) return "dead";
    this.#pings += 1;
    return "ping";
  }
}
