import { createHash, timingSafeEqual } from "node:crypto";
import { SyrinxError } from "../base/errors.js";

/** What an upgrade request brings to be let in. Names of headers in lower case. */
export interface Visitor {
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** A key that the face found in a place of its own. */
  readonly faceCredential: string | undefined;
}

/** @returns why the visitor may not come in, or nothing. */
export type Doorkeeper = (visitor: Visitor) => SyrinxError | undefined;

/**
 * With keys: a visitor needs one of them; where it comes from does not matter, because a key is never sent by itself as
 * a cookie is. Without keys: anyone who reaches the (loopback) port, but of browser pages only local ones, as any page
 * on the web could otherwise talk to the server of whoever looks at it.
 */
export function createDoorkeeper(apiKeys: readonly string[] | undefined): Doorkeeper {
  if (apiKeys === undefined) return checkOrigin;
  const digests = apiKeys.map(digest);
  return (visitor) => {
    const offered = credentialOf(visitor);
    if (offered === undefined) return new SyrinxError("AUTH_MISSING");
    return isAmong(digest(offered), digests) ? undefined : new SyrinxError("AUTH_INVALID");
  };
}

function credentialOf({ headers, faceCredential }: Visitor): string | undefined {
  const header = /^(?:bearer|token) +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  return header ?? headers["x-api-key"] ?? faceCredential;
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

/** Looks at all of them, whichever matches: the time taken says nothing about the keys. */
function isAmong(offered: Buffer, digests: readonly Buffer[]): boolean {
  let found = false;
  for (const known of digests) found = timingSafeEqual(offered, known) || found;
  return found;
}

const LOCAL_HOSTS = new Set(["localhost", "127.0.0.1", "[::1]"]);

function checkOrigin({ headers }: Visitor): SyrinxError | undefined {
  const { origin } = headers;
  if (origin === undefined || isLocal(origin)) return undefined;
  return new SyrinxError("AUTH_ORIGIN", { origin: origin.slice(0, 100) });
}

function isLocal(origin: string): boolean {
  try {
    const { hostname } = new URL(origin);
    return LOCAL_HOSTS.has(hostname) || hostname.endsWith(".localhost");
  } catch {
    return false;
  }
}
