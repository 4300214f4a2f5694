/** Streaming speech as Deepgram's `/v1/speak` speaks it: `Speak` and `Flush` in, raw samples and `Flushed` out. */
import type { DialOptions, LoadCall, LoadDriver, LoadListener } from "../driver.js";
import { LoadSocket, samplesOf, withPath } from "./socket.js";

const PATH = "/v1/speak";
const RATE_HZ = 24_000;

export const deepgramSpeakDriver: LoadDriver = {
  input: "text",
  connects: true,
  async open(options: DialOptions, listener: LoadListener): Promise<LoadCall> {
    const url = withPath(options.url, PATH);
    if (options.model !== undefined) url.searchParams.set("model", options.model);
    url.searchParams.set("encoding", "linear16");
    url.searchParams.set("sample_rate", String(RATE_HZ));
    const headers: Record<string, string> =
      options.apiKey === undefined ? {} : { authorization: `Token ${options.apiKey}` };
    /** Texts are answered in their order, one `Flushed` each. */
    let answered = 0;
    const socket = await LoadSocket.open(
      { url, headers },
      {
        onText: (text, atMs) => {
          const message = JSON.parse(text) as {
            readonly type: string;
            readonly code?: string;
            readonly description?: string;
          };
          if (message.type === "Flushed") {
            answered += 1;
            listener({ type: "reply_end", contextId: answered, reason: "completed" }, atMs);
          }
          if (message.type === "Error") {
            listener({ type: "error", code: message.code ?? "Error", message: message.description ?? "" }, atMs);
          }
        },
        onBinary: (bytes, atMs) =>
          listener({ type: "audio", contextId: answered + 1, rateHz: RATE_HZ, pcm: samplesOf(bytes) }, atMs),
        onClose: (code, atMs) => listener({ type: "close", code }, atMs),
      },
    );
    const control = (message: object): void => socket.sendText(JSON.stringify(message));
    return {
      say: (text) => {
        control({ type: "Speak", text });
        control({ type: "Flush" });
      },
      setReading: (isReading) => socket.setReading(isReading),
      close: () => {
        socket.setReading(true);
        control({ type: "Close" });
        return socket.closed();
      },
      abort: () => socket.abort(),
    };
  },
};
