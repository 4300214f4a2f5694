import type { CallSocket } from "./call-socket.js";
import { InputPace } from "./input-pace.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";

/** Lets a client's messages in: stops reading its socket while it is too fast, or while its call is not open yet. */
export class InputGate {
  readonly #socket: CallSocket;
  readonly #metrics: TransportMetrics;
  readonly #pace: InputPace;
  #isShut = false;
  #isSlowed = false;

  constructor(socket: CallSocket, limits: TransportLimits, metrics: TransportMetrics, nowMs: number) {
    this.#socket = socket;
    this.#metrics = metrics;
    this.#pace = new InputPace(limits, nowMs);
  }

  /** Messages that the library has already read still come. */
  shut(): void {
    this.#isShut = true;
    this.#socket.pause();
  }

  open(): void {
    this.#isShut = false;
    if (!this.#isSlowed) this.#socket.resume();
  }

  /** A message came that is worth `costMs` of audio. @returns false if the connection must end for it. */
  admit(costMs: number, nowMs: number): boolean {
    const verdict = this.#pace.spend(costMs, nowMs);
    if (verdict === "flood") {
      this.#metrics.fastClient("close");
      return false;
    }
    if (verdict === "pause" && !this.#isSlowed) {
      this.#isSlowed = true;
      this.#metrics.fastClient("pause");
      this.#socket.pause();
    }
    return true;
  }

  tick(nowMs: number): void {
    if (!this.#isSlowed || !this.#pace.mayResume(nowMs)) return;
    this.#isSlowed = false;
    if (!this.#isShut) this.#socket.resume();
  }
}
