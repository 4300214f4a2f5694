/**
 * Messages of the native protocol that are not events of a call, as they stand on the wire. Types alone, shared by the
 * server's native face and the client; `docs/PROTOCOL.md` describes them.
 */
import type { AudioEvent, CallEvent, ErrorEvent } from "../frames/events.js";

/** How samples are written in binary messages: little-endian signed 16 bits, or G.711. Always mono. */
export type AudioFormat = "s16le" | "mulaw" | "alaw";

/** The first message of the server: the call is open. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly protocol: 1;
  readonly server: { readonly name: string; readonly version: string };
  readonly callId: string;
  readonly graph: string;
  readonly input: { readonly format: AudioFormat; readonly rateHz: number };
  /** `rateHz` is null if the client left it to the voice: each `audio.start` then says it. */
  readonly output: { readonly format: AudioFormat; readonly rateHz: number | null };
  readonly limits: {
    /** Bytes of one binary message, and of one JSON message. */
    readonly messageBytes: number;
    readonly controlBytes: number;
    readonly idleTimeoutMs: number;
    readonly paceFactor: number;
    readonly paceBurstMs: number;
  };
}

/** Every binary message after this one holds the next samples of this context, until `audio.start` comes again. */
export interface AudioStartMessage {
  readonly type: "audio.start";
  readonly contextId: number;
  readonly format: AudioFormat;
  readonly rateHz: number;
  /** Position in the context of the first sample that follows. */
  readonly offsetSamples: number;
}

/** The answer to `keepalive`. */
export interface PongMessage {
  readonly type: "pong";
}

/** Kinds of events that `configure` can switch on and off. All others are always sent. */
export type OptionalEvent =
  | "vad"
  | "turn"
  | "transcript"
  | "reply"
  | "text"
  | "audio"
  | "alignment"
  | "gap"
  | "load"
  | "receipt";

/** The answer to `configure` on an open call. */
export interface ConfiguredMessage {
  readonly type: "configured";
  readonly events: readonly OptionalEvent[];
  readonly partials: boolean;
}

/** An error event, as it stands on the wire. */
export interface ErrorMessage extends ErrorEvent {
  /** True if the same request may succeed later without any change. */
  readonly retryable: boolean;
}

/** JSON from the server. */
export type ServerMessage =
  | Exclude<CallEvent, AudioEvent | ErrorEvent>
  | ErrorMessage
  | ReadyMessage
  | AudioStartMessage
  | PongMessage
  | ConfiguredMessage;

export interface ConfigureOptions {
  /** Options of nodes for this call. On an open call, only of nodes whose options may change then: vad, turn, stt. */
  readonly nodes?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Which of the optional events to send. */
  readonly events?: readonly OptionalEvent[];
  /** Whether to send transcripts that are not final. */
  readonly partials?: boolean;
}

/** JSON from the client. */
export type ControlMessage =
  | ({ readonly type: "configure" } & ConfigureOptions)
  | { readonly type: "finalize"; readonly id?: string }
  | { readonly type: "mark"; readonly id: string }
  | { readonly type: "interrupt" }
  | { readonly type: "playback"; readonly contextId: number; readonly playedMs: number }
  | { readonly type: "say"; readonly text: string; readonly contextId?: number; readonly end?: boolean }
  | { readonly type: "ask"; readonly text: string; readonly id?: string; readonly answer?: boolean }
  | { readonly type: "keepalive" }
  | { readonly type: "close" };
