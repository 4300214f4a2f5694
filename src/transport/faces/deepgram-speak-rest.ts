import type { SpeechFormat } from "../../audio/encode.js";
import { SyrinxError } from "../../base/errors.js";
import { deepgramHeaders } from "./deepgram.js";
import {
  callOf,
  encodingAmong,
  modelOf,
  rateAmong,
  SOCKET_RATES_HZ,
  SPEAK_CHARS_MAX,
} from "./deepgram-speak-request.js";
import type { FaceRequest } from "./face.js";
import { wrongBody } from "./request-body.js";
import type { RestBody, SpeakJob } from "./rest.js";

/** What comes of an encoding; the first rate and the first container are the defaults. */
interface Coding {
  readonly rates: readonly number[];
  readonly containers: readonly ("wav" | "none" | "ogg")[];
  readonly contentType: string;
}

const CODINGS = {
  mp3: { rates: [22_050], containers: ["none"], contentType: "audio/mpeg" },
  linear16: { rates: SOCKET_RATES_HZ.linear16, containers: ["wav", "none"], contentType: "audio/l16" },
  mulaw: { rates: SOCKET_RATES_HZ.mulaw, containers: ["wav", "none"], contentType: "audio/basic" },
  alaw: { rates: SOCKET_RATES_HZ.alaw, containers: ["wav", "none"], contentType: "audio/x-alaw-basic" },
  flac: {
    rates: [24_000, 8_000, 16_000, 22_050, 32_000, 44_100, 48_000],
    containers: ["none"],
    contentType: "audio/flac",
  },
  opus: { rates: [48_000], containers: ["ogg"], contentType: "audio/ogg" },
} as const satisfies Record<string, Coding>;

type Encoding = keyof typeof CODINGS;

export function speakJob(request: FaceRequest, body: RestBody): SpeakJob {
  const { query } = request;
  const text = textOf(body);
  if (query.has("callback")) throw new SyrinxError("HTTP_FIELD", { field: "callback", problem: "it is not supported" });
  const encoding = encodingAmong<Encoding>(query.get("encoding"), CODINGS, "mp3");
  const coding: Coding = CODINGS[encoding];
  const rateHz = rateAmong(query.get("sample_rate"), coding.rates, encoding);
  const container = containerOf(query.get("container"), coding, encoding);
  const contentType = container === "wav" ? "audio/wav" : `${coding.contentType}${rateParameter(encoding, rateHz)}`;
  return {
    kind: "speak",
    text,
    call: callOf(request, rateHz),
    format: formatOf(encoding, container),
    rateHz,
    contentType,
    headers: {
      ...deepgramHeaders(request),
      "dg-model-name": modelOf(query)
        .replace(/[^ -~]/g, "?")
        .slice(0, 100),
      "dg-char-count": String([...text].length),
    },
    ...(container === "wav" && encoding !== "linear16" ? { hasWavHeader: true } : {}),
    ...bitRateOf(query.get("bit_rate")),
  };
}

function textOf(body: RestBody): string {
  if (body.kind !== "json") {
    throw wrongBody(body, "application/json");
  }
  const { value } = body;
  const text = typeof value === "object" && value !== null ? (value as { text?: unknown }).text : undefined;
  if (typeof text !== "string" || text.trim() === "") {
    throw new SyrinxError("HTTP_FIELD", { field: "text", problem: "it is a string with something to say" });
  }
  if (text.length <= SPEAK_CHARS_MAX) return text;
  throw new SyrinxError("HTTP_BODY_SIZE", { part: "text", limit: SPEAK_CHARS_MAX });
}

function containerOf(asked: string | null, { containers }: Coding, encoding: string): string {
  if (asked === null) return containers[0]!;
  if ((containers as readonly string[]).includes(asked)) return asked;
  const problem = `for ${encoding} it is ${containers.join(" or ")}`;
  throw new SyrinxError("HTTP_FIELD", { field: "container", problem });
}

function formatOf(encoding: Encoding, container: string): SpeechFormat {
  if (encoding !== "linear16") return encoding;
  return container === "wav" ? "wav" : "pcm";
}

/** Bare samples say their rate nowhere else. */
function rateParameter(encoding: Encoding, rateHz: number): string {
  return encoding === "linear16" || encoding === "mulaw" || encoding === "alaw" ? `;rate=${rateHz}` : "";
}

/** Deepgram counts in bits. What makes no sense is left to the encoder's own choice. */
function bitRateOf(text: string | null): { readonly bitRateKbps?: number } {
  const kbps = Math.round(Number(text ?? Number.NaN) / 1000);
  return kbps >= 8 && kbps <= 320 ? { bitRateKbps: kbps } : {};
}
