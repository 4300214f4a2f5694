/**
 * What a call said last, for a model that judges turns by their sound: a ring of samples by their position in the stream,
 * once in memory and once in the call's row, to which only what is new is copied.
 */
import { s16ToF32 } from "../audio/pcm.js";
import type { StateRow } from "./define.js";

/** i32 words of a row before the ring: where it ends and where it began. */
const HEADER_WORDS = 2;

export class TurnAudio {
  readonly #ring: Int16Array;
  /** Positions: what is known lies in [start, end), of which the ring holds the last. */
  #start = 0;
  #end = 0;
  /** How far the row has it. */
  #savedEnd = 0;

  constructor(windowSamples: number) {
    this.#ring = new Int16Array(windowSamples);
  }

  /** Row bytes for a window, from a multiple of 4. */
  static rowBytes(windowSamples: number): number {
    return HEADER_WORDS * 4 + windowSamples * 2;
  }

  /** Takes the samples that stand at `position` of the stream; what was lost before them is silence. */
  hear(position: number, samples: Int16Array, offset: number, count: number): void {
    const window = this.#ring.length;
    const gap = Math.max(0, position - this.#end);
    if (gap >= window) {
      this.#start = position;
      this.#end = position;
    }
    for (; this.#end < position; this.#end += 1) this.#ring[this.#end % window] = 0;
    for (let i = 0; i < count; i += 1, this.#end += 1) this.#ring[this.#end % window] = samples[offset + i]!;
  }

  /** A copy in [-1, 1) of what was said from `position` on, as far back as it goes. */
  since(position: number): Float32Array {
    const window = this.#ring.length;
    const from = Math.max(position, this.#start, this.#end - window);
    const sound = new Float32Array(Math.max(0, this.#end - from));
    const wrap = Math.min(sound.length, window - (from % window));
    s16ToF32(this.#ring, from % window, wrap, sound, 0);
    s16ToF32(this.#ring, 0, sound.length - wrap, sound, wrap);
    return sound;
  }

  /** @param atByte where the row's part for this begins, a multiple of 4. */
  save({ i32, i16 }: StateRow, atByte: number): void {
    const window = this.#ring.length;
    i32[atByte / 4] = this.#end;
    i32[atByte / 4 + 1] = this.#start;
    const at = ringAt(atByte);
    for (let p = Math.max(this.#savedEnd, this.#end - window); p < this.#end; p += 1) {
      i16[at + (p % window)] = this.#ring[p % window]!;
    }
    this.#savedEnd = this.#end;
  }

  restore({ i32, i16 }: StateRow, atByte: number): void {
    this.#end = i32[atByte / 4]!;
    this.#start = i32[atByte / 4 + 1]!;
    this.#savedEnd = this.#end;
    const at = ringAt(atByte);
    this.#ring.set(i16.subarray(at, at + this.#ring.length));
  }
}

/** Index of the ring's first sample in a row's i16. */
function ringAt(atByte: number): number {
  return atByte / 2 + HEADER_WORDS * 2;
}
