/**
 * Where clients put their keys: each vendor's own place, looked for alike on every route. A key is taken out of the
 * request before a face sees it, so that no codec, log line or answer can repeat it.
 */
import type { FaceRequest } from "../faces/face.js";

/** Parameters of the query that hold a key, in the order in which they are looked for. */
export const KEY_PARAMETERS = ["api_key", "token", "access_token", "key"] as const;
/** In the order in which they are looked for. */
const KEY_HEADERS = ["xi-api-key", "x-api-key"] as const;
/** Headers that hold a key, or may: no face is shown them. */
const SECRET_HEADERS = ["authorization", "proxy-authorization", "cookie", "sec-websocket-protocol", ...KEY_HEADERS];
/** A subprotocol that says that the next one is a key (Deepgram's browser SDK). */
const KEY_FOLLOWS = new Set(["token", "bearer"]);
/** Beginnings of subprotocols whose rest is a key (OpenAI's browser SDK, and ours). */
const KEY_PREFIXES = ["openai-insecure-api-key.", "syrinx.key."];

export type Offer = Pick<FaceRequest, "headers" | "subprotocols" | "query">;

/** The key that a request brings: of headers, subprotocols and query the first that has one. */
export function credentialOf({ headers, subprotocols, query }: Offer): string | undefined {
  const scheme = /^(?:bearer|token) +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const inHeader = scheme ?? KEY_HEADERS.map((name) => headers[name]).find(isPresent);
  if (inHeader !== undefined) return asUtf8(inHeader);
  return subprotocolKeys(subprotocols)[0] ?? KEY_PARAMETERS.map((name) => query.get(name)).find(isPresent) ?? undefined;
}

/** The request as a face may see it. Of subprotocols that hold a key the beginning stays, to show that there was one. */
export function withoutCredentials<T extends Offer>(request: T): T {
  const headers = { ...request.headers };
  for (const name of SECRET_HEADERS) delete headers[name];
  const query = new URLSearchParams(request.query);
  for (const name of KEY_PARAMETERS) query.delete(name);
  const subprotocols = request.subprotocols
    .filter((_, index, offered) => !KEY_FOLLOWS.has(offered[index - 1] ?? ""))
    .map((name) => KEY_PREFIXES.find((prefix) => name.startsWith(prefix))?.slice(0, -1) ?? name);
  return { ...request, headers, query, subprotocols };
}

function subprotocolKeys(offered: readonly string[]): string[] {
  return offered.flatMap((name, index) => {
    const prefix = KEY_PREFIXES.find((each) => name.startsWith(each));
    if (prefix !== undefined) return [name.slice(prefix.length)];
    return KEY_FOLLOWS.has(offered[index - 1] ?? "") ? [name] : [];
  });
}

function isPresent(value: string | null | undefined): value is string {
  return value !== undefined && value !== null && value !== "";
}

/** HTTP hands bytes beyond ASCII over one by one; most clients mean UTF-8 by them. */
function asUtf8(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}
