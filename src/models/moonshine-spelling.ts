/**
 * The `moonshine-spelling` family: Moonshine's network for single spoken letters, digits and a few commands
 * (github.com/moonshine-ai/moonshine, micro/models, MIT), from the user's own files. It hears one second and says which
 * of its classes that was: one segment, one word. Input `log_mel` f32 [batch, 1, 64, 128] (`front-ends/spelling-mel.ts`),
 * output `logits` f32 [batch, classes]; the classes' names are in the JSON file that comes with it.
 *
 * A shorter segment stands in the middle of the second, silence around it; of a longer one the loudest second is heard.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { msToSamples } from "../base/units.js";
import { BatchBuffers } from "../gpu/batch-buffers.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import { type OnnxModel, openOnnxModel } from "../gpu/onnx-model.js";
import { likeliest } from "./encoder-decoder/greedy.js";
import { defineFamily, type FamilyContext, type Hypothesis, type SttModel } from "./family.js";
import { SPELLING_BANDS, SPELLING_FRAMES, SPELLING_SAMPLES, SpellingMel } from "./front-ends/spelling-mel.js";
import {
  NOTHING_HEARD,
  partialMsOption,
  type Segment,
  type SegmentRecogniser,
  type SegmentReport,
  segmentModel,
} from "./segment-stt.js";

const NAME = "moonshine-spelling";
const FEATURES = SPELLING_BANDS * SPELLING_FRAMES;
/** The loudest second is looked for in steps of this. */
const WINDOW_STEP_SAMPLES = msToSamples(10);
/** Softer than this, nobody has said anything: 60 dB below full scale. */
const SPEECH_PEAK_MIN = 1e-3;

const DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const GROUPS = {
  all: () => true,
  digits: (name: string) => DIGITS.includes(name),
  letters: (name: string) => name.length === 1,
  commands: (name: string) => name.length > 1 && !DIGITS.includes(name),
} as const satisfies Record<string, (name: string) => boolean>;

const options = z.strictObject({
  file: z.string().min(1).describe("Moonshine's spelling network, relative to the configuration's folder"),
  meta: z.string().min(1).describe("the JSON file with its classes, relative to the configuration's folder"),
  only: z
    .enum(["all", "digits", "letters", "commands"])
    .default("all")
    .describe("what may be said: with fewer classes fewer are taken for each other"),
  confidenceMin: z.number().min(0).max(1).default(0).describe("what is less certain is no word at all"),
  partialMs: partialMsOption,
});
type SpellingOptions = z.infer<typeof options>;

export const moonshineSpellingFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: async (chosen: SpellingOptions, context: FamilyContext): Promise<SttModel> => {
    const classes = await readClasses(resolve(context.baseFolder, chosen.meta));
    const path = resolve(context.baseFolder, chosen.file);
    const { device, session, batchMax, log } = context;
    const trial = { dims: { log_mel: [batchMax, 1, SPELLING_BANDS, SPELLING_FRAMES] } };
    const model = await openOnnxModel({ path, device, session, trial, log });
    expectTensors(model, NAME, {
      inputs: [{ name: "log_mel", type: "float32", dims: ["batch", 1, SPELLING_BANDS, SPELLING_FRAMES] }],
      outputs: [{ name: "logits", type: "float32", dims: ["batch", classes.length] }],
    });
    const recogniser = new Spelling(model, classes, chosen, context.batchMax);
    await recogniser.warm();
    return segmentModel(recogniser, msToSamples(chosen.partialMs));
  },
});

const classesShape = z.object({ classes: z.array(z.string().min(1)).min(1) });

async function readClasses(path: string): Promise<readonly string[]> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  });
  try {
    return classesShape.parse(JSON.parse(text)).classes;
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: "it has no list of classes" }, error);
  }
}

class Spelling implements SegmentRecogniser {
  readonly device: string;
  readonly description: string;
  readonly batchMax: number;
  readonly #model: OnnxModel;
  readonly #names: readonly string[];
  /** The indices of the classes that may be said. */
  readonly #allowed: readonly number[];
  readonly #confidenceMin: number;
  readonly #mel = new SpellingMel();
  readonly #feeds: BatchBuffers;
  readonly #fetches: BatchBuffers;

  constructor(model: OnnxModel, names: readonly string[], { only, confidenceMin }: SpellingOptions, batchMax: number) {
    this.device = model.device;
    this.description = model.description;
    this.batchMax = batchMax;
    this.#model = model;
    this.#names = names;
    this.#allowed = names.flatMap((name, index) => (GROUPS[only](name) ? [index] : []));
    this.#confidenceMin = confidenceMin;
    this.#feeds = new BatchBuffers(batchMax, [{ name: "log_mel", rowDims: [1, SPELLING_BANDS, SPELLING_FRAMES] }]);
    this.#fetches = new BatchBuffers(batchMax, [{ name: "logits", rowDims: [names.length] }]);
  }

  /** Everything is a second. */
  batchKey(): number {
    return 0;
  }

  async recognise(segments: readonly Segment[]): Promise<SegmentReport> {
    const count = segments.length;
    for (const [row, { pcm }] of segments.entries()) {
      const second = new Float32Array(SPELLING_SAMPLES);
      const { from, length } = heardPart(pcm);
      second.set(pcm.subarray(from, from + length), (SPELLING_SAMPLES - length) >> 1);
      this.#mel.compute(second, this.#feeds.memory("log_mel"), row * FEATURES);
    }
    await this.#run(count);
    const hypotheses = segments.map(({ pcm }, row) => this.#hypothesis(pcm, row));
    return { hypotheses, runs: 1, rows: count };
  }

  async warm(): Promise<void> {
    for (const rows of new Set([1, this.batchMax])) await this.#run(rows);
  }

  release(): Promise<void> {
    return this.#model.release();
  }

  #hypothesis(pcm: Float32Array, row: number): Omit<Hypothesis, "stableChars"> {
    if (pcm.every((sample) => Math.abs(sample) < SPEECH_PEAK_MIN)) return NOTHING_HEARD;
    const all = this.#fetches.memory("logits").subarray(row * this.#names.length, (row + 1) * this.#names.length);
    const choice = likeliest(Float32Array.from(this.#allowed, (index) => all[index]!));
    const confidence = Math.exp(choice?.logProbability ?? Number.NEGATIVE_INFINITY);
    if (choice === undefined || confidence < this.#confidenceMin) return NOTHING_HEARD;
    const text = this.#names[this.#allowed[choice.token]!]!;
    const { from, length } = heardPart(pcm);
    return { text, confidence, words: [{ text, startSample: from, endSample: from + length, confidence }] };
  }

  async #run(rows: number): Promise<void> {
    await this.#model.run(this.#feeds.tensors(rows), this.#fetches.tensors(rows));
  }
}

/** All of a segment, or its loudest second. */
function heardPart(pcm: Float32Array): { from: number; length: number } {
  if (pcm.length <= SPELLING_SAMPLES) return { from: 0, length: pcm.length };
  let energy = 0;
  for (let i = 0; i < SPELLING_SAMPLES; i += 1) energy += pcm[i]! ** 2;
  let best = { from: 0, energy };
  for (let from = 0; from + WINDOW_STEP_SAMPLES + SPELLING_SAMPLES <= pcm.length; ) {
    for (let i = 0; i < WINDOW_STEP_SAMPLES; i += 1, from += 1)
      energy += pcm[from + SPELLING_SAMPLES]! ** 2 - pcm[from]! ** 2;
    if (energy > best.energy) best = { from, energy };
  }
  return { from: best.from, length: SPELLING_SAMPLES };
}
