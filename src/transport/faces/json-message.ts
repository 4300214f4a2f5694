import { SyrinxError } from "../../base/errors.js";
import { CONTROL_BYTES, quote } from "./native-messages.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A message as foreign protocols send them: an object with a `type`, and whatever else. Nothing of it is trusted. */
export interface TypedMessage {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Throws PROTOCOL_BAD_JSON, PROTOCOL_TOO_BIG, PROTOCOL_UTF8. */
export function parseTyped(data: Uint8Array, bytesMax: number = CONTROL_BYTES): TypedMessage {
  if (data.byteLength > bytesMax) throw new SyrinxError("PROTOCOL_TOO_BIG", { limit: bytesMax });
  let text: string;
  try {
    text = utf8.decode(data);
  } catch (error) {
    throw new SyrinxError("PROTOCOL_UTF8", {}, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own sentence quotes the message, and this one may be a transcript.
    throw new SyrinxError("PROTOCOL_BAD_JSON", { problem: `it begins with ${quote(text)}` });
  }
  if (typeof value !== "object" || value === null || typeof (value as TypedMessage).type !== "string") {
    throw new SyrinxError("PROTOCOL_BAD_JSON", { problem: "it is no object with a `type`" });
  }
  return value as TypedMessage;
}
