/** How the program ends: exit codes, and what a person sees of an error. Never a stack trace. */
import { styleText } from "node:util";
import { isSyrinxError, reasonOf } from "../base/errors.js";
import { SyrinxClientError } from "../client/errors.js";

/** Documented in `docs/CLI.md` and in `syrinx --help`. */
export const EXIT = {
  ok: 0,
  /** What was asked for could not be done; the message says why. */
  failed: 1,
  /** The command line itself was wrong. */
  usage: 2,
  /** Stopped by Ctrl-C before it was done. */
  interrupted: 130,
} as const;

/** Prints an error for a person (or as JSON for a program) and returns the exit code. */
export function reportError(error: unknown, asJson: boolean): number {
  if (asJson) {
    const known = isTold(error)
      ? { code: error.code, message: error.message, hint: error.hint, ...problemsOf(error) }
      : { code: "INTERNAL", message: reasonOf(error), hint: "" };
    process.stdout.write(`${JSON.stringify({ type: "error", ...known })}\n`);
    return EXIT.failed;
  }
  const mark = styleText("red", "error", { stream: process.stderr, validateStream: true });
  if (isTold(error)) {
    process.stderr.write(`${mark}: ${error.message}\n  ${error.hint}\n  (${error.code}, see docs/ERRORS.md)\n`);
  } else {
    process.stderr.write(`${mark}: ${reasonOf(error)}\n`);
    if (process.env.SYRINX_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    else process.stderr.write("  Set SYRINX_DEBUG=1 to see where it happened.\n");
  }
  return EXIT.failed;
}

/** An error made for its reader: with a code and a hint, ours or the client's. */
interface ToldError extends Error {
  readonly code: string;
  readonly hint: string;
}

function isTold(error: unknown): error is ToldError {
  return isSyrinxError(error) || error instanceof SyrinxClientError;
}

function problemsOf(error: ToldError): object {
  return "problems" in error ? { problems: error.problems } : {};
}
