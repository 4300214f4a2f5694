/** One caller of a face that is asked rather than talked to: texts to speak, or whole recordings to transcribe. */
import type { CallerSpec } from "./caller.js";
import type { LoadCall, LoadInput, LoadListener } from "./driver.js";
import type { FrameSchedule, LoadClock } from "./frame-schedule.js";
import { newReply, newSpeech, newTurn, playedOutMs, type TurnTrace } from "./trace.js";
import { TurnBook } from "./turn-book.js";

/** What a voice is asked to say when recordings have no text. */
const TEXT = "Your table is booked for seven o'clock. We look forward to seeing you.";

/**
 * Pauses, asks, waits for the whole answer, and for a voice until it has been played: who listens asks no faster. The
 * instant of the next request is fixed before it comes, and latencies count from it.
 */
export class Requester {
  readonly #spec: CallerSpec;
  readonly #call: LoadCall;
  readonly #input: LoadInput;
  readonly #schedule: Pick<FrameSchedule, "latenessMs">;
  readonly #clock: LoadClock;
  readonly #book: TurnBook;
  #cancel: (() => void) | undefined;
  #isAsking = false;
  #isEnding = false;
  #isDone = false;
  #replyCount = 0;

  constructor(
    spec: CallerSpec,
    call: LoadCall,
    input: LoadInput,
    schedule: Pick<FrameSchedule, "latenessMs">,
    clock: LoadClock,
  ) {
    this.#spec = spec;
    this.#call = call;
    this.#input = input;
    this.#schedule = schedule;
    this.#clock = clock;
    this.#book = new TurnBook({ isEcho: false, startMs: clock.nowMs(), onTurn: spec.onTurn });
    this.#pause(clock.nowMs());
  }

  finish(): void {
    this.#isEnding = true;
    if (!this.#isAsking) this.end();
  }

  end(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#cancel?.();
    this.#book.closeAll();
    this.#spec.onDone();
  }

  readonly onEvent: LoadListener = (event, atMs) => {
    if (event.type === "close") return this.end();
    const turn = this.#book.present;
    if (event.type === "final" && turn?.speech !== undefined) {
      if (event.text !== "") turn.speech.finals.push({ atMs, text: event.text });
      return;
    }
    this.#book.onEvent(event, atMs);
    if (!this.#isAsking || turn === undefined) return;
    if (event.type === "finalized") this.#conclude(turn, atMs);
    // Of a reply that was given up, the end may still come.
    if (event.type === "reply_end" && event.contextId === turn.reply?.contextId) {
      turn.outcome = event.reason === "completed" ? "answered" : event.reason === "failed" ? "failed" : "empty";
      this.#conclude(turn, playedOutMs(turn.reply) ?? atMs);
    }
    if (event.type === "error") {
      turn.outcome = "failed";
      this.#conclude(turn, atMs);
    }
  };

  #pause(fromMs: number): void {
    if (this.#isEnding) {
      this.end();
      return;
    }
    const dueMs = fromMs + this.#spec.pauseMs();
    this.#at(dueMs, () => this.#ask(dueMs));
  }

  #ask(dueMs: number): void {
    const recording = this.#spec.nextRecording();
    if (recording === undefined) {
      this.end();
      return;
    }
    this.#schedule.latenessMs.record(this.#clock.nowMs() - dueMs);
    this.#isAsking = true;
    this.#at(dueMs + this.#spec.answerMs, () => {
      const turn = this.#book.present;
      if (turn === undefined) return;
      turn.outcome = "unanswered";
      this.#conclude(turn, this.#clock.nowMs());
    });
    const { call } = this.#spec;
    if (this.#input === "text") {
      this.#replyCount += 1;
      this.#book.open(newTurn(call, dueMs, undefined, { ...newReply(this.#replyCount), textMs: dueMs }));
      this.#call.say?.(recording.text ?? TEXT);
      return;
    }
    // All of it is there at once: speech ends, and is finalized, when it is sent.
    const place = { recording, firstFrameMs: dueMs, startMs: dueMs, endMs: dueMs, isBargeIn: false };
    this.#book.open(newTurn(call, dueMs, newSpeech({ ...place, startPositionMs: 0, endPositionMs: 0 }, dueMs)));
    this.#call.upload?.(recording);
  }

  #conclude(turn: TurnTrace, untilMs: number): void {
    this.#isAsking = false;
    if (turn.outcome === "lost") turn.outcome = turn.speech?.finals.length === 0 ? "empty" : "answered";
    this.#pause(Math.max(untilMs, this.#clock.nowMs()));
  }

  #at(atMs: number, act: () => void): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), act);
  }
}
