/** What the parts of the evaluation share: the models, opened when first needed, and where the rows go. */
import type { SttModel } from "../../src/models/family.js";
import type { RuntimeImpl } from "../../src/runtime/runtime.js";
import { type Clip, type OutsideSet, outsideSets, type RealClip, readSentences, realClips } from "./clips.js";
import { type Condition, disturbed } from "./conditions.js";
import { type Models, openStt, recogniseBatch, recogniseCall, STT_BATCH, startGraphs } from "./recognisers.js";
import type { Row } from "./rows.js";
import { Voices } from "./voices.js";
import { type ErrorCounts, textErrors } from "./words.js";

export interface EvalOptions {
  readonly models: Models;
  /** Folder of the sets made outside. */
  readonly speech: string;
  /** A few clips of each set: does it still run? */
  readonly isQuick: boolean;
}

/** Where results and complaints go. */
export interface EvalSink {
  row(row: Row): void;
  /** Something that was not measured, and why. */
  skip(text: string): void;
  /** One line for whoever waits. */
  progress(text: string): void;
}

/** One part, to be run alone with `--only`. */
export interface Part {
  readonly name: string;
  readonly question: string;
  run(context: EvalContext): Promise<void>;
}

/** In a quick run, so many of anything. */
const QUICK_COUNT = 2;

export class EvalContext {
  readonly options: EvalOptions;
  readonly sink: EvalSink;
  #voices: Promise<Voices> | undefined;
  #stt: Promise<SttModel> | undefined;
  #runtime: Promise<RuntimeImpl> | undefined;
  #real: RealClip[] | null | undefined;

  constructor(options: EvalOptions, sink: EvalSink) {
    this.options = options;
    this.sink = sink;
  }

  voices(): Promise<Voices> {
    this.#voices ??= Voices.open();
    return this.#voices;
  }

  stt(): Promise<SttModel> {
    this.#stt ??= openStt(this.options.models);
    return this.#stt;
  }

  runtime(): Promise<RuntimeImpl> {
    this.#runtime ??= startGraphs(this.options.models);
    return this.#runtime;
  }

  requests(): readonly string[] {
    return this.few(readSentences().requests);
  }

  general(): readonly string[] {
    return this.few(readSentences().general);
  }

  outside(): readonly OutsideSet[] | undefined {
    return outsideSets(this.options.speech);
  }

  /** `undefined` where the folder beside the checkout is missing; said once. */
  real(): readonly RealClip[] | undefined {
    if (this.#real === undefined) {
      this.#real = realClips() ?? null;
      if (this.#real === null)
        this.sink.skip("real recordings: there is no folder ../shared/audio beside the checkout");
    }
    return this.#real ?? undefined;
  }

  few<T>(all: readonly T[]): readonly T[] {
    return this.options.isQuick ? all.slice(0, QUICK_COUNT) : all;
  }

  /** Errors of each clip through the model's streams. */
  async batched(clips: readonly Clip[], condition: Condition, keyterms?: readonly string[]): Promise<ErrorCounts[]> {
    const texts = await this.batchedTexts(clips, condition, keyterms);
    return clips.map(({ text }, at) => textErrors(text, texts[at]!));
  }

  async batchedTexts(clips: readonly Clip[], condition: Condition, keyterms?: readonly string[]): Promise<string[]> {
    const model = await this.stt();
    const texts: string[] = [];
    for (let from = 0; from < clips.length; from += STT_BATCH) {
      this.sink.progress(`${condition}: ${from} of ${clips.length} clips`);
      const batch = clips.slice(from, from + STT_BATCH);
      const heard = await Promise.all(batch.map((clip) => clip.read()));
      const worse = heard.map((pcm, at) => disturbed(pcm, condition, from + at));
      texts.push(...(await recogniseBatch(model, worse, keyterms)));
    }
    return texts;
  }

  /** Errors of each clip through the product's graph: detector, then recogniser. */
  async called(clips: readonly Clip[], condition: Condition, keyterms?: readonly string[]): Promise<ErrorCounts[]> {
    const runtime = await this.runtime();
    const counts: ErrorCounts[] = [];
    for (const [at, clip] of clips.entries()) {
      this.sink.progress(`${condition}: ${clip.name}`);
      const text = await recogniseCall(runtime, disturbed(await clip.read(), condition, at), keyterms);
      counts.push(textErrors(clip.text, text));
    }
    return counts;
  }

  async close(): Promise<void> {
    await (await this.#voices)?.release();
    await (await this.#stt)?.release();
    await (await this.#runtime)?.drain();
  }
}
