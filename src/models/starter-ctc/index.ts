/**
 * The `starter-ctc` family: the small English recogniser that comes with the package. A network gives phones
 * (`acoustic.ts`), a beam search over a pronouncing dictionary and word pairs makes words of them (`decoder/`).
 */
import { resolve } from "node:path";
import { z } from "zod";
import { assert } from "../../base/assert.js";
import { openOnnxModel } from "../../gpu/onnx-model.js";
import type { KeptStepTimes } from "../../gpu/step-times-file.js";
import {
  type AdvanceReport,
  defineFamily,
  type FamilyContext,
  type Hypothesis,
  type SttModel,
  type SttStream,
  type SttStreamOptions,
  type Word,
} from "../family.js";
import { fileOption, modelPath, starterFolder } from "../model-file.js";
import { AcousticModel, type AcousticStream, CHUNK_SAMPLES, DELAY_SLOTS, SLOT_SAMPLES } from "./acoustic.js";
import {
  BEAM_DEFAULT,
  BEAM_MAX,
  type DecodedWord,
  LABEL_COUNT,
  type Lexicon,
  loadLexicon,
  PhoneDecoder,
} from "./decoder/index.js";

const NAME = "starter-ctc";
/**
 * From slots to samples. Slot s comes from samples around 320 s - 240, but CTC names a phone late, and its first slot
 * later than its last. Medians over 510 words of synthetic speech with known times; half of them are within 25 ms.
 */
const WORD_TIMES = { slotLeadSamples: 240, startLateSamples: 1760, endLateSamples: 690 } as const;

const options = z.strictObject({
  file: fileOption,
  lexicon: z.string().min(1).optional().describe("folder of the dictionary and word pairs; by default the package's"),
  beam: z
    .int()
    .min(1)
    .max(BEAM_MAX)
    .default(BEAM_DEFAULT)
    .describe("hypotheses kept while decoding; more is slower and a little more accurate"),
});

export const starterCtcFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: async ({ file, lexicon, beam }: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> => {
    const path = modelPath(file, context.baseFolder, "stt-en.onnx");
    const { device, session, batchMax, log } = context;
    const trial = { dims: { pcm: [batchMax, CHUNK_SAMPLES], state: [batchMax, null] } };
    const model = await openOnnxModel({ path, device, session, trial, log });
    const acoustic = new AcousticModel(model, NAME, LABEL_COUNT, context);
    await acoustic.warm();
    const words = loadLexicon(lexicon === undefined ? starterFolder() : resolve(context.baseFolder, lexicon));
    return new StarterCtc(acoustic, words, beam);
  },
});

class StarterCtc implements SttModel {
  readonly device: string;
  readonly description: string;
  readonly lagSamples = CHUNK_SAMPLES + DELAY_SLOTS * SLOT_SAMPLES + WORD_TIMES.slotLeadSamples;
  readonly steps: KeptStepTimes;
  readonly #acoustic: AcousticModel;
  readonly #lexicon: Lexicon;
  readonly #beam: number;

  constructor(acoustic: AcousticModel, lexicon: Lexicon, beam: number) {
    this.device = acoustic.model.device;
    this.description = acoustic.model.description;
    this.steps = acoustic.steps;
    this.#acoustic = acoustic;
    this.#lexicon = lexicon;
    this.#beam = beam;
  }

  createStream({ keyterms }: SttStreamOptions): SttStream {
    const terms = keyterms === undefined ? {} : { keyterms };
    return new StarterStream(this.#acoustic, new PhoneDecoder(this.#lexicon, { beam: this.#beam, ...terms }));
  }

  async advance(
    streams: readonly SttStream[],
    isStale?: (index: number) => boolean,
    dueUs?: (index: number) => number,
  ): Promise<AdvanceReport> {
    const acoustic: AcousticStream[] = [];
    for (const stream of streams) {
      assert(stream instanceof StarterStream, "a stream is advanced by the model that made it");
      acoustic.push(stream.acoustic);
    }
    return this.#acoustic.advance(acoustic, isStale, dueUs);
  }

  release(): Promise<void> {
    return this.#acoustic.model.release();
  }
}

class StarterStream implements SttStream {
  readonly acoustic: AcousticStream;
  readonly #decoder: PhoneDecoder;
  /** Undefined when slots were decoded since it was made. */
  #hypothesis: Hypothesis | undefined;
  #isDecided = false;

  constructor(model: AcousticModel, decoder: PhoneDecoder) {
    this.#decoder = decoder;
    this.acoustic = model.createStream((logp, from, slotCount) => {
      decoder.push(logp, from, slotCount);
      this.#hypothesis = undefined;
    });
  }

  get isReady(): boolean {
    return this.acoustic.isReady;
  }

  get isDone(): boolean {
    return this.acoustic.isDone;
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    this.acoustic.accept(pcm, offset, count);
  }

  finish(): void {
    this.acoustic.finish();
  }

  hypothesis(): Hypothesis {
    if (this.isDone && !this.#isDecided) {
      this.#isDecided = true;
      this.#decoder.finish();
      this.#hypothesis = undefined;
    }
    this.#hypothesis ??= this.#decode();
    return this.#hypothesis;
  }

  #decode(): Hypothesis {
    const { text, words, stableChars, confidence } = this.#decoder.hypothesis();
    return { text, words: this.#inSamples(words), stableChars, confidence };
  }

  /** Neighbours that would overlap meet half way. */
  #inSamples(words: readonly DecodedWord[]): Word[] {
    const starts = words.map(({ startSlot }) => this.#sampleOf(startSlot, WORD_TIMES.startLateSamples));
    const ends = words.map(({ endSlot }) => this.#sampleOf(endSlot, WORD_TIMES.endLateSamples));
    for (let i = 1; i < words.length; i += 1) {
      if (starts[i]! >= ends[i - 1]!) continue;
      starts[i] = ends[i - 1] = Math.max(starts[i - 1]!, (starts[i]! + ends[i - 1]!) >> 1);
    }
    return words.map(({ text, confidence }, i) => {
      const startSample = starts[i]!;
      return { text, startSample, endSample: Math.max(startSample, ends[i]!), confidence };
    });
  }

  #sampleOf(slot: number, lateSamples: number): number {
    const sample = slot * SLOT_SAMPLES - WORD_TIMES.slotLeadSamples - lateSamples;
    return Math.max(0, Math.min(this.acoustic.sampleCount, sample));
  }
}
