/** Of recordings and audio formats. A part of the table in `errors.ts`. */
import { type ErrorRow, row } from "./errors-row.js";

export const AUDIO_ERRORS = {
  AUDIO_DECODE_FAILED: row(
    "{path} could not be decoded: {reason}",
    "Give a file that other players open; docs/AUDIO.md lists the formats.",
    1007,
  ),
  AUDIO_DECODE_TIMEOUT: row(
    "{name} could not be decoded within {timeoutMs} ms",
    "Give a shorter recording, or cut this one into parts.",
    1011,
  ),
  AUDIO_FILE_MISSING: row("there is no file {path}", "Check the path; it is relative to the folder you are in.", 1007),
  AUDIO_FORMAT_UNSUPPORTED: row("audio format {format} is not supported", "Use one of: {supported}.", 4002),
  AUDIO_JOBS_BUSY: row(
    "{waiting} recordings already wait to be decoded",
    "Retry in {retryAfterMs} ms, or send fewer at a time.",
    1013,
    true,
  ),
} as const satisfies Record<string, ErrorRow>;
