/**
 * A recogniser that advances many streams by turns: an encoder's run over those that have frames for it, then as many
 * steps of a decoder network as their frames need, each over those that still have some. A stream joins or leaves between
 * any two runs and keeps its own place.
 */
import { assert } from "../../base/assert.js";
import type { AdvanceReport, SttModel, SttStream, SttStreamOptions } from "../family.js";
import type { EncodedStream } from "./encoded-stream.js";
import type { TokenDecoder, Transcriber } from "./transcriber.js";

/** What a family's model can do with its streams. */
export interface Stages<T extends Transcriber, S> {
  readonly device: string;
  readonly description: string;
  readonly lagSamples: number;
  /** Rows of one run of the encoder, and of one of the decoder. */
  readonly encoderBatchMax: number;
  readonly decoderBatchMax: number;
  /**
   * Which goes first if some streams are ready for the one and some for the other. The encoder, where a stream needs it
   * once: then all decode together. The decoder, where it is needed again and again: then all are encoded together.
   */
  readonly first: "encoder" | "decoder";
  readonly decoder: TokenDecoder<T>;
  createStream(transcriber: T): S;
  /** Runs the encoder once over some of the batch, at least one, and pushes its frames. Returns how many. */
  encode(batch: readonly S[]): Promise<number>;
  release(): Promise<void>;
}

export class StagedModel<T extends Transcriber, S extends EncodedStream<T>> implements SttModel {
  readonly device: string;
  readonly description: string;
  readonly lagSamples: number;
  readonly #stages: Stages<T, S>;
  readonly #made = new WeakMap<SttStream, S>();

  constructor(stages: Stages<T, S>) {
    this.device = stages.device;
    this.description = stages.description;
    this.lagSamples = stages.lagSamples;
    this.#stages = stages;
  }

  createStream(_options: SttStreamOptions): SttStream {
    const stream = this.#stages.createStream(this.#stages.decoder.create());
    this.#made.set(stream, stream);
    return stream;
  }

  /**
   * Among those that are ready for a run the streams that had the fewest turns go first, so that one with much audio does
   * not hold up the others.
   */
  async advance(streams: readonly SttStream[], isStale?: (index: number) => boolean): Promise<AdvanceReport> {
    const own = streams.map((stream) => {
      const made = this.#made.get(stream);
      assert(made !== undefined, "a stream is advanced by the model that made it");
      return made;
    });
    const turns = new Map<S, number>(own.map((stream) => [stream, 0]));
    let runs = 0;
    let rows = 0;
    for (;;) {
      const active = own.filter((stream, index) => stream.isReady && !isStale?.(index));
      if (active.length === 0) return { runs, rows };
      active.sort((one, other) => turns.get(one)! - turns.get(other)!);
      const batch = this.#choose(active);
      for (const stream of batch) turns.set(stream, turns.get(stream)! + 1);
      runs += 1;
      rows += await this.#run(batch);
    }
  }

  release(): Promise<void> {
    return this.#stages.release();
  }

  /** The streams of the next run, all for the same stage. */
  #choose(active: readonly S[]): readonly S[] {
    const { first, encoderBatchMax, decoderBatchMax } = this.#stages;
    const pending = active.filter(({ transcriber }) => transcriber.isPending);
    const waiting = active.filter(({ transcriber }) => !transcriber.isPending);
    const decodes = waiting.length === 0 || (first === "decoder" && pending.length > 0);
    return decodes ? pending.slice(0, decoderBatchMax) : waiting.slice(0, encoderBatchMax);
  }

  async #run(batch: readonly S[]): Promise<number> {
    if (!batch[0]!.transcriber.isPending) return this.#stages.encode(batch);
    await this.#stages.decoder.step(batch.map(({ transcriber }) => transcriber));
    return batch.length;
  }
}
