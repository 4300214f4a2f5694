/** What a streaming Moonshine has heard of one segment, chunk by chunk. */
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { floatsOf, floatTensor, integerTensor } from "../../gpu/tensors.js";
import type { Heard } from "../encoder-decoder/cached-decoder.js";
import { KEPT_INPUTS, type StreamingNetworks } from "./networks.js";

/** Rows of floats that are appended to. */
class FloatRows {
  readonly #width: number;
  #data = new Float32Array(0);
  #count = 0;

  constructor(width: number) {
    this.#width = width;
  }

  get count(): number {
    return this.#count;
  }

  append(rows: Float32Array): void {
    const used = this.#count * this.#width;
    if (used + rows.length > this.#data.length) {
      const larger = new Float32Array(Math.max(used + rows.length, 2 * this.#data.length));
      larger.set(this.#data.subarray(0, used));
      this.#data = larger;
    }
    this.#data.set(rows, used);
    this.#count += rows.length / this.#width;
  }

  slice(from: number, to = this.#count): Float32Array {
    return this.#data.subarray(from * this.#width, to * this.#width);
  }
}

export class Hearing {
  readonly #networks: StreamingNetworks;
  readonly #features: FloatRows;
  readonly #memory: FloatRows;
  #kept: OnnxTensors;

  constructor(networks: StreamingNetworks) {
    this.#networks = networks;
    this.#features = new FloatRows(networks.widths.features);
    this.#memory = new FloatRows(networks.widths.memory);
    this.#kept = networks.createKept();
  }

  /** Frames of 20 ms that the decoder may know. */
  get frameCount(): number {
    return this.#memory.count;
  }

  /**
   * Hears the next samples. Frames whose look-ahead has not been heard yet wait for the next chunk, unless this is the last.
   * Returns how many networks ran.
   */
  async hear(samples: Float32Array, isLast: boolean): Promise<number> {
    const { frontend } = this.#networks;
    let runs = 0;
    if (samples.length > 0) {
      const chunk = floatTensor("float32", samples, [1, samples.length]);
      const outputs = await frontend.run({ audio_chunk: chunk, ...this.#kept });
      this.#features.append(floatsOf(outputs.features!));
      this.#kept = Object.fromEntries(KEPT_INPUTS.map((name) => [name, outputs[`${name}_out`]!]));
      runs += 1;
    }
    return runs + (await this.#encode(isLast));
  }

  /** What the decoder is given. At least one frame must have been heard. */
  async heard(): Promise<Heard> {
    const memory = floatTensor("float32", this.#memory.slice(0), [1, this.#memory.count, this.#networks.widths.memory]);
    const { k_cross: keys, v_cross: values } = await this.#networks.crossKv.run({ memory });
    return {
      out_k_cross: { tensor: keys!, batchAxis: 1 },
      out_v_cross: { tensor: values!, batchAxis: 1 },
    };
  }

  /** The encoder sees new frames, those behind them and, each time anew, as many before them as it looks back. */
  async #encode(isLast: boolean): Promise<number> {
    const { encoder, adapter, widths, leftFrames, lookaheadFrames } = this.#networks;
    const done = this.#memory.count;
    const fresh = this.#features.count - (isLast ? 0 : lookaheadFrames) - done;
    if (fresh <= 0) return 0;
    const start = Math.max(0, done - leftFrames);
    const window = this.#features.slice(start);
    const features = floatTensor("float32", window, [1, this.#features.count - start, widths.features]);
    const encoded = floatsOf((await encoder.run({ features })).encoded!);
    const part = encoded.subarray((done - start) * widths.features, (done - start + fresh) * widths.features);
    const outputs = await adapter.run({
      encoded: floatTensor("float32", part, [1, fresh, widths.features]),
      pos_offset: integerTensor("int64", [done], [1]),
    });
    this.#memory.append(floatsOf(outputs.memory!));
    return 2;
  }
}
