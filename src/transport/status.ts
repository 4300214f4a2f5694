import { STATUS_CODES } from "node:http";
import type { ErrorCode } from "../base/errors.js";

/** What HTTP says for each error that can be the answer to a request. All others are 500. */
const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  AUDIO_DECODE_FAILED: 400,
  AUDIO_DECODE_TIMEOUT: 413,
  AUDIO_FORMAT_UNSUPPORTED: 400,
  AUDIO_JOBS_BUSY: 503,
  AUTH_CROWDED: 503,
  AUTH_GRAPH: 403,
  AUTH_INVALID: 401,
  AUTH_MISSING: 401,
  AUTH_ORIGIN: 403,
  AUTH_TOKEN: 401,
  CALL_GRAPH_UNKNOWN: 404,
  CALL_LIMIT: 503,
  CALL_OPTION_INVALID: 400,
  CALL_OVERLOADED: 503,
  CALL_WORKER_FAILED: 503,
  CAPACITY_EXCEEDED: 503,
  HTTP_BODY_INVALID: 400,
  HTTP_BODY_SIZE: 413,
  HTTP_BODY_TIMEOUT: 408,
  HTTP_BODY_TYPE: 415,
  HTTP_BUSY: 503,
  HTTP_FIELD: 400,
  HTTP_METHOD: 405,
  HTTP_NOT_FOUND: 404,
  HTTP_REQUEST: 400,
  HTTP_UPGRADE_REQUIRED: 426,
  KEY_CALLS_LIMIT: 429,
  RUNTIME_CLOSED: 503,
  TOKEN_LIMIT: 429,
  TOKEN_REQUEST: 400,
  TTS_TEXT_TOO_LONG: 400,
  TTS_VOICE_UNKNOWN: 400,
};

export function statusOf(code: ErrorCode): number {
  return STATUS_OF[code] ?? 500;
}

export function statusText(status: number): string {
  return STATUS_CODES[status] ?? "Error";
}
