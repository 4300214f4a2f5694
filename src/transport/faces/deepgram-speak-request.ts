/** What the query of Deepgram's `/v1/speak` asks for, alike over a WebSocket and as one request. */
import { SyrinxError } from "../../base/errors.js";
import type { CallRequest, FaceRequest } from "./face.js";
import { speakingNode } from "./graph-node.js";
import { deepgramVoice, nodesFor, type VoiceOptions } from "./voices.js";

/** Characters of one text. At it: a `Warning`, or 413, and the text is not spoken. */
export const SPEAK_CHARS_MAX = 2_000;
const SPEED = { min: 0.7, max: 1.5 } as const;
const DEFAULT_MODEL = "aura-asteria-en";

export type SocketEncoding = "linear16" | "mulaw" | "alaw";

/** By encoding; the first is the default. */
export const SOCKET_RATES_HZ: Readonly<Record<SocketEncoding, readonly number[]>> = {
  linear16: [24_000, 8_000, 16_000, 32_000, 44_100, 48_000],
  mulaw: [8_000, 16_000],
  alaw: [8_000, 16_000],
};

export function modelOf(query: URLSearchParams): string {
  return query.get("model") ?? DEFAULT_MODEL;
}

/** The call that a request asks for. Throws what is wrong with it. */
export function callOf(request: FaceRequest, outputRateHz: number): CallRequest {
  const { voices } = request.options as VoiceOptions;
  const { graph, node } = speakingNode(request);
  const nodes = nodesFor(node, deepgramVoice(modelOf(request.query), voices), speedOf(request.query.get("speed")));
  return { graph, options: { outputRateHz, nodes } };
}

function speedOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const speed = text.trim() === "" ? Number.NaN : Number(text);
  if (speed >= SPEED.min && speed <= SPEED.max) return speed;
  throw new SyrinxError("HTTP_FIELD", { field: "speed", problem: `it is a number from ${SPEED.min} to ${SPEED.max}` });
}

/** One of the table's names. */
export function encodingAmong<K extends string>(
  text: string | null,
  table: Readonly<Record<K, unknown>>,
  fallback: K,
): K {
  if (text === null) return fallback;
  if (Object.hasOwn(table, text)) return text as K;
  const problem = `it is one of ${Object.keys(table).join(", ")}`;
  throw new SyrinxError("HTTP_FIELD", { field: "encoding", problem });
}

/** One of the list; its first if none is asked for. */
export function rateAmong(text: string | null, rates: readonly number[], encoding: string): number {
  if (text === null) return rates[0]!;
  const found = rates.find((rate) => String(rate) === text);
  if (found !== undefined) return found;
  const known = [...rates].sort((left, right) => left - right).join(", ");
  throw new SyrinxError("HTTP_FIELD", { field: "sample_rate", problem: `for ${encoding} it is one of ${known}` });
}
