/**
 * The side of a face that is plain HTTP: a request becomes a {@link RestJob}, the job's results become the answer. As pure
 * as the rest of the face: bodies are parsed, files decoded and calls run elsewhere, alike for every face.
 */
import type { SpeechFormat } from "../../audio/encode.js";
import type { TranscriptEvent } from "../../frames/events.js";
import type { CallRequest, FaceRequest } from "./face.js";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A file that a client sent. Its name and type are the client's claims. */
export interface Upload {
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
  readonly byteCount: number;
  /** In hexadecimal, of its bytes. */
  readonly sha256: string;
}

/** A request's body, by its content type. Fields and values are as the client sent them. */
export type RestBody =
  | { readonly kind: "none" }
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "bytes"; readonly upload: Upload }
  | {
      readonly kind: "form";
      readonly fields: ReadonlyMap<string, readonly string[]>;
      readonly files: ReadonlyMap<string, Upload>;
    };

export interface Tickets {
  /**
   * A token that lets whoever brings it in once, in the stead of the key that this request brought. `undefined`: no key is
   * needed. Throws AUTH_INVALID for a request that itself brought a token, TOKEN_LIMIT.
   */
  issue(lifeMs: number): string | undefined;
}

export interface RestSide {
  readonly methods: readonly ("GET" | "POST")[];
  /** The path's last segments after the route's own may vary (`/v1/models/NAME`): the face gets them as `request.path`. */
  readonly isPrefix?: boolean;
  /** What to do for this request. Throws SyrinxError; the answer is then `Face.refusal`. */
  job(request: FaceRequest, body: RestBody, tickets?: Tickets): RestJob;
}

export type RestJob = { readonly kind: "answer"; readonly answer: HttpAnswer } | TranscribeJob | SpeakJob;

/** Decode the upload, give it to a call as fast as the call takes it, and answer with what it hears. */
export interface TranscribeJob {
  readonly kind: "transcribe";
  readonly upload: Upload;
  /** What the bytes are, where the request says so; otherwise their beginning tells. */
  readonly encoding?: {
    readonly name: "linear16" | "linear32" | "mulaw" | "alaw";
    readonly rateHz: number;
    readonly channels: number;
  };
  /** `channels` of the call are taken from the file if `eachChannel` is true: one call each. */
  readonly call: CallRequest;
  readonly eachChannel: boolean;
  readonly codec: TranscriptionCodec;
}

export interface Transcription {
  readonly durationMs: number;
  /** Finals by channel, in order. */
  readonly channels: readonly (readonly TranscriptEvent[])[];
}

/** With `begin`, the answer is streamed: what `begin`, `encode` and `end` return, one after the other. */
export interface TranscriptionCodec {
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isStreamed: boolean;
  /** Only if streamed: a partial or a final as it happens. */
  encode?(event: TranscriptEvent, channel: number): string | undefined;
  /** The whole answer, or the last part of a streamed one. */
  end(result: Transcription): string;
}

/** Speak the text, encode it, and stream it as it comes. */
export interface SpeakJob {
  readonly kind: "speak";
  readonly text: string;
  readonly call: CallRequest;
  readonly format: SpeechFormat;
  /** Of the encoded audio; the call's output has the same. */
  readonly rateHz: number;
  /** µ-law and A-law in a WAV file. */
  readonly hasWavHeader?: boolean;
  readonly bitRateKbps?: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Wraps each encoded piece (server-sent events). Absent: the bytes themselves. */
  readonly codec?: { encode(piece: Uint8Array): string; end(totalSamples: number): string };
}
