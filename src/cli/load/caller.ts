/**
 * One call of somebody who talks: speech, silence, the reply, now and then into the reply. What to send is decided frame
 * by frame, when the frame is due; nothing here waits for the server before it sends the next one.
 */
import type { Prng } from "../../base/prng.js";
import { FRAME_MS, FRAME_SAMPLES } from "../../base/units.js";
import { happens } from "./chance.js";
import type { LoadCall, LoadListener } from "./driver.js";
import type { FrameSource } from "./frame-schedule.js";
import type { Recording } from "./recordings.js";
import {
  durationOf,
  newSpeech,
  newTurn,
  playedOutMs,
  type SpeechTrace,
  type TurnOutcome,
  type TurnTrace,
} from "./trace.js";
import { TurnBook } from "./turn-book.js";

/** What ends a caller's waiting: a reply that was played, a final transcript, or the own voice coming back. */
export type Answer = "reply" | "transcript" | "echo";

/** How callers behave. */
export interface Manners {
  /** Probability that an utterance begins at a random point of the reply before it. */
  readonly bargeIn: number;
  /** Probability that the caller asks for the final transcript as soon as it has spoken. */
  readonly finalize: number;
  /** Longest wait for an answer. At it: the turn is `unanswered`, and the caller goes on. */
  readonly answerMs: number;
}

export interface CallerSpec extends Manners {
  /** Number of the call. */
  readonly call: number;
  readonly prng: Prng;
  readonly answer: Answer;
  /** Length of the next pause before speech. */
  readonly pauseMs: () => number;
  /** The next thing to say; `undefined` hangs up. */
  readonly nextRecording: () => Recording | undefined;
  readonly onTurn: (turn: TurnTrace) => void;
  /** Once: nothing more will be sent. The call is the owner's to close. */
  readonly onDone: () => void;
}

/**
 * Utterances begin at multiples of this many frames: models that work in windows of 20, 32, 40, 80 or 160 ms then get the
 * same samples in the same windows each time, and the same words must come of it.
 */
const ALIGN_FRAMES = 8;
/** After a final transcript that came early, this long without anything new: it was the last. */
const SETTLED_MS = 1_500;

type Phase = "pause" | "speaking" | "waiting" | "listening" | "done";

export class Caller implements FrameSource {
  readonly #spec: CallerSpec;
  readonly #silence = new Int16Array(FRAME_SAMPLES);
  readonly #call: LoadCall;
  readonly #startMs: number;
  readonly #book: TurnBook;
  #phase: Phase = "pause";
  #isEnding = false;
  #resumeFrame = 0;
  #speechFrame = 0;
  /** At this share of the reply the caller will speak into it. */
  #bargeInShare: number | undefined;
  #isFinalizing = false;

  /** @param startMs instant of the stream's first sample */
  constructor(spec: CallerSpec, call: LoadCall, startMs: number) {
    this.#spec = spec;
    this.#call = call;
    this.#startMs = startMs;
    this.#book = new TurnBook({ isEcho: spec.answer === "echo", startMs, onTurn: spec.onTurn });
    this.#pause(0);
  }

  /** Begins no further turn; `onDone` comes when the present one is over. */
  finish(): void {
    this.#isEnding = true;
  }

  /** The connection has gone, or nothing more is wanted: what is under way is lost. */
  end(): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#book.closeAll();
    this.#spec.onDone();
  }

  readonly onEvent: LoadListener = (event, atMs) => {
    if (event.type === "close") this.end();
    else this.#book.onEvent(event, atMs);
  };

  sendFrame(frame: number, dueMs: number): boolean {
    if (this.#advance(frame, dueMs) === "done") return false;
    if (this.#phase !== "speaking") this.#call.send?.(this.#silence);
    else this.#sendSpeech();
    this.#finalizeAt(dueMs);
    return true;
  }

  /** Decides in which phase the frame is sent. */
  #advance(frame: number, dueMs: number): Phase {
    if (this.#phase === "waiting") this.#wait(frame, dueMs);
    if (this.#phase === "listening") this.#listen(frame, dueMs);
    if (this.#phase === "pause" && this.#isEnding) this.end();
    if (this.#phase === "pause" && frame >= this.#resumeFrame && frame % ALIGN_FRAMES === 0) this.#speak(frame, false);
    return this.#phase;
  }

  #wait(frame: number, dueMs: number): void {
    const turn = this.#book.present!;
    const speech = turn.speech!;
    const { answer, answerMs } = this.#spec;
    const outcome = answer === "reply" ? replyOutcome(turn) : this.#heardOutcome(speech, dueMs);
    if (outcome === "playing") this.#phase = "listening";
    else if (outcome !== undefined) this.#conclude(turn, outcome, frame);
    else if (dueMs > speech.endMs + answerMs) this.#conclude(turn, "unanswered", frame);
  }

  #heardOutcome({ finals, endMs, endPositionMs }: SpeechTrace, dueMs: number): TurnOutcome | undefined {
    if (this.#spec.answer === "echo") return this.#book.echoedMs >= endPositionMs ? "answered" : undefined;
    const last = finals.at(-1);
    if (last === undefined) return undefined;
    const isSettled = dueMs - Math.max(endMs, this.#book.lastEventMs) > SETTLED_MS;
    return last.atMs > endMs || isSettled ? "answered" : undefined;
  }

  /** The reply plays, in real time from its first byte on. */
  #listen(frame: number, dueMs: number): void {
    const turn = this.#book.present!;
    const reply = turn.reply!;
    const durationMs = durationOf(reply);
    const leftMs = (playedOutMs(reply) ?? dueMs) - dueMs;
    if (reply.end === undefined) {
      if (dueMs > turn.speech!.endMs + this.#spec.answerMs + durationMs) this.#conclude(turn, "unanswered", frame);
      return;
    }
    if (leftMs <= 0 || reply.end !== "completed") {
      this.#conclude(turn, "answered", frame);
      return;
    }
    const isTime = this.#bargeInShare !== undefined && 1 - leftMs / durationMs >= this.#bargeInShare;
    if (!isTime || frame % ALIGN_FRAMES !== 0 || this.#isEnding) return;
    turn.outcome = "answered";
    const speech = this.#speak(frame, true);
    if (speech === undefined) return;
    reply.bargeIn = { speechMs: speech.startMs, lastStaleMs: undefined, interruptedMs: undefined, brokenCount: 0 };
  }

  #conclude(turn: TurnTrace, outcome: TurnOutcome, frame: number): void {
    turn.outcome = outcome;
    this.#pause(frame);
  }

  #pause(frame: number): void {
    this.#phase = "pause";
    this.#resumeFrame = frame + Math.ceil(this.#spec.pauseMs() / FRAME_MS);
  }

  /** The frame that is about to be sent is the recording's first. */
  #speak(frame: number, isBargeIn: boolean): SpeechTrace | undefined {
    const { prng, call, bargeIn, finalize, nextRecording } = this.#spec;
    const recording = nextRecording();
    if (recording === undefined) {
      this.end();
      return undefined;
    }
    const positionMs = frame * FRAME_MS;
    const startPositionMs = positionMs + recording.speechStartMs;
    const endPositionMs = positionMs + recording.speechEndMs;
    // Drawn whether it comes to that or not: calls stay the same when only a probability changes.
    const share = prng.next();
    this.#bargeInShare = happens(prng, bargeIn) ? share : undefined;
    this.#isFinalizing = happens(prng, finalize);
    const speech = newSpeech({
      recording,
      firstFrameMs: this.#startMs + (Math.floor(startPositionMs / FRAME_MS) + 1) * FRAME_MS,
      startMs: this.#startMs + startPositionMs,
      endMs: this.#startMs + endPositionMs,
      startPositionMs,
      endPositionMs,
      isBargeIn,
    });
    this.#book.open(newTurn(call, this.#startMs + positionMs, speech));
    this.#speechFrame = 0;
    this.#phase = "speaking";
    return speech;
  }

  #sendSpeech(): void {
    const { pcm } = this.#book.present!.speech!.recording;
    const from = this.#speechFrame * FRAME_SAMPLES;
    this.#call.send?.(pcm.subarray(from, from + FRAME_SAMPLES));
    this.#speechFrame += 1;
    if (from + FRAME_SAMPLES >= pcm.length) this.#phase = "waiting";
  }

  /** Right behind the frame that holds the end of speech. */
  #finalizeAt(dueMs: number): void {
    const speech = this.#book.present?.speech;
    if (!this.#isFinalizing || speech === undefined || dueMs < speech.endMs) return;
    this.#isFinalizing = false;
    speech.finalizeMs = dueMs;
    this.#call.finalize?.();
  }
}

function replyOutcome({ reply, speech }: TurnTrace): TurnOutcome | "playing" | undefined {
  if (reply === undefined) return undefined;
  const first = reply.chunks[0];
  if (reply.end === "failed" || reply.end === "empty") return reply.end;
  // A reply that came too early and was interrupted by the rest of the speech is followed by the one that counts.
  if (reply.end === "interrupted" && (first === undefined || first.atMs < speech!.endMs)) return undefined;
  if (first !== undefined) return "playing";
  return reply.end === "completed" ? "answered" : undefined;
}
