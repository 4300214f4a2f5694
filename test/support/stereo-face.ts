/** A wire protocol for tests: two channels, each with a call; every second byte of audio is the other channel's. */
import { SyrinxError } from "../../src/base/errors.js";
import type { ClientMessage, SocketFace } from "../../src/transport/faces/face.js";

export const stereoFace: SocketFace = {
  name: "stereo",
  messageBytes: 100_000,
  parseOptions: (options) => options,
  refusal: (error, { requestId }) => ({
    status: 418,
    contentType: "text/plain",
    headers: { "x-teapot": "yes" },
    body: `${error.code} ${requestId.length}`,
  }),
  negotiate: (request) => ({
    accepted: true,
    idleTimeoutMs: 400,
    headers: { "x-request-id": request.requestId },
    createCodec: () => ({
      call: { graph: request.graph ?? "", options: { inputRateHz: 16_000 }, channels: 2 },
      decode(data, isBinary) {
        if (!isBinary) return [{ type: "answer", messages: ["first"] }, control(Buffer.from(data).toString())];
        const side = (of: number): Int16Array => Int16Array.from(data.filter((_, at) => at % 2 === of));
        return [0, 1].map((channel) => ({ type: "audio", channel, pcm: side(channel) }));
      },
      encode: (event, channel) => [`${event.type} ${channel}`],
      end: ({ reason, code }) => ({ messages: ["bye"], code: 3_000, reason: `${reason} ${code}` }),
    }),
  }),
};

function control(text: string): ClientMessage {
  if (text === "fail") return { type: "fail", error: new SyrinxError("PROTOCOL_BAD_JSON", { problem: "it is none" }) };
  if (text === "close") return { type: "close" };
  return text === "all" ? { type: "finalize" } : { type: "finalize", channel: Number(text) };
}
