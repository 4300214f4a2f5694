/** OpenAI's audio endpoints: a request for each recording or text. A call is a caller who asks again and again. */
import { encodeWav } from "../../../audio/wav.js";
import { reasonOf } from "../../../base/errors.js";
import { GRAPH_RATE_HZ } from "../../../base/units.js";
import type { DialOptions, LoadCall, LoadDriver, LoadListener } from "../driver.js";
import { samplesOf } from "./socket.js";

const TRANSCRIPTIONS = "/v1/audio/transcriptions";
const SPEECH = "/v1/audio/speech";
/** Of `response_format: pcm`. */
const RATE_HZ = 24_000;

export const openaiTranscriptionsDriver: LoadDriver = {
  input: "file",
  connects: false,
  async open(options, listener) {
    const call = new RestCall(options, listener);
    return {
      upload: ({ name, pcm }) => {
        const form = new FormData();
        const wav = new Blob([Buffer.from(encodeWav(pcm, GRAPH_RATE_HZ))], { type: "audio/wav" });
        form.set("model", options.model ?? "whisper-1");
        form.set("file", wav, `${name}.wav`);
        call.ask(TRANSCRIPTIONS, { body: form }, async (response) => {
          const { text } = (await response.json()) as { readonly text: string };
          const atMs = performance.now();
          listener({ type: "final", text, streamEndMs: 0 }, atMs);
          listener({ type: "finalized" }, atMs);
        });
      },
      close: () => call.close(),
      abort: () => call.abort(),
    };
  },
};

export const openaiSpeechDriver: LoadDriver = {
  input: "text",
  connects: false,
  async open(options, listener): Promise<LoadCall> {
    const call = new RestCall(options, listener);
    let contextId = 0;
    return {
      say: (text) => {
        contextId += 1;
        const body = JSON.stringify({
          model: options.model ?? "tts-1",
          voice: "alloy",
          input: text,
          response_format: "pcm",
        });
        const headers = { "content-type": "application/json" };
        const id = contextId;
        call.ask(SPEECH, { body, headers }, (response) => hear(response, id, listener));
      },
      close: () => call.close(),
      abort: () => call.abort(),
    };
  },
};

/** A chunk may end in the middle of a sample: the odd byte waits for the next. */
async function hear(response: Response, contextId: number, listener: LoadListener): Promise<void> {
  let odd = Buffer.alloc(0);
  for await (const chunk of response.body!) {
    const atMs = performance.now();
    const bytes = Buffer.concat([odd, chunk]);
    odd = bytes.subarray(bytes.length - (bytes.length % 2));
    listener({ type: "audio", contextId, rateHz: RATE_HZ, pcm: samplesOf(bytes) }, atMs);
  }
  listener({ type: "reply_end", contextId, reason: "completed" }, performance.now());
}

/** One request at a time: what was not answered when the next is made is given up. */
class RestCall {
  readonly #options: DialOptions;
  readonly #listener: LoadListener;
  #request = new AbortController();

  constructor(options: DialOptions, listener: LoadListener) {
    this.#options = options;
    this.#listener = listener;
  }

  ask(path: string, request: RequestInit, read: (response: Response) => Promise<void>): void {
    this.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const url = new URL(path, this.#options.url);
    url.protocol = url.protocol.replace(/^ws/, "http");
    const { apiKey } = this.#options;
    const headers = new Headers(request.headers);
    if (apiKey !== undefined) headers.set("authorization", `Bearer ${apiKey}`);
    const fail = (code: string, message: string): void => {
      if (!signal.aborted) this.#listener({ type: "error", code, message }, performance.now());
    };
    void fetch(url, { ...request, method: "POST", headers, signal })
      .then(async (response) => {
        if (response.ok) await read(response);
        else fail(`HTTP_${response.status}`, await response.text());
      })
      .catch((error: unknown) => fail("HTTP", reasonOf(error)));
  }

  async close(): Promise<void> {
    this.abort();
  }

  abort(): void {
    this.#request.abort();
  }
}
