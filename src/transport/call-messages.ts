import type { Call } from "../runtime/api.js";
import type { ClientMessage } from "./faces/face.js";

/** A message for an open call. */
export type CallMessage = Exclude<ClientMessage, { type: "credential" | "open" | "keepalive" | "answer" | "fail" }>;
/** One that the call itself takes. */
export type CallInput = Exclude<CallMessage, { type: "close" }>;

/** Throws what the call throws. */
export function applyToCall(call: Call, message: CallInput): void {
  switch (message.type) {
    case "audio":
      // `false` means that the server was overloaded: the call says so itself, by an event `gap`.
      call.write(message.pcm);
      break;
    case "finalize":
      call.finalize(message.id);
      break;
    case "mark":
      call.mark(message.id);
      break;
    case "configure":
      if (message.options.nodes !== undefined) call.configure(message.options.nodes);
      break;
    case "interrupt":
      call.interrupt();
      break;
    case "playback":
      call.playback(message.contextId, message.playedMs);
      break;
    case "ask": {
      const { type, text, ...options } = message;
      call.ask(text, options);
      break;
    }
    case "say": {
      const { text, contextId, end } = message;
      const context = contextId === undefined ? {} : { contextId };
      call.say(text, end === undefined ? context : { ...context, end });
      break;
    }
  }
}
