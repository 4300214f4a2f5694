/** The rows of the table about who may come in; `errors.ts` takes them in. */
import { type ErrorRow, row } from "./errors-row.js";

export const ACCESS_ERRORS = {
  AUTH_CROWDED: row(
    "{limit} connections wait for their key already",
    "Retry in a second, or send the key in the handshake instead of the first message.",
    1013,
    true,
  ),
  AUTH_GRAPH: row(
    "the token is for the graph {graph}",
    "Use that graph, or get a token without `graph` from POST /v1/tokens.",
    1008,
  ),
  AUTH_INVALID: row(
    "the API key is not one of this server's",
    "Use a key of server.apiKeys; `syrinx keys new` makes one.",
    1008,
  ),
  AUTH_MISSING: row(
    "this server wants an API key",
    "Send `Authorization: Bearer KEY`, `X-API-Key: KEY`, `?api_key=KEY`, or from a browser the subprotocols `syrinx.v1, syrinx.key.KEY`.",
    1008,
  ),
  AUTH_ORIGIN: row(
    "pages of {origin} may not talk to this server",
    "Name the page's origin in server.cors.origins, configure server.apiKeys, or serve the page from localhost.",
    1008,
  ),
  AUTH_TOKEN: row(
    "the token is unknown, used or too old",
    "Get a new one from POST /v1/tokens: each lets one connection or request in, for a short time.",
    1008,
  ),
  KEY_CALLS_LIMIT: row(
    "this API key has as many calls open as it may: {limit}",
    "End a call, or raise `calls=` of the key.",
    1013,
    true,
  ),
  KEY_FILE_INVALID: row(
    "the key file cannot be used: {problem}",
    "Correct the file; until then the keys are those from before it changed.",
  ),
  TLS_INVALID: row(
    "the server cannot speak TLS: {reason}",
    "Give server.tls a certificate with its chain and the private key that belongs to it, as PEM; or `selfSigned: true` for development.",
  ),
  TOKEN_REQUEST: row(
    "the request for a token is not valid: {problem}",
    "Send a JSON object with `expiresInSeconds` and `graph`, or no body at all.",
    1008,
  ),
  TOKEN_LIMIT: row(
    "{limit} tokens wait to be used already",
    "Use those that were issued, or let them expire: issue a token when a client is about to connect.",
    1013,
    true,
  ),
} as const satisfies Record<string, ErrorRow>;
