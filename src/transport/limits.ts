import { assert } from "../base/assert.js";
import { LIMITS } from "../base/limits.js";
import { GRAPH_RATE_HZ } from "../base/units.js";

/** Bounds of the transport, with what happens at each. Tests shorten the times; nothing else changes them. */
const KIB = 1024;
const MIB = 1024 * KIB;
/** Of a call's audio. */
const BYTES_PER_MS = (GRAPH_RATE_HZ * 2) / 1000;

export const TRANSPORT_LIMITS = {
  /** One WebSocket message. At it: PROTOCOL_TOO_BIG, close 1009. */
  messageBytes: 64 * KIB,
  /** Frames of one fragmented message. At it: PROTOCOL_FRAGMENTS, close 1008. */
  messageFragments: 16,
  /** Chunks of the network that one unfinished message may lie in. At it: PROTOCOL_FRAGMENTS, close 1008. */
  messageChunks: 4 * KIB,
  /** Audio of one message to the client. Longer audio is split. */
  audioMessageBytes: 32 * KIB,
  /** From the upgrade to the message that opens the call, where a face has one. At it: PROTOCOL_FIRST_MESSAGE. */
  firstMessageMs: 5_000,
  /** Silence of the client after which it is pinged, and pings without an answer. At it: the connection is cut. */
  pingMs: 20_000,
  pingMisses: 2,
  /** Offences against the protocol in one call that are answered by an error. At it: PROTOCOL_ERRORS, close 1008. */
  protocolErrors: 20,
  /** Input is served at this multiple of real time, after a burst of this much audio. At it: reading pauses. */
  paceFactor: 2,
  paceBurstMs: 5_000,
  /** What a message costs of the pace at least, so that tiny ones cannot flood: 200/s of audio or 50/s of control. */
  paceAudioMessageMs: 5,
  paceControlMessageMs: 20,
  /** A sender this fast … */
  paceFloodFactor: 20,
  /** … that pausing does not calm for this long: CALL_AUDIO_TOO_FAST or PROTOCOL_FLOOD, close 1008. */
  paceFloodMs: 10_000,
  /** Messages that arrive before the call is open. At it: PROTOCOL_FLOOD, close 1008. */
  earlyMessages: 1_024,
  /** Audio that waits for its time, where a face paces it. At it: the oldest leaves early. */
  pacedBytes: 16 * MIB,
  /** Handed to the socket and not yet sent. At it: the rest waits where an interruption can still discard it. */
  socketBytes: 64 * KIB,
  /** Waiting for the client in all. Above it for `slowMs`, in which less than `slowProgressBytes` left: SLOW_CLIENT. */
  slowBytes: 1 * MIB,
  slowMs: 5_000,
  /** Real time at 16 kHz for 5 s. */
  slowProgressBytes: 160_000,
  /** Waiting for the client in all. At it: SLOW_CLIENT at once, close 4008. */
  waitingBytes: 8 * MIB,
  /** From our close frame to the client's. At it: the connection is cut. */
  closeHandshakeMs: 2_000,
  /** A graceful close of a call in which nothing comes for longer than the runtime allows. At it: the call is aborted. */
  callCloseMs: 8_000,
  /** WebSockets beyond `server.maxCalls` that may be open (calls that are just ending). At it: 503. */
  spareConnections: 64,
  /** WebSockets whose key is still to come, in the first message. At it: AUTH_CROWDED. */
  strangers: 64,
  /** The body of a request for a token. At it: TOKEN_REQUEST. */
  tokenRequestBytes: 4 * KIB,
  /** How often files that may change, keys and certificates, are looked at. */
  filePollMs: 2_000,
  /** How often timeouts are looked at. */
  tickMs: 500,
  /** HTTP, against clients that dawdle: headers, whole request, idle connection. At it: Node closes the connection. */
  httpHeadersMs: 10_000,
  httpRequestMs: 15_000,
  httpKeepAliveMs: 5_000,
  httpHeaderBytes: 16 * KIB,
  /** Requests with a job that are served at the same time. At it: HTTP_BUSY, 503. */
  restRequests: 32,
  /** A JSON body. At it: HTTP_BODY_SIZE, 413. */
  restJsonBytes: 1 * MIB,
  /** All of a body, with its recording. At it: HTTP_BODY_SIZE, 413. */
  restBodyBytes: 100 * MIB,
  /** Bodies of all requests together, and what recordings are decoded to. At it: HTTP_BUSY, 503. */
  restBodyBytesTotal: 1024 * MIB,
  /** What of a recording is kept in memory. Beyond it: all of it goes to a temporary file until the answer is there. */
  restMemoryBytes: 256 * KIB,
  /** Fields and recordings of a form, and bytes of a field. At it: HTTP_BODY_SIZE, 413. */
  restFormFields: 100,
  restFormFiles: 4,
  restFieldBytes: 64 * KIB,
  /** Nothing comes of a body for so long. At it: HTTP_BODY_TIMEOUT, 408. */
  restStallMs: 10_000,
  /** A whole body, however steadily it comes. At it: Node closes the connection. */
  restBodyMs: 600_000,
  /** After a refusal, what still comes of a body is read and thrown away for so long. At it: the connection is closed. */
  restLingerMs: 1_000,
  /** A call of a request that answers nothing. At it: the call is aborted, CALL_NO_ANSWER. */
  restAnswerMs: 60_000,
  /** A client that takes nothing of its answer. At it: the call is aborted and the connection cut. */
  restWriteMs: 30_000,
  /** Audio of one request, all its channels together, that its calls have not yet answered for. */
  restAheadMs: 2_000,
  /** Characters that a voice is given at a time, so that no more audio than theirs waits for a client that reads slowly. */
  restTextChars: 600,
} as const;

assert(
  TRANSPORT_LIMITS.restRequests * TRANSPORT_LIMITS.restAheadMs * BYTES_PER_MS <= LIMITS.ringBytes / 2,
  "what all requests together send ahead fits into a ring, so that none loses audio to the others",
);

export type TransportLimits = { readonly [K in keyof typeof TRANSPORT_LIMITS]: number };
