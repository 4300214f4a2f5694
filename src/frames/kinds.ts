/**
 * The table that says what a frame is. Tag, lane, payload, staleness and meta schema of each kind stand here and nowhere
 * else; `Frame<K>` and everything typed after it is inferred from it.
 *
 * Positions of input-side frames are samples at 16 kHz since the call's first sample; positions of output-side frames are
 * samples at the context's rate since the context's first sample. Neither is ever wall clock.
 */
import { z } from "zod";

/** `data` keeps its order per call on every edge; `priority` overtakes data. */
export type Lane = "data" | "priority";

/** `pcm`: s16 samples, plus meta on output audio. `meta`: JSON alone. */
export type Payload = "pcm" | "meta";

/** A point on the way of a frame that decides when the caller hears an answer. See `trail.ts`. */
export const hopSchema = z.object({
  node: z.string(),
  /** Microseconds of the process clock; each is ≥ the one before it. */
  enqueuedUs: z.number(),
  dequeuedUs: z.number(),
  startedUs: z.number(),
  emittedUs: z.number(),
  /** Frames of the same batch, all calls together. */
  batchSize: z.number().int(),
});
export type Hop = z.infer<typeof hopSchema>;

const trail = z.array(hopSchema).optional();
const sample = z.number().int();
const confidence = z.number().min(0).max(1);

export const wordSchema = z.object({ text: z.string(), startSample: sample, endSample: sample, confidence });

const transcript = z.object({
  segmentId: z.number().int(),
  turnIndex: z.number().int(),
  text: z.string(),
  words: z.array(wordSchema),
  /** Characters of `text` that no later frame of this segment revises. */
  stableChars: z.number().int(),
  startSample: sample,
  endSample: sample,
  confidence,
});

/** Samples that were lost before this frame, because a ring was full: silence stands in their place. */
const audioIn = z.object({ gapSamples: z.number().int().optional() });
const audioOut = z.object({ contextId: z.number().int(), rateHz: z.number().int(), trail });
const vad = z.object({ what: z.enum(["start", "stop"]), atSample: sample, probability: confidence, trail });
const turn = z.object({
  what: z.enum(["start", "eager_end", "resumed", "end"]),
  turnIndex: z.number().int(),
  /** `start`: where speech began. `end`: where speech ended (not where that was noticed). */
  atSample: sample,
  confidence,
  trigger: z.enum(["model", "timeout", "manual"]),
  trail,
});
const text = z.object({ contextId: z.number().int(), text: z.string(), trail });
const reply = z.object({
  what: z.enum(["start", "end"]),
  contextId: z.number().int(),
  turnIndex: z.number().int(),
  reason: z.enum(["completed", "empty", "failed", "interrupted"]).optional(),
  /** Of the `ask` that it answers. */
  askId: z.string().optional(),
  trail,
});
const span = z.object({ text: z.string(), startSample: sample, endSample: sample });
const alignment = z.object({
  contextId: z.number().int(),
  unit: z.enum(["word", "clause"]),
  /** Of the span's samples. */
  rateHz: z.number().int(),
  spans: z.array(span),
});
/** Options of all nodes of a call, by name, as they are from a `configure` fence on. */
const change = z.object({
  /** Counts the call's changes from 1. */
  version: z.number().int(),
  nodes: z.record(z.string(), z.unknown()),
});
export type Change = z.infer<typeof change>;
const fence = z.object({
  id: z.string(),
  reason: z.enum(["finalize", "mark", "probe", "configure"]),
  /** Only of `configure`. */
  change: change.optional(),
});
const open = z.object({
  callId: z.string(),
  graph: z.string(),
  born: z.number().int(),
  /** Worker index of each node of the call's graph, in the plan's node order. */
  placement: z.array(z.number().int()),
  options: z.record(z.string(), z.unknown()),
  /** For a worker's successor: how `options` changed since, oldest first. */
  changes: z.array(change).optional(),
});
const interrupt = z.object({
  reason: z.enum(["speech", "client", "restart"]),
  contextId: z.number().int(),
  /** What the caller heard of the context before it was cut off. */
  playedMs: z.number(),
  spokenText: z.string(),
});
/** What the caller wrote instead of saying it. */
const ask = z.object({
  id: z.string(),
  /** Counts a call's questions from 0, so that one that is delivered again is known. */
  index: z.number().int(),
  text: z.string(),
  /** False: it is remembered, and answered with the next question. */
  wantsAnswer: z.boolean(),
  /** Of the last turn whose answer had begun; −1: none. The answer takes its place among replies. */
  turnIndex: z.number().int(),
});
const abort = z.object({ code: z.string() });
const error = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  node: z.string(),
  /** True if the call cannot go on. */
  fatal: z.boolean(),
});
const usage = z.object({ what: z.string(), amount: z.number() });

interface KindRow {
  readonly tag: number;
  readonly lane: Lane;
  readonly payload: Payload;
  /** Dropped when its generation is older than the call's. What is not interruptible survives an interruption. */
  readonly interruptible: boolean;
  readonly meta: z.ZodObject;
}

export const FRAME_KINDS = {
  "audio.in": { tag: 1, lane: "data", payload: "pcm", interruptible: false, meta: audioIn },
  "audio.out": { tag: 2, lane: "data", payload: "pcm", interruptible: true, meta: audioOut },
  vad: { tag: 3, lane: "data", payload: "meta", interruptible: false, meta: vad },
  turn: { tag: 4, lane: "data", payload: "meta", interruptible: false, meta: turn },
  "transcript.partial": { tag: 5, lane: "data", payload: "meta", interruptible: false, meta: transcript },
  "transcript.final": { tag: 6, lane: "data", payload: "meta", interruptible: false, meta: transcript },
  text: { tag: 7, lane: "data", payload: "meta", interruptible: true, meta: text },
  reply: { tag: 8, lane: "data", payload: "meta", interruptible: true, meta: reply },
  alignment: { tag: 9, lane: "data", payload: "meta", interruptible: true, meta: alignment },
  fence: { tag: 10, lane: "data", payload: "meta", interruptible: false, meta: fence },
  close: { tag: 11, lane: "data", payload: "meta", interruptible: false, meta: z.object({}) },
  open: { tag: 12, lane: "priority", payload: "meta", interruptible: false, meta: open },
  interrupt: { tag: 13, lane: "priority", payload: "meta", interruptible: false, meta: interrupt },
  abort: { tag: 14, lane: "priority", payload: "meta", interruptible: false, meta: abort },
  error: { tag: 15, lane: "priority", payload: "meta", interruptible: false, meta: error },
  usage: { tag: 16, lane: "data", payload: "meta", interruptible: false, meta: usage },
  ask: { tag: 17, lane: "priority", payload: "meta", interruptible: false, meta: ask },
} as const satisfies Record<string, KindRow>;

export type FrameKind = keyof typeof FRAME_KINDS;
export type MetaOf<K extends FrameKind> = z.infer<(typeof FRAME_KINDS)[K]["meta"]>;
export type Transcript = MetaOf<"transcript.final">;

export const FRAME_KIND_NAMES = Object.keys(FRAME_KINDS) as readonly FrameKind[];

/** Kind names by tag; index 0 is unused. */
export const KIND_BY_TAG: readonly FrameKind[] = (() => {
  const names: FrameKind[] = [];
  for (const name of FRAME_KIND_NAMES) names[FRAME_KINDS[name].tag] = name;
  return names;
})();

/**
 * A frame as plain data, for tests, simulations and actors that do not mind an allocation. The runtime's own form is a
 * `FrameView` over a ring's memory.
 */
export interface Frame<K extends FrameKind = FrameKind> {
  readonly kind: K;
  readonly meta: MetaOf<K>;
  /** s16 PCM of `audio.*` frames; empty otherwise. */
  readonly pcm: Int16Array;
  /** Sample position of the frame's first sample; see the head of this file. */
  readonly position: number;
}

const NO_PCM = new Int16Array(0);

export function frame<K extends FrameKind>(kind: K, meta: MetaOf<K>, position = 0, pcm: Int16Array = NO_PCM): Frame<K> {
  return { kind, meta, pcm, position };
}
