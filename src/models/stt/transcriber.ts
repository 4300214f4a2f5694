/** What turns an encoder's frames of one stream into tokens. */
import type { EmittedToken } from "./words.js";

export interface Transcriber {
  readonly tokens: readonly EmittedToken[];
  /** True while frames wait for a decoder network. No frames are pushed then. */
  readonly isPending: boolean;
  /** Takes the stream's next `count` frames: f32[count × width], kept until decoded. */
  push(frames: Float32Array, count: number): void;
  /** As for a stream that begins. */
  reset(): void;
}

/** Makes the transcribers of a model's streams, and moves those on whose frames wait. */
export interface TokenDecoder<T extends Transcriber> {
  create(): T;
  /** One step of all of them, each pending. */
  step(batch: readonly T[]): Promise<void>;
}

/** The index of the largest of `values[from … to)`, counted from `from`; the first if several are. */
export function argmax(values: Float32Array, from: number, to: number): number {
  let best = from;
  for (let i = from + 1; i < to; i += 1) if (values[i]! > values[best]!) best = i;
  return best - from;
}

/** The probability of one among logits or log-probabilities `values[from … to)`. */
export function probabilityOf(index: number, values: Float32Array, from: number, to: number): number {
  const value = values[from + index]!;
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += Math.exp(values[i]! - value);
  return 1 / sum;
}

/**
 * Greedy CTC: the best symbol of each frame, repetitions merged, blanks left out (Graves et al., 2006, section 3.2), also
 * across the borders of what is pushed. A token lasts as long as its symbol is repeated.
 */
export class CtcTranscriber implements Transcriber {
  readonly isPending = false;
  readonly #blank: number;
  #tokens: EmittedToken[] = [];
  #frame = 0;
  #last: number;

  constructor(blank: number) {
    this.#blank = blank;
    this.#last = blank;
  }

  get tokens(): readonly EmittedToken[] {
    return this.#tokens;
  }

  /** @param frames logits or log-probabilities of all symbols, one row for each frame. */
  push(frames: Float32Array, count: number): void {
    const width = frames.length / count;
    for (let row = 0; row < count; row += 1, this.#frame += 1) {
      const from = row * width;
      const id = argmax(frames, from, from + width);
      if (id !== this.#blank) this.#hear(id, probabilityOf(id, frames, from, from + width));
      this.#last = id;
    }
  }

  reset(): void {
    this.#tokens = [];
    this.#frame = 0;
    this.#last = this.#blank;
  }

  #hear(id: number, probability: number): void {
    const endFrame = this.#frame + 1;
    if (id !== this.#last) {
      this.#tokens.push({ id, startFrame: this.#frame, endFrame, probability });
      return;
    }
    const token = this.#tokens.pop()!;
    this.#tokens.push({ ...token, endFrame, probability: Math.max(token.probability, probability) });
  }
}

export function ctcDecoder(blank: number): TokenDecoder<CtcTranscriber> {
  return { create: () => new CtcTranscriber(blank), step: async () => {} };
}
