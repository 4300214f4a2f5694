/**
 * Brings output audio to another rate, each context a stream of its own. Positions and alignments move along.
 *
 * A converter's history is not saved but made again: the row holds the last input samples, beginning where the filter's
 * phase does, and a successor that runs them through a fresh converter goes on to the bit.
 */
import { z } from "zod";
import { createResampler, RESAMPLER_RATES_HZ, type Resampler } from "../audio/resampler.js";
import { assert } from "../base/assert.js";
import { LIMITS } from "../base/limits.js";
import { samplesToMs } from "../base/units.js";
import { type ActorCall, defineActor, type Item, type Out, type StateRow } from "./define.js";

const options = z.strictObject({
  rateHz: z.literal(RESAMPLER_RATES_HZ).describe("Rate of the audio that leaves."),
});
type ResampleOptions = z.infer<typeof options>;

/** Input samples that are kept for a successor: more than any pair of rates remembers, plus one period of its phase. */
export const HISTORY_SAMPLES = 4_096;
const HEADER_WORDS = 8;
/** Longest audio frame, at the highest rate. */
const FRAME_SAMPLES_MAX = LIMITS.framePayloadBytes / 2;

export const resampleActor = defineActor<ResampleOptions, ResampleCall>({
  name: "resample",
  summary: "Brings output audio to another sample rate.",
  inputs: ["audio.out", "alignment", "text", "reply"],
  requires: ["audio.out"],
  outputs: ["audio.out", "alignment"],
  forwards: ["text", "reply"],
  options,
  thread: "io",
  // Half of the filter: 40 samples at the lower rate.
  latencyMs: ({ rateHz }) => samplesToMs(40, Math.min(rateHz, 16_000)),
  stateBytes: () => HEADER_WORDS * 4 + HISTORY_SAMPLES * 2,
  create({ rateHz }) {
    const converter = new Converter(rateHz);
    return {
      open: () => new ResampleCall(rateHz),
      process(batch, out) {
        for (const item of batch) converter.handle(item, out);
      },
      save: (call, row) => call.state.save(row),
      restore(_call, row) {
        const state = new ResampleCall(rateHz);
        state.restore(row);
        return state;
      },
    };
  },
});

class ResampleCall {
  readonly #toRateHz: number;
  resampler: Resampler | undefined;
  contextId = -1;
  generation = 0;
  /** Output samples of the context so far. */
  position = 0;
  /** Input samples of the stream so far, and the last of them. */
  #inputCount = 0;
  readonly #history = new Int16Array(HISTORY_SAMPLES);
  #historyCount = 0;

  constructor(toRateHz: number) {
    this.#toRateHz = toRateHz;
  }

  begin(contextId: number, generation: number, rateHz: number): void {
    this.contextId = contextId;
    this.generation = generation;
    this.position = 0;
    this.#inputCount = 0;
    this.#historyCount = 0;
    if (this.resampler?.fromRateHz === rateHz) this.resampler.reset();
    else this.resampler = createResampler(rateHz, this.#toRateHz);
  }

  remember(pcm: Int16Array, offset: number, count: number): void {
    this.#inputCount += count;
    const kept = Math.min(count, HISTORY_SAMPLES);
    const before = Math.min(this.#historyCount, HISTORY_SAMPLES - kept);
    this.#history.copyWithin(0, this.#historyCount - before, this.#historyCount);
    this.#history.set(pcm.subarray(offset + count - kept, offset + count), before);
    this.#historyCount = before + kept;
  }

  /** The stream was flushed: what follows in this context begins anew. */
  forget(): void {
    this.#inputCount = 0;
    this.#historyCount = 0;
  }

  save(row: StateRow): void {
    const words = row.i32;
    words[0] = this.resampler?.fromRateHz ?? 0;
    words[1] = this.contextId;
    words[2] = this.generation;
    words[3] = this.position;
    words[4] = this.#inputCount;
    words[5] = this.#historyCount;
    row.i16.set(this.#history.subarray(0, this.#historyCount), HEADER_WORDS * 2);
  }

  restore(row: StateRow): void {
    const words = row.i32;
    if (words[0] === 0) return;
    this.begin(words[1]!, words[2]!, words[0]!);
    this.position = words[3]!;
    const inputCount = words[4]!;
    const count = words[5]!;
    const history = row.i16.slice(HEADER_WORDS * 2, HEADER_WORDS * 2 + count);
    this.remember(history, 0, count);
    this.#inputCount = inputCount;
    // The phase of the filter repeats with the input, so the replay must begin at a multiple of its period.
    const period = words[0]! / greatestCommonDivisor(words[0]!, this.#toRateHz);
    const skipped = (period - ((inputCount - count) % period)) % period;
    const resampler = this.resampler!;
    const replayed = new Int16Array(resampler.outputBound(count));
    resampler.process(history, skipped, Math.max(0, count - skipped), replayed);
  }
}

class Converter {
  readonly #rateHz: number;
  #output = new Int16Array(0);

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  handle(item: Item<ResampleCall>, out: Out<ResampleCall>): void {
    const { state } = item.call;
    if (item.kind === "audio.out") this.#convert(item, out);
    else if (item.kind === "alignment") this.#align(item, out);
    else {
      const isEnd = item.kind === "reply" && item.meta("reply").what === "end";
      const isOwn = isEnd && item.meta("reply").contextId === state.contextId;
      if (isOwn || item.kind === "fence" || item.kind === "close") this.#flush(item, out);
      out.forward(item);
    }
  }

  #convert(item: Item<ResampleCall>, out: Out<ResampleCall>): void {
    const { state } = item.call;
    const { contextId, rateHz } = item.meta("audio.out");
    const isOther = state.contextId !== contextId || state.generation !== item.generation;
    if (isOther || state.resampler?.fromRateHz !== rateHz) {
      this.#flush(item, out);
      state.begin(contextId, item.generation, rateHz);
    }
    const resampler = state.resampler!;
    assert(item.count <= FRAME_SAMPLES_MAX, "an audio frame fits into a record");
    this.#reserve(resampler.outputBound(item.count));
    const count = resampler.process(item.samples, item.offset, item.count, this.#output);
    state.remember(item.samples, item.offset, item.count);
    this.#emit(item.call, count, item, out);
  }

  /** What the filter still holds of the context. */
  #flush(cause: Item<ResampleCall>, out: Out<ResampleCall>): void {
    const { state } = cause.call;
    const { resampler } = state;
    if (resampler === undefined || cause.call.isStale(state.generation)) return;
    this.#reserve(resampler.outputBound(0));
    this.#emit(cause.call, resampler.flush(this.#output), cause, out);
    state.forget();
  }

  #emit(call: ActorCall<ResampleCall>, count: number, cause: Item<ResampleCall>, out: Out<ResampleCall>): void {
    if (count === 0) return;
    const { state } = call;
    const { contextId, generation, position } = state;
    out.emitAudio(call, { contextId, rateHz: this.#rateHz }, this.#output, 0, count, { cause, generation, position });
    state.position += count;
  }

  #align(item: Item<ResampleCall>, out: Out<ResampleCall>): void {
    const { rateHz, spans, ...meta } = item.meta("alignment");
    const scaled = (sample: number): number => Math.round((sample * this.#rateHz) / rateHz);
    const moved = spans.map((span) => ({
      text: span.text,
      startSample: scaled(span.startSample),
      endSample: scaled(span.endSample),
    }));
    const position = scaled(item.position);
    out.emit(item.call, "alignment", { ...meta, rateHz: this.#rateHz, spans: moved }, { cause: item, position });
  }

  #reserve(count: number): void {
    if (this.#output.length < count) this.#output = new Int16Array(count);
  }
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}
