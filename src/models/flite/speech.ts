import { createResampler, type Resampler } from "../../audio/resampler.js";
import { GRAPH_RATE_HZ, msToSamples } from "../../base/units.js";
import type { SpeakReport } from "../family.js";
import type { FliteRun } from "./engine.js";
import { readPhones, wordSpans } from "./spans.js";
import type { SpokenWord } from "./text.js";
import { levelTable, VOICE_RATE_HZ, type VoiceName } from "./voices.js";

/** Samples of one emitted frame. */
export const EMIT_SAMPLES = msToSamples(100);
/** Of the silence that flite begins a text with (160 to 220 ms), this much is kept: the rest only delays the reply. */
export const LEAD_MS = 40;
/** Below this magnitude the beginning counts as silence (−50 dBFS). */
const LEAD_MAGNITUDE = 100;

type Sink = Pick<FliteRun, "onSentence" | "onAudio">;

/** Thrown through the synthesis when its request went stale. */
class Stopped extends Error {}

/**
 * One request's audio on its way out: to 16 kHz, to the common level, cut into frames. Used once.
 */
export class Speech {
  readonly #levels: Int16Array;
  readonly #resampler: Resampler;
  readonly #isStale: () => boolean;
  readonly #emit: (pcm: Int16Array) => void;
  readonly #frame = new Int16Array(EMIT_SAMPLES);
  #filled = 0;
  #resampled = new Int16Array(0);
  #hasBegun = false;
  /** Of the 16 kHz signal: samples so far, of them dropped as leading silence, and where sentences began. */
  #sampleCount = 0;
  #droppedCount = 0;
  #emittedCount = 0;
  #sentenceStarts: number[] = [];

  constructor(voice: VoiceName, isStale: () => boolean, emit: (pcm: Int16Array) => void) {
    this.#levels = levelTable(voice);
    this.#resampler = createResampler(VOICE_RATE_HZ[voice], GRAPH_RATE_HZ);
    this.#isStale = isStale;
    this.#emit = emit;
  }

  /** Runs `synthesise` with this speech as its sink. Returns what it returned, or nothing if the request went stale. */
  follow(synthesise: (sink: Sink) => string): string {
    try {
      const printed = synthesise({
        onSentence: () => this.#endSentence(),
        onAudio: (bytes) => this.#accept(bytes),
      });
      this.#endSentence();
      return printed;
    } catch (error) {
      if (error instanceof Stopped) return "";
      throw error;
    }
  }

  report(words: readonly SpokenWord[], printed: string): SpeakReport {
    const sampleCount = this.#emittedCount;
    if (printed === "") return { sampleCount, spans: [] };
    const starts = this.#sentenceStarts.map((start) => start - this.#droppedCount);
    const phones = readPhones(printed, starts, GRAPH_RATE_HZ);
    return { sampleCount, spans: wordSpans(words, phones, sampleCount) };
  }

  /** Sends the rest of the sentence before, so that it is heard while the next one is computed. */
  #endSentence(): void {
    const bound = this.#resampler.outputBound(0);
    if (this.#resampled.length < bound) this.#resampled = new Int16Array(bound);
    this.#take(this.#resampled, this.#resampler.flush(this.#resampled));
    this.#send();
    if (this.#isStale()) throw new Stopped();
    this.#sentenceStarts.push(this.#sampleCount);
  }

  #accept(bytes: Uint8Array): void {
    // A copy: in the program's memory the samples may lie at an odd address.
    const pcm = new Int16Array(bytes.slice(0, bytes.length & ~1).buffer);
    const bound = this.#resampler.outputBound(pcm.length);
    if (this.#resampled.length < bound) this.#resampled = new Int16Array(bound);
    this.#take(this.#resampled, this.#resampler.process(pcm, 0, pcm.length, this.#resampled));
  }

  #take(pcm: Int16Array, count: number): void {
    let from = 0;
    if (!this.#hasBegun && count > 0) {
      let first = 0;
      while (first < count && Math.abs(pcm[first]!) < LEAD_MAGNITUDE) first++;
      this.#hasBegun = first < count;
      from = this.#hasBegun ? Math.max(0, first - msToSamples(LEAD_MS)) : count;
      this.#droppedCount += from;
    }
    this.#sampleCount += count;
    for (let index = from; index < count; index++) {
      this.#frame[this.#filled++] = this.#levels[pcm[index]! + 32768]!;
      if (this.#filled === EMIT_SAMPLES) this.#send();
    }
  }

  #send(): void {
    if (this.#filled === 0) return;
    if (this.#isStale()) throw new Stopped();
    const count = this.#filled;
    this.#filled = 0;
    this.#emittedCount += count;
    this.#emit(count === EMIT_SAMPLES ? this.#frame : this.#frame.subarray(0, count));
  }
}
