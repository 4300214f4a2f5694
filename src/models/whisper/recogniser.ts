/** Recognises segments of up to 30 s with an open Whisper. */
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { CachedDecoder, type Heard, logitsOf } from "../encoder-decoder/cached-decoder.js";
import {
  decodeGreedily,
  likeliest,
  logSumExp,
  type RowRequest,
  type RowResult,
  suppress,
} from "../encoder-decoder/greedy.js";
import type { Word } from "../family.js";
import { LogMel, WHISPER_FRAMES } from "../front-ends/log-mel.js";
import { NOTHING_HEARD, type Segment, type SegmentRecogniser, type SegmentReport } from "../segment-stt.js";
import { Attention } from "./alignment.js";
import type { OpenWhisper } from "./layout.js";
import { timedWords, timestampRule } from "./timestamps.js";
import { TIME_TOKEN_SAMPLES, type WhisperVocabulary } from "./vocabulary.js";
import { alignedWords } from "./words.js";

/** OpenAI's bounds: as likely as this that nobody speaks, and on average less likely than this what was written. */
const NO_SPEECH_MIN = 0.6;
const MEAN_LOG_PROBABILITY_MIN = -1;

export interface WhisperChoices {
  /** A language's code, or `auto`. */
  readonly language: string;
  readonly task: "transcribe" | "translate";
  readonly timestamps: boolean;
  readonly wordTimes: boolean;
}

/** What is known of one segment of a batch. */
interface Listening {
  readonly segment: Segment;
  /** Token; that of the start where there are no languages. */
  readonly language: number;
  readonly attention: Attention | undefined;
  noSpeech: number;
}

export class WhisperRecogniser implements SegmentRecogniser {
  readonly device: string;
  readonly description: string;
  readonly batchMax: number;
  readonly #files: OpenWhisper;
  readonly #mel: LogMel;
  readonly #vocabulary: WhisperVocabulary;
  readonly #choices: WhisperChoices;
  readonly #rule: RowRequest["rule"];
  #features = new Float32Array(0);

  constructor(files: OpenWhisper, vocabulary: WhisperVocabulary, choices: WhisperChoices, batchMax: number) {
    this.device = files.device;
    this.description = files.models.map(({ description }) => description).join("; ");
    this.batchMax = Math.min(batchMax, files.form.batchMax);
    this.#files = files;
    this.#mel = new LogMel(files.bins);
    this.#vocabulary = vocabulary;
    this.#choices = choices;
    this.#rule = answerRule(vocabulary, choices.timestamps);
  }

  /** All segments are as long: 30 s. */
  batchKey(): number {
    return 0;
  }

  async recognise(segments: readonly Segment[]): Promise<SegmentReport> {
    const heard = await this.#hear(segments);
    const count = segments.length;
    const asks = this.#vocabulary.tasks !== undefined && this.#choices.language === "auto";
    const languages = asks ? await this.#askLanguages(heard, count) : segments.map(() => this.#languageToken());
    const listening = segments.map((segment, row) => this.#listen(segment, languages[row]!));
    const { results, runs, rows } = await decodeGreedily(
      this.#files.form,
      heard,
      listening.map((one) => this.#request(one)),
    );
    const hypotheses = results.map((result, row) => result && this.#hypothesis(listening[row]!, result));
    return { hypotheses, runs: runs + (asks ? 2 : 1), rows: rows + (asks ? 2 : 1) * count };
  }

  async release(): Promise<void> {
    for (const model of this.#files.models) await model.release();
  }

  async #hear(segments: readonly Segment[]): Promise<Heard> {
    const floats = this.#mel.bins * WHISPER_FRAMES;
    const count = segments.length;
    if (this.#features.length < count * floats) this.#features = new Float32Array(count * floats);
    for (const [row, { pcm }] of segments.entries()) this.#mel.compute(pcm, this.#features, row * floats);
    return this.#files.hear(this.#features.subarray(0, count * floats), count);
  }

  /** The likeliest language token of each row, after a step of its own: what the steps carry on cannot be taken back. */
  async #askLanguages(heard: Heard, rows: number): Promise<number[]> {
    const { start, languages } = this.#vocabulary;
    const ids = [...languages.values()];
    const decoder = new CachedDecoder(this.#files.form, heard, rows);
    const prompts = Array.from({ length: rows }, () => [start]);
    const logits = await decoder.step(prompts, true);
    return Array.from({ length: rows }, (_, row) => {
      const all = logitsOf(logits, row, 0);
      return ids[likeliest(Float32Array.from(ids, (id) => all[id]!))?.token ?? 0]!;
    });
  }

  #languageToken(): number {
    const { languages } = this.#vocabulary;
    return languages.get(this.#choices.language) ?? this.#vocabulary.start;
  }

  #prompt(language: number): number[] {
    const { start, tasks, noTimestamps } = this.#vocabulary;
    const steering = tasks === undefined ? [] : [language, tasks[this.#choices.task]];
    return [start, ...steering, ...(this.#choices.timestamps ? [] : [noTimestamps])];
  }

  #listen(segment: Segment, language: number): Listening {
    const { alignmentHeads } = this.#vocabulary;
    const frames = Math.max(1, Math.ceil(segment.pcm.length / TIME_TOKEN_SAMPLES));
    const attention = this.#choices.wordTimes ? new Attention(alignmentHeads, frames) : undefined;
    return { segment, language, attention, noSpeech: 0 };
  }

  #request(listening: Listening): RowRequest {
    const { end, maxTokens } = this.#vocabulary;
    const prompt = this.#prompt(listening.language);
    return {
      prompt,
      endToken: end,
      maxTokens: Math.max(1, maxTokens - prompt.length),
      rule: this.#rule,
      isStale: () => listening.segment.isStale(),
      onStep: (watched: OnnxTensors, place: number) => listening.attention?.push(watched, place),
      onPrompt: (logitsBehind: (token: number) => Float32Array) => {
        listening.noSpeech = this.#noSpeech(logitsBehind(0));
      },
    };
  }

  /** The probability of the token that says that nobody speaks, where the answer begins. */
  #noSpeech(logits: Float32Array): number {
    const { noSpeech } = this.#vocabulary;
    return noSpeech === undefined ? 0 : Math.exp(logits[noSpeech]! - logSumExp(logits));
  }

  #hypothesis(listening: Listening, { tokens, meanLogProbability }: RowResult) {
    if (listening.noSpeech > NO_SPEECH_MIN && meanLogProbability < MEAN_LOG_PROBABILITY_MIN) return NOTHING_HEARD;
    const { tokenizer, firstTime } = this.#vocabulary;
    const text = tokenizer.decode(tokens.filter((token) => token < firstTime)).trim();
    if (text === "") return NOTHING_HEARD;
    const confidence = Math.exp(meanLogProbability);
    return { text, words: this.#words(listening, tokens, confidence), confidence };
  }

  #words({ attention, segment, language }: Listening, tokens: readonly number[], confidence: number): readonly Word[] {
    const sampleCount = segment.pcm.length;
    if (attention !== undefined) {
      const code = [...this.#vocabulary.languages].find(([, token]) => token === language)?.[0];
      const starts = attention.starts(tokens.length);
      return alignedWords(this.#vocabulary, tokens, starts, { language: code, sampleCount, confidence });
    }
    return this.#choices.timestamps ? timedWords(this.#vocabulary, tokens, sampleCount, confidence) : [];
  }
}

function answerRule(vocabulary: WhisperVocabulary, hasTimestamps: boolean): RowRequest["rule"] {
  const { suppressed, suppressedAtStart, firstTime } = vocabulary;
  const plain = suppress(suppressed, suppressedAtStart);
  const times = hasTimestamps ? timestampRule(vocabulary) : undefined;
  return (logits, written) => {
    plain(logits, written);
    if (times === undefined) logits.fill(Number.NEGATIVE_INFINITY, firstTime);
    else times(logits, written);
  };
}
