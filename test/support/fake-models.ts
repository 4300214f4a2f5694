/**
 * Models without weights whose outputs depend on every sample and on all state they are given: whoever loses, repeats or
 * reorders anything gets another answer.
 */
import { reasonOf, SyrinxError } from "../../src/base/errors.js";
import type {
  AdvanceReport,
  DenoiseModel,
  Hypothesis,
  ModelSteps,
  SpeakReport,
  SpeakRequest,
  SpokenSpan,
  SttModel,
  SttStream,
  SttStreamOptions,
  TtsModel,
  TurnModel,
  VadModel,
  Word,
} from "../../src/models/family.js";

const RELEASE = { device: "fake", description: "a fake", release: async (): Promise<void> => {} };

export interface FakeVad extends VadModel {
  /** Calls of each step, in order. */
  readonly stepSizes: number[];
}

/** Loud is speech. The probability is an average over windows, so it depends on the state that came before. */
export function fakeVad(windowSamples = 320, lagSamples = 0): FakeVad {
  const stepSizes: number[] = [];
  return {
    ...RELEASE,
    windowSamples,
    stateFloats: 2,
    lagSamples,
    stepSizes,
    resetState: (state) => state.fill(0),
    async step(count, pcm, states, probabilities) {
      stepSizes.push(count);
      for (let row = 0; row < count; row++) {
        const state = states[row]!;
        let energy = 0;
        for (const sample of pcm.subarray(row * windowSamples, (row + 1) * windowSamples)) energy += sample * sample;
        const isLoud = Math.sqrt(energy / windowSamples) > 0.02 ? 1 : 0;
        state[0] = 0.3 * state[0]! + 0.7 * isLoud;
        state[1] = state[1]! + 1;
        probabilities[row] = state[0]!;
      }
    },
  };
}

export interface FakeDenoise extends DenoiseModel {
  /** Calls of each step, in order. */
  readonly stepSizes: number[];
}

/** Takes away half of a mean over all samples before, and says it `lagSamples` late. */
export function fakeDenoise(windowSamples = 256, lagSamples = 256): FakeDenoise {
  const stepSizes: number[] = [];
  return {
    ...RELEASE,
    windowSamples,
    stateFloats: 1 + lagSamples,
    lagSamples,
    stepSizes,
    resetState: (state) => state.fill(0),
    async step(count, pcm, states, output) {
      stepSizes.push(count);
      for (let row = 0; row < count; row++) {
        const state = states[row]!;
        const line = [...state.subarray(1, 1 + lagSamples)];
        for (const sample of pcm.subarray(row * windowSamples, (row + 1) * windowSamples)) {
          line.push(sample - 0.5 * state[0]!);
          state[0] = 0.99 * state[0]! + 0.01 * sample;
        }
        output.set(line.slice(0, windowSamples), row * windowSamples);
        state.set(line.slice(windowSamples), 1);
      }
    },
  };
}

export interface FakeTurn extends TurnModel {
  /** Samples of each sound that was judged, question by question. */
  readonly questions: number[][];
}

/** Half a second of sound in all is a finished turn. Where in its half the probability lies is a hash of all samples. */
export function fakeTurn(windowSamples = 128_000): FakeTurn {
  const questions: number[][] = [];
  return {
    ...RELEASE,
    windowSamples,
    questions,
    async judge(sounds, probabilities) {
      questions.push(sounds.map((sound) => sound.length));
      for (const [row, sound] of sounds.entries()) {
        let hash = 7;
        let loud = 0;
        for (const sample of sound) {
          hash = (Math.imul(hash, 31) + sample * 32_768) | 0;
          if (sample !== 0) loud++;
        }
        probabilities[row] = (loud >= 7_900 ? 0.5 : 0) + ((hash >>> 0) % 1_000) / 2_001;
      }
    },
  };
}

export interface FakeStt extends SttModel {
  /** Streams of each `advance` that had work, in order. */
  readonly advanceSizes: number[];
}

const CHUNK_SAMPLES = 1_600;

/** Step times of a model whose every row takes so long. */
export function fakeSteps(rowMs: number): ModelSteps {
  return { observedCount: 1, overrunCount: 0, errorShare: 0, predictMs: (rows) => rows * rowMs, save: () => {} };
}

/** Spells one word per 100 ms chunk that is not silent: a hash of all samples of the stream so far. */
export function fakeStt(steps?: ModelSteps): FakeStt {
  const advanceSizes: number[] = [];
  return {
    ...RELEASE,
    ...(steps === undefined ? {} : { steps }),
    lagSamples: CHUNK_SAMPLES,
    advanceSizes,
    createStream: (options) => new FakeStream(options),
    async advance(streams, isStale): Promise<AdvanceReport> {
      const ready = streams.filter((stream, index) => stream.isReady && isStale?.(index) !== true);
      if (ready.length > 0) advanceSizes.push(ready.length);
      for (const stream of ready) (stream as FakeStream).compute();
      return { runs: ready.length > 0 ? 1 : 0, rows: ready.length };
    },
  };
}

class FakeStream implements SttStream {
  readonly #samples: number[] = [];
  readonly #words: Word[];
  #computed = 0;
  #isFinished = false;
  #hash = 7;

  constructor({ keyterms }: SttStreamOptions) {
    this.#words = (keyterms ?? []).map((text) => ({ text, startSample: 0, endSample: 0, confidence: 1 }));
  }

  accept(pcm: Int16Array, offset: number, count: number): void {
    if (this.#isFinished) throw new Error("a finished stream takes no samples");
    for (let index = 0; index < count; index++) this.#samples.push(pcm[offset + index]!);
  }

  finish(): void {
    this.#isFinished = true;
  }

  get isReady(): boolean {
    const left = this.#samples.length - this.#computed;
    return left >= CHUNK_SAMPLES || (this.#isFinished && left > 0);
  }

  get isDone(): boolean {
    return this.#isFinished && this.#computed === this.#samples.length;
  }

  compute(): void {
    while (this.isReady) {
      const end = Math.min(this.#computed + CHUNK_SAMPLES, this.#samples.length);
      let isSilent = true;
      for (let index = this.#computed; index < end; index++) {
        this.#hash = (Math.imul(this.#hash, 31) + this.#samples[index]!) | 0;
        if (Math.abs(this.#samples[index]!) > 50) isSilent = false;
      }
      const text = `w${(this.#hash >>> 0) % 9973}`;
      if (!isSilent) this.#words.push({ text, startSample: this.#computed, endSample: end, confidence: 0.5 });
      this.#computed = end;
    }
  }

  hypothesis(): Hypothesis {
    const text = this.#words.map((word) => word.text).join(" ");
    const stableChars = this.#isFinished ? text.length : Math.max(0, text.lastIndexOf(" "));
    return { text, words: [...this.#words], stableChars, confidence: text === "" ? 0 : 0.5 };
  }
}

export interface FakeTts extends TtsModel {
  /** Texts in the order in which they were spoken. */
  readonly spoken: string[];
  /** Requests of each `speakAll`, in order. */
  readonly batchSizes: number[];
}

/**
 * 10 ms of a tone for each character. Fails on texts with `FAIL` in them. With `words`, it knows when each is spoken; with a
 * `batchMax`, it speaks several requests in turns of one piece each.
 */
export function fakeTts({ words = true, rateHz = 16_000, batchMax = 1, isStreaming = false } = {}): FakeTts {
  const model = { ...fakeVoice({ words, rateHz }), isStreaming };
  if (batchMax === 1) return model;
  return {
    ...model,
    batchMax,
    async speakAll(requests, emit) {
      model.batchSizes.push(requests.length);
      const pieces: Int16Array[][] = requests.map(() => []);
      const reports: (SpeakReport | SyrinxError)[] = [];
      for (const [index, request] of requests.entries()) {
        const spoken = model.speak(request, (pcm) => pieces[index]!.push(pcm.slice()));
        reports.push(await spoken.catch((error) => new SyrinxError("TTS_FAILED", { reason: reasonOf(error) })));
      }
      const turns = Math.max(...pieces.map(({ length }) => length));
      for (let turn = 0; turn < turns; turn++) {
        for (const [index, own] of pieces.entries()) if (turn < own.length) emit(index, own[turn]!);
      }
      return reports;
    },
  };
}

function fakeVoice({ words, rateHz }: { words: boolean; rateHz: number }): FakeTts {
  const spoken: string[] = [];
  const perChar = Math.floor(rateHz / 100);
  return {
    ...RELEASE,
    rateHz,
    voices: ["low", "high"],
    spoken,
    batchSizes: [],
    async speak(request: SpeakRequest, emit): Promise<SpeakReport> {
      spoken.push(request.text);
      if (request.text.includes("FAIL")) throw new Error("no breath");
      const spans: SpokenSpan[] = [];
      for (const match of request.text.matchAll(/\S+/g)) {
        const startSample = match.index * perChar;
        spans.push({ text: match[0], startSample, endSample: startSample + match[0].length * perChar });
      }
      const chunk = new Int16Array(perChar);
      let sampleCount = 0;
      for (const char of request.text) {
        if (request.isStale()) break;
        const pitch = char.charCodeAt(0) * (request.voice === "high" ? 2 : 1);
        for (let index = 0; index < perChar; index++) chunk[index] = Math.round(8000 * Math.sin(index * pitch * 0.01));
        emit(chunk);
        sampleCount += perChar;
      }
      return { sampleCount, spans: words ? spans : [] };
    },
  };
}
