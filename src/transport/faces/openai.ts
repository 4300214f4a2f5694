/** What all of OpenAI's REST endpoints have in common. */
import type { SyrinxError } from "../../base/errors.js";
import { statusOf } from "../status.js";
import type { FaceRequest } from "./face.js";
import type { HttpAnswer } from "./rest.js";

/** The model ids that OpenAI's clients send by default. Any other is taken as well: the route's graph decides what runs. */
export const TRANSCRIPTION_MODELS = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"] as const;
export const SPEECH_MODELS = ["tts-1", "tts-1-hd", "gpt-4o-mini-tts"] as const;

export function jsonAnswer(value: unknown): HttpAnswer {
  return { status: 200, contentType: "application/json", body: JSON.stringify(value) };
}

/** Anything else is shown to users of OpenAI's libraries as a heap of JSON. */
export function openaiRefusal(error: SyrinxError, _request: FaceRequest): HttpAnswer {
  const status = STATUS[statusOf(error.code)] ?? statusOf(error.code);
  const { type, code } = KINDS[status] ?? (status >= 500 ? SERVER_ERROR : INVALID_REQUEST);
  const message = `${error.message}. ${error.hint}`;
  return {
    status,
    contentType: "application/json",
    body: JSON.stringify({ error: { message, type, param: paramOf(error), code: code ?? error.code } }),
  };
}

/** OpenAI does not use these. */
const STATUS: Readonly<Record<number, number>> = { 405: 400, 415: 400 };

interface Kind {
  readonly type: string;
  /** Where OpenAI has a code that clients look for. */
  readonly code?: string;
}

const INVALID_REQUEST: Kind = { type: "invalid_request_error" };
const SERVER_ERROR: Kind = { type: "server_error" };
const KINDS: Readonly<Record<number, Kind>> = {
  401: { type: "invalid_request_error", code: "invalid_api_key" },
  404: { type: "invalid_request_error", code: "model_not_found" },
  403: { type: "invalid_request_error" },
  429: { type: "rate_limit_error", code: "rate_limit_exceeded" },
};

function paramOf({ code, detail }: SyrinxError): string | null {
  if (code === "HTTP_FIELD") return String(detail.field);
  if (code === "TTS_VOICE_UNKNOWN") return "voice";
  return code.startsWith("AUDIO_") ? "file" : null;
}
