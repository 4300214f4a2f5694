/**
 * When a turn begins and ends. A pure reducer over stream positions: no audio, no clock, no call. It tells what happens
 * to a {@link TurnSink}, in order.
 *
 * A turn begins with speech and ends when the policy says so of a silence, when it is asked to (`finalize`), or when it
 * is too long. Cut off in the middle of speech, the next turn begins only once it is clear that speech went on: the tail
 * of a word behind a released push-to-talk button is no new turn.
 */
import { GRAPH_RATE_HZ } from "../base/units.js";
import type { Silence, TurnPolicy, Verdict } from "./turn-policy.js";

export interface TurnChange {
  readonly what: "start" | "eager_end" | "resumed" | "end";
  readonly turnIndex: number;
  readonly atSample: number;
  readonly confidence: number;
  readonly trigger: "model" | "timeout" | "manual";
}

export interface TurnSink {
  turn(change: TurnChange): void;
  /** Somebody has spoken long enough to cut a reply off, if there is one. */
  speaking(): void;
}

export interface TurnTiming {
  readonly policy: TurnPolicy;
  readonly turnSamplesMax: number;
  /** Speech that is needed before it interrupts; it counts until its end was noticed. */
  readonly interruptSamples: number;
}

/** Speech after a cut that is a turn of its own if it ends, and if it does not. */
export const RESUME_SPOKEN_SAMPLES = GRAPH_RATE_HZ / 5;
export const RESUME_SAMPLES = (GRAPH_RATE_HZ * 6) / 10;

/** i32 words of {@link TurnState.save}. */
export const TURN_STATE_WORDS = 12;
const CONFIDENCE_SCALE = 1 << 24;

export class TurnState {
  /** May be replaced between two steps. */
  timing: TurnTiming;
  #turnIndex = 0;
  #isOpen = false;
  #isEager = false;
  #isSpeaking = false;
  #mayInterrupt = false;
  #position = 0;
  #turnStart = 0;
  #speechStart = 0;
  #speechEnd = 0;
  /** That the silence is one. */
  #confidence = 0;
  /** Where a turn was cut off in the middle of speech; −1: it was not. */
  #cutAt = -1;
  /** What the model said of this silence; −1: nothing. */
  #completion = -1;
  /** The model has not been asked about this silence. Never at the end of a batch: it is not saved. */
  #isAsking = false;
  /** Reused for each question. */
  readonly #silence = { silentSamples: 0, spokenSamples: 0, confidence: 0, completion: -1 } satisfies Silence;

  constructor(timing: TurnTiming) {
    this.timing = timing;
  }

  save(words: Int32Array): void {
    words[0] = this.#turnIndex;
    words[1] = Number(this.#isOpen);
    words[2] = Number(this.#isEager);
    words[3] = Number(this.#isSpeaking);
    words[4] = Number(this.#mayInterrupt);
    words[5] = this.#position;
    words[6] = this.#turnStart;
    words[7] = this.#speechStart;
    words[8] = this.#speechEnd;
    words[9] = Math.round(this.#confidence * CONFIDENCE_SCALE);
    words[10] = this.#cutAt;
    words[11] = Math.round(this.#completion * CONFIDENCE_SCALE);
  }

  restore(words: Int32Array): void {
    this.#turnIndex = words[0]!;
    this.#isOpen = words[1] === 1;
    this.#isEager = words[2] === 1;
    this.#isSpeaking = words[3] === 1;
    this.#mayInterrupt = words[4] === 1;
    this.#position = words[5]!;
    this.#turnStart = words[6]!;
    this.#speechStart = words[7]!;
    this.#speechEnd = words[8]!;
    this.#confidence = words[9]! / CONFIDENCE_SCALE;
    this.#cutAt = words[10]!;
    this.#completion = words[11]! / CONFIDENCE_SCALE;
  }

  /** True if the model must be asked whether the speaker has finished: `answer` comes next, and nothing before it. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Where the open turn's speech began. */
  get turnStart(): number {
    return this.#turnStart;
  }

  /** @param completion the turn model's probability that the speaker has finished, in [0, 1] */
  answer(completion: number, sink: TurnSink): void {
    this.#isAsking = false;
    this.#completion = rounded(completion);
    this.#judge(sink);
  }

  /** Stream time moves to `position`: the end of an audio frame. */
  advance(position: number, sink: TurnSink): void {
    this.#position = Math.max(this.#position, position);
    if (this.#isSpeaking && !this.#isOpen && this.#position - this.#cutAt >= RESUME_SAMPLES) this.#resumeAfterCut(sink);
    this.#offerInterrupt(sink);
    if (this.#isOpen && this.#position - this.#turnStart >= this.timing.turnSamplesMax) this.#end("timeout", 1, sink);
    else this.#judge(sink);
  }

  speechBegan(atSample: number, probability: number, sink: TurnSink): void {
    this.#isSpeaking = true;
    this.#completion = -1;
    this.#mayInterrupt = true;
    this.#speechStart = atSample;
    this.#cutAt = -1;
    if (!this.#isOpen) this.#start(atSample, probability, sink);
    else if (this.#isEager) this.#change("resumed", atSample, probability, "model", sink);
    this.#isEager = false;
    this.#offerInterrupt(sink);
  }

  speechEnded(atSample: number, probability: number, sink: TurnSink): void {
    if (!this.#isSpeaking) return;
    if (!this.#isOpen && atSample - this.#cutAt >= RESUME_SPOKEN_SAMPLES) this.#resumeAfterCut(sink);
    this.#isSpeaking = false;
    this.#mayInterrupt = false;
    this.#speechEnd = atSample;
    this.#confidence = rounded(1 - probability);
    this.#cutAt = -1;
    this.#isAsking = this.#isOpen && this.timing.policy.asksModel;
    if (!this.#isAsking) this.#judge(sink);
  }

  /** The client says that the turn is over, or the stream is. */
  finalize(sink: TurnSink): void {
    if (this.#isOpen) this.#end("manual", 1, sink);
  }

  #judge(sink: TurnSink): void {
    if (!this.#isOpen || this.#isSpeaking) return;
    const silence = this.#silence;
    silence.silentSamples = this.#position - this.#speechEnd;
    silence.spokenSamples = this.#speechEnd - this.#turnStart;
    silence.confidence = this.#confidence;
    silence.completion = this.#completion;
    const verdict: Verdict = this.timing.policy.judge(silence);
    if (verdict.what === "end") this.#end(verdict.trigger, verdict.confidence, sink);
    else if (verdict.what === "eager_end" && !this.#isEager) {
      this.#isEager = true;
      this.#change("eager_end", this.#speechEnd, verdict.confidence ?? this.#confidence, "model", sink);
    }
  }

  #offerInterrupt(sink: TurnSink): void {
    if (!this.#mayInterrupt || this.#position - this.#speechStart < this.timing.interruptSamples) return;
    this.#mayInterrupt = false;
    sink.speaking();
  }

  #resumeAfterCut(sink: TurnSink): void {
    this.#mayInterrupt = true;
    this.#speechStart = this.#cutAt;
    this.#start(this.#cutAt, 1, sink);
    this.#offerInterrupt(sink);
  }

  #start(atSample: number, confidence: number, sink: TurnSink): void {
    this.#isOpen = true;
    this.#isEager = false;
    this.#turnStart = atSample;
    this.#change("start", atSample, confidence, "model", sink);
  }

  #end(trigger: TurnChange["trigger"], confidence: number, sink: TurnSink): void {
    this.#isOpen = false;
    this.#isEager = false;
    this.#mayInterrupt = false;
    this.#cutAt = this.#isSpeaking ? this.#position : -1;
    this.#change("end", this.#isSpeaking ? this.#position : this.#speechEnd, confidence, trigger, sink);
    this.#turnIndex++;
  }

  #change(
    what: TurnChange["what"],
    atSample: number,
    confidence: number,
    trigger: TurnChange["trigger"],
    sink: TurnSink,
  ): void {
    sink.turn({ what, turnIndex: this.#turnIndex, atSample, confidence, trigger });
  }
}

/** A state saved and read again must judge alike: the precision of the row is the precision here. */
function rounded(confidence: number): number {
  return Math.round(confidence * CONFIDENCE_SCALE) / CONFIDENCE_SCALE;
}
