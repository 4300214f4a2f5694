/** Errors of admission: more calls than there is room for. */
import { row } from "./errors-row.js";

export const CAPACITY_ERRORS = {
  CALL_LIMIT: row(
    "all {limit} call slots are in use",
    "Retry in {retryAfterMs} ms, or raise server.maxCalls.",
    1013,
    true,
  ),
  CALL_OVERLOADED: row(
    "call {callId} produced more control frames than its worker could take",
    "Lower the load on this server or add replicas.",
    1013,
    true,
  ),
  CAPACITY_EXCEEDED: row(
    "one more call of graph {graph} would make the calls that are open late: {reason}",
    "Retry in {retryAfterMs} ms, or on another server; `GET /v1/capacity` says how many calls this one takes.",
    1013,
    true,
  ),
  CAPACITY_FILE_INVALID: row(
    "the capacity plan {path} cannot be used: {reason}",
    "Write it anew with `syrinx plan --config FILE`, or take server.admission.file out of the configuration.",
  ),
  CAPACITY_VOID: row(
    "nothing was measured: {reason}",
    "Run `syrinx plan` on a machine that does nothing else, with more --seconds.",
  ),
} as const;
