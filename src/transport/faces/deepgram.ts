/** What all of Deepgram's endpoints have in common: ids, headers and refusals, as its clients read them. */
import { createHash } from "node:crypto";
import type { SyrinxError } from "../../base/errors.js";
import { statusOf, statusText } from "../status.js";
import type { Ending, FaceRequest } from "./face.js";
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
