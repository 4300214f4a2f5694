import type { Outbound } from "./face.js";
import { encodeMessage } from "./pipecat-frames.js";
import { RTVI_LABEL } from "./rtvi-messages.js";

/** An RTVI message to the client, in its frame. Only answers have an id. */
export function rtvi(type: string, data?: object, id?: string): Outbound {
  return encodeMessage({ label: RTVI_LABEL, type, ...(id === undefined ? {} : { id }), ...(data && { data }) });
}
