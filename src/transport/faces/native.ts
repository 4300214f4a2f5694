/**
 * The native protocol, `syrinx.v1`: PCM in binary messages both ways, the call's events as JSON. `docs/PROTOCOL.md` is
 * its reference.
 */
import { z } from "zod";
import { ERRORS, type ErrorCode, SyrinxError } from "../../base/errors.js";
import type { AudioFormat, ControlMessage, OptionalEvent, ReadyMessage, ServerMessage } from "../../client/messages.js";
import type { AudioEvent, ErrorEvent } from "../../frames/events.js";
import type {
  Accepted,
  CallRequest,
  ClientMessage,
  Ending,
  FaceCodec,
  FaceRequest,
  Farewell,
  Outbound,
  Refused,
  ServerEvent,
  ServerFacts,
  SocketFace,
} from "./face.js";
import { SAMPLE_CODECS, type SampleCodec } from "./native-format.js";
import { CONTROL_BYTES, OPTIONAL_EVENTS, parseControl, quote } from "./native-messages.js";

export const NATIVE_SUBPROTOCOL = "syrinx.v1";
const ANY_VERSION = /^syrinx\.v\d+$/;
const PARAMETERS = ["graph", "rate", "outRate", "format", "outFormat", "setup"];
const RATE_HZ = { min: 8_000, max: 48_000 };

const rateHz = z.number().int().min(RATE_HZ.min).max(RATE_HZ.max);
const format = z.enum(["s16le", "mulaw", "alaw"]);
/** Defaults of a route for what the query leaves out. */
const routeOptions = z.strictObject({
  rate: rateHz.default(16_000),
  outRate: rateHz.optional(),
  format: format.default("s16le"),
  outFormat: format.optional(),
});

export const native: SocketFace = {
  name: "native",
  parseOptions: (options) => routeOptions.parse(options),
  negotiate(request, server) {
    try {
      return accept(request, server);
    } catch (error) {
      return refuse(request, server, error);
    }
  },
};

/** What the query settled. */
interface Agreed {
  readonly graph: string;
  readonly inputRateHz: number;
  readonly outputRateHz: number | undefined;
  readonly inputFormat: AudioFormat;
  readonly outputFormat: AudioFormat;
  /** The call opens with the first `configure` message instead of at once. */
  readonly setupByMessage: boolean;
}

function accept(request: FaceRequest, server: ServerFacts): Accepted {
  const subprotocol = chooseSubprotocol(request.subprotocols);
  const agreed = agree(request);
  const createCodec = (): FaceCodec => new NativeCodec(agreed, server);
  return { accepted: true, createCodec, ...(subprotocol === undefined ? {} : { subprotocol }) };
}

function refuse(request: FaceRequest, server: ServerFacts, thrown: unknown): Refused {
  const error = thrown instanceof SyrinxError ? thrown : new SyrinxError("INTERNAL", { reason: "negotiation" }, thrown);
  const nothing: Agreed = {
    graph: "",
    inputRateHz: 16_000,
    outputRateHz: undefined,
    inputFormat: "s16le",
    outputFormat: "s16le",
    setupByMessage: false,
  };
  const subprotocol = request.subprotocols.find((name) => name === NATIVE_SUBPROTOCOL);
  const refused: Refused = { accepted: false, error, createCodec: () => new NativeCodec(nothing, server) };
  // Without a subprotocol in common the client would drop the socket before it could read anything.
  if (error.code === "PROTOCOL_VERSION")
    return { ...refused, http: { status: 400, body: JSON.stringify(plain(error)) } };
  return subprotocol === undefined ? refused : { ...refused, subprotocol };
}

function plain(error: SyrinxError): { error: object } {
  const { code, message, hint, retryable } = error;
  return { error: { code, message, hint, retryable } };
}

function chooseSubprotocol(offered: readonly string[]): string | undefined {
  if (offered.includes(NATIVE_SUBPROTOCOL)) return NATIVE_SUBPROTOCOL;
  if (offered.length === 0) return undefined;
  const named = offered.filter((name) => ANY_VERSION.test(name));
  throw new SyrinxError("PROTOCOL_VERSION", {
    offered: named.length > 0 ? quote(named.join(", ")) : "none that is known",
    supported: NATIVE_SUBPROTOCOL,
  });
}

function agree(request: FaceRequest): Agreed {
  const defaults = request.options as z.infer<typeof routeOptions>;
  const { query } = request;
  for (const name of query.keys()) {
    if (!PARAMETERS.includes(name)) throw parameter(name, `it is not known; there are ${PARAMETERS.join(", ")}`);
  }
  const inputFormat = formatOf(query, "format") ?? defaults.format;
  const outputFormat = formatOf(query, "outFormat") ?? defaults.outFormat ?? inputFormat;
  const inputRateHz = rateOf(query, "rate") ?? defaults.rate;
  const outputRateHz = rateOf(query, "outRate") ?? defaults.outRate;
  const setup = query.get("setup") ?? "query";
  if (setup !== "query" && setup !== "message") throw parameter("setup", "it is `query` or `message`");
  return {
    graph: graphOf(request),
    inputFormat,
    outputFormat,
    inputRateHz,
    // G.711 belongs to telephone lines, which have one rate; linear audio comes as the voice makes it.
    outputRateHz: outputRateHz ?? (outputFormat === "s16le" ? undefined : inputRateHz),
    setupByMessage: setup === "message",
  };
}

function graphOf(request: FaceRequest): string {
  const known = request.graphs;
  const asked = request.query.get("graph") ?? request.graph ?? (known.length === 1 ? known[0] : undefined);
  if (asked !== undefined && known.includes(asked)) return asked;
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: quote(asked), known: known.join(", ") });
}

function formatOf(query: URLSearchParams, name: string): AudioFormat | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (Object.hasOwn(SAMPLE_CODECS, value)) return value as AudioFormat;
  const supported = Object.keys(SAMPLE_CODECS).join(", ");
  throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format: quote(value), supported });
}

function rateOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  const rate = /^\d{4,5}$/.test(value) ? Number(value) : 0;
  if (rate >= RATE_HZ.min && rate <= RATE_HZ.max) return rate;
  throw parameter(name, `it is a whole number of Hz from ${RATE_HZ.min} to ${RATE_HZ.max}`);
}

function parameter(name: string, problem: string): SyrinxError {
  return new SyrinxError("PROTOCOL_PARAMETER", { parameter: quote(name), problem });
}

/** `{"ty`: what a JSON message begins with, and audio hardly ever. */
const JSON_HEAD = [0x7b, 0x22, 0x74, 0x79];

class NativeCodec implements FaceCodec {
  readonly call?: CallRequest;
  readonly #agreed: Agreed;
  readonly #server: ServerFacts;
  readonly #input: SampleCodec;
  readonly #output: SampleCodec;
  #opened = false;
  #events: ReadonlySet<OptionalEvent> = new Set(OPTIONAL_EVENTS);
  #partials = true;
  /** What the last `audio.start` announced, moved on by what was sent since. */
  #context: { readonly contextId: number; readonly rateHz: number; offsetSamples: number } | undefined;

  constructor(agreed: Agreed, server: ServerFacts) {
    this.#agreed = agreed;
    this.#server = server;
    this.#input = SAMPLE_CODECS[agreed.inputFormat];
    this.#output = SAMPLE_CODECS[agreed.outputFormat];
    if (!agreed.setupByMessage) {
      this.call = this.#request({});
      this.#opened = true;
    }
  }

  decode(data: Uint8Array, isBinary: boolean): readonly ClientMessage[] {
    if (isBinary) {
      if (JSON_HEAD.every((byte, index) => data[index] === byte)) throw new SyrinxError("PROTOCOL_BINARY_JSON");
      return data.byteLength === 0 ? [] : [{ type: "audio", pcm: this.#input.decode(data) }];
    }
    const message = parseControl(data);
    return message.type === "configure" ? [this.#configure(message)] : [message];
  }

  #configure(message: Extract<ControlMessage, { type: "configure" }>): ClientMessage {
    if (message.events !== undefined) this.#events = new Set(message.events);
    this.#partials = message.partials ?? this.#partials;
    if (this.#opened) return { type: "configure", options: message };
    this.#opened = true;
    return { type: "open", request: this.#request(message.nodes === undefined ? {} : { nodes: message.nodes }) };
  }

  #request(more: Pick<CallRequest["options"], "nodes">): CallRequest {
    const { graph, inputRateHz, outputRateHz } = this.#agreed;
    const output = outputRateHz === undefined ? {} : { outputRateHz };
    return { graph, options: { inputRateHz, ...output, ...more } };
  }

  encode(event: ServerEvent): readonly Outbound[] {
    if (!this.#wanted(event)) return [];
    switch (event.type) {
      case "audio":
        return this.#audio(event);
      case "ready":
        return [json(this.#ready(event.callId, event.graph))];
      case "configured":
        return [json({ type: "configured", events: [...this.#events], partials: this.#partials })];
      case "error":
        return [json({ ...event, retryable: isRetryable(event) })];
      case "interrupted":
        this.#context = undefined;
        return [json(event)];
      default:
        return [json(event)];
    }
  }

  #wanted(event: ServerEvent): boolean {
    if (event.type === "transcript" && !event.final && !this.#partials) return false;
    return (
      !(OPTIONAL_EVENTS as readonly string[]).includes(event.type) || this.#events.has(event.type as OptionalEvent)
    );
  }

  #audio(event: AudioEvent): readonly Outbound[] {
    const messages: Outbound[] = [];
    const { contextId, rateHz, offsetSamples, pcm } = event;
    const now = this.#context;
    if (now?.contextId !== contextId || now.rateHz !== rateHz || now.offsetSamples !== offsetSamples) {
      const format = this.#agreed.outputFormat;
      messages.push(json({ type: "audio.start", contextId, format, rateHz, offsetSamples }));
    }
    const step = Math.floor(this.#server.audioMessageBytes / this.#output.sampleBytes);
    for (let at = 0; at < pcm.length; at += step) messages.push(this.#output.encode(pcm.subarray(at, at + step)));
    this.#context = { contextId, rateHz, offsetSamples: offsetSamples + pcm.length };
    return messages;
  }

  #ready(callId: string, graph: string): ReadyMessage {
    const { name, version, messageBytes, idleTimeoutMs, paceFactor, paceBurstMs } = this.#server;
    const { inputFormat, outputFormat, inputRateHz, outputRateHz } = this.#agreed;
    return {
      type: "ready",
      protocol: 1,
      server: { name, version },
      callId,
      graph,
      input: { format: inputFormat, rateHz: inputRateHz },
      output: { format: outputFormat, rateHz: outputRateHz ?? null },
      limits: { messageBytes, controlBytes: CONTROL_BYTES, idleTimeoutMs, paceFactor, paceBurstMs },
    };
  }

  end(ending: Ending): Farewell {
    const { reason, code, error, closeCode } = ending;
    const messages: Outbound[] = [];
    if (error !== undefined) {
      const { message, hint, retryable } = error;
      messages.push(json({ type: "error", code: error.code, message, hint, fatal: true, retryable }));
    }
    messages.push(json({ type: "close", reason, ...(code === undefined ? {} : { code }) }));
    return { messages, code: closeCode, reason: code ?? reason };
  }
}

function isRetryable(event: ErrorEvent): boolean {
  return Object.hasOwn(ERRORS, event.code) && ERRORS[event.code as ErrorCode].retryable;
}

function json(message: ServerMessage): string {
  return JSON.stringify(message);
}
