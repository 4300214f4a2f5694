import type { Admission } from "./access/admission.js";
import type { CallSocket } from "./call-socket.js";
import { InputPace } from "./input-pace.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";

/**
 * Lets a client's messages in: stops reading its socket while it is too fast, while all calls of its key together are,
 * or while its call is not open yet.
 */
export class InputGate {
  readonly #socket: CallSocket;
  readonly #metrics: TransportMetrics;
  readonly #admission: Pick<Admission, "spendAudio" | "audioWaitMs">;
  readonly #pace: InputPace;
  #isShut = false;
  #isSlowed = false;

  constructor(
    socket: CallSocket,
    admission: Pick<Admission, "spendAudio" | "audioWaitMs">,
    limits: TransportLimits,
    metrics: TransportMetrics,
    nowMs: number,
  ) {
    this.#socket = socket;
    this.#admission = admission;
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

  /**
   * A message came.
   * @param costMs what it is worth of the connection's pace: a message that holds little audio is not free
   * @param audioMs the audio in it, of all channels together: what counts for the key
   * @returns false if the connection must end for it
   */
  admit(costMs: number, audioMs: number, nowMs: number): boolean {
    const keyWaitMs = audioMs === 0 ? 0 : this.#admission.spendAudio(audioMs, nowMs);
    const verdict = this.#pace.spend(costMs, nowMs);
    if (verdict === "flood") {
      this.#metrics.fastClient("close");
      return false;
    }
    if ((verdict === "pause" || keyWaitMs > 0) && !this.#isSlowed) {
      this.#isSlowed = true;
      this.#metrics.fastClient("pause");
      this.#socket.pause();
    }
    return true;
  }

  tick(nowMs: number): void {
    if (!this.#isSlowed || !this.#pace.mayResume(nowMs) || this.#admission.audioWaitMs(nowMs) > 0) return;
    this.#isSlowed = false;
    if (!this.#isShut) this.#socket.resume();
  }
}
