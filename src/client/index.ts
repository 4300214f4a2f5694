/**
 * A client of the native protocol, for browsers and Node. Loads nothing else of Syrinx and nothing of Node.
 *
 * ```ts
 * import { connect } from "syrinx/client";
 *
 * const client = await connect("ws://localhost:8080", { graph: "assistant", rate: 16000 });
 * microphone.onchunk = (pcm) => client.send(pcm);
 * for await (const event of client) {
 *   if (event.type === "audio") speaker.play(event.pcm, event.rateHz);
 *   if (event.type === "interrupted") speaker.stop();
 * }
 * ```
 *
 * @module
 */
export type * from "../frames/events.js";
export { type ClientEvent, type ConnectOptions, connect, SyrinxClient } from "./client.js";
export { SyrinxClientError } from "./errors.js";
export type { AudioFormat, ConfigureOptions, ErrorMessage, OptionalEvent, ReadyMessage } from "./messages.js";
export type { WebSocketConstructor, WebSocketLike } from "./web-socket.js";
