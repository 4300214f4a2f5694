/** Which turn of a call an event belongs to, and what it says about it. */
import type { LoadEvent, LoadListener } from "./driver.js";
import { addAudio, newReply, type ReplyTrace, type TurnTrace } from "./trace.js";

/** Turns for which something may still come: the present one, and the one whose reply it interrupted. */
const OPEN_TURNS = 2;
/** An end of turn this much before the speech ends is in the middle of it. */
const EARLY_MS = 300;

export interface TurnBookSpec {
  /** Audio that comes back is the caller's own. */
  readonly isEcho: boolean;
  /** Instant of the call's first sample. */
  readonly startMs: number;
  /** Gets each turn once, when it has been closed. */
  readonly onTurn: (turn: TurnTrace) => void;
}

export class TurnBook {
  /** Of the last event. */
  lastEventMs = 0;
  /** How much of the call's own audio has come back. */
  echoedMs = 0;
  readonly #spec: TurnBookSpec;
  /** Oldest first; the last is the present one. */
  readonly #open: TurnTrace[] = [];
  /** Turns as the server counts them. */
  readonly #turnOf = new Map<number, TurnTrace>();

  constructor(spec: TurnBookSpec) {
    this.#spec = spec;
  }

  get present(): TurnTrace | undefined {
    return this.#open.at(-1);
  }

  open(turn: TurnTrace): void {
    this.#open.push(turn);
    while (this.#open.length > OPEN_TURNS) this.#close();
  }

  /** The call is over. */
  closeAll(): void {
    while (this.#open.length > 0) this.#close();
  }

  readonly onEvent: LoadListener = (event, atMs) => {
    this.lastEventMs = atMs;
    switch (event.type) {
      case "audio":
        if (this.#spec.isEcho) this.#onEcho((event.pcm.length * 1000) / event.rateHz, atMs);
        else {
          const reply = this.#replyOf(event.contextId) ?? this.#unannounced(event.contextId);
          if (reply !== undefined) addAudio(reply, event.pcm, event.rateHz, atMs);
        }
        return;
      case "reply_start":
      case "reply_text":
      case "reply_end":
      case "interrupted":
      case "receipt":
        return this.#onReplyEvent(event, atMs);
      case "partial":
      case "final":
      case "endpoint":
      case "turn_end":
        return this.#onSpeechEvent(event, atMs);
    }
  };

  #onSpeechEvent(event: SpeechEvent, atMs: number): void {
    const turn = this.#turnAt("streamEndMs" in event ? event.streamEndMs : event.streamMs);
    const speech = turn?.speech;
    if (turn === undefined || speech === undefined) return;
    if (event.type === "endpoint") speech.endpointsMs.push(atMs);
    else if (event.type === "final") {
      if (event.text !== "") speech.finals.push({ atMs, text: event.text });
    } else if (event.type === "turn_end") {
      this.#turnOf.set(event.turnIndex, turn);
      if (event.streamMs < speech.endPositionMs - EARLY_MS) speech.earlyCutCount += 1;
    } else {
      if (event.text !== "") speech.firstPartialMs ??= atMs;
      if (event.lastWordEndMs === undefined) return;
      speech.partialLags.push({ atMs, lagMs: atMs - this.#spec.startMs - event.lastWordEndMs });
    }
  }

  #onReplyEvent(event: ReplyEvent, atMs: number): void {
    if (event.type === "reply_start") {
      const turn = this.#turnOf.get(event.turnIndex) ?? this.present;
      if (turn !== undefined) turn.reply = newReply(event.contextId);
      return;
    }
    if (event.type === "receipt") {
      const turn = this.#open.find(({ reply }) => reply?.contextId === event.receipt.contextId);
      if (turn !== undefined) turn.receipt = event.receipt;
      return;
    }
    const reply = this.#replyOf(event.contextId);
    if (reply === undefined) return;
    if (event.type === "reply_text") reply.textMs ??= atMs;
    else {
      reply.endMs ??= atMs;
      reply.end ??= event.type === "interrupted" ? "interrupted" : event.reason;
      if (event.type === "interrupted" && reply.bargeIn !== undefined) reply.bargeIn.interruptedMs ??= atMs;
    }
  }

  /** The utterance that had begun there. Of those already closed: `undefined`. */
  #turnAt(streamMs: number): TurnTrace | undefined {
    return this.#open.findLast(({ speech }) => speech !== undefined && speech.startPositionMs < streamMs);
  }

  #replyOf(contextId: number): ReplyTrace | undefined {
    return this.#open.find(({ reply }) => reply?.contextId === contextId)?.reply;
  }

  /** A face that does not announce replies answers the present turn. */
  #unannounced(contextId: number): ReplyTrace | undefined {
    const { present } = this;
    if (present === undefined || present.reply !== undefined) return undefined;
    present.reply = newReply(contextId);
    return present.reply;
  }

  #onEcho(durationMs: number, atMs: number): void {
    this.echoedMs += durationMs;
    this.present?.echoMs.push(atMs - this.#spec.startMs - this.echoedMs);
  }

  #close(): void {
    const turn = this.#open.shift()!;
    for (const [index, of] of this.#turnOf) if (of === turn) this.#turnOf.delete(index);
    this.#spec.onTurn(turn);
  }
}

type SpeechEvent = Extract<LoadEvent, { readonly type: "partial" | "final" | "endpoint" | "turn_end" }>;
type ReplyEvent = Extract<
  LoadEvent,
  { readonly type: "reply_start" | "reply_text" | "reply_end" | "interrupted" | "receipt" }
>;
