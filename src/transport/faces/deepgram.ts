/** What all of Deepgram's endpoints have in common: ids, headers and refusals, as its clients read them. */
import { createHash } from "node:crypto";
import { AssertionFailure } from "../../base/assert.js";
import type { SyrinxError } from "../../base/errors.js";
import { statusOf, statusText } from "../status.js";
import type { Ending, FaceRequest, Refused } from "./face.js";
import type { HttpAnswer } from "./rest.js";

/** Deepgram's names for what its clients look at; other statuses have the name that HTTP gives them. */
const ERROR_NAMES: Readonly<Record<number, string>> = {
  401: "INVALID_AUTH",
  403: "INSUFFICIENT_PERMISSIONS",
  413: "PAYLOAD_TOO_LARGE",
  429: "TOO_MANY_REQUESTS",
  503: "SERVICE_UNAVAILABLE",
};

/** On every answer, of an upgrade or a request. */
export function deepgramHeaders({ requestId }: FaceRequest): Record<string, string> {
  return { "dg-request-id": requestId };
}

export function deepgramRefusal(error: SyrinxError, request: FaceRequest): HttpAnswer {
  const status = statusOf(error.code);
  const name = ERROR_NAMES[status] ?? statusText(status);
  const message = `${error.message} (${error.code}). ${error.hint}`;
  return {
    status,
    contentType: "application/json; charset=utf-8",
    headers: { ...deepgramHeaders(request), "dg-error": `${error.code}: ${headerText(error.message)}` },
    body: JSON.stringify({ err_code: name, err_msg: message, request_id: request.requestId }),
  };
}

/** Headers are printable ASCII; what a client said may be anything. */
function headerText(text: string): string {
  return text.replace(/[^ -~]+/g, " ").slice(0, 200);
}

/** A UUID that is always the same for a name: clients want one for each model. */
export function modelUuid(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Deepgram's clients know the registered codes alone, and connect again after all of them but 1000. */
export function deepgramCloseCode({ closeCode }: Ending): number {
  return closeCode < 4000 ? closeCode : 1011;
}

/** The subprotocol to answer with: the key's name, never the key. */
export function deepgramSubprotocol({ subprotocols }: FaceRequest): { readonly subprotocol?: string } {
  const subprotocol = subprotocols.find((name) => name === "token" || name === "bearer");
  return subprotocol === undefined ? {} : { subprotocol };
}

/** Before the upgrade, by HTTP: no codec is ever asked for. */
export function deepgramRefused(error: SyrinxError, request: FaceRequest): Refused {
  const { status, body, headers = {} } = deepgramRefusal(error, request);
  const createCodec = (): never => {
    throw new AssertionFailure("nothing is encoded for a refusal by HTTP");
  };
  return { accepted: false, error, http: { status, body: String(body), headers }, createCodec };
}

/** Close codes and reasons of Deepgram's that its documentation explains, for endings that have one. */
export function deepgramClosing({
  reason,
  code,
}: Ending): { readonly code: number; readonly reason: string } | undefined {
  if (reason === "idle") return { code: 1011, reason: "NET-0001" };
  if (code === "AUDIO_DECODE_FAILED" || code === "AUDIO_FORMAT_UNSUPPORTED") return { code: 1008, reason: "DATA-0000" };
  return code === "PROTOCOL_TOO_BIG" ? { code: 1009, reason: "BIG-0000" } : undefined;
}
