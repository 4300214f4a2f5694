/** The rows of sockets and requests: part of `metric-table.ts`. */
import { main, timed } from "./metric-row.js";

const GRAPH = "a graph of the configuration";
const OF_MODEL = { model: "a model of the configuration, `none` for a node without one" } as const;

export const TRANSPORT = {
  ws_connections: main("gauge", "connections", { face: "a face of the configuration" }, "Open WebSockets."),
  ws_messages_total: main(
    "counter",
    "messages",
    { direction: ["in", "out"], type: ["audio", "control"] },
    "WebSocket messages.",
  ),
  ws_bytes_total: main("counter", "bytes", { direction: ["in", "out"] }, "Payload of WebSocket messages."),
  ws_buffered_bytes: main("gauge", "bytes", {}, "The most that waited for any one client since the last scrape."),
  ws_slow_client_total: main(
    "counter",
    "1",
    { action: ["drop", "pause", "close"] },
    "What was done about clients that read too slowly.",
  ),
  ws_fast_client_total: main(
    "counter",
    "1",
    { action: ["pause", "close"] },
    "What was done about clients that sent faster than real time.",
  ),
  ws_protocol_errors_total: main(
    "counter",
    "messages",
    { code: "an error code of docs/ERRORS.md" },
    "Messages that broke a rule of their protocol.",
  ),
  ws_discarded_bytes_total: main("counter", "bytes", {}, "Audio that an interruption kept from being sent."),
  ws_close_total: main(
    "counter",
    "connections",
    { code: "WebSocket close code from docs/PROTOCOL.md, else `other`", initiator: ["client", "server"] },
    "Closed WebSockets.",
  ),
  ws_handshake_seconds: timed("FRAME", { result: ["ok", "refused"] }, "From upgrade request to its answer."),
  http_requests_total: main(
    "counter",
    "requests",
    { face: "a face of the configuration", status: "HTTP status; 499: the client went before the answer" },
    "Requests that a face answered over plain HTTP.",
  ),
  http_request_seconds: timed(
    "TURN",
    { face: "a face of the configuration" },
    "From a request to the end of its answer.",
  ),
  audio_in_seconds_total: main(
    "counter",
    "seconds",
    { codec: "a codec that the server takes", sample_rate: "in Hz, one of the usual rates, else `other`" },
    "Audio received from callers.",
  ),
  audio_out_seconds_total: main("counter", "seconds", OF_MODEL, "Audio sent to callers, by voice."),
  audio_gap_seconds_total: main("counter", "seconds", { graph: GRAPH }, "Received audio that a full ring lost."),
};
