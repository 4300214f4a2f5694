/** The rows of the table about loads on purpose; `errors.ts` takes them in. */
import { type ErrorRow, row } from "./errors-row.js";

export const LOAD_ERRORS = {
  LOAD_CALL_REFUSED: row(
    "{address} does not take the load's call: {reason}",
    "Check the address, the face and the API key, and that the server runs.",
    1011,
    true,
  ),
  LOAD_NO_ANSWER: row(
    "{url} made nothing of {recording} within {waitedMs} ms",
    "Choose a graph that answers, transcribes or echoes, and recordings that it understands.",
  ),
  LOAD_RECORDINGS_NONE: row(
    "there are no recordings to talk with in {folder}",
    "Put WAV, FLAC or MP3 files with up to {seconds} s of speech there, with what is said in NAME.txt or manifest.json.",
  ),
  LOAD_SERVER_FAILED: row(
    "the server of {config} did not start: {reason}",
    "Try `syrinx check {config}` and `syrinx serve {config}`.",
  ),
} as const satisfies Record<string, ErrorRow>;
