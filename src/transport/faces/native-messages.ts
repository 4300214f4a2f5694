import { z } from "zod";
import { type ErrorDetail, SyrinxError } from "../../base/errors.js";
import type { ControlMessage, OptionalEvent } from "../../client/messages.js";

/** Bytes of one JSON message. At it: PROTOCOL_TOO_BIG. */
export const CONTROL_BYTES = 16 * 1024;
/** Nesting of one JSON message. At it: PROTOCOL_MESSAGE_INVALID. */
export const CONTROL_DEPTH = 8;
/** How much of a client's own words an error message repeats. */
const QUOTED_CHARS = 40;

export const OPTIONAL_EVENTS = [
  "vad",
  "turn",
  "transcript",
  "reply",
  "text",
  "audio",
  "alignment",
  "gap",
  "load",
  "receipt",
] as const satisfies readonly OptionalEvent[];

const id = z.string().min(1).max(128);
const contextId = z.number().int().min(0);

const SCHEMAS = {
  configure: z.strictObject({
    type: z.literal("configure"),
    nodes: z.record(z.string().max(128), z.record(z.string().max(128), z.unknown())).optional(),
    events: z.array(z.enum(OPTIONAL_EVENTS)).max(OPTIONAL_EVENTS.length).optional(),
    partials: z.boolean().optional(),
  }),
  finalize: z.strictObject({ type: z.literal("finalize"), id: id.optional() }),
  mark: z.strictObject({ type: z.literal("mark"), id }),
  interrupt: z.strictObject({ type: z.literal("interrupt") }),
  playback: z.strictObject({ type: z.literal("playback"), contextId, playedMs: z.number().min(0) }),
  say: z.strictObject({
    type: z.literal("say"),
    text: z.string(),
    contextId: contextId.optional(),
    end: z.boolean().optional(),
  }),
  ask: z.strictObject({ type: z.literal("ask"), text: z.string(), id: id.optional(), answer: z.boolean().optional() }),
  keepalive: z.strictObject({ type: z.literal("keepalive") }),
  close: z.strictObject({ type: z.literal("close") }),
} as const;

type ControlType = keyof typeof SCHEMAS;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** One JSON message of a client. Throws SyrinxError and nothing else. */
export function parseControl(data: Uint8Array): ControlMessage {
  if (data.byteLength > CONTROL_BYTES) throw new SyrinxError("PROTOCOL_TOO_BIG", { limit: CONTROL_BYTES });
  const value = parseJson(data);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyrinxError("PROTOCOL_BAD_JSON", { problem: "it is not an object" });
  }
  const type = (value as { type?: unknown }).type;
  if (typeof type !== "string" || !Object.hasOwn(SCHEMAS, type)) {
    throw new SyrinxError("PROTOCOL_TYPE_UNKNOWN", { type: quote(type), known: Object.keys(SCHEMAS).join(", ") });
  }
  refuseKeys(value, 1);
  const parsed = SCHEMAS[type as ControlType].safeParse(value);
  if (!parsed.success) throw invalid(type, parsed.error);
  return parsed.data;
}

function parseJson(data: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(data);
  } catch (error) {
    throw new SyrinxError("PROTOCOL_UTF8", {}, error);
  }
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own sentence quotes the message, and this one may be a transcript.
    throw new SyrinxError("PROTOCOL_BAD_JSON", { problem: `it begins with ${quote(text)}` });
  }
}

/** Keys that change what objects are, should anyone ever merge this value into another; and too deep nesting. */
function refuseKeys(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > CONTROL_DEPTH) {
    throw new SyrinxError("PROTOCOL_MESSAGE_INVALID", {
      type: "of JSON",
      problem: `nested over ${CONTROL_DEPTH} deep`,
    });
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") {
      throw new SyrinxError("PROTOCOL_KEY_FORBIDDEN", { key });
    }
    refuseKeys((value as Record<string, unknown>)[key], depth + 1);
  }
}

function invalid(type: string, error: z.ZodError): SyrinxError {
  const issue = error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "" : `${cut(issue.path.join("."))}: `;
  const detail: ErrorDetail = { type, problem: `${where}${cut(issue?.message ?? "it has another shape", 160)}` };
  return new SyrinxError("PROTOCOL_MESSAGE_INVALID", detail);
}

/** A client's own value in an error: short, on one line. */
export function quote(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(cut(value));
  return value === undefined ? "nothing" : `a ${value === null ? "null" : typeof value}`;
}

function cut(text: string, chars: number = QUOTED_CHARS): string {
  return text.length > chars ? `${text.slice(0, chars)}…` : text;
}
