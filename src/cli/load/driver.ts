/** What the load tool needs of a wire protocol: a face's driver opens calls and says in one vocabulary what comes back. */
import type { ReceiptEvent } from "../../frames/events.js";
import type { Recording } from "./recordings.js";

/** What came back. Stream times are milliseconds since the call's first sample. */
export type LoadEvent =
  | { readonly type: "partial"; readonly text: string; readonly streamEndMs: number; readonly lastWordEndMs?: number }
  | { readonly type: "final"; readonly text: string; readonly streamEndMs: number }
  /** The server's own verdict that speech ended there. */
  | { readonly type: "endpoint"; readonly streamMs: number }
  /** The server took the speech that ends there for the end of a turn. */
  | { readonly type: "turn_end"; readonly turnIndex: number; readonly streamMs: number }
  | { readonly type: "finalized" }
  | { readonly type: "reply_start"; readonly contextId: number; readonly turnIndex: number }
  | { readonly type: "reply_text"; readonly contextId: number }
  | { readonly type: "audio"; readonly contextId: number; readonly pcm: Int16Array; readonly rateHz: number }
  | { readonly type: "reply_end"; readonly contextId: number; readonly reason: ReplyEnd }
  | { readonly type: "interrupted"; readonly contextId: number }
  | { readonly type: "receipt"; readonly receipt: ReceiptEvent }
  /** The server lost input. */
  | { readonly type: "gap"; readonly durationMs: number }
  | { readonly type: "error"; readonly code: string; readonly message: string }
  /** The last event. `code` is the WebSocket's close code, or an HTTP status, or 0. */
  | { readonly type: "close"; readonly code: number };

export type ReplyEnd = "completed" | "empty" | "failed" | "interrupted";

/** Gets each event at the instant at which its bytes were read, in milliseconds of `performance.now()`. */
export type LoadListener = (event: LoadEvent, atMs: number) => void;

export interface DialOptions {
  /** `ws://`, `wss://`, `http://` or `https://`; a path, if it has one, is kept. */
  readonly url: string;
  readonly apiKey?: string;
  /** For faces that choose graphs by name. */
  readonly graph?: string;
  /** For faces that choose models by name. */
  readonly model?: string;
}

/** One call. What its face cannot do is absent. Nothing throws once it is open; trouble is an event. */
export interface LoadCall {
  /** s16 mono at 16 kHz. */
  send?(pcm: Int16Array): void;
  /** The speech so far is over. */
  finalize?(): void;
  /** Speaks a text: `reply_start`, audio and `reply_end` follow. */
  say?(text: string): void;
  /** Transcribes a whole recording: `final` and `finalized` follow. */
  upload?(recording: Recording): void;
  /** Stops or resumes reading from the socket. */
  setReading?(isReading: boolean): void;
  /** Ends in good order; resolves when the connection is gone. */
  close(): Promise<void>;
  /** Vanishes without a word. */
  abort(): void;
}

/** What a caller does on this face: streams audio, sends texts, or sends whole recordings. */
export type LoadInput = "audio" | "text" | "file";

export interface LoadDriver {
  readonly input: LoadInput;
  /** A call is a connection, whose opening takes time; not so where each request stands alone. */
  readonly connects: boolean;
  /** Resolves when the server is ready. Throws LOAD_CALL_REFUSED. */
  open(options: DialOptions, listener: LoadListener): Promise<LoadCall>;
}

interface DriverRow {
  readonly summary: string;
  load(): Promise<LoadDriver>;
}

/** Every face that can be loaded. A new one is a file and a row. */
export const LOAD_FACES = {
  native: {
    summary: "the native protocol: conversations, or transcription alone",
    load: async () => (await import("./drivers/native.js")).nativeDriver,
  },
  "deepgram-listen": {
    summary: "streaming transcription, Deepgram's /v1/listen",
    load: async () => (await import("./drivers/deepgram-listen.js")).deepgramListenDriver,
  },
  "deepgram-speak": {
    summary: "streaming speech, Deepgram's /v1/speak",
    load: async () => (await import("./drivers/deepgram-speak.js")).deepgramSpeakDriver,
  },
  "openai-transcriptions": {
    summary: "whole recordings, OpenAI's /v1/audio/transcriptions",
    load: async () => (await import("./drivers/openai-rest.js")).openaiTranscriptionsDriver,
  },
  "openai-speech": {
    summary: "texts, OpenAI's /v1/audio/speech",
    load: async () => (await import("./drivers/openai-rest.js")).openaiSpeechDriver,
  },
} as const satisfies Record<string, DriverRow>;

export type LoadFace = keyof typeof LOAD_FACES;
