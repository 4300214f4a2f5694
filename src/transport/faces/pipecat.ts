/**
 * Pipecat's own wire: protobuf frames and RTVI messages over a WebSocket, as its browser clients (`@pipecat-ai/client-js`
 * with `@pipecat-ai/websocket-transport`) and its `WebsocketClientTransport` speak them. `docs/COMPATIBILITY.md` says what
 * is answered, what is ignored and what is approximated.
 *
 * `POST` on the same path is what `startBotAndConnect` calls first: it answers where the WebSocket is.
 */
import { z } from "zod";
import { RESAMPLER_RATES_HZ } from "../../audio/resampler.js";
import { SyrinxError } from "../../base/errors.js";
import type { Accepted, Face, FaceRequest, Refused, ServerFacts } from "./face.js";
import { quote } from "./native-messages.js";
import { type Agreed, PipecatCodec } from "./pipecat-codec.js";
import type { HttpAnswer, RestJob, Tickets } from "./rest.js";

/** What Pipecat's own transports let through. */
export const PIPECAT_MESSAGE_BYTES = 1024 * 1024;

const rateHz = z.union(RESAMPLER_RATES_HZ.map((rate) => z.literal(rate)));
const routeOptions = z.strictObject({
  /** Of the call's input: a client whose audio has another rate is resampled. */
  rate: rateHz.default(16_000),
  /** Of the audio to the client. The browser transport plays 24 kHz, whatever a frame says. */
  outRate: rateHz.default(24_000),
  /**
   * How far ahead of its playing audio is sent. The browser transport cannot drop what it holds: so long it goes on talking
   * when it is interrupted. More than the jitter of the network and of a busy server.
   */
  leadMs: z.number().int().min(20).max(10_000).default(200),
  /** Sends `vad-user-started-speaking` and `vad-user-stopped-speaking` too. */
  vadEvents: z.boolean().default(false),
});
type RouteOptions = z.infer<typeof routeOptions>;

export const pipecat: Face = {
  name: "pipecat",
  messageBytes: PIPECAT_MESSAGE_BYTES,
  parseOptions: (options) => routeOptions.parse(options),
  negotiate(request, server) {
    try {
      return accept(request, server);
    } catch (error) {
      return refuse(request, server, error);
    }
  },
  rest: {
    methods: ["POST"],
    job: (request, _body, tickets): RestJob => ({ kind: "answer", answer: whereToConnect(request, tickets) }),
  },
};

function accept(request: FaceRequest, server: ServerFacts): Accepted {
  const agreed = agree(request);
  const { leadMs } = request.options as RouteOptions;
  return { accepted: true, audioLeadMs: leadMs, createCodec: () => new PipecatCodec(agreed, server) };
}

function refuse(request: FaceRequest, server: ServerFacts, thrown: unknown): Refused {
  const error = thrown instanceof SyrinxError ? thrown : new SyrinxError("INTERNAL", { reason: "negotiation" }, thrown);
  const { vadEvents } = request.options as RouteOptions;
  const graph = { name: "", takesAudio: false, takesText: false, hasAgent: false, takesQuestions: false, nodes: [] };
  const nothing: Agreed = { graph, inputRateHz: 16_000, outputRateHz: 24_000, vadEvents };
  return { accepted: false, error, createCodec: () => new PipecatCodec(nothing, server) };
}

/** Parameters that are not known here are left alone: clients add their own. */
function agree(request: FaceRequest): Agreed {
  const { rate, outRate, vadEvents } = request.options as RouteOptions;
  const { query } = request;
  return {
    graph: graphOf(request),
    inputRateHz: rateOf(query, "rate") ?? rate,
    outputRateHz: rateOf(query, "outRate") ?? outRate,
    vadEvents,
  };
}

function graphOf(request: FaceRequest): Agreed["graph"] {
  const known = request.graphs;
  const asked = request.query.get("graph") ?? request.graph ?? (known.length === 1 ? known[0] : undefined);
  const facts = asked !== undefined && known.includes(asked) ? request.facts.get(asked) : undefined;
  if (facts !== undefined) return facts;
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: quote(asked), known: known.join(", ") });
}

function rateOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  const rate = RESAMPLER_RATES_HZ.find((known) => String(known) === value);
  if (rate !== undefined) return rate;
  throw new SyrinxError("PROTOCOL_PARAMETER", {
    parameter: quote(name),
    problem: `it is one of ${RESAMPLER_RATES_HZ.join(", ")}`,
  });
}

/** A host and port, so that what stands in a header is no part of somebody else's address. */
const HOST = /^[\w.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/** How long the client may take from the answer to its connection. */
const TOKEN_MS = 60_000;

/** No other keys than these: the client refuses them. The query goes along: it may name the graph. */
function whereToConnect({ headers, path, query, isEncrypted = false }: FaceRequest, tickets?: Tickets): HttpAnswer {
  // Behind a proxy, what the client itself sees.
  const host = firstOf(headers["x-forwarded-host"]) ?? headers.host ?? "";
  if (!HOST.test(host)) throw new SyrinxError("HTTP_REQUEST", { problem: "it does not say which host it was sent to" });
  const isSecure = isEncrypted || firstOf(headers["x-forwarded-proto"]) === "https";
  const search = query.size === 0 ? "" : `?${query}`;
  const token = tickets?.issue(TOKEN_MS);
  const url = `${isSecure ? "wss" : "ws"}://${host}${path}${search}`;
  const body = JSON.stringify({ ws_url: url, ...(token === undefined ? {} : { token }) });
  return { status: 200, contentType: "application/json", body };
}

/** Of a header that every proxy on the way adds to. */
function firstOf(header: string | undefined): string | undefined {
  return header?.split(",")[0]?.trim();
}
