/** Events as a call may tell them, in no order that a call would have. */
import type { Prng } from "../../../src/base/prng.js";
import type { EventWord, TranscriptEvent } from "../../../src/frames/events.js";
import type { ServerEvent } from "../../../src/transport/faces/face.js";

const WORDS = ["set", "a", "timer", "…", "für", "𝕫𝕖𝕙𝕟", "minutes.", "\ud800", '"', "\u2028"];
const CODES = ["TTS_FAILED", "CALL_POISON", "INTERNAL", "no such code"];

function wordsOf(chance: Prng, startMs: number): EventWord[] {
  return Array.from({ length: chance.integer(0, 6) }, (_, index) => ({
    text: chance.pick(WORDS),
    startMs: startMs + index * 10,
    endMs: startMs + index * 10 + 8,
    confidence: chance.next(),
  }));
}

function transcript(chance: Prng): TranscriptEvent {
  const startMs = chance.integer(0, 5_000);
  const words = wordsOf(chance, startMs);
  const text = words.map((word) => word.text).join(" ");
  return {
    type: "transcript",
    final: chance.next() < 0.5,
    segmentId: chance.integer(0, 3),
    turnIndex: chance.integer(0, 3),
    text,
    stableChars: chance.integer(0, text.length + 1),
    words: chance.next() < 0.3 ? [] : words,
    startMs,
    endMs: startMs + chance.integer(0, 2_000),
    confidence: chance.next(),
  };
}

/** @param ids of fences that the codec itself asked for, and others */
export function someEvent(chance: Prng, ids: readonly string[]): ServerEvent {
  const contextId = chance.integer(0, 3);
  const atMs = chance.integer(0, 10_000);
  const turnIndex = chance.integer(0, 3);
  const id = chance.next() < 0.2 || ids.length === 0 ? "__proto__" : chance.pick(ids);
  const pcm = new Int16Array(chance.integer(0, 2_000)).fill(chance.integer(-32_768, 32_768));
  const makers: readonly (() => ServerEvent)[] = [
    () => ({ type: "ready", callId: "call-1", graph: "g" }),
    () => ({ type: "pong" }),
    () => ({ type: "configured" }),
    () => ({ type: "vad", what: chance.pick(["start", "stop"]), atMs, probability: chance.next() }),
    () => ({
      type: "turn",
      what: chance.pick(["start", "eager_end", "resumed", "end"]),
      turnIndex,
      atMs,
      confidence: chance.next(),
      trigger: chance.pick(["model", "timeout", "manual"]),
    }),
    () => transcript(chance),
    () => ({ type: "reply", what: "start", contextId, turnIndex }),
    () => ({ type: "reply", what: "end", contextId, turnIndex, reason: chance.pick(["completed", "interrupted"]) }),
    () => ({ type: "text", contextId, text: chance.pick(WORDS) }),
    () => ({ type: "audio", contextId, rateHz: 24_000, offsetSamples: chance.integer(0, 9_999), pcm }),
    () => ({ type: "alignment", contextId, unit: "word", spans: [{ text: chance.pick(WORDS), startMs: 0, endMs: 9 }] }),
    () => ({ type: "interrupted", reason: "client", contextId, playedMs: atMs, spokenText: chance.pick(WORDS) }),
    () => ({ type: "interrupted", reason: "speech", contextId, playedMs: 0, spokenText: "" }),
    () => ({ type: "finalized", id }),
    () => ({ type: "mark", id }),
    () => ({ type: "gap", durationMs: atMs }),
    () => ({ type: "receipt", turnIndex, contextId, totalMs: atMs, stages: [], milestones: { firstPcmMs: 1 } }),
    () => ({ type: "error", code: chance.pick(CODES), message: "m", hint: "h", fatal: chance.next() < 0.2 }),
  ];
  return chance.pick(makers)();
}
