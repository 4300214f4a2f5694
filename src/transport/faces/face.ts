/**
 * A face is a wire protocol's codec and nothing more: no socket, no timer, no runtime. It turns what a client sends into
 * {@link ClientMessage}s and a call's events into what the client expects. The connection does all the rest, alike for
 * every face. What a face says over plain HTTP is in `rest.ts`.
 */
import type { ErrorCode, SyrinxError } from "../../base/errors.js";
import type { ConfigureOptions } from "../../client/messages.js";
import type { CallEvent, CloseEvent } from "../../frames/events.js";
import type { FrameKind } from "../../frames/kinds.js";
import type { OpenOptions } from "../../runtime/api.js";
import type { HttpAnswer, RestSide } from "./rest.js";

/** What a face may know of a graph, so that it can map its protocol's options onto the graph's nodes. */
export interface GraphFacts {
  readonly name: string;
  readonly takesAudio: boolean;
  readonly takesText: boolean;
  /** A reply can come. */
  readonly hasAgent: boolean;
  /** Its agent answers questions in writing too. */
  readonly takesQuestions: boolean;
  /** In topological order. */
  readonly nodes: readonly NodeFacts[];
}

/** Which kinds of frames go where in a graph. */
export interface GraphWiring {
  /** Of which the caller hears. */
  readonly tells: ReadonlySet<FrameKind>;
  /** By node's name, what reaches it. */
  readonly reaches: ReadonlyMap<string, ReadonlySet<FrameKind>>;
}

export interface NodeFacts {
  readonly name: string;
  readonly actor: string;
  /** As the actor's schema parsed them. */
  readonly options: unknown;
  /** `options` as the family's schema parsed them. */
  readonly model?: { readonly name: string; readonly family: string; readonly options: unknown };
}

/** What is known of a client when it knocks. */
export interface FaceRequest {
  /** Unique; for the protocol's own request id. */
  readonly requestId: string;
  /** `GET` for a WebSocket. */
  readonly method: string;
  readonly path: string;
  /** Keys are taken out before a face sees it: of the query, the headers and the subprotocols. */
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Of `token, KEY` and `bearer, KEY` the first stays, of `syrinx.key.KEY` what stands before the last dot. */
  readonly subprotocols: readonly string[];
  /** The client speaks TLS to this server itself. Absent: it does not. */
  readonly isEncrypted?: boolean;
  /** The graph that the client gets if it names none. */
  readonly graph: string | undefined;
  /** The graphs that it may name. */
  readonly graphs: readonly string[];
  /** By name, of every graph that the client may name. */
  readonly facts: ReadonlyMap<string, GraphFacts>;
  /** The route's options, as `Face.parseOptions` returned them. */
  readonly options: unknown;
}

/** Facts about the server that a face may tell. */
export interface ServerFacts {
  readonly name: string;
  readonly version: string;
  readonly idleTimeoutMs: number;
  readonly messageBytes: number;
  readonly audioMessageBytes: number;
  readonly paceFactor: number;
  readonly paceBurstMs: number;
}

export interface Face {
  /** As in the configuration's `routes`. */
  readonly name: string;
  /** Checks a route's options when the server starts. Throws what zod throws. */
  parseOptions(options: Readonly<Record<string, unknown>>): unknown;
  /** What the route's graph lacks for this protocol, if anything: then the server does not start. */
  lacks?(graph: GraphFacts, wiring: GraphWiring): string | undefined;
  /**
   * Clients may give their key in the first message, as {@link ClientMessage} `credential`. Without a key the upgrade is
   * then let through, messages are no larger than the transport's own limit, and nothing but the credential is heard.
   */
  readonly credentialInMessage?: boolean;
  /** Before the upgrade. Must not throw. Absent: the face has no WebSocket. */
  negotiate?(request: FaceRequest, server: ServerFacts): Accepted | Refused;
  /** Requests that are no upgrade. Absent: there are none. */
  readonly rest?: RestSide;
  /** A refusal by HTTP, of an upgrade or a request, in this protocol's shape. Absent: the native shape. Must not throw. */
  refusal?(error: SyrinxError, request: FaceRequest): HttpAnswer;
  /** Bytes of one WebSocket message, where the protocol's clients send more than TRANSPORT_LIMITS.messageBytes. */
  readonly messageBytes?: number;
}

/** A face with a WebSocket. */
export type SocketFace = Face & Required<Pick<Face, "negotiate">>;

export interface Accepted {
  readonly accepted: true;
  /** The one of the client's subprotocols to answer with. Never one that holds a key. */
  readonly subprotocol?: string;
  /** Headers of the 101 response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Silence of the client that ends the call, where the protocol says so; the codec's `end` hears reason `idle`. */
  readonly idleTimeoutMs?: number;
  /**
   * Audio is sent no sooner than so long before it is played, for clients that cannot drop what they hold when they are
   * interrupted. Absent: at once.
   */
  readonly audioLeadMs?: number;
  createCodec(): FaceCodec;
}

export interface Refused {
  readonly accepted: false;
  readonly error: SyrinxError;
  /**
   * Answer by HTTP instead of the upgrade. Without it the WebSocket opens, says the error and closes with its code: that
   * is the only answer a browser's script can read.
   */
  readonly http?: { readonly status: number; readonly body: string; readonly headers?: Record<string, string> };
  /** Encodes the error for a WebSocket that was opened only to say it. */
  createCodec(): FaceCodec;
  readonly subprotocol?: string;
}

export interface CallRequest {
  readonly graph: string;
  readonly options: Omit<OpenOptions, "onEvent">;
  /** Calls to open side by side, one for each channel of the client's audio. Default 1. At most CHANNELS_MAX. */
  readonly channels?: number;
}

/** Channels of one connection. Each is a call of its own, and counts as one. */
export const CHANNELS_MAX = 8;

/** What a client can say, whatever protocol it speaks. */
export type ClientMessage =
  /** A key or token. Nothing happens if one was given in the handshake. */
  | { readonly type: "credential"; readonly value: string }
  /** Opens the call, where its options come in a message. The first one, once. */
  | { readonly type: "open"; readonly request: CallRequest }
  /** s16 mono at the rate of the call's input. May be a view into the message's memory: valid until the next decode. */
  | { readonly type: "audio"; readonly pcm: Int16Array; readonly channel?: number }
  /** Of one channel; without, of all. */
  | { readonly type: "finalize"; readonly id?: string; readonly channel?: number }
  | { readonly type: "mark"; readonly id: string }
  | { readonly type: "interrupt" }
  /** Options of nodes go to all calls; the rest the codec has taken over. Answered with `configured`, or an error. */
  | { readonly type: "configure"; readonly options: ConfigureOptions }
  | { readonly type: "playback"; readonly contextId: number; readonly playedMs: number }
  | { readonly type: "say"; readonly text: string; readonly contextId?: number; readonly end?: boolean }
  /** A question to the agent in writing. */
  | { readonly type: "ask"; readonly text: string; readonly id?: string; readonly answer?: boolean }
  | { readonly type: "keepalive" }
  /** The codec's own answer, sent at once: ahead of events that wait. For answers in their place use `mark`. */
  | { readonly type: "answer"; readonly messages: readonly Outbound[] }
  /** Ends the connection with this error. */
  | { readonly type: "fail"; readonly error: SyrinxError }
  | { readonly type: "close" };

/** What a codec is given to encode: the call's events, and the connection's own. Never `close`: see `end`. */
export type ServerEvent =
  | Exclude<CallEvent, CloseEvent>
  | { readonly type: "ready"; readonly callId: string; readonly graph: string }
  | { readonly type: "pong" }
  | { readonly type: "configured" };

/** A string is a text message, bytes are a binary one. */
export type Outbound = string | Uint8Array;

/** Why a connection ends. */
export interface Ending {
  readonly reason: CloseEvent["reason"];
  /** Code of the error that ended it, if one did. */
  readonly code?: ErrorCode;
  /** That error, if the client has not been told yet. */
  readonly error?: SyrinxError;
  /** The close code of the native protocol; a face may send another. */
  readonly closeCode: number;
}

/** Last messages, then the close frame. */
export interface Farewell {
  readonly messages: readonly Outbound[];
  readonly code: number;
  /** At most 123 bytes of UTF-8. */
  readonly reason: string;
}

/** One connection's codec. May keep state; never called concurrently. */
export interface FaceCodec {
  /** The call to open as soon as the socket is. Absent: a message of type `open` will say. */
  readonly call?: CallRequest;
  /** What must be loaded first: the call opens, and messages are read, when it has resolved. Needs `call`. */
  readonly ready?: Promise<void>;
  /** One message in. Throws SyrinxError, and only that, if it breaks the protocol. */
  decode(data: Uint8Array, isBinary: boolean): readonly ClientMessage[];
  /**
   * One event out, as no, one or several messages. Called at the moment of sending and in the order of sending: what an
   * interruption discarded, the codec never sees. After `interrupted` no audio, text or alignment of that context comes.
   * @param channel whose call says it; 0 if there is one call, and for events of the connection.
   */
  encode(event: ServerEvent, channel: number): readonly Outbound[];
  end(ending: Ending): Farewell;
  /** What to tell the call because of this event, as soon as it has happened: before `encode`, in the same order. */
  react?(event: CallEvent, channel: number): readonly ClientMessage[];
  /** The connection is gone. Once. */
  dispose?(): void;
}
