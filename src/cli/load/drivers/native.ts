/** The native protocol, docs/PROTOCOL.md, straight over the socket: nothing stands between a message and its instant. */
import { SyrinxError } from "../../../base/errors.js";
import { GRAPH_RATE_HZ } from "../../../base/units.js";
import type { ControlMessage, ServerMessage } from "../../../client/messages.js";
import type { TranscriptEvent } from "../../../frames/events.js";
import type { DialOptions, LoadCall, LoadDriver, LoadEvent, LoadListener } from "../driver.js";
import { bytesOf, LoadSocket, samplesOf, withPath } from "./socket.js";

const PATH = "/v1/call";
/** From the open socket to `ready`. At it: the socket is cut, and the call counts as refused. */
const READY_MS_MAX = 15_000;

export const nativeDriver: LoadDriver = {
  input: "audio",
  connects: true,
  async open(options: DialOptions, listener: LoadListener): Promise<LoadCall> {
    const ears = new NativeEars(listener);
    const url = withPath(options.url, PATH);
    url.searchParams.set("rate", String(GRAPH_RATE_HZ));
    if (options.graph !== undefined) url.searchParams.set("graph", options.graph);
    const headers: Record<string, string> =
      options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    const socket = await LoadSocket.open({ url, protocols: ["syrinx.v1"], headers }, ears);
    const timer = setTimeout(() => socket.abort(), READY_MS_MAX);
    await ears.ready(url.host).finally(() => clearTimeout(timer));
    const control = (message: ControlMessage): void => socket.sendText(JSON.stringify(message));
    return {
      send: (pcm) => socket.sendBinary(bytesOf(pcm)),
      finalize: () => control({ type: "finalize" }),
      say: (text) => control({ type: "say", text, end: true }),
      setReading: (isReading) => socket.setReading(isReading),
      close: () => {
        socket.setReading(true);
        control({ type: "close" });
        return socket.closed();
      },
      abort: () => socket.abort(),
    };
  },
};

class NativeEars {
  readonly #listener: LoadListener;
  #context = { contextId: 0, rateHz: GRAPH_RATE_HZ };
  #refusal: string | undefined;
  #onReady: ((isReady: boolean) => void) | undefined;
  readonly #isReady: Promise<boolean>;

  constructor(listener: LoadListener) {
    this.#listener = listener;
    this.#isReady = new Promise((resolve) => {
      this.#onReady = resolve;
    });
  }

  async ready(address: string): Promise<void> {
    if (await this.#isReady) return;
    throw new SyrinxError("LOAD_CALL_REFUSED", { address, reason: this.#refusal ?? "the socket closed" });
  }

  onText(text: string, atMs: number): void {
    const message = JSON.parse(text) as ServerMessage;
    if (message.type === "ready") this.#onReady?.(true);
    else if (message.type === "audio.start") this.#context = message;
    else {
      if (message.type === "error") this.#refusal = `${message.code}: ${message.message}`;
      for (const event of eventsOf(message)) this.#listener(event, atMs);
    }
  }

  onBinary(bytes: Buffer, atMs: number): void {
    const { contextId, rateHz } = this.#context;
    this.#listener({ type: "audio", contextId, rateHz, pcm: samplesOf(bytes) }, atMs);
  }

  onClose(code: number, atMs: number): void {
    this.#onReady?.(false);
    this.#listener({ type: "close", code }, atMs);
  }
}

/** What a message means for a load; nothing, for those that do not matter. */
function eventsOf(message: ServerMessage): readonly LoadEvent[] {
  switch (message.type) {
    case "transcript":
      return [transcriptOf(message)];
    case "vad":
      return message.what === "stop" ? [{ type: "endpoint", streamMs: message.atMs }] : [];
    case "turn": {
      const { what, turnIndex, atMs: streamMs } = message;
      return what !== "end"
        ? []
        : [
            { type: "endpoint", streamMs },
            { type: "turn_end", turnIndex, streamMs },
          ];
    }
    case "reply": {
      const { what, contextId, turnIndex, reason = "completed" } = message;
      return [
        what === "start" ? { type: "reply_start", contextId, turnIndex } : { type: "reply_end", contextId, reason },
      ];
    }
    case "text":
      return [{ type: "reply_text", contextId: message.contextId }];
    case "interrupted":
      return [{ type: "interrupted", contextId: message.contextId }];
    case "receipt":
      return [{ type: "receipt", receipt: message }];
    case "finalized":
      return [{ type: "finalized" }];
    case "gap":
      return [{ type: "gap", durationMs: message.durationMs }];
    case "error":
      return [{ type: "error", code: message.code, message: message.message }];
    default:
      return [];
  }
}

function transcriptOf({ final, text, endMs: streamEndMs, words }: TranscriptEvent): LoadEvent {
  if (final) return { type: "final", text, streamEndMs };
  const lastWordEndMs = words.at(-1)?.endMs;
  return { type: "partial", text, streamEndMs, ...(lastWordEndMs === undefined ? {} : { lastWordEndMs }) };
}
