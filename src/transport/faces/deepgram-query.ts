/** Parameters of a query as Deepgram's clients write them. What is not known is ignored; what is known must be right. */
import { LIVE_ENCODINGS, type LiveEncoding } from "../../audio/stream-decoder.js";
import { SyrinxError } from "../../base/errors.js";
import type { FaceRequest, GraphFacts } from "./face.js";

const RATE_HZ = { min: 8_000, max: 48_000 } as const;
/** As the recogniser's options have it. */
const KEYTERMS_MAX = 100;
const KEYTERM_CHARS_MAX = 100;

export function badField(field: string, problem: string): SyrinxError {
  return new SyrinxError("HTTP_FIELD", { field, problem });
}

export function booleanOf(query: URLSearchParams, name: string, fallback = false): boolean {
  const text = query.get(name)?.trim().toLowerCase();
  if (text === undefined || text === "") return fallback;
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw badField(name, "it is `true` or `false`");
}

export function numberOf(query: URLSearchParams, name: string, min: number, max: number): number | undefined {
  const text = query.get(name)?.trim();
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (value >= min && value <= max) return value;
  throw badField(name, `it is a number from ${min} to ${max}`);
}

export function integerOf(query: URLSearchParams, name: string, min: number, max: number): number | undefined {
  const value = numberOf(query, name, min, max);
  if (value === undefined || Number.isInteger(value)) return value;
  throw badField(name, `it is a whole number from ${min} to ${max}`);
}

/** `encoding` and `sample_rate`; without an encoding, the audio says itself what it is. */
export interface QueryFormat {
  readonly encoding?: LiveEncoding;
  readonly rateHz?: number;
}

export function formatOf(query: URLSearchParams): QueryFormat {
  const rateHz = integerOf(query, "sample_rate", RATE_HZ.min, RATE_HZ.max);
  const name = query.get("encoding") ?? "";
  if (name === "") return {};
  const encoding = LIVE_ENCODINGS.find((known) => known === name);
  if (encoding === undefined) throw badField("encoding", `it is one of ${LIVE_ENCODINGS.join(", ")}`);
  if (encoding === "opus" || encoding === "ogg-opus") return { encoding };
  // Telephone lines have one rate; linear audio may be anything.
  if (rateHz === undefined && encoding.startsWith("linear")) throw badField("sample_rate", `${encoding} needs it`);
  return { encoding, rateHz: rateHz ?? RATE_HZ.min };
}

/** `keyterm`, and the older `keywords` without their boosts, each as often as it comes. */
export function keytermsOf(query: URLSearchParams): readonly string[] {
  const words = query.getAll("keywords").map((word) => word.replace(/:-?[\d.]+$/, ""));
  return checkedKeyterms([...query.getAll("keyterm"), ...words]);
}

export function checkedKeyterms(terms: readonly unknown[]): readonly string[] {
  const found: string[] = [];
  for (const term of terms) {
    if (typeof term !== "string" || term.length > KEYTERM_CHARS_MAX) {
      throw badField("keyterm", `it is a text of at most ${KEYTERM_CHARS_MAX} characters`);
    }
    if (term.trim() !== "") found.push(term);
  }
  if (found.length > KEYTERMS_MAX) throw badField("keyterm", `there are at most ${KEYTERMS_MAX}`);
  return found;
}

/** The graph that a request is for. */
export function graphOf(request: FaceRequest): GraphFacts {
  const name = request.graph ?? request.graphs[0];
  const facts = name === undefined ? undefined : request.facts.get(name);
  if (facts !== undefined) return facts;
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: name ?? "", known: request.graphs.join(", ") });
}

/** Options for the call's nodes, of which each may be absent from the graph. */
export function nodesFor(
  graph: GraphFacts,
  wanted: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): Record<string, Readonly<Record<string, unknown>>> {
  const nodes: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const { name, actor } of graph.nodes) {
    const options = wanted[actor];
    if (options !== undefined && Object.keys(options).length > 0) nodes[name] = options;
  }
  return nodes;
}
