/** Streaming transcription as Deepgram's `/v1/listen` speaks it: raw samples in, `Results` out. */
import { GRAPH_RATE_HZ } from "../../../base/units.js";
import type { DialOptions, LoadCall, LoadDriver, LoadListener } from "../driver.js";
import { bytesOf, LoadSocket, withPath } from "./socket.js";

const PATH = "/v1/listen";
const MODEL = "nova-3";

export const deepgramListenDriver: LoadDriver = {
  input: "audio",
  connects: true,
  async open(options: DialOptions, listener: LoadListener): Promise<LoadCall> {
    const url = withPath(options.url, PATH);
    const query = {
      model: options.model ?? MODEL,
      encoding: "linear16",
      sample_rate: String(GRAPH_RATE_HZ),
      channels: "1",
      interim_results: "true",
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const headers: Record<string, string> =
      options.apiKey === undefined ? {} : { authorization: `Token ${options.apiKey}` };
    const socket = await LoadSocket.open(
      { url, headers },
      {
        onText: (text, atMs) => tell(JSON.parse(text) as DeepgramMessage, atMs, listener),
        onBinary: () => {},
        onClose: (code, atMs) => listener({ type: "close", code }, atMs),
      },
    );
    const control = (type: "Finalize" | "CloseStream"): void => socket.sendText(JSON.stringify({ type }));
    return {
      send: (pcm) => socket.sendBinary(bytesOf(pcm)),
      finalize: () => control("Finalize"),
      setReading: (isReading) => socket.setReading(isReading),
      close: () => {
        socket.setReading(true);
        control("CloseStream");
        return socket.closed();
      },
      abort: () => socket.abort(),
    };
  },
};

interface DeepgramWord {
  readonly end: number;
}

/** The fields that are read. */
type DeepgramMessage =
  | {
      readonly type: "Results";
      readonly is_final: boolean;
      readonly from_finalize?: boolean;
      /** Seconds of the stream. */
      readonly start: number;
      readonly duration: number;
      readonly channel: {
        readonly alternatives: readonly { readonly transcript: string; readonly words?: readonly DeepgramWord[] }[];
      };
    }
  | { readonly type: "Error"; readonly code?: string; readonly description?: string }
  | { readonly type: "Metadata" | "SpeechStarted" | "UtteranceEnd" };

function tell(message: DeepgramMessage, atMs: number, listener: LoadListener): void {
  if (message.type === "Error") {
    listener({ type: "error", code: message.code ?? "Error", message: message.description ?? "" }, atMs);
  }
  if (message.type !== "Results") return;
  const { transcript: text = "", words = [] } = message.channel.alternatives[0] ?? {};
  const lastWord = words.at(-1);
  // A segment may reach into the silence after the speech, so its last word is the better place.
  const streamEndMs = 1000 * (lastWord?.end ?? message.start + message.duration);
  if (message.is_final) listener({ type: "final", text, streamEndMs }, atMs);
  else {
    const lag = lastWord === undefined ? {} : { lastWordEndMs: 1000 * lastWord.end };
    listener({ type: "partial", text, streamEndMs, ...lag }, atMs);
  }
  if (message.from_finalize === true) listener({ type: "finalized" }, atMs);
}
