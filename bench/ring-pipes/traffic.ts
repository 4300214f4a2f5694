/** Numbered frames out, numbered frames back: what was sent when, and whether it came back whole and in order. */
import { Numbers } from "../harness/statistics.js";
import { FRAME_SAMPLES, type Received } from "./pipe.js";

/** Frames of one call under way whose appointed times are remembered: 5 s. */
const UNDER_WAY = 256;

export class Traffic {
  readonly latencyMs = new Numbers();
  sentCount = 0;
  /** Frames that found no room; they were not numbered. */
  refusedCount = 0;
  receivedCount = 0;
  readonly #sent: Int32Array;
  readonly #received: Int32Array;
  readonly #dueMs: Float64Array;
  /** The first frame that was not the one expected. */
  #fault: string | undefined;
  readonly #pcm = new Int16Array(FRAME_SAMPLES);

  constructor(callCount: number) {
    this.#sent = new Int32Array(callCount);
    this.#received = new Int32Array(callCount);
    this.#dueMs = new Float64Array(callCount * UNDER_WAY);
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#pcm[i] = (i * 2_654_435) >> 4;
  }

  /** The call's next frame; the same memory each time. */
  next(slot: number, dueMs: number): Int16Array {
    const number = this.#sent[slot]!++;
    this.sentCount++;
    this.#dueMs[slot * UNDER_WAY + (number % UNDER_WAY)] = dueMs;
    this.#pcm[0] = number & 0x7fff;
    this.#pcm[FRAME_SAMPLES - 1] = checkWord(slot, number);
    return this.#pcm;
  }

  /** The frame that `next` made found no room. */
  refused(slot: number): void {
    this.#sent[slot]!--;
    this.sentCount--;
    this.refusedCount++;
  }

  readonly received: Received = (slot, samples, offset, count) => {
    const number = this.#received[slot]!++;
    const isRight =
      count === FRAME_SAMPLES &&
      samples[offset] === (number & 0x7fff) &&
      samples[offset + 7] === this.#pcm[7] &&
      samples[offset + FRAME_SAMPLES - 1] === checkWord(slot, number);
    if (!isRight) this.#fault ??= `call ${slot}: frame ${number} came back as ${samples[offset]}, ${count} samples`;
    this.receivedCount++;
    this.latencyMs.push(performance.now() - this.#dueMs[slot * UNDER_WAY + (number % UNDER_WAY)]!);
  };

  /** Throws unless all that found room came back right. */
  assertComplete(): void {
    if (this.#fault !== undefined) throw new Error(this.#fault);
    if (this.receivedCount === this.sentCount && this.sentCount > 0) return;
    throw new Error(`${this.sentCount} frames were sent and ${this.receivedCount} came back`);
  }
}

function checkWord(slot: number, number: number): number {
  return (Math.imul(slot + 1, 40_503) ^ Math.imul(number, 2_654_435)) & 0x7fff;
}
