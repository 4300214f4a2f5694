/** The rows of the table about models that are fetched; `errors.ts` takes them in. */
import { type ErrorRow, row } from "./errors-row.js";

export const CATALOGUE_ERRORS = {
  MODEL_CACHE_BUSY: row(
    "another process has been fetching {file} for more than {waitedMs} ms",
    "Wait until it is done, or stop it; what it has fetched so far is kept.",
    1011,
    true,
  ),
  MODEL_CACHE_FULL: row(
    "{folder} has room for {freeMb} MB, and {name} needs {neededMb} MB more",
    "Free some space there, or set SYRINX_CACHE to a folder on a larger disk.",
  ),
  MODEL_CACHE_READ_ONLY: row(
    "the model cache {folder} cannot be written: {reason}",
    "Pull models where it can be written, or set SYRINX_CACHE to another folder.",
  ),
  MODEL_DIGEST_MISMATCH: row(
    "{file} is not what the catalogue means: its sha256 is {found}, not {expected}",
    "Do not use the file. `syrinx models pull {name} --force` fetches it anew; if that says the same, its source has changed.",
  ),
  MODEL_DOWNLOAD_FAILED: row(
    "{url} could not be fetched: {reason}",
    "Run `syrinx models pull {name}` again: what came so far is kept. Behind a proxy or mirror, set HF_ENDPOINT.",
    1011,
    true,
  ),
  MODEL_GATED: row(
    "{url} wants to know who asks (HTTP {status})",
    "Accept the terms on the page of {repository}, then set HF_TOKEN to a token of yours that may read it.",
  ),
  MODEL_NOT_CACHED: row(
    "the model {name} ({precision}) is not in the cache {folder}",
    "Fetch it with `syrinx models pull {name}`, or start with `--pull missing`.",
  ),
  MODEL_OFFLINE: row(
    "{name} is not in the cache {folder}, and SYRINX_OFFLINE or HF_HUB_OFFLINE forbids to fetch it",
    "Fetch it where there is a network and copy the cache, or unset the variable.",
  ),
  MODEL_REMOTE_MISSING: row(
    "there is no {url}",
    "The source has moved or renamed the file; look at the page of {repository}, and report it.",
  ),
  MODEL_UNKNOWN: row("the catalogue has no model {name}", "Use one of: {known}."),
  MODEL_NOT_IN_BUILD: row(
    "this build has no family {family}, which the model {name} needs",
    "`syrinx models list` shows which models this build can run.",
  ),
  MODEL_VERIFY_FAILED: row(
    "the model {name} does not do its work: {reason}",
    "Compare with `syrinx models info {name}`; try another precision or `--device cpu`.",
  ),
} as const satisfies Record<string, ErrorRow>;
