/**
 * Which web pages may talk to the server, and read what it answers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).
 * No cookie lets anybody in here, so what is at stake is the visitor's own machine: without keys, any page on the web
 * could otherwise use the server of whoever looks at it.
 */
import type { IncomingHttpHeaders } from "node:http";

/** Headers of answers that scripts of pages may read. */
const EXPOSED = [
  "x-request-id",
  "request-id",
  "retry-after",
  "openai-processing-ms",
  "dg-request-id",
  "dg-model-name",
  "dg-char-count",
  "dg-error",
].join(", ");

/** How long a browser may remember a preflight. Chromium takes at most two hours. */
const PREFLIGHT_SECONDS = 600;
/** Names of headers in a preflight. At it: the rest is not allowed. */
const PREFLIGHT_HEADERS = 64;
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;

const LOCAL_HOSTS = new Set(["localhost", "127.0.0.1", "[::1]"]);

export class Origins {
  readonly #named: "*" | ReadonlySet<string> | undefined;
  readonly #hasKeys: boolean;

  /** @param named beside local pages; absent: none, except that any page that brings a key may open a WebSocket */
  constructor(named: "*" | readonly string[] | undefined, hasKeys: boolean) {
    this.#named = named === undefined || named === "*" ? named : new Set(named);
    this.#hasKeys = hasKeys;
  }

  /** Whether a request with this `Origin` may come in. Programs send none. */
  admits(origin: string | undefined): boolean {
    return origin === undefined || this.#isReader(origin) || (this.#named === undefined && this.#hasKeys);
  }

  /** For every answer that a page may want to read. */
  headers(origin: string | undefined): Record<string, string> {
    // The answer differs by origin even where there is none: no cache may give it to another page.
    if (origin === undefined || !this.#isReader(origin)) return { vary: "Origin" };
    return { vary: "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED };
  }

  /** For the answer to `OPTIONS`. Any header is allowed: none but a key lets anybody in, and a key is never sent by itself. */
  preflight(headers: IncomingHttpHeaders, methods: readonly string[]): Record<string, string> {
    const { origin } = headers;
    const wanted = (headers["access-control-request-headers"] ?? "").toLowerCase().split(",");
    const allowed = wanted.map((name) => name.trim()).filter((name) => HEADER_NAME.test(name));
    if (origin === undefined || !this.#isReader(origin)) return { vary: "Origin" };
    return {
      ...this.headers(origin),
      vary: "Origin, Access-Control-Request-Headers",
      "access-control-allow-methods": [...methods, "OPTIONS"].join(", "),
      "access-control-allow-headers": allowed.slice(0, PREFLIGHT_HEADERS).join(", "),
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    };
  }

  #isReader(origin: string): boolean {
    return this.#named === "*" || this.#named?.has(origin) === true || isLocal(origin);
  }
}

function isLocal(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { hostname } = new URL(origin);
  return LOCAL_HOSTS.has(hostname) || hostname.endsWith(".localhost");
}
