/**
 * Models that cost next to nothing and answer like real ones: whatever time a turn takes with them is the runtime's.
 * Imported by workers as a user's module.
 */
import { z } from "zod";
import {
  type AdvanceReport,
  defineFamily,
  type Hypothesis,
  type SpeakReport,
  type SttModel,
  type SttStream,
  type TtsModel,
  type VadModel,
} from "../../src/models/family.js";

const COMMON = { device: "cpu", description: "costs nothing", release: async (): Promise<void> => {} };
const WINDOW_SAMPLES = 320;
const LOUD = 0.02;
/** What the recogniser always understands, and so what the voice is asked to say. */
export const LIGHT_TEXT = "set a timer";
const LIGHT_WORDS = LIGHT_TEXT.split(" ");
const RATE_HZ = 16_000;
const SPOKEN_SAMPLES = 0.2 * RATE_HZ;
const CHUNK_SAMPLES = 1_600;

export const lightVad = defineFamily({
  name: "bench-vad",
  task: "vad",
  options: z.any(),
  open: async (): Promise<VadModel> => ({
    ...COMMON,
    windowSamples: WINDOW_SAMPLES,
    stateFloats: 1,
    lagSamples: 0,
    resetState: (state) => state.fill(0),
    async step(count, pcm, _states, probabilities) {
      // One sample in the middle of the window tells the bench's speech from its silence.
      for (let row = 0; row < count; row++)
        probabilities[row] = Math.abs(pcm[row * WINDOW_SAMPLES + WINDOW_SAMPLES / 2]!) > LOUD ? 0.95 : 0.05;
    },
  }),
});

class LightStream implements SttStream {
  #accepted = 0;
  #computed = 0;
  #isFinished = false;

  accept(_pcm: Int16Array, _offset: number, count: number): void {
    this.#accepted += count;
  }

  finish(): void {
    this.#isFinished = true;
  }

  get isReady(): boolean {
    const left = this.#accepted - this.#computed;
    return left >= CHUNK_SAMPLES || (this.#isFinished && left > 0);
  }

  get isDone(): boolean {
    return this.#isFinished && this.#computed === this.#accepted;
  }

  compute(): void {
    this.#computed = this.#accepted;
  }

  hypothesis(): Hypothesis {
    const words = LIGHT_WORDS.map((text, index) => ({
      text,
      startSample: index * CHUNK_SAMPLES,
      endSample: (index + 1) * CHUNK_SAMPLES,
      confidence: 0.9,
    }));
    const stableChars = this.#isFinished ? LIGHT_TEXT.length : 0;
    return { text: LIGHT_TEXT, words, stableChars, confidence: 0.9 };
  }
}

export const lightStt = defineFamily({
  name: "bench-stt",
  task: "stt",
  options: z.any(),
  open: async (): Promise<SttModel> => ({
    ...COMMON,
    lagSamples: CHUNK_SAMPLES,
    createStream: () => new LightStream(),
    async advance(streams): Promise<AdvanceReport> {
      let rows = 0;
      for (const stream of streams) {
        if (!stream.isReady) continue;
        (stream as LightStream).compute();
        rows++;
      }
      return { runs: rows > 0 ? 1 : 0, rows };
    },
  }),
});

export const lightTts = defineFamily({
  name: "bench-tts",
  task: "tts",
  options: z.any(),
  open: async (): Promise<TtsModel> => {
    const pcm = Int16Array.from({ length: SPOKEN_SAMPLES }, (_, index) => Math.round(8_000 * Math.sin(index * 0.1)));
    return {
      ...COMMON,
      rateHz: RATE_HZ,
      voices: [],
      async speak(_request, emit): Promise<SpeakReport> {
        emit(pcm);
        return { sampleCount: pcm.length, spans: [] };
      },
    };
  },
});
