/** A request in good order for each thing that is served over plain HTTP. A new one is a row here. */
import { encodeWav } from "../../../src/audio/wav.js";

export interface RestGolden {
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query: string;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
  readonly ignoresBody?: boolean;
  /** Whether a body says what went wrong as clients of this protocol read it. */
  isRefusal(body: unknown): boolean;
}

export const BOUNDARY = "xx-fuzz-xx";
const WAV = encodeWav(
  Int16Array.from({ length: 800 }, (_, index) => 9_000 * Math.sin(index / 5)),
  16_000,
);

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

function isOpenaiError(body: unknown): boolean {
  const { error } = body as { error?: { message?: unknown; type?: unknown; param?: unknown; code?: unknown } };
  if (error === undefined || !isText(error.message) || !isText(error.type)) return false;
  return (error.param === null || isText(error.param)) && (error.code === null || isText(error.code));
}

function isDeepgramError(body: unknown): boolean {
  const { err_code, err_msg, request_id } = body as Record<string, unknown>;
  return isText(err_code) && isText(err_msg) && isText(request_id);
}

function isNativeError(body: unknown): boolean {
  const { error } = body as { error?: { code?: unknown; message?: unknown; hint?: unknown } };
  return error !== undefined && isText(error.code) && isText(error.message) && isText(error.hint);
}

export function formOf(fields: Readonly<Record<string, string>>, file: Uint8Array): Uint8Array {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`;
  return Buffer.concat([Buffer.from(parts.join("") + head), file, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const deepgram = { method: "POST", isRefusal: isDeepgramError } as const;
const openai = { method: "POST", query: "", isRefusal: isOpenaiError } as const;

export const REST_GOLDENS: readonly RestGolden[] = [
  {
    ...deepgram,
    name: "deepgram-speak",
    path: "/v1/speak",
    query: "model=aura-2-thalia-en&encoding=linear16&container=wav&sample_rate=24000",
    contentType: "application/json",
    body: json({ text: "Hello, wörld." }),
  },
  {
    ...deepgram,
    name: "deepgram-listen, a file",
    path: "/v1/listen",
    query: "model=nova-3&smart_format=true&paragraphs=true&utterances=true&utt_split=0.8",
    contentType: "audio/wav",
    body: WAV,
  },
  {
    ...deepgram,
    name: "deepgram-listen, samples",
    path: "/v1/listen",
    query: "encoding=mulaw&sample_rate=8000&channels=2&multichannel=true",
    contentType: "application/octet-stream",
    body: WAV.subarray(44, 844),
  },
  {
    ...openai,
    name: "openai-speech",
    path: "/v1/audio/speech",
    contentType: "application/json",
    body: json({
      model: "tts-1",
      input: "Hello, wörld.",
      voice: { id: "alloy" },
      response_format: "pcm",
      speed: 1.1,
      stream_format: "sse",
      instructions: "whisper",
    }),
  },
  {
    ...openai,
    name: "openai-transcriptions",
    path: "/v1/audio/transcriptions",
    contentType: FORM,
    body: formOf({ model: "whisper-1", response_format: "verbose_json", "timestamp_granularities[]": "word" }, WAV),
  },
  {
    ...openai,
    name: "openai-transcriptions, streamed",
    path: "/v1/audio/transcriptions",
    contentType: FORM,
    body: formOf({ model: "gpt-4o-transcribe", stream: "true", temperature: "0", language: "en" }, WAV),
  },
  {
    ...openai,
    name: "openai-models",
    method: "GET",
    path: "/v1/models/tts-1",
    contentType: undefined,
    body: new Uint8Array(0),
  },
  {
    name: "pipecat",
    method: "POST",
    path: "/pipecat",
    query: "rate=16000",
    contentType: "application/json",
    body: json({ requestData: { a: [1] } }),
    ignoresBody: true,
    isRefusal: isNativeError,
  },
];
