/** A wire protocol for tests whose clients say their key, then their graph, as lines of text. */
import { SyrinxError } from "../../src/base/errors.js";
import type { ClientMessage, SocketFace } from "../../src/transport/faces/face.js";

export const lateFace: SocketFace = {
  name: "late",
  credentialInMessage: true,
  messageBytes: 20_000_000,
  parseOptions: (options) => options,
  negotiate: (request) => ({
    accepted: true,
    createCodec: () => ({
      decode: (data) => Buffer.from(data).toString().split("\n").map(lineOf),
      encode: (event) => [`${event.type} ${request.graph}`],
      end: ({ code = "" }) => ({ messages: [code], code: 3_000, reason: code }),
    }),
  }),
};

function lineOf(line: string): ClientMessage {
  const [word, rest = ""] = line.split(" ", 2);
  if (word === "key") return { type: "credential", value: rest };
  if (word === "open") return { type: "open", request: { graph: rest, options: {} } };
  throw new SyrinxError("PROTOCOL_TYPE_UNKNOWN", { type: "a line", known: "key, open" });
}
