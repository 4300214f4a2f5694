/**
 * Greedy decoding of transducers, one stream's part of it: where in the encoder's frames the stream stands, and what a
 * step's logits mean there. The network's part is in `transducer-network.ts`.
 *
 * A transducer (Graves, 2012) says for a frame and the tokens so far either the next token, and is asked again about the
 * same frame, or blank, and the frame is done. A token-and-duration transducer (TDT; Xu et al., 2023) also says by how
 * many frames to go on, 0 included.
 */
import { assert } from "../../base/assert.js";
import { argmax, probabilityOf, type TokenDecoder, type Transcriber } from "./transcriber.js";
import type { PredictorRow, TransducerNetwork } from "./transducer-network.js";
import type { EmittedToken } from "./words.js";

export interface TransducerRules {
  readonly blank: number;
  /** Symbols, blank included. Logits behind them are those of durations 0, 1, 2, … */
  readonly symbolCount: number;
  /** Tokens of one frame. At it: the next frame. */
  readonly tokensPerFrameMax: number;
}

export class TransducerTranscriber implements Transcriber {
  readonly #network: TransducerNetwork;
  readonly #rules: TransducerRules;
  #row: PredictorRow;
  #tokens: EmittedToken[] = [];
  #frames = new Float32Array(0);
  #count = 0;
  /** Index of the first of `#frames` in the stream. */
  #base = 0;
  /** Among `#frames`; a duration may reach beyond them. */
  #at = 0;
  #tokensHere = 0;

  constructor(network: TransducerNetwork, rules: TransducerRules) {
    this.#network = network;
    this.#rules = rules;
    this.#row = network.createRow();
  }

  get tokens(): readonly EmittedToken[] {
    return this.#tokens;
  }

  get isPending(): boolean {
    return this.#at < this.#count;
  }

  /** What the network remembers of this stream. */
  get row(): PredictorRow {
    return this.#row;
  }

  /** The encoder's frame that the next step is about. */
  get frame(): Float32Array {
    const width = this.#frames.length / this.#count;
    return this.#frames.subarray(this.#at * width, (this.#at + 1) * width);
  }

  push(frames: Float32Array, count: number): void {
    assert(!this.isPending, "frames are decoded before others come");
    this.#base += this.#count;
    this.#at -= this.#count;
    this.#frames = frames.slice();
    this.#count = count;
  }

  reset(): void {
    this.#row = this.#network.createRow();
    this.#tokens = [];
    this.#base = this.#count = this.#at = this.#tokensHere = 0;
  }

  /** Goes on by one step's logits: f32[symbols + durations] from `from`. */
  decide(logits: Float32Array, from: number, to: number): void {
    const { blank, symbolCount, tokensPerFrameMax } = this.#rules;
    const id = argmax(logits, from, from + symbolCount);
    const duration = to > from + symbolCount ? argmax(logits, from + symbolCount, to) : 0;
    if (id !== blank) {
      const startFrame = this.#base + this.#at;
      const probability = probabilityOf(id, logits, from, from + symbolCount);
      this.#tokens.push({ id, startFrame, endFrame: startFrame + Math.max(1, duration), probability });
      this.#network.commit(this.#row, id);
      this.#tokensHere += 1;
    }
    const isStuck = id === blank || this.#tokensHere === tokensPerFrameMax;
    const step = duration === 0 && isStuck ? 1 : duration;
    this.#at += step;
    if (step > 0) this.#tokensHere = 0;
  }
}

/** Steps a batch of streams, each at its own frame. */
export function transducerDecoder(
  network: TransducerNetwork,
  rules: TransducerRules,
): TokenDecoder<TransducerTranscriber> {
  return {
    create: () => new TransducerTranscriber(network, rules),
    async step(batch) {
      const logits = await network.step(batch);
      const width = logits.length / batch.length;
      for (const [row, transcriber] of batch.entries()) transcriber.decide(logits, row * width, (row + 1) * width);
    },
  };
}
