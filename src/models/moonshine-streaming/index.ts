/**
 * The `moonshine-streaming` family: Useful Sensors' Moonshine of the second generation, tiny to medium, from its folder
 * (`networks.ts`). It listens while somebody speaks, half a second at a time, so that behind the last word only the
 * decoder is left to run; with `partialMs` the decoder also runs in between, from the beginning of the segment.
 *
 * The published networks hear one stream at a time, so there is no batch: streams take turns, a chunk or an answer each.
 * An answer has at most 6.5 tokens for each second of audio.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { assert } from "../../base/assert.js";
import { LIMITS } from "../../base/limits.js";
import { GRAPH_RATE_HZ, msToSamples } from "../../base/units.js";
import { decodeGreedily, suppress } from "../encoder-decoder/greedy.js";
import {
  type AdvanceReport,
  defineFamily,
  type FamilyContext,
  type Hypothesis,
  type SttModel,
  type SttStream,
} from "../family.js";
import { folderOption, precisionOption } from "../model-folder.js";
import { readMoonshineTokenizer } from "../moonshine/index.js";
import { NOTHING_HEARD } from "../segment-stt.js";
import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { Hearing } from "./hearing.js";
import { FRAME_SAMPLES, openStreamingNetworks, type StreamingNetworks } from "./networks.js";

const NAME = "moonshine-streaming";
const TOKENS_PER_SECOND = 6.5;
/** Samples of one turn at listening: half a second, since the encoder looks back anew each time. */
const CHUNK_SAMPLES = 25 * FRAME_SAMPLES;
const SAMPLES_MAX = msToSamples(LIMITS.segmentMsMax);

const options = z.strictObject({
  folder: folderOption,
  precision: precisionOption,
  partialMs: z
    .int()
    .min(0)
    .max(10_000)
    .multipleOf(500)
    .default(0)
    .describe(
      "write down what was heard so far after every so many milliseconds, a multiple of 500; 0: at the end only",
    ),
});

export const moonshineStreamingFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: async (
    { folder, precision, partialMs }: z.infer<typeof options>,
    context: FamilyContext,
  ): Promise<SttModel> => {
    const path = resolve(context.baseFolder, folder);
    const tokenizer = await readMoonshineTokenizer(path);
    const networks = await openStreamingNetworks(path, precision, context, NAME);
    const model = new MoonshineStreaming(networks, tokenizer, msToSamples(partialMs));
    const silence = model.createStream();
    silence.accept(new Int16Array(GRAPH_RATE_HZ), 0, GRAPH_RATE_HZ);
    silence.finish();
    await model.advance([silence]);
    return model;
  },
});

class StreamingStream implements SttStream {
  readonly hearing: Hearing;
  readonly #partialSamples: number;
  #pcm = new Float32Array(CHUNK_SAMPLES);
  #acceptedCount = 0;
  #heardCount = 0;
  /** Of what was heard, the part that the hypothesis speaks of. */
  #writtenCount = 0;
  #isFinished = false;
  #isHeard = false;
  #isDone = false;
  #text: Omit<Hypothesis, "stableChars"> = NOTHING_HEARD;

  constructor(networks: StreamingNetworks, partialSamples: number) {
    this.hearing = new Hearing(networks);
    this.#partialSamples = partialSamples;
  }

  get isReady(): boolean {
    return this.turn !== undefined;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * What is to be done next. An answer is due at whole intervals of stream time; of several that are, the last is written,
   * so that the samples alone decide what the hypothesis speaks of.
   */
  get turn(): "hear" | "write" | undefined {
    if (this.#isDone) return undefined;
    const due = this.#partialSamples === 0 ? 0 : this.#acceptedCount - (this.#acceptedCount % this.#partialSamples);
    if (this.#isHeard || (!this.#isFinished && this.#heardCount === due && this.#writtenCount < due)) return "write";
    return this.#isFinished || this.#acceptedCount - this.#heardCount >= CHUNK_SAMPLES ? "hear" : undefined;
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    assert(!this.#isFinished, "a finished stream takes no samples");
    const needed = this.#acceptedCount + count;
    assert(needed <= SAMPLES_MAX, "a segment has an end");
    if (needed > this.#pcm.length) {
      const larger = new Float32Array(Math.min(SAMPLES_MAX, Math.max(needed, 2 * this.#pcm.length)));
      larger.set(this.#pcm.subarray(0, this.#acceptedCount));
      this.#pcm = larger;
    }
    for (let i = 0; i < count; i += 1) this.#pcm[this.#acceptedCount + i] = pcm[offset + i]! / 32_768;
    this.#acceptedCount = needed;
  }

  finish(): void {
    this.#isFinished = true;
    if (this.#acceptedCount === 0) this.#isDone = true;
  }

  /** Hears the next chunk. Returns how many networks ran. */
  async hear(): Promise<number> {
    const end = Math.min(this.#acceptedCount, this.#heardCount + CHUNK_SAMPLES);
    const isLast = this.#isFinished && end === this.#acceptedCount;
    const runs = await this.hearing.hear(this.#pcm.subarray(this.#heardCount, end), isLast);
    this.#heardCount = end;
    this.#isHeard = isLast;
    return runs;
  }

  take(text: Omit<Hypothesis, "stableChars">): void {
    this.#text = text;
    this.#writtenCount = this.#heardCount;
    this.#isDone = this.#isHeard;
  }

  hypothesis(): Hypothesis {
    return { ...this.#text, stableChars: this.#isDone ? this.#text.text.length : 0 };
  }
}

class MoonshineStreaming implements SttModel {
  readonly device: string;
  readonly description: string;
  readonly lagSamples: number;
  readonly #networks: StreamingNetworks;
  readonly #tokenizer: Tokenizer;
  readonly #partialSamples: number;
  readonly #rule;

  constructor(networks: StreamingNetworks, tokenizer: Tokenizer, partialSamples: number) {
    this.device = networks.encoder.device;
    this.description = networks.models.map(({ description }) => description).join("; ");
    this.lagSamples = CHUNK_SAMPLES + networks.lookaheadFrames * FRAME_SAMPLES;
    this.#networks = networks;
    this.#tokenizer = tokenizer;
    this.#partialSamples = partialSamples;
    this.#rule = suppress([networks.startToken]);
  }

  createStream(): SttStream {
    return new StreamingStream(this.#networks, this.#partialSamples);
  }

  async advance(streams: readonly SttStream[], isStale?: (index: number) => boolean): Promise<AdvanceReport> {
    let runs = 0;
    for (let wasReady = true; wasReady; ) {
      wasReady = false;
      for (const [index, stream] of streams.entries()) {
        assert(stream instanceof StreamingStream, "a stream is advanced by the model that made it");
        const stale = () => isStale?.(index) ?? false;
        if (!stream.isReady || stale()) continue;
        wasReady = true;
        runs += stream.turn === "hear" ? await stream.hear() : await this.#write(stream, stale);
      }
    }
    return { runs, rows: runs };
  }

  async release(): Promise<void> {
    for (const model of this.#networks.models) await model.release();
  }

  async #write(stream: StreamingStream, isStale: () => boolean): Promise<number> {
    const { hearing } = stream;
    if (hearing.frameCount === 0) {
      stream.take(NOTHING_HEARD);
      return 0;
    }
    const { startToken, endToken, tokensMax, decoder } = this.#networks;
    const seconds = (hearing.frameCount * FRAME_SAMPLES) / GRAPH_RATE_HZ;
    const maxTokens = Math.min(tokensMax, Math.ceil(TOKENS_PER_SECOND * seconds));
    const request = { prompt: [startToken], endToken, maxTokens, rule: this.#rule, isStale };
    const { results, runs } = await decodeGreedily(decoder, await hearing.heard(), [request]);
    const result = results[0];
    if (result !== undefined) {
      const text = this.#tokenizer.decode(result.tokens).trim();
      stream.take({ text, words: [], confidence: text === "" ? 0 : Math.exp(result.meanLogProbability) });
    }
    return runs + 1;
  }
}
