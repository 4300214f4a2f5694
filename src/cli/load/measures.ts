/** From a turn's trace to its figures. Pure; each function is one definition of docs/BENCHMARKS.md. */
import type { Measures } from "./metrics.js";
import { durationOf, playedOutMs, type ReplyTrace, type SpeechTrace, type TurnTrace } from "./trace.js";

/** The client's buffer for which silences are counted. */
const PLAYER_BUFFER_MS = 100;

export function measuresOf(turn: TurnTrace): Measures {
  const { speech, reply, echoMs } = turn;
  const measures: Record<string, readonly number[]> = { echo: echoMs };
  const take = (name: keyof Measures, value: number | undefined): void => {
    if (value !== undefined) measures[name] = [value];
  };
  if (speech !== undefined) {
    measures.partial_lag = speech.partialLags.map(({ lagMs }) => lagMs);
    take("first_partial", firstPartial(speech));
    take("ttfs", ttfs(speech));
    take("final_after_endpoint", finalAfterEndpoint(speech));
    take("final_after_finalize", finalAfterFinalize(speech));
  }
  if (reply !== undefined) {
    take("ttfa", ttfa(reply));
    take("rtf_stream", rtfStream(reply));
    if (reply.chunks.length > 1) take("underrun", starvedMs(reply, PLAYER_BUFFER_MS));
    take("bargein", bargeIn(reply));
  }
  take("e2e_turn", e2eTurn(turn));
  take("e2e_turn_no_wait", e2eWithout(turn, waitOf));
  take(
    "e2e_turn_no_llm",
    e2eWithout(turn, (of) => waitOf(of) + llmOf(of)),
  );
  return measures;
}

function firstPartial({ firstPartialMs, firstFrameMs }: SpeechTrace): number | undefined {
  return firstPartialMs === undefined ? undefined : firstPartialMs - firstFrameMs;
}

/** An utterance that the caller finalized is not waited for by the server: it is in final_after_finalize alone. */
function ttfs({ finals, endMs, finalizeMs }: SpeechTrace): number | undefined {
  const last = finals.at(-1);
  return last === undefined || finalizeMs !== undefined ? undefined : last.atMs - endMs;
}

/** From the endpoint that led to the final: the last one that came before it. */
function finalAfterEndpoint({ finals, endpointsMs, finalizeMs }: SpeechTrace): number | undefined {
  const last = finals.at(-1);
  if (last === undefined || finalizeMs !== undefined) return undefined;
  const endpoint = endpointsMs.findLast((atMs) => atMs <= last.atMs);
  return endpoint === undefined ? undefined : last.atMs - endpoint;
}

function finalAfterFinalize({ finals, finalizeMs }: SpeechTrace): number | undefined {
  const last = finals.at(-1);
  return last === undefined || finalizeMs === undefined || last.atMs < finalizeMs ? undefined : last.atMs - finalizeMs;
}

/**
 * When the first sound is heard by a client that plays from the first byte on. Silence at the head of a reply delays it,
 * whether it came as a message of its own or in one with the sound.
 */
export function soundMs({ sound, chunks }: ReplyTrace): number | undefined {
  return sound === undefined ? undefined : Math.max(sound.atMs, chunks[0]!.atMs + sound.positionMs);
}

function ttfa(reply: ReplyTrace): number | undefined {
  const atMs = soundMs(reply);
  return atMs === undefined || reply.textMs === undefined ? undefined : atMs - reply.textMs;
}

/** Only of replies that were made whole: an interrupted one has no length. */
function rtfStream(reply: ReplyTrace): number | undefined {
  const last = reply.chunks.at(-1);
  if (last === undefined || reply.textMs === undefined || reply.end !== "completed") return undefined;
  return (last.atMs - reply.textMs) / durationOf(reply);
}

/**
 * How late the latest chunk was, against a player that began with the first: with so much buffer it never runs dry.
 * `undefined` for replies of one chunk, which cannot.
 */
export function worstLatenessMs({ chunks }: ReplyTrace): number | undefined {
  const first = chunks[0];
  if (first === undefined || chunks.length === 1) return undefined;
  return chunks.reduce((worst, { atMs, positionMs }) => Math.max(worst, atMs - first.atMs - positionMs), 0);
}

/** Silence of a player that begins `bufferMs` after the first byte, and goes on with each chunk it had to wait for. */
export function starvedMs({ chunks }: ReplyTrace, bufferMs: number): number {
  let endMs = (chunks[0]?.atMs ?? 0) + bufferMs;
  let starved = 0;
  for (const { atMs, durationMs } of chunks) {
    starved += Math.max(0, atMs - endMs);
    endMs = Math.max(endMs, atMs) + durationMs;
  }
  return starved;
}

/** Until nothing of the reply can be heard any more: its last byte came, and the client was told to drop the rest. */
function bargeIn({ bargeIn: barged }: ReplyTrace): number | undefined {
  if (barged?.interruptedMs === undefined) return undefined;
  return Math.max(barged.interruptedMs, barged.lastStaleMs ?? 0) - barged.speechMs;
}

/** Less than this of a reply left: the server may take it for played out when the caller's speech is noticed. */
const BARGE_IN_LEFT_MS = 600;

/** The caller spoke into a reply that had long to go, and it went on. */
export function isBargeInMissed(reply: ReplyTrace): boolean {
  const { bargeIn: barged } = reply;
  if (barged === undefined || barged.interruptedMs !== undefined) return false;
  return (playedOutMs(reply) ?? 0) - barged.speechMs > BARGE_IN_LEFT_MS;
}

/** A reply that sounded before the caller was done is a turn cut early, and no latency. */
function e2eTurn({ speech, reply }: TurnTrace): number | undefined {
  const atMs = reply === undefined ? undefined : soundMs(reply);
  return speech === undefined || atMs === undefined || atMs < speech.endMs ? undefined : atMs - speech.endMs;
}

function e2eWithout(turn: TurnTrace, partOf: (turn: TurnTrace) => number): number | undefined {
  const whole = e2eTurn(turn);
  return whole === undefined || turn.receipt === undefined ? undefined : whole - partOf(turn);
}

function waitOf({ receipt }: TurnTrace): number {
  return receipt!.stages.reduce((sum, { waitMs }) => sum + waitMs, 0);
}

/** From when the agent had all it needs to its first token. */
function llmOf({ receipt }: TurnTrace): number {
  const { firstTokenMs, turnEndMs = 0, sttFinalMs = 0 } = receipt!.milestones;
  return firstTokenMs === undefined ? 0 : Math.max(0, firstTokenMs - Math.max(turnEndMs, sttFinalMs));
}
