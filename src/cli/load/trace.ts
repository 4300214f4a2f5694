/**
 * What happened in one turn, as instants of the generator's clock (milliseconds). Traces are filled in by callers while a
 * load runs; every figure is computed from them afterwards, by the pure functions of `measures.ts`.
 */
import type { ReceiptEvent } from "../../frames/events.js";
import type { ReplyEnd } from "./driver.js";
import type { Recording } from "./recordings.js";

/** How a turn ended, seen from the caller. */
export type TurnOutcome =
  | "answered"
  /** The server heard nothing in it. */
  | "empty"
  /** The server said that it failed. */
  | "failed"
  /** No answer within the time that a caller waits. */
  | "unanswered"
  /** The connection went away in the middle. */
  | "lost";

export interface TurnTrace {
  /** Which of the load's calls, counted in the order in which they were dialled. */
  readonly call: number;
  /** When it began: the first frame of its speech, or its text, was due. */
  readonly beganMs: number;
  readonly speech: SpeechTrace | undefined;
  reply: ReplyTrace | undefined;
  outcome: TurnOutcome;
  receipt: ReceiptEvent | undefined;
  /** Instants at which audio of an echo came back, less those at which the same audio was due to be sent. */
  readonly echoMs: number[];
}

export interface SpeechTrace {
  readonly recording: Recording;
  /** The frame in which speech begins was due to be sent. */
  readonly firstFrameMs: number;
  /** The first and the last sample of speech were spoken. */
  readonly startMs: number;
  readonly endMs: number;
  /** Where that is in the call's stream. */
  readonly startPositionMs: number;
  readonly endPositionMs: number;
  /** It began while the reply before it was being played. */
  readonly isBargeIn: boolean;
  /** The caller asked for the final transcript. */
  finalizeMs: number | undefined;
  firstPartialMs: number | undefined;
  /** For each partial with words: when it came, and how long before that its last word ended. */
  readonly partialLags: { readonly atMs: number; readonly lagMs: number }[];
  readonly finals: { readonly atMs: number; readonly text: string }[];
  readonly endpointsMs: number[];
  /** Ends of turn that the server saw in the middle of the speech. */
  earlyCutCount: number;
}

export interface ReplyTrace {
  readonly contextId: number;
  /** The text that the first sound needs was there: sent by the caller, or told by the server. */
  textMs: number | undefined;
  readonly chunks: ReplyChunk[];
  /** The first sample that is not silence: when its message was read, and where it stands in the reply. */
  sound: { readonly atMs: number; readonly positionMs: number } | undefined;
  endMs: number | undefined;
  end: ReplyEnd | undefined;
  bargeIn: BargeInTrace | undefined;
}

export interface ReplyChunk {
  readonly atMs: number;
  /** Of its first sample in the reply. */
  readonly positionMs: number;
  readonly durationMs: number;
}

export interface BargeInTrace {
  /** The caller's first sample of speech into the reply was spoken. */
  readonly speechMs: number;
  /** The last audio of the reply came, if any came after that. */
  lastStaleMs: number | undefined;
  /** The server said that the reply is over. */
  interruptedMs: number | undefined;
  /** Messages with audio of the reply that came even after that. Must stay 0. */
  brokenCount: number;
}

type SpeechPlace = Pick<
  SpeechTrace,
  "recording" | "firstFrameMs" | "startMs" | "endMs" | "startPositionMs" | "endPositionMs" | "isBargeIn"
>;

export function newSpeech(place: SpeechPlace, finalizeMs?: number): SpeechTrace {
  return {
    ...place,
    finalizeMs,
    firstPartialMs: undefined,
    partialLags: [],
    finals: [],
    endpointsMs: [],
    earlyCutCount: 0,
  };
}

/** Lost, until it turns out otherwise. */
export function newTurn(call: number, beganMs: number, speech: SpeechTrace | undefined, reply?: ReplyTrace): TurnTrace {
  return { call, beganMs, speech, reply, outcome: "lost", receipt: undefined, echoMs: [] };
}

export function newReply(contextId: number): ReplyTrace {
  return {
    contextId,
    textMs: undefined,
    chunks: [],
    sound: undefined,
    endMs: undefined,
    end: undefined,
    bargeIn: undefined,
  };
}

/** Of full scale: −40 dBFS. Quieter samples are silence. */
const SOUND_LEVEL = 328;

/** Takes a message of audio into a reply. */
export function addAudio(reply: ReplyTrace, pcm: Int16Array, rateHz: number, atMs: number): void {
  const last = reply.chunks.at(-1);
  const positionMs = last === undefined ? 0 : last.positionMs + last.durationMs;
  const durationMs = (pcm.length * 1000) / rateHz;
  reply.chunks.push({ atMs, positionMs, durationMs });
  if (reply.sound === undefined) {
    const index = pcm.findIndex((sample) => Math.abs(sample) >= SOUND_LEVEL);
    if (index >= 0) reply.sound = { atMs, positionMs: positionMs + (index * 1000) / rateHz };
  }
  const { bargeIn } = reply;
  if (bargeIn === undefined || atMs < bargeIn.speechMs) return;
  bargeIn.lastStaleMs = atMs;
  if (bargeIn.interruptedMs !== undefined) bargeIn.brokenCount += 1;
}

export function durationOf({ chunks }: ReplyTrace): number {
  const last = chunks.at(-1);
  return last === undefined ? 0 : last.positionMs + last.durationMs;
}

/** When a client that plays from the first byte on has played it all, without stalls. `undefined` without audio. */
export function playedOutMs(reply: ReplyTrace): number | undefined {
  const first = reply.chunks[0];
  return first === undefined ? undefined : first.atMs + durationOf(reply);
}
