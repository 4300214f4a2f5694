/**
 * Makes fields fit for a log: nothing that somebody said or may not know, nothing unbounded, nothing that JSON cannot
 * hold. pino's own redaction works on paths of fixed depth; this works on keys at any depth and always makes a copy, so
 * a cycle, a BigInt, a throwing getter or a megabyte of PCM cannot hurt.
 *
 * It is the second net. The first is that callers do not put such things into fields.
 */
import { isSyrinxError } from "../base/errors.js";
import type { LogFields } from "./logger.js";

/** What happens at each: the rest is cut off, and the place says so. */
export const LOG_BOUNDS = { depth: 5, entries: 64, stringChars: 1024, stackChars: 4096 } as const;

export type LogValue = string | number | boolean | null | LogValue[] | { [key: string]: LogValue };

const CENSORED = "[redacted]";
/** Ends of keys (without case, `-` and `_`) whose values are secrets. */
const SECRET_KEY =
  /(^key|apikeys?|authorization|cookie|token|password|passphrase|secret|credentials?|websocketprotocol)$/;
/** Last words of keys whose values may be what somebody said. Numbers and booleans under them are counts and switches. */
const CONTENT_WORDS = new Set(
  "audio caption content delta history messages pcm phrase prompt reply samples sentence text transcript transcripts utterance words".split(
    " ",
  ),
);
const URL_KEY = /(url|uri|href|endpoint)$/;
/** Keys that the line itself uses: a field of that name would be a second `level` or `msg`. */
const RESERVED_KEYS = new Set(["level", "time", "msg", "service", "version", "thread"]);

/**
 * A copy of the fields that may be written.
 * @param showContent transcripts and texts pass; secrets and binary data still do not.
 */
export function logSafe(fields: LogFields | Error, showContent: boolean): { [key: string]: LogValue } {
  const whole: LogFields = fields instanceof Error ? { err: fields } : fields;
  const safe = safeEntries(whole, { showContent, ancestors: [] });
  return Object.fromEntries(
    Object.entries(safe).map(([key, value]) => [RESERVED_KEYS.has(key) ? `${key}_` : key, value]),
  );
}

interface Walk {
  readonly showContent: boolean;
  /** Objects on the way from the root to here: meeting one again is a cycle. */
  readonly ancestors: readonly object[];
}

function safeEntries(source: object, walk: Walk): { [key: string]: LogValue } {
  const inner = { ...walk, ancestors: [...walk.ancestors, source] };
  const safe: { [key: string]: LogValue } = {};
  const keys = Object.keys(source);
  for (const key of keys.slice(0, LOG_BOUNDS.entries)) {
    const value = read(source, key);
    if (value === undefined || typeof value === "function" || typeof value === "symbol") continue;
    safe[key] = isCensored(key, value, walk.showContent) ? CENSORED : safeValue(key, value, inner);
  }
  if (keys.length > LOG_BOUNDS.entries) safe["…"] = `${keys.length - LOG_BOUNDS.entries} more`;
  return safe;
}

function read(source: object, key: string): unknown {
  try {
    return (source as Record<string, unknown>)[key];
  } catch {
    return "[unreadable]";
  }
}

function isCensored(key: string, value: unknown, showContent: boolean): boolean {
  if (value === null) return false;
  if (SECRET_KEY.test(key.toLowerCase().replace(/[-_]/g, ""))) return true;
  const isData = typeof value === "string" || (typeof value === "object" && !isBinary(value));
  return !showContent && isData && CONTENT_WORDS.has(lastWordOf(key));
}

/** `finalText` → `text`, `stt_words` → `words`, `context` → `context`. */
function lastWordOf(key: string): string {
  const letters = key.replace(/[^A-Za-z]+$/, "");
  const cased = /[a-z]/.test(letters) ? letters : letters.toLowerCase();
  return /[A-Z]?[a-z]*$/.exec(cased)![0].toLowerCase();
}

function safeValue(key: string, value: unknown, walk: Walk): LogValue {
  switch (typeof value) {
    case "string":
      return cut(URL_KEY.test(key.toLowerCase()) ? withoutQuery(value) : value, LOG_BOUNDS.stringChars);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "object":
      return value === null ? null : safeObject(key, value, walk);
    default:
      return String(value);
  }
}

function safeObject(key: string, value: object, walk: Walk): LogValue {
  if (isBinary(value)) return { byteCount: value.byteLength };
  if (walk.ancestors.includes(value)) return "[circular]";
  if (walk.ancestors.length > LOG_BOUNDS.depth) return "[deeper]";
  if (value instanceof Error) return safeError(value, walk);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (value instanceof URL) return withoutQuery(value.href);
  if (value instanceof Map || value instanceof Set) return { entryCount: value.size };
  if (!Array.isArray(value)) return safeEntries(value, walk);
  const inner = { ...walk, ancestors: [...walk.ancestors, value] };
  const items = value.slice(0, LOG_BOUNDS.entries).map((item) => safeValue(key, item ?? null, inner));
  return value.length > items.length ? [...items, `${value.length - items.length} more`] : items;
}

function isBinary(value: object): value is ArrayBufferView | ArrayBuffer | SharedArrayBuffer {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

/** An operating error says code, hint and detail; anything else its stack. */
function safeError(error: Error, walk: Walk): LogValue {
  const { code } = error as { code?: unknown };
  const safe: { [key: string]: LogValue } = { type: error.name };
  if (typeof code === "string") safe.code = code;
  safe.message = cut(error.message, LOG_BOUNDS.stringChars);
  if (isSyrinxError(error)) {
    safe.hint = cut(error.hint, LOG_BOUNDS.stringChars);
    safe.detail = safeEntries(error.detail, walk);
  } else {
    safe.stack = cut(error.stack ?? "", LOG_BOUNDS.stackChars);
  }
  const inner = { ...walk, ancestors: [...walk.ancestors, error] };
  if (error.cause !== undefined) safe.cause = safeValue("cause", error.cause, inner);
  return safe;
}

/** Keys travel in query strings and in the user part of URLs. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, "?…").replace(/^([\w+.-]+:\/\/)[^/@]*@/, "$1…@");
}

function cut(text: string, charCount: number): string {
  return text.length <= charCount ? text : `${text.slice(0, charCount)}… (${text.length} characters)`;
}
