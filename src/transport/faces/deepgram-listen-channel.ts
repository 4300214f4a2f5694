/**
 * One channel of a `/v1/listen` connection: the call's events as Deepgram's messages. Finals tile the stream: each begins
 * where the one before it ended, so that a client can add their durations up.
 *
 * `speech_final` is said of the final behind which the voice detector heard a pause. A final that may be the answer to a
 * `Finalize` under way is held until it is known whether it is: clients look for the answer where the text is.
 */
import type { TranscriptEvent, VadEvent } from "../../frames/events.js";
import { alternativeOf, seconds, wordsOf } from "./deepgram-words.js";

export interface ChannelSetup {
  readonly index: number;
  readonly count: number;
  readonly hasInterims: boolean;
  readonly hasEndpoints: boolean;
  readonly hasVadEvents: boolean;
  readonly utteranceEndMs: number | undefined;
  /** Of every `Results`. */
  readonly metadata: object;
}

interface Marks {
  readonly isFinal: boolean;
  readonly isSpeechFinal: boolean;
  readonly isFromFinalize: boolean;
}

const INTERIM: Marks = { isFinal: false, isSpeechFinal: false, isFromFinalize: false };

export class ListenChannel {
  readonly #setup: ChannelSetup;
  /** Where the last final ended. */
  #tiledMs = 0;
  /** Pauses that no final was marked with yet: where speech ended. */
  #pauses: number[] = [];
  #isSpeaking = false;
  #speechStartMs = 0;
  /** Text was final and its end of speech was not told. */
  #hasOpenText = false;
  /** `Finalize`s that wait for their answer, by their place in the stream. */
  readonly #finalizes = new Map<string, number>();
  #held: TranscriptEvent | undefined;
  /** Finals that came behind `CloseStream`. */
  readonly #tail: TranscriptEvent[] = [];
  #isClosing = false;
  #lastWordMs = 0;
  /** Words came since the last `UtteranceEnd`. */
  #hasOpenUtterance = false;
  #utteranceEndedMs = 0;
  #asked: { readonly id: string; readonly lastWordMs: number } | undefined;
  #markCount = 0;

  constructor(setup: ChannelSetup) {
    this.#setup = setup;
  }

  finalize(id: string, receivedMs: number): void {
    this.#finalizes.set(id, receivedMs);
  }

  close(): void {
    this.#isClosing = true;
  }

  /** The mark to ask for when audio up to here has come: whether what was said last was an utterance. */
  dueMark(receivedMs: number): string | undefined {
    const { utteranceEndMs, index } = this.#setup;
    if (utteranceEndMs === undefined || !this.#hasOpenUtterance || this.#asked !== undefined) return undefined;
    if (this.#isNewSpeech || receivedMs - this.#lastWordMs < utteranceEndMs) return undefined;
    this.#markCount += 1;
    this.#asked = { id: `utterance-${index}-${this.#markCount}`, lastWordMs: this.#lastWordMs };
    return this.#asked.id;
  }

  vad({ what, atMs }: VadEvent): string[] {
    this.#isSpeaking = what === "start";
    if (what === "stop") {
      this.#pauses.push(atMs);
      return [];
    }
    this.#speechStartMs = atMs;
    // Clients stop listening at the first message behind their `CloseStream`: that is the final.
    if (!this.#setup.hasVadEvents || this.#isClosing) return [];
    return [JSON.stringify({ type: "SpeechStarted", channel: this.#channel, timestamp: seconds(atMs) })];
  }

  transcript(event: TranscriptEvent): string[] {
    this.#noteWords(event);
    if (!event.final) {
      if (!this.#setup.hasInterims || this.#isClosing) return [];
      return [this.#results([event], Math.max(event.endMs, this.#tiledMs), INTERIM)];
    }
    if (this.#finalizes.size > 0) {
      const before = this.#release();
      this.#held = event;
      return before;
    }
    if (!this.#isClosing) return [this.#final([event], event.endMs)];
    this.#tail.push(event);
    return [];
  }

  /** Everything before this `Finalize` was transcribed. */
  finalized(id: string): string[] {
    const askedAtMs = this.#finalizes.get(id);
    if (askedAtMs === undefined) return [];
    this.#finalizes.delete(id);
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return [this.#final([], askedAtMs, true)];
    return [this.#final([held], Math.max(held.endMs, askedAtMs), true)];
  }

  /** A mark that was asked for has come back: everything before it was transcribed. */
  marked(id: string): string[] {
    const asked = this.#asked;
    if (asked?.id !== id) return [];
    this.#asked = undefined;
    if (asked.lastWordMs !== this.#lastWordMs || this.#isNewSpeech || this.#isClosing) return [];
    this.#hasOpenUtterance = false;
    this.#utteranceEndedMs = this.#lastWordMs;
    return [JSON.stringify({ type: "UtteranceEnd", channel: this.#channel, last_word_end: seconds(this.#lastWordMs) })];
  }

  /** All that stood before a pause was transcribed; whether a final said so or not, the pause is told now. */
  paused(atMs: number): string[] {
    // Of a final that is held back, the pause is told when that is said.
    if (this.#held !== undefined || !this.#pauses.includes(atMs)) return [];
    this.#takePauses(atMs);
    if (!this.#hasOpenText || !this.#setup.hasEndpoints || this.#isClosing) return [];
    this.#hasOpenText = false;
    return [this.#results([], atMs, { isFinal: true, isSpeechFinal: true, isFromFinalize: false })];
  }

  /** The rest of the stream, in one final: clients stop listening at the first message behind their `CloseStream`. */
  end(receivedMs: number): string[] {
    const rest = this.#held === undefined ? this.#tail : [this.#held, ...this.#tail];
    if (rest.length === 0 && !this.#hasOpenText && receivedMs <= this.#tiledMs) return [];
    const isSpeechFinal = this.#setup.hasEndpoints && (this.#hasOpenText || rest.some(({ text }) => text !== ""));
    const endMs = Math.max(receivedMs, ...rest.map((event) => event.endMs));
    return [this.#results(rest, endMs, { isFinal: true, isSpeechFinal, isFromFinalize: false })];
  }

  get #channel(): readonly [number, number] {
    return [this.#setup.index, this.#setup.count];
  }

  /** Somebody speaks of whom no word is known yet. */
  get #isNewSpeech(): boolean {
    return this.#isSpeaking && this.#speechStartMs > this.#lastWordMs;
  }

  #noteWords(event: TranscriptEvent): void {
    const last = wordsOf(event).at(-1);
    if (last === undefined) return;
    this.#lastWordMs = last.endMs;
    if (last.startMs >= this.#utteranceEndedMs) this.#hasOpenUtterance = true;
  }

  /** A final that turned out not to be the answer to a `Finalize`. */
  #release(): string[] {
    const held = this.#held;
    this.#held = undefined;
    return held === undefined ? [] : [this.#final([held], held.endMs)];
  }

  #final(events: readonly TranscriptEvent[], endMs: number, isFromFinalize = false): string {
    const hasPaused = this.#takePauses(endMs) && (events.length > 0 || this.#hasOpenText);
    const isSpeechFinal = this.#setup.hasEndpoints && hasPaused;
    if (isSpeechFinal) this.#hasOpenText = false;
    else if (events.some(({ text }) => text !== "")) this.#hasOpenText = true;
    return this.#results(events, endMs, { isFinal: true, isSpeechFinal, isFromFinalize });
  }

  /** Forgets the pauses up to here. @returns whether there were any */
  #takePauses(endMs: number): boolean {
    const before = this.#pauses.length;
    this.#pauses = this.#pauses.filter((atMs) => atMs > endMs);
    return this.#pauses.length < before;
  }

  #results(events: readonly TranscriptEvent[], wantedEndMs: number, marks: Marks): string {
    const startMs = this.#tiledMs;
    const endMs = Math.max(startMs, Math.round(wantedEndMs));
    if (marks.isFinal) this.#tiledMs = endMs;
    return JSON.stringify({
      type: "Results",
      channel_index: this.#channel,
      duration: seconds(endMs - startMs),
      start: seconds(startMs),
      is_final: marks.isFinal,
      speech_final: marks.isSpeechFinal,
      from_finalize: marks.isFromFinalize,
      channel: { alternatives: [alternativeOf(events, { startMs, endMs })] },
      metadata: this.#setup.metadata,
    });
  }
}
