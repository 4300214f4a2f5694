/**
 * What all voices of the ONNX kind have in common: a text is planned into utterances that one run can take, the
 * utterances of several calls are synthesised together where the graph takes a batch, and their floats leave as s16 in
 * short pieces. A request that went stale leaves the batch between steps, and none of its audio is emitted after that.
 */
import { f32ToS16 } from "../../audio/pcm.js";
import { AssertionFailure } from "../../base/assert.js";
import { isSyrinxError, reasonOf, SyrinxError } from "../../base/errors.js";
import type { SpeakReport, SpeakRequest, SpokenSpan, TtsModel } from "../family.js";
import { type PlacedWord, placeWords } from "./spans.js";

/** Longest text of one request. At it: TTS_TEXT_TOO_LONG. */
export const TEXT_CHARS_MAX = 1000;
export const SPEED_MIN = 0.5;
export const SPEED_MAX = 2;
/** Longest emitted piece. */
const PIECE_MS_MAX = 100;

/** A part of a text that goes through the graph in one go. */
export interface Utterance<Plan> {
  readonly plan: Plan;
  readonly words: readonly PlacedWord[];
  /** What `durations` count and the words are placed among. */
  readonly unitCount: number;
}

/** One call's row of a batch. */
export interface SynthesisRow<Plan> {
  readonly plan: Plan;
  /** From {@link SPEED_MIN} to {@link SPEED_MAX}; 1 is the voice's own pace. */
  readonly speed: number;
  /** Looked at between steps: a stale row leaves the batch. */
  isStale(): boolean;
}

/** A graph, or several, that make audio of plans. */
export interface Synthesiser<Plan> {
  readonly device: string;
  readonly description: string;
  readonly rateHz: number;
  readonly voices: readonly string[];
  readonly batchMax: number;
  /** Emits audio of a row long before all of it is made. */
  readonly isStreaming?: boolean;
  /** The utterances of a text, in order; empty if there is nothing to say. */
  plan(text: string, voice: string): Promise<readonly Utterance<Plan>[]>;
  /**
   * Speaks at most `batchMax` rows. `emit` receives f32 in [-1, 1] for a row, any number of times, in order.
   * @returns per row the samples of each unit; undefined if the graph does not tell.
   */
  synthesise(
    rows: readonly SynthesisRow<Plan>[],
    emit: (row: number, pcm: Float32Array) => void,
  ): Promise<readonly (ArrayLike<number> | undefined)[]>;
  release(): Promise<void>;
}

export interface VoiceDefaults {
  readonly voice: string;
  readonly speed: number;
}

/** A request on its way. */
interface Speech<Plan> {
  readonly request: SpeakRequest;
  readonly speed: number;
  readonly utterances: readonly Utterance<Plan>[];
  readonly spans: SpokenSpan[];
  sampleCount: number;
  isEstimated: boolean;
  failure: SyrinxError | undefined;
}

export class VoiceModel<Plan> implements TtsModel {
  readonly device: string;
  readonly description: string;
  readonly rateHz: number;
  readonly voices: readonly string[];
  readonly batchMax: number;
  readonly isStreaming: boolean;
  readonly #synthesiser: Synthesiser<Plan>;
  readonly #defaults: VoiceDefaults;
  readonly #piece: Int16Array;

  /** Throws TTS_VOICE_UNKNOWN if the default voice is not among the synthesiser's. */
  constructor(synthesiser: Synthesiser<Plan>, defaults: VoiceDefaults) {
    this.device = synthesiser.device;
    this.description = synthesiser.description;
    this.rateHz = synthesiser.rateHz;
    this.voices = synthesiser.voices;
    this.batchMax = synthesiser.batchMax;
    this.isStreaming = synthesiser.isStreaming === true;
    this.#synthesiser = synthesiser;
    this.#defaults = defaults;
    this.#piece = new Int16Array(Math.ceil((synthesiser.rateHz * PIECE_MS_MAX) / 1000));
    this.#voiceOf(defaults.voice);
  }

  /** Runs the graph once, so that the first call does not pay for it. */
  async warm(text = "Ready."): Promise<void> {
    await this.speak({ text, isStale: () => false }, () => {});
  }

  async speak(request: SpeakRequest, emit: (pcm: Int16Array) => void): Promise<SpeakReport> {
    const [result] = await this.speakAll([request], (_, pcm) => emit(pcm));
    if (isSyrinxError(result)) throw result;
    return result!;
  }

  async speakAll(
    requests: readonly SpeakRequest[],
    emit: (index: number, pcm: Int16Array) => void,
  ): Promise<readonly (SpeakReport | SyrinxError)[]> {
    const speeches: Speech<Plan>[] = [];
    for (const request of requests) speeches.push(await this.#begin(request));
    const roundCount = Math.max(0, ...speeches.map(({ utterances }) => utterances.length));
    for (let round = 0; round < roundCount; round += 1) {
      const live = speeches.flatMap((speech, index) => (isLive(speech, round) ? [index] : []));
      for (let start = 0; start < live.length; start += this.batchMax) {
        await this.#speakRound(speeches, live.slice(start, start + this.batchMax), round, emit);
      }
    }
    return speeches.map(({ failure, sampleCount, spans, isEstimated }) => {
      return failure ?? { sampleCount, spans, ...(isEstimated ? { isEstimated } : {}) };
    });
  }

  release(): Promise<void> {
    return this.#synthesiser.release();
  }

  async #begin(request: SpeakRequest): Promise<Speech<Plan>> {
    const speech = { request, spans: [], sampleCount: 0, isEstimated: false, failure: undefined };
    try {
      const { text } = request;
      const charCount = text.length;
      if (charCount > TEXT_CHARS_MAX) throw new SyrinxError("TTS_TEXT_TOO_LONG", { charCount, limit: TEXT_CHARS_MAX });
      const voice = this.#voiceOf(request.voice ?? this.#defaults.voice);
      const utterances = request.isStale() ? [] : await this.#synthesiser.plan(text, voice);
      return { ...speech, utterances, speed: speedOf(request.speed ?? this.#defaults.speed) };
    } catch (error) {
      return { ...speech, utterances: [], speed: 1, failure: asFailure(error) };
    }
  }

  /** Speaks one utterance of each of the speeches at `indices`. A failure is traced to its row by speaking each alone. */
  async #speakRound(
    speeches: readonly Speech<Plan>[],
    indices: readonly number[],
    round: number,
    emit: (index: number, pcm: Int16Array) => void,
  ): Promise<void> {
    const chosen = indices.map((index) => speeches[index]!).filter(({ request }) => !request.isStale());
    if (chosen.length === 0) return;
    const rows = chosen.map(({ request, speed, utterances }) => {
      return { plan: utterances[round]!.plan, speed, isStale: () => request.isStale() };
    });
    const starts = chosen.map(({ sampleCount }) => sampleCount);
    let isSinkBroken = false;
    const take = (row: number, pcm: Float32Array): void => {
      const speech = chosen[row]!;
      isSinkBroken = true;
      this.#emit(speech, pcm, (piece) => emit(speeches.indexOf(speech), piece));
      isSinkBroken = false;
    };
    let durations: readonly (ArrayLike<number> | undefined)[];
    try {
      durations = await this.#synthesiser.synthesise(rows, take);
    } catch (error) {
      // What the listener threw is the listener's.
      if (isSinkBroken || error instanceof AssertionFailure) throw error;
      const isAlone = chosen.length === 1;
      for (const speech of chosen) {
        if (isAlone) speech.failure = asFailure(error);
        else await this.#speakRound(speeches, [speeches.indexOf(speech)], round, emit);
      }
      return;
    }
    for (const [row, speech] of chosen.entries()) {
      place(speech, speech.utterances[round]!, starts[row]!, durations[row]);
    }
  }

  #emit(speech: Speech<Plan>, pcm: Float32Array, emit: (piece: Int16Array) => void): void {
    const room = this.#piece.length;
    for (let from = 0; from < pcm.length; from += room) {
      if (speech.request.isStale()) return;
      const count = Math.min(room, pcm.length - from);
      f32ToS16(pcm, from, count, this.#piece, 0);
      speech.sampleCount += count;
      emit(count === room ? this.#piece : this.#piece.subarray(0, count));
    }
  }

  #voiceOf(name: string): string {
    if (!this.voices.includes(name)) {
      throw new SyrinxError("TTS_VOICE_UNKNOWN", { voice: name, known: this.voices.join(", ") });
    }
    return name;
  }
}

function isLive<Plan>({ request, utterances, failure }: Speech<Plan>, round: number): boolean {
  return failure === undefined && round < utterances.length && !request.isStale();
}

/** Word times count for a whole text only: a stale request was cut off somewhere, and nobody asks for them. */
function place<Plan>(
  speech: Speech<Plan>,
  { words, unitCount }: Utterance<Plan>,
  start: number,
  durations: ArrayLike<number> | undefined,
): void {
  if (speech.request.isStale()) return;
  speech.isEstimated ||= durations === undefined;
  for (const span of placeWords(words, unitCount, speech.sampleCount - start, durations)) {
    speech.spans.push({ ...span, startSample: start + span.startSample, endSample: start + span.endSample });
  }
}

function asFailure(error: unknown): SyrinxError {
  if (error instanceof AssertionFailure) throw error;
  return isSyrinxError(error) ? error : new SyrinxError("TTS_FAILED", { reason: reasonOf(error) }, error);
}

function speedOf(speed: number): number {
  return Number.isNaN(speed) ? 1 : Math.min(SPEED_MAX, Math.max(SPEED_MIN, speed));
}
