/**
 * The events of a call's input side: speech, turns, transcripts; and of a graph that only listens, the receipts. Main thread.
 * Split from `call-events.ts`, which has the reply's side.
 */
import type { CallEvent, TranscriptEvent } from "../frames/events.js";
import type { FrameView, Transcript } from "../frames/index.js";
import { Hearing, type HearingFigure } from "./hearing.js";
import { positionMs, type ReceiptBook } from "./receipts.js";

export interface InputEventsSpec {
  readonly book: ReceiptBook;
  /** Kinds that the graph tells its caller. */
  readonly told: ReadonlySet<string>;
  /** No reply can come: a turn's answer is its verdict and its final transcript. */
  readonly onlyListens: boolean;
  readonly nowUs: () => number;
  readonly deliver: (event: CallEvent) => void;
  readonly measure: (figure: HearingFigure, seconds: number) => void;
}

export class InputEvents {
  readonly #spec: InputEventsSpec;
  readonly #book: ReceiptBook;
  readonly #hearing: Hearing;
  #isSpeaking = false;

  constructor(spec: InputEventsSpec) {
    this.#spec = spec;
    this.#book = spec.book;
    this.#hearing = new Hearing(spec.book.arrivals, spec.told.has("turn"), spec.measure);
  }

  /** True once if speech had begun and not ended: the caller of this ends it. */
  takeOpenSpeech(): boolean {
    const wasSpeaking = this.#isSpeaking;
    this.#isSpeaking = false;
    return wasSpeaking;
  }

  vad(view: FrameView): void {
    const { what, atSample, probability } = view.meta("vad");
    this.#isSpeaking = what === "start";
    if (what === "start") {
      this.#book.vadStarted(atSample);
      this.#hearing.speechBegan(atSample);
    } else {
      this.#book.vadStopped(atSample, view.enqueuedUs);
    }
    this.#spec.deliver({ type: "vad", what, atMs: positionMs(atSample), probability });
  }

  turn(view: FrameView): void {
    const { what, turnIndex, atSample, confidence, trigger, trail = [] } = view.meta("turn");
    const sentUs = this.#spec.nowUs();
    if (what === "start") {
      this.#listened(undefined, view.dequeuedUs, true);
      this.#book.turnStarted(atSample);
    } else if (what === "end") {
      this.#isSpeaking = false;
      this.#book.turnEnded(turnIndex, atSample, trail, view.dequeuedUs, sentUs);
      this.#hearing.turnEnded(turnIndex, sentUs);
    }
    this.#spec.deliver({ type: "turn", what, turnIndex, atMs: positionMs(atSample), confidence, trigger });
    if (what === "end") this.#listened(undefined, view.dequeuedUs, !this.#spec.told.has("transcript.final"));
  }

  partial(view: FrameView): void {
    const meta = view.meta("transcript.partial");
    this.#spec.deliver(transcriptEvent(meta, false));
    this.#hearing.partial(meta, this.#spec.nowUs());
  }

  final(view: FrameView): void {
    const meta = view.meta("transcript.final");
    this.#spec.deliver(transcriptEvent(meta, true));
    const sentUs = this.#spec.nowUs();
    this.#hearing.final(meta, sentUs);
    if (this.#spec.told.has("turn")) {
      this.#book.transcribed(meta.turnIndex, view.enqueuedUs, sentUs);
      this.#listened(meta, view.dequeuedUs, false);
    } else if (this.#spec.onlyListens) {
      this.#tell(this.#book.finalAlone(meta, view.enqueuedUs, view.dequeuedUs, sentUs));
    }
  }

  finalizeAsked(id: string): void {
    this.#hearing.finalizeAsked(id, this.#spec.nowUs());
  }

  /** Everything before the finalize of this id was told: no transcript of an earlier turn comes after it. */
  finalized(id: string): void {
    this.#hearing.finalized(id);
    this.over();
  }

  /** Nothing more comes of a turn that still waits for its transcript. */
  over(): void {
    this.#listened(undefined, 0, true);
  }

  /** Accounts for a turn of a graph that only listens, once its verdict and its transcript are there, or it is over. */
  #listened(final: Transcript | undefined, takenUs: number, isOver: boolean): void {
    if (this.#spec.onlyListens) this.#tell(this.#book.listened(final, takenUs, this.#spec.nowUs(), isOver));
  }

  #tell(receipt: CallEvent | undefined): void {
    if (receipt !== undefined) this.#spec.deliver(receipt);
  }
}

function transcriptEvent(meta: Transcript, final: boolean): TranscriptEvent {
  const { segmentId, turnIndex, text, stableChars, confidence } = meta;
  const words = meta.words.map((word) => ({
    text: word.text,
    startMs: positionMs(word.startSample),
    endMs: positionMs(word.endSample),
    confidence: word.confidence,
  }));
  const startMs = positionMs(meta.startSample);
  const endMs = positionMs(meta.endSample);
  return { type: "transcript", final, segmentId, turnIndex, text, stableChars, words, startMs, endMs, confidence };
}
