/**
 * Deepgram's `/v1/speak`: text in, audio out, over a WebSocket or as one request. The protocol is at
 * https://developers.deepgram.com/reference/text-to-speech; `docs/COMPATIBILITY.md` says what of it is here.
 */
import { z } from "zod";
import { type SyrinxError, toSyrinxError } from "../../base/errors.js";
import { deepgramHeaders, deepgramRefusal } from "./deepgram.js";
import { DeepgramSpeakCodec } from "./deepgram-speak-codec.js";
import { callOf, encodingAmong, modelOf, rateAmong, SOCKET_RATES_HZ } from "./deepgram-speak-request.js";
import { speakJob } from "./deepgram-speak-rest.js";
import type { Accepted, CallRequest, FaceRequest, Refused, ServerFacts, SocketFace } from "./face.js";
import { lacksVoice } from "./graph-node.js";
import { voiceShape } from "./voices.js";

const routeOptions = z.strictObject(voiceShape);
/** A bot keeps its socket for a whole conversation, in which it may have nothing to say for long. */
const IDLE_MS = 3_600_000;
/** What stands before the key where a browser has to put it. */
const SUBPROTOCOLS: readonly string[] = ["token", "bearer"];

export const deepgramSpeak: SocketFace = {
  name: "deepgram-speak",
  parseOptions: (options) => routeOptions.parse(options),
  lacks: lacksVoice,
  refusal: deepgramRefusal,
  negotiate(request, server) {
    try {
      return accept(request, server);
    } catch (error) {
      return refuse(request, server, toSyrinxError(error));
    }
  },
  rest: { methods: ["POST"], job: speakJob },
};

function accept(request: FaceRequest, server: ServerFacts): Accepted {
  const { query } = request;
  const encoding = encodingAmong(query.get("encoding"), SOCKET_RATES_HZ, "linear16");
  const model = modelOf(query);
  const call = callOf(request, rateAmong(query.get("sample_rate"), SOCKET_RATES_HZ[encoding], encoding));
  const subprotocol = request.subprotocols.find((name) => SUBPROTOCOLS.includes(name));
  return {
    accepted: true,
    headers: deepgramHeaders(request),
    idleTimeoutMs: IDLE_MS,
    createCodec: () => new DeepgramSpeakCodec({ call, encoding, model, requestId: request.requestId, server }),
    ...(subprotocol === undefined ? {} : { subprotocol }),
  };
}

function refuse(request: FaceRequest, server: ServerFacts, error: SyrinxError): Refused {
  const { status, body, headers } = deepgramRefusal(error, request);
  const call: CallRequest = { graph: "", options: {} };
  const { requestId } = request;
  return {
    accepted: false,
    error,
    http: { status, body: String(body), ...(headers === undefined ? {} : { headers }) },
    createCodec: () => new DeepgramSpeakCodec({ call, encoding: "linear16", model: "", requestId, server }),
  };
}
