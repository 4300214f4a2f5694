/**
 * A family is the code that knows one architecture's tensors and decode loop. It opens a model through `gpu/` and
 * exposes a typed step that advances many calls at once. One file and one row in `registry.ts` add a family.
 *
 * A model lives on exactly one worker thread; nothing here is shared between threads. State is explicit and per call:
 * the caller holds it, so that it can be thrown away, copied to shared memory, or rebuilt by replay.
 */
import type { ZodType } from "zod";
import type { Clock } from "../base/clock.js";
import type { SyrinxError } from "../base/errors.js";
import type { SessionSettings } from "../gpu/session-settings.js";
import type { StepPredictor } from "../gpu/step-times.js";

export type ModelTask = "vad" | "stt" | "tts" | "denoise" | "turn";

/** What a family may use while it opens a model. */
export interface FamilyContext {
  readonly clock: Clock;
  /** Relative file names in options are resolved against this folder (that of the configuration file). */
  readonly baseFolder: string;
  /** As configured: `auto`, `cpu`, `cuda:0`, `webgpu`, … */
  readonly device: string;
  /** How ONNX Runtime is set up; its defaults if not given. */
  readonly session?: SessionSettings;
  /** The largest number of calls in one step; buffers and warm-up are sized by it. */
  readonly batchMax: number;
  /** One line to the log: a constant message and data. Never a transcript, never audio. */
  log(level: "debug" | "info" | "warn", message: string, fields?: Record<string, unknown>): void;
}

export interface FamilyDefinition<Task extends ModelTask = ModelTask, Options = unknown> {
  readonly name: string;
  readonly task: Task;
  /** Family-specific keys of a `models:` entry. A strict object: unknown keys are refused. */
  readonly options: ZodType<Options>;
  /**
   * Loads and warms the model. Blocks this thread while it does. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID,
   * MODEL_TENSORS_MISMATCH, DEVICE_UNAVAILABLE, DEVICE_PRECISION, DEVICE_WRONG_ANSWERS.
   */
  open(options: Options, context: FamilyContext): Promise<ModelOf<Task>>;
}

export interface ModelOfTask {
  vad: VadModel;
  stt: SttModel;
  tts: TtsModel;
  denoise: DenoiseModel;
  turn: TurnModel;
}
export type ModelOf<Task extends ModelTask> = ModelOfTask[Task];

/** Declares a family; exists for inference of the options' type and for users' own modules. */
export function defineFamily<Task extends ModelTask, Options>(
  definition: FamilyDefinition<Task, Options>,
): FamilyDefinition<Task, Options> & { readonly syrinx: "family" } {
  return { ...definition, syrinx: "family" };
}

/** What every open model can say and do. */
export interface Model {
  /** Where it runs, as found when opening: `cpu`, `webgpu`, … */
  readonly device: string;
  /** One line for people: file, size, sha256 prefix. */
  readonly description: string;
  /** How long its steps take, if the family tells (`BatchedStep` does): what batching predicts from. */
  readonly steps?: ModelSteps;
  /** Frees the native memory. Only between steps; never while a step is under way. */
  release(): Promise<void>;
}

/** The step times of an open model. */
export interface ModelSteps extends StepPredictor {
  /** Steps run since it was opened, and how many of them took longer than predicted. Only grow. */
  readonly observedCount: number;
  readonly overrunCount: number;
  /** Mean |predicted − actual| of late, as a share of the actual time. */
  readonly errorShare: number;
  /** Keeps them for the next process. Blocks for one small file; never throws. */
  save(): void;
}

/** A frame classifier with recurrent state: probability of speech for each window. */
export interface VadModel extends Model {
  /** Samples of one window at 16 kHz: 320 (20 ms) or 512 (32 ms). */
  readonly windowSamples: number;
  /** Floats of one call's recurrent state (everything that the next window depends on, PCM context included). */
  readonly stateFloats: number;
  /** How many samples the probability lags the window's end (look-ahead of the network). */
  readonly lagSamples: number;
  /** Writes the state of a call that has heard nothing. */
  resetState(state: Float32Array): void;
  /**
   * Advances `count` calls by one window each, in as few runs as the batch limit allows.
   * @param pcm f32[count × windowSamples], row-major, in [-1, 1]. Read before return.
   * @param states one f32[stateFloats] per call, updated in place after the run succeeded.
   * @param probabilities f32[≥ count], written in [0, 1].
   */
  step(count: number, pcm: Float32Array, states: readonly Float32Array[], probabilities: Float32Array): Promise<void>;
}

/** A filter that takes noise out of speech, with recurrent state: as many samples out as in. */
export interface DenoiseModel extends Model {
  /** Samples of one window at 16 kHz: what a step takes and gives. */
  readonly windowSamples: number;
  /** Floats of one call's recurrent state (everything that the next window depends on, PCM included). */
  readonly stateFloats: number;
  /** How many samples the output lags: a step's last sample is the filtered one of this much before its window's end. */
  readonly lagSamples: number;
  /** Writes the state of a call that has heard nothing. */
  resetState(state: Float32Array): void;
  /**
   * Advances `count` calls by one window each, in as few runs as the file and the batch limit allow.
   * @param pcm f32[count × windowSamples], row-major, in [-1, 1]. Read before return.
   * @param states one f32[stateFloats] per call, updated in place.
   * @param output f32[≥ count × windowSamples], written row by row; may leave [-1, 1] a little.
   */
  step(count: number, pcm: Float32Array, states: readonly Float32Array[], output: Float32Array): Promise<void>;
}

/** Tells from the sound of a turn so far whether the speaker has finished. It keeps nothing: every question has it all. */
export interface TurnModel extends Model {
  /** Samples at 16 kHz that it hears at most. */
  readonly windowSamples: number;
  /**
   * Judges several calls, in as few runs as the file and the batch limit allow.
   * @param sounds one f32[≤ windowSamples] for each call in [-1, 1], whose last sample is now. Read before return.
   * @param probabilities f32[≥ sounds.length], that the speaker has finished, written in [0, 1].
   */
  judge(sounds: readonly Float32Array[], probabilities: Float32Array): Promise<void>;
}

export interface Word {
  readonly text: string;
  /** Samples at 16 kHz since the stream's first sample. */
  readonly startSample: number;
  readonly endSample: number;
  /** In [0, 1]. */
  readonly confidence: number;
}

export interface Hypothesis {
  readonly text: string;
  readonly words: readonly Word[];
  /** Characters of `text` that later hypotheses of this stream will not revise. Never shrinks. */
  readonly stableChars: number;
  /** In [0, 1]; 0 for an empty text. */
  readonly confidence: number;
}

export interface SttStreamOptions {
  /** Words or phrases to favour for this call. */
  readonly keyterms?: readonly string[];
}

/** The recognition of one speech segment of one call. Deterministic: the same samples give the same text. */
export interface SttStream {
  /** Copies 16 kHz s16 samples `pcm[offset … offset+count)`. Cheap; runs no model. */
  accept(pcm: Int16Array, offset: number, count: number): void;
  /** No more samples: what the model still holds back is flushed by the next `advance`. */
  finish(): void;
  /** True if `advance` would run the model for this stream. */
  readonly isReady: boolean;
  /** True once `finish` was called and all of it went through the model. */
  readonly isDone: boolean;
  /** The current best text. Grows and may be revised past `stableChars`; immutable once done. */
  hypothesis(): Hypothesis;
}

/** A recogniser of 16 kHz speech that advances many streams in one batch. */
export interface SttModel extends Model {
  /** Samples after a word before it can be recognised (chunk plus look-ahead). */
  readonly lagSamples: number;
  createStream(options: SttStreamOptions): SttStream;
  /**
   * Runs the model for every ready stream of `streams` until none is ready, batched across them. Streams join and leave
   * the batch between steps. `isStale(index)` is looked at between steps: a stale stream leaves the batch.
   * @param dueUs when the stream's answer should be there, microseconds of one clock: where not all streams fit into one
   * step, those that are due sooner go first. Without it, all are equal.
   */
  advance(
    streams: readonly SttStream[],
    isStale?: (index: number) => boolean,
    dueUs?: (index: number) => number,
  ): Promise<AdvanceReport>;
}

/** What one `advance` cost, for receipts and metrics. */
export interface AdvanceReport {
  readonly runs: number;
  /** Sum of rows over the runs; `rows / runs` is the mean batch size. */
  readonly rows: number;
}

export interface SpeakRequest {
  /** One clause or sentence, plain text. */
  readonly text: string;
  readonly voice?: string;
  /** 1 is the voice's own pace; 0.5 to 2. */
  readonly speed?: number;
  /** Looked at between steps; once true, no more audio is emitted and `speak` resolves early. */
  isStale(): boolean;
}

export interface SpokenSpan {
  readonly text: string;
  /** Samples at the model's rate since the beginning of this request's audio. */
  readonly startSample: number;
  readonly endSample: number;
}

export interface SpeakReport {
  readonly sampleCount: number;
  /** Word spans in text order; empty if the model cannot tell. */
  readonly spans: readonly SpokenSpan[];
  /** True if the spans were not measured but shared out by the number of sounds: right to about a syllable. */
  readonly isEstimated?: boolean;
}

export interface TtsModel extends Model {
  readonly rateHz: number;
  readonly voices: readonly string[];
  /**
   * Synthesises one request, blocking this thread for as long as it computes.
   * @param emit receives s16 PCM at `rateHz`, in order, gap-free. The array may be reused after it returns.
   */
  speak(request: SpeakRequest, emit: (pcm: Int16Array) => void): Promise<SpeakReport>;
  /** True if audio comes long before `speak` is done: it should be heard then, though its spans come last. */
  readonly isStreaming?: boolean;
  /** The most requests that `speakAll` advances in one run; 1 if not given. */
  readonly batchMax?: number;
  /**
   * Synthesises requests of several calls, batched where the graph takes a batch; the same audio as one by one.
   * @param emit receives PCM as in `speak`, with the request's index.
   * @returns for each request its report, or why it could not be spoken; one request's failure is never another's.
   */
  speakAll?(
    requests: readonly SpeakRequest[],
    emit: (index: number, pcm: Int16Array) => void,
  ): Promise<readonly (SpeakReport | SyrinxError)[]>;
}
