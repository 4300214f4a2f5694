/** What can be wrong with a request over plain HTTP. Part of the table in `errors.ts`. */
import { row } from "./errors-row.js";

export const HTTP_ERRORS = {
  HTTP_BODY_INVALID: row(
    "the request's body cannot be read: {problem}",
    "Send the body that `content-type` announces, complete and well-formed.",
    1007,
  ),
  HTTP_BODY_SIZE: row(
    "the request's {part} is larger than {limit} bytes",
    "Send less at once: a shorter recording, or one that is compressed.",
    1009,
  ),
  HTTP_BODY_TIMEOUT: row(
    "nothing came of the request's body for {stallMs} ms",
    "Send the body without pauses; try again over a better connection.",
    1008,
    true,
  ),
  HTTP_BODY_TYPE: row("a body of type {type} is not taken here", "Send one of: {expected}.", 1007),
  HTTP_BUSY: row("the server works on {what} already", "Try again in {retryAfterMs} ms, or add servers.", 1013, true),
  HTTP_FIELD: row("{field} is not valid: {problem}", "docs/COMPATIBILITY.md lists what is taken.", 4002),
  HTTP_METHOD: row("{path} does not take {method}", "Use {allowed}.", 1008),
  HTTP_NOT_FOUND: row("there is nothing at {path}", "GET / lists what is.", 1008),
  HTTP_REQUEST: row("the request cannot be served: {problem}", "Send a plain HTTP/1.1 request without a body.", 1002),
  HTTP_UPGRADE_REQUIRED: row("{path} speaks WebSocket", "Connect with a WebSocket client: ws://{host}{path}.", 1002),
} as const;
