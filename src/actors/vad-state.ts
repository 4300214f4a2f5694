/**
 * When speech begins and ends, from one probability per window. A pure state machine: no audio, no clock.
 *
 * ```
 *            p ≥ threshold              startMs of speech
 *   quiet ───────────────► starting ─────────────────────► speaking ◄──┐ p ≥ threshold
 *     ▲  ◄───────────────                                     │        │
 *     │    p < lower                              p < lower   ▼        │
 *     └─────────────────────────────────────────────────── stopping ───┘
 *                        stopMs of silence
 * ```
 *
 * Two thresholds (hysteresis) keep a voice that hovers around one of them from flickering. Events carry the position
 * where speech began or ended, which is earlier than where that was noticed.
 */

/** How far the threshold that ends speech lies below the one that begins it. */
export const HYSTERESIS = 0.15;

export interface VadTiming {
  /** In (0, 1]. */
  readonly threshold: number;
  /** Windows of speech before it counts, at least 1. */
  readonly startWindows: number;
  /** Windows of silence before it counts, at least 1. */
  readonly stopWindows: number;
}

export interface VadChange {
  readonly what: "start" | "stop";
  /** First sample of speech, or the first after it. */
  readonly atSample: number;
  readonly probability: number;
}

const QUIET = 0;
const STARTING = 1;
const SPEAKING = 2;
const STOPPING = 3;

/** Words of {@link VadState.save}. */
export const VAD_STATE_WORDS = 3;

export class VadState {
  #phase = QUIET;
  /** Windows since the phase began. */
  #windowCount = 0;
  /** Where the phase began. */
  #sinceSample = 0;

  get isSpeaking(): boolean {
    return this.#phase >= SPEAKING;
  }

  /** Takes the probability of the window whose speech, if any, began at `atSample`. */
  step(probability: number, atSample: number, timing: VadTiming): VadChange | undefined {
    const isVoice = probability >= timing.threshold;
    const isSilence = probability < timing.threshold - HYSTERESIS;
    if (this.#phase === QUIET && isVoice) this.#enter(STARTING, atSample);
    else if (this.#phase === STARTING && isSilence) this.#enter(QUIET, atSample);
    else if (this.#phase === SPEAKING && isSilence) this.#enter(STOPPING, atSample);
    else if (this.#phase === STOPPING && isVoice) this.#enter(SPEAKING, atSample);
    this.#windowCount++;
    const beganAt = this.#sinceSample;
    if (this.#phase === STARTING && this.#windowCount >= timing.startWindows) {
      this.#enter(SPEAKING, atSample);
      return { what: "start", atSample: beganAt, probability };
    }
    if (this.#phase === STOPPING && this.#windowCount >= timing.stopWindows) {
      this.#enter(QUIET, atSample);
      return { what: "stop", atSample: beganAt, probability };
    }
    return undefined;
  }

  /** The stream is over at `atSample`: speech that has not ended ends where it was heard last. */
  end(atSample: number): VadChange | undefined {
    if (!this.isSpeaking) return undefined;
    const endedAt = this.#phase === STOPPING ? this.#sinceSample : atSample;
    this.#enter(QUIET, atSample);
    return { what: "stop", atSample: endedAt, probability: 0 };
  }

  save(words: Int32Array, at: number): void {
    words[at] = this.#phase;
    words[at + 1] = this.#windowCount;
    words[at + 2] = this.#sinceSample;
  }

  restore(words: Int32Array, at: number): void {
    this.#phase = words[at]!;
    this.#windowCount = words[at + 1]!;
    this.#sinceSample = words[at + 2]!;
  }

  #enter(phase: number, atSample: number): void {
    this.#phase = phase;
    this.#windowCount = 0;
    this.#sinceSample = atSample;
  }
}
