/**
 * What a call says to its owner: the canonical event model that every face maps onto (an agent author reads the same
 * objects from `for await (const event of call)`). Times are milliseconds of stream clock since the call's first sample,
 * except where a field says otherwise. Plain data but for `pcm`.
 */

export interface EventWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** In [0, 1]. */
  readonly confidence: number;
}

export interface VadEvent {
  readonly type: "vad";
  readonly what: "start" | "stop";
  /** Where speech began or ended, not where that was noticed. */
  readonly atMs: number;
  readonly probability: number;
}

export interface TurnEvent {
  readonly type: "turn";
  readonly what: "start" | "eager_end" | "resumed" | "end";
  readonly turnIndex: number;
  readonly atMs: number;
  readonly confidence: number;
  readonly trigger: "model" | "timeout" | "manual";
}

export interface TranscriptEvent {
  readonly type: "transcript";
  /** A final never changes; a partial replaces the partial before it of the same segment. */
  readonly final: boolean;
  readonly segmentId: number;
  readonly turnIndex: number;
  readonly text: string;
  /** Characters of `text` that no later event of this segment revises. */
  readonly stableChars: number;
  readonly words: readonly EventWord[];
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence: number;
}

export interface ReplyEvent {
  readonly type: "reply";
  readonly what: "start" | "end";
  readonly contextId: number;
  readonly turnIndex: number;
  readonly reason?: "completed" | "empty" | "failed" | "interrupted";
  /** The question in writing that this answers (`Call.ask`); its `turnIndex` is then that of the last spoken turn, or −1. */
  readonly askId?: string;
}

/** A piece of the reply's text, in order; the whole is their concatenation. */
export interface TextEvent {
  readonly type: "text";
  readonly contextId: number;
  readonly text: string;
}

/** Audio of one context is gap-free and ordered: `offsetSamples` is contiguous. */
export interface AudioEvent {
  readonly type: "audio";
  readonly contextId: number;
  readonly rateHz: number;
  readonly offsetSamples: number;
  /** s16 mono; the receiver's to keep. */
  readonly pcm: Int16Array;
}

export interface AlignmentEvent {
  readonly type: "alignment";
  readonly contextId: number;
  readonly unit: "word" | "clause";
  /** Milliseconds since the context's first sample. */
  readonly spans: readonly { readonly text: string; readonly startMs: number; readonly endMs: number }[];
}

/** After this event no audio, text or alignment of an earlier reply follows. */
export interface InterruptedEvent {
  readonly type: "interrupted";
  readonly reason: "speech" | "client" | "restart";
  readonly contextId: number;
  /** How much of the context was heard, and the words that takes in. */
  readonly playedMs: number;
  readonly spokenText: string;
}

/** How far a reply was heard; only to owners that asked for it (`OpenOptions.reportPlayback`). A few times a second at most. */
export interface PlaybackEvent {
  readonly type: "playback";
  readonly contextId: number;
  readonly playedMs: number;
  /** What was heard since the last of these events: the texts of the spans of `alignment`, in order. */
  readonly words: readonly string[];
  /** All of the context was heard. The last of its events. */
  readonly isComplete: boolean;
}

/** Everything before the `finalize` of this id was transcribed and delivered. */
export interface FinalizedEvent {
  readonly type: "finalized";
  readonly id: string;
}

/** Everything that the graph made of what came before the `mark` of this id was delivered. */
export interface MarkEvent {
  readonly type: "mark";
  readonly id: string;
}

/** Input was lost because the server was overloaded; silence stands in its place. */
export interface GapEvent {
  readonly type: "gap";
  readonly durationMs: number;
}

/** The server is loaded: this call's graph does without some news, or no longer does. */
export interface LoadEvent {
  readonly type: "load";
  /** 0: nothing is left out. 1 to 3: partial transcripts come half, a quarter, an eighth as often. */
  readonly level: number;
}

/** One stage of a turn's critical path. The four figures are consecutive stretches of wall time. */
export interface ReceiptStage {
  /** The node's name; `endpointing` and `egress` are stretches without a node. */
  readonly stage: string;
  /** In a ring, until its worker took it. */
  readonly queueMs: number;
  /** Taken, until the node began its batch. */
  readonly batchWaitMs: number;
  /** From the beginning of the batch to the frame that went on. */
  readonly computeMs: number;
  /** Waiting by design: the silence that ends a turn. */
  readonly waitMs: number;
  readonly batchSize: number;
}

/**
 * Where the time of one turn went, from the end of the caller's speech to the answer: the first byte of the reply, or, of a
 * graph that only listens, the later of the turn's end and its final transcript. A graph without turns has one per final.
 */
export interface ReceiptEvent {
  readonly type: "receipt";
  readonly turnIndex: number;
  /** Of the reply; -1 without one. */
  readonly contextId: number;
  /** The turn's trace, where traces are collected and this call is one of the sample. 32 hexadecimal digits. */
  readonly traceId?: string;
  /** How long the caller spoke, of wall time. Absent if the beginning was not told or is too long ago. */
  readonly speechMs?: number;
  /** End of speech to the answer handed to the client; the stages sum to it within 1 ms. */
  readonly totalMs: number;
  readonly stages: readonly ReceiptStage[];
  /** Milliseconds after the end of speech, of wall time. Absent if it did not happen. */
  readonly milestones: {
    readonly vadStopMs?: number;
    readonly turnEndMs?: number;
    readonly sttFinalMs?: number;
    readonly firstTokenMs?: number;
    readonly firstTextMs?: number;
    readonly firstPcmMs?: number;
    readonly firstByteSentMs?: number;
    /** Only of a graph that just listens: the final transcript was handed to the client. */
    readonly finalSentMs?: number;
  };
}

export interface ErrorEvent {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** True if the call ends with it. */
  readonly fatal: boolean;
}

/** The last event. */
export interface CloseEvent {
  readonly type: "close";
  readonly reason: "client" | "error" | "drain" | "idle";
  /** Code of the error that ended the call. */
  readonly code?: string;
}

export type CallEvent =
  | VadEvent
  | TurnEvent
  | TranscriptEvent
  | ReplyEvent
  | TextEvent
  | AudioEvent
  | AlignmentEvent
  | InterruptedEvent
  | PlaybackEvent
  | FinalizedEvent
  | MarkEvent
  | GapEvent
  | LoadEvent
  | ReceiptEvent
  | ErrorEvent
  | CloseEvent;
