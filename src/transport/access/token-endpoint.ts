/**
 * `POST /v1/tokens`, and the same thing as Deepgram's SDKs ask for it: `POST /v1/auth/grant`
 * (https://developers.deepgram.com/reference/auth/tokens/grant).
 */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import type { Doorkeeper } from "../auth.js";
import type { Offer } from "./credentials.js";
import { TOKEN_LIMITS } from "./tokens.js";

const { lifeSecondsMax } = TOKEN_LIMITS;
const lifeSeconds = z.int().min(1).max(lifeSecondsMax);

const tokenRequest = z.strictObject({
  expiresInSeconds: lifeSeconds.default(60),
  graph: z.string().max(64).optional(),
});
/** Theirs may have more in it than we know. */
const grantRequest = z.object({ ttl_seconds: lifeSeconds.default(30) });

export const TOKEN_PATHS: readonly string[] = ["/v1/tokens", "/v1/auth/grant"];

export interface TokenContext {
  readonly door: Pick<Doorkeeper, "issueToken">;
  readonly graphs: readonly string[];
  readonly bodyBytes: number;
}

/**
 * @param offer of the same request
 * @returns the body of the answer. Throws AUTH_ORIGIN, AUTH_MISSING, AUTH_INVALID, TOKEN_LIMIT, TOKEN_REQUEST.
 */
export async function answerTokenRequest(
  request: IncomingMessage,
  path: string,
  offer: Offer,
  { door, graphs, bodyBytes }: TokenContext,
): Promise<object> {
  const body = await readJson(request, bodyBytes);
  if (path === "/v1/auth/grant") {
    const { ttl_seconds } = parsed(grantRequest, body);
    return { access_token: door.issueToken(offer, ttl_seconds * 1000), expires_in: ttl_seconds };
  }
  const { expiresInSeconds, graph } = parsed(tokenRequest, body);
  if (graph !== undefined && !graphs.includes(graph)) {
    throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: JSON.stringify(graph), known: graphs.join(", ") });
  }
  const token = door.issueToken(offer, expiresInSeconds * 1000, graph);
  return { token, expiresInSeconds, expiresAt: wallSeconds() + expiresInSeconds };
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new SyrinxError("TOKEN_REQUEST", { problem: path.length === 0 ? message : `${path.join(".")}: ${message}` });
}

/** Of an empty body: an empty object. */
async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    byteCount += chunk.byteLength;
    if (byteCount <= limitBytes) chunks.push(chunk);
  }
  if (byteCount === 0) return {};
  if (byteCount > limitBytes)
    throw new SyrinxError("TOKEN_REQUEST", { problem: `it has more than ${limitBytes} bytes` });
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new SyrinxError("TOKEN_REQUEST", { problem: "it is not JSON" });
  }
}

/** Seconds since 1970, for clients; nothing here is decided by it. */
function wallSeconds(): number {
  return Math.floor((performance.timeOrigin + performance.now()) / 1000);
}
