/** What the query of Deepgram's `/v1/listen` asks for, alike over a WebSocket and as one request. */
import { z } from "zod";
import { badField, booleanOf, graphOf, integerOf, keytermsOf, nodesFor, numberOf } from "./deepgram-query.js";
import { type CallRequest, CHANNELS_MAX, type FaceRequest, type GraphFacts } from "./face.js";

export const listenOptions = z.strictObject({
  minEndpointingMs: z
    .number()
    .min(0)
    .max(5_000)
    .default(150)
    .describe("Shortest pause that ends a stretch of speech, however short a client asks for."),
});

/** As the voice detector's `stopMs` has it. */
const ENDPOINTING_MS_MAX = 5_000;
const UTTERANCE_END_MS = { min: 1_000, max: 60_000 } as const;
const UTT_SPLIT_S = { min: 0, max: 60, fallback: 0.8 } as const;

export interface ListenRequest {
  readonly channels: number;
  /** Each channel is transcribed by itself; otherwise they are mixed. */
  readonly isMultichannel: boolean;
  readonly call: CallRequest;
  readonly hasInterims: boolean;
  /** Whether a pause is told as `speech_final`. */
  readonly hasEndpoints: boolean;
  readonly hasVadEvents: boolean;
  readonly utteranceEndMs: number | undefined;
  readonly hasParagraphs: boolean;
  readonly hasUtterances: boolean;
  readonly uttSplitMs: number;
  /** The recogniser's model. */
  readonly modelName: string;
  readonly modelFamily: string;
}

/** Throws HTTP_FIELD, CALL_GRAPH_UNKNOWN. */
export function listenRequestOf(request: FaceRequest): ListenRequest {
  const { query } = request;
  const graph = graphOf(request);
  const isMultichannel = booleanOf(query, "multichannel");
  const channels = integerOf(query, "channels", 1, CHANNELS_MAX) ?? 1;
  const endpointing = endpointingOf(query);
  const keyterms = keytermsOf(query);
  const { minEndpointingMs } = request.options as z.infer<typeof listenOptions>;
  const stop = typeof endpointing === "number" ? { stopMs: Math.max(endpointing, minEndpointingMs) } : {};
  const nodes = nodesFor(graph, { vad: stop, stt: keyterms.length === 0 ? {} : { keyterms } });
  return {
    channels,
    isMultichannel,
    call: { graph: graph.name, options: { nodes }, channels: isMultichannel ? channels : 1 },
    hasInterims: booleanOf(query, "interim_results"),
    hasEndpoints: endpointing !== false,
    hasVadEvents: booleanOf(query, "vad_events"),
    utteranceEndMs: integerOf(query, "utterance_end_ms", UTTERANCE_END_MS.min, UTTERANCE_END_MS.max),
    hasParagraphs: booleanOf(query, "paragraphs"),
    hasUtterances: booleanOf(query, "utterances"),
    uttSplitMs: 1000 * (numberOf(query, "utt_split", UTT_SPLIT_S.min, UTT_SPLIT_S.max) ?? UTT_SPLIT_S.fallback),
    ...modelOf(graph),
  };
}

export function modelOf(graph: GraphFacts): Pick<ListenRequest, "modelName" | "modelFamily"> {
  const model = graph.nodes.find(({ actor }) => actor === "stt")?.model;
  return { modelName: model?.name ?? "stt", modelFamily: model?.family ?? "" };
}

/** Milliseconds; `false`: no endpoints; `undefined`: the pause that the graph has. */
function endpointingOf(query: URLSearchParams): number | false | undefined {
  const text = query.get("endpointing")?.trim().toLowerCase() ?? "";
  if (text === "" || text === "true") return undefined;
  if (text === "false") return false;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw badField("endpointing", "it is a number of milliseconds or `false`");
  return Math.min(value, ENDPOINTING_MS_MAX);
}
