import { parseTyped, type TypedMessage } from "./json-message.js";

/** Longer ones are audio: the messages that some clients (Vocode) send as bytes are short. */
const BINARY_CONTROL_BYTES = 128;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** The control message in a binary one, if that is what it is. */
export function controlIn(data: Uint8Array): TypedMessage | undefined {
  if (data.byteLength < 2 || data.byteLength > BINARY_CONTROL_BYTES) return undefined;
  if (data[0] !== OPEN_BRACE || data.at(-1) !== CLOSE_BRACE) return undefined;
  try {
    return parseTyped(data);
  } catch {
    return undefined;
  }
}
