import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, WebSocketServer } from "ws";
import { CallSocket } from "./call-socket.js";
import type { TransportLimits } from "./limits.js";

/** What goes into the 101 response beyond what the library writes. */
export interface Handshake {
  readonly subprotocol: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** Turns an HTTP socket into a WebSocket. `then` is called within the call, or not at all if the request is malformed. */
export type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  handshake: Handshake,
  then: (webSocket: CallSocket) => void,
) => void;

export function createUpgrade(limits: TransportLimits): Upgrade {
  const handshakes = new WeakMap<IncomingMessage, Handshake>();
  // `closeTimeout` is younger than the library's type declarations.
  const options: ServerOptions<typeof CallSocket> & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    WebSocket: CallSocket,
    maxPayload: limits.messageBytes,
    maxFragments: limits.messageFragments,
    maxBufferedChunks: limits.messageChunks,
    closeTimeout: limits.closeHandshakeMs,
    // Audio does not compress, and compressed messages can explode.
    perMessageDeflate: false,
    // One message per socket and turn of the event loop: a flood waits its turn like everyone else.
    allowSynchronousEvents: false,
    handleProtocols: (_offered, request) => handshakes.get(request)?.subprotocol ?? false,
  };
  const server = new WebSocketServer<typeof CallSocket>(options);
  server.on("headers", (lines, request) => {
    for (const [name, value] of Object.entries(handshakes.get(request)?.headers ?? {})) lines.push(`${name}: ${value}`);
  });
  return (request, socket, head, handshake, then) => {
    handshakes.set(request, handshake);
    server.handleUpgrade(request, socket, head, then);
  };
}
