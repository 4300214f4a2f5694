/**
 * RTVI, the JSON that Pipecat's clients and bots speak beside audio: `{"label":"rtvi-ai","type":…,"id":…,"data":…}`.
 * Versions 2.1.0 and, for older clients, 1.x.
 */
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { quote } from "./native-messages.js";

export const RTVI_LABEL = "rtvi-ai";
export const RTVI_VERSION = "2.1.0";
/** Characters of a message that holds no audio. At it: PROTOCOL_TOO_BIG. */
export const RTVI_CHARS = 64 * 1024;
/** Nesting of a message. At it: PROTOCOL_MESSAGE_INVALID. */
export const RTVI_DEPTH = 16;
/** Buttons of one message. At it: an error response. */
export const DTMF_BUTTONS = 64;

const envelope = z.object({
  label: z.string(),
  type: z.string().max(128),
  id: z.string().max(128).default(""),
  data: z.unknown().optional(),
});
export type RtviMessage = z.infer<typeof envelope>;

const base64 = z.base64();
const format = { sampleRate: z.number(), numChannels: z.number() };
const button = z.string().regex(/^[0-9*#]$/, "it is one of 0 to 9, * and #");

/** What we answer to. Unknown fields are ignored. */
export const RTVI_DATA = {
  "client-ready": z.object({ version: z.string().optional().catch(undefined) }).catch({}),
  "disconnect-bot": z.unknown(),
  "client-message": z.object({ t: z.string() }),
  "send-text": z.object({
    content: z.string(),
    options: z
      .object({ run_immediately: z.boolean().default(true), audio_response: z.boolean().default(true) })
      .nullish()
      .transform((options) => options ?? { run_immediately: true, audio_response: true }),
  }),
  // Until 2.1.0 it was one `button`.
  dtmf: z.union([
    z.object({ buttons: z.array(button).min(1).max(DTMF_BUTTONS) }),
    z.object({ button }).transform((old) => ({ buttons: [old.button] })),
  ]),
  "raw-audio": z.object({ ...format, base64Audio: base64 }),
  "raw-audio-batch": z.object({ ...format, base64AudioBatch: z.array(base64) }),
} as const;

export type RtviType = keyof typeof RTVI_DATA;
export type RtviData<T extends RtviType> = z.infer<(typeof RTVI_DATA)[T]>;

/** `undefined`: JSON of somebody else. Throws PROTOCOL_BAD_JSON, PROTOCOL_MESSAGE_INVALID, PROTOCOL_TOO_BIG. */
export function parseRtvi(text: string): RtviMessage | undefined {
  // Only audio is long, and it costs its sender the time that it plays.
  if (text.length > RTVI_CHARS && !text.includes('"raw-audio')) throw tooBig();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyrinxError("PROTOCOL_BAD_JSON", { problem: `it begins with ${quote(text)}` });
  }
  if (isTooDeep(value, 1)) throw invalid(`nested over ${RTVI_DEPTH} deep`);
  const label = typeof value === "object" && value !== null && "label" in value ? value.label : undefined;
  if (label !== RTVI_LABEL) return undefined;
  const parsed = envelope.safeParse(value);
  if (!parsed.success) throw invalid(problemOf(parsed.error));
  if (text.length > RTVI_CHARS && !parsed.data.type.startsWith("raw-audio")) throw tooBig();
  return parsed.data;
}

/** One sentence about what is wrong with a message's data. */
export function problemOf(error: z.ZodError): string {
  const issue = error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  return `${where}${issue?.message ?? "it has another shape"}`.slice(0, 200);
}

function isTooDeep(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth > RTVI_DEPTH || Object.values(value).some((inner) => isTooDeep(inner, depth + 1));
}

function invalid(problem: string): SyrinxError {
  return new SyrinxError("PROTOCOL_MESSAGE_INVALID", { type: "of RTVI", problem });
}

function tooBig(): SyrinxError {
  return new SyrinxError("PROTOCOL_TOO_BIG", { limit: RTVI_CHARS });
}
