/**
 * Deepgram's `/v1/listen`: audio in, transcripts out, over a WebSocket or as one request. The protocol is at
 * https://developers.deepgram.com/reference/speech-to-text; `docs/COMPATIBILITY.md` says what of it is here.
 */
import { toSyrinxError } from "../../base/errors.js";
import { deepgramHeaders, deepgramRefusal, deepgramRefused, deepgramSubprotocol } from "./deepgram.js";
import { DeepgramListenCodec } from "./deepgram-listen-codec.js";
import { listenOptions, listenRequestOf } from "./deepgram-listen-request.js";
import { listenJob } from "./deepgram-listen-rest.js";
import { formatOf } from "./deepgram-query.js";
import type { GraphFacts, GraphWiring, SocketFace } from "./face.js";

/** A client that sends neither audio nor KeepAlive is gone. */
export const LISTEN_IDLE_MS = 10_000;
/** Clients send what they have: 64 KiB of a file at a time, and more. */
export const LISTEN_MESSAGE_BYTES = 256 * 1024;

export const deepgramListen: SocketFace = {
  name: "deepgram-listen",
  parseOptions: (options) => listenOptions.parse(options),
  lacks: lacksForListening,
  refusal: deepgramRefusal,
  messageBytes: LISTEN_MESSAGE_BYTES,
  negotiate(request, server) {
    try {
      const { requestId } = request;
      const format = formatOf(request.query);
      const setup = { request: listenRequestOf(request), format, requestId, serverVersion: server.version };
      return {
        accepted: true,
        headers: deepgramHeaders(request),
        idleTimeoutMs: LISTEN_IDLE_MS,
        createCodec: () => new DeepgramListenCodec(setup),
        ...deepgramSubprotocol(request),
      };
    } catch (error) {
      return deepgramRefused(toSyrinxError(error), request);
    }
  },
  rest: { methods: ["POST"], job: listenJob },
};

/** A voice detector says where pauses are, a recogniser what was said. */
export function lacksForListening(graph: GraphFacts, { tells }: GraphWiring): string | undefined {
  if (!graph.takesAudio) return `graph ${graph.name} takes no audio`;
  if (graph.hasAgent) return `graph ${graph.name} answers; this face is for graphs that only listen`;
  for (const kind of ["vad", "transcript.final"] as const) {
    if (!tells.has(kind)) return `graph ${graph.name} tells its caller of no ${kind}: it needs vad → stt as outputs`;
  }
  return undefined;
}
