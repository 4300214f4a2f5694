/** What a Flux client asks for, and how a graph's turn detector is set to it. */
import { z } from "zod";
import { turnOptions } from "../../actors/turn-policy.js";
import { SyrinxError } from "../../base/errors.js";
import {
  badField,
  checkedKeyterms,
  formatOf,
  graphOf,
  keytermsOf,
  numberOf,
  type QueryFormat,
} from "./deepgram-query.js";
import type { FaceRequest, GraphFacts } from "./face.js";

const EOT_THRESHOLD = { min: 0.5, max: 1, fallback: 0.7 } as const;
const EAGER_THRESHOLD = { min: 0.3, max: 0.9 } as const;
const EOT_TIMEOUT_MS = { min: 500, max: 60_000, fallback: 5_000 } as const;

/** What a client set. Absent: the graph's own, and no eager ends. */
export interface Thresholds {
  readonly eot?: number;
  readonly eager?: number;
  readonly timeoutMs?: number;
}

/** What holds. */
export interface Effective {
  readonly eot: number;
  readonly eager: number | undefined;
  readonly timeoutMs: number;
}

export interface FluxRequest {
  readonly format: QueryFormat;
  readonly graph: GraphFacts;
  readonly thresholds: Thresholds;
  readonly keyterms: readonly string[];
  readonly languageHints: readonly string[];
}

/** Throws HTTP_FIELD, CALL_GRAPH_UNKNOWN. */
export function fluxRequestOf(request: FaceRequest): FluxRequest {
  const { query } = request;
  const eot = numberOf(query, "eot_threshold", EOT_THRESHOLD.min, EOT_THRESHOLD.max);
  const eager = numberOf(query, "eager_eot_threshold", EAGER_THRESHOLD.min, EAGER_THRESHOLD.max);
  const timeoutMs = numberOf(query, "eot_timeout_ms", EOT_TIMEOUT_MS.min, EOT_TIMEOUT_MS.max);
  return {
    format: formatOf(query),
    graph: graphOf(request),
    thresholds: checked({
      ...(eot === undefined ? {} : { eot }),
      ...(eager === undefined ? {} : { eager }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }),
    keyterms: keytermsOf(query),
    languageHints: query.getAll("language_hint"),
  };
}

const configure = z.object({
  thresholds: z
    .object({
      eot_threshold: z.number().min(EOT_THRESHOLD.min).max(EOT_THRESHOLD.max).nullish(),
      /** `null` takes it away. */
      eager_eot_threshold: z.number().min(EAGER_THRESHOLD.min).max(EAGER_THRESHOLD.max).nullish(),
      eot_timeout_ms: z.number().min(EOT_TIMEOUT_MS.min).max(EOT_TIMEOUT_MS.max).nullish(),
    })
    .nullish(),
  keyterms: z.array(z.string()).nullish(),
  language_hints: z.array(z.string().max(35)).max(32).nullish(),
});

/** What of a request a `Configure` message changes; the rest stays. Throws HTTP_FIELD. */
export function reconfigured(before: FluxRequest, message: object): FluxRequest {
  const parsed = configure.safeParse(message);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw badField(issue.path.join(".").slice(0, 80), issue.message.slice(0, 160));
  }
  const { thresholds = {}, keyterms, language_hints } = parsed.data;
  const { eot_threshold: eot, eager_eot_threshold: eager, eot_timeout_ms: timeoutMs } = thresholds ?? {};
  const { eager: eagerBefore, ...others } = before.thresholds;
  const eagerNow = eager === undefined ? eagerBefore : (eager ?? undefined);
  return {
    ...before,
    thresholds: checked({
      ...others,
      ...(typeof eot === "number" ? { eot } : {}),
      ...(eagerNow === undefined ? {} : { eager: eagerNow }),
      ...(typeof timeoutMs === "number" ? { timeoutMs } : {}),
    }),
    keyterms: Array.isArray(keyterms) ? checkedKeyterms(keyterms) : before.keyterms,
    languageHints: language_hints ?? before.languageHints,
  };
}

function checked(thresholds: Thresholds): Thresholds {
  const { eager, eot = EOT_THRESHOLD.fallback } = thresholds;
  if (eager !== undefined && eager > eot) throw badField("eager_eot_threshold", "it is not above eot_threshold");
  return thresholds;
}

/**
 * A graph's turn detector, as Flux's thresholds set it. With a turn model they are its own. Where silence decides, a
 * silence is as good as a confidence: the longer it lasts, the surer. With the graph's own `endMs` as E, a silence of t
 * stands for 1 − 0.3^(t / E): E is 0.7, which is Flux's default, and 1 is never reached, which leaves the timeout.
 */
export class TurnTuning {
  readonly kind: "silence" | "model";
  readonly #node: string;
  readonly #endMs: number;
  readonly #model: { readonly threshold: number; readonly timeoutMs: number } | undefined;

  /** Throws CALL_OPTION_INVALID for a graph without a turn detector. */
  constructor(graph: GraphFacts) {
    const node = graph.nodes.find(({ actor }) => actor === "turn");
    if (node === undefined) {
      throw new SyrinxError("CALL_OPTION_INVALID", { option: "turn", reason: `graph ${graph.name} has no such node` });
    }
    const options = turnOptions.parse(node.options);
    this.#node = node.name;
    this.kind = options.kind;
    this.#endMs = options.kind === "silence" ? Math.max(1, options.endMs) : 0;
    this.#model = options.kind === "model" ? options : undefined;
  }

  effective({ eot, eager, timeoutMs }: Thresholds): Effective {
    return {
      eot: eot ?? this.#model?.threshold ?? EOT_THRESHOLD.fallback,
      eager,
      timeoutMs: timeoutMs ?? this.#model?.timeoutMs ?? EOT_TIMEOUT_MS.fallback,
    };
  }

  /** Options of the call's turn node. Complete: they take the place of whatever was set before. */
  nodes(thresholds: Thresholds): Record<string, Readonly<Record<string, unknown>>> {
    const { eot, eager, timeoutMs } = this.effective(thresholds);
    const options =
      this.kind === "model"
        ? { threshold: eot, eagerThreshold: eager ?? null, timeoutMs }
        : {
            endMs: Math.min(this.#silenceOf(eot), timeoutMs),
            eagerMs: eager === undefined ? null : Math.min(this.#silenceOf(eager), timeoutMs),
          };
    return { [this.#node]: options };
  }

  /** What a silence of this length is worth, in [0, 1); 0 where a model decides. */
  confidenceOf(silenceMs: number): number {
    return this.#model === undefined ? 1 - 0.3 ** (Math.max(0, silenceMs) / this.#endMs) : 0;
  }

  /** Whether silence ends a turn by its confidence, before the timeout would. */
  endsByConfidence(thresholds: Thresholds): boolean {
    const { eot, timeoutMs } = this.effective(thresholds);
    return this.#silenceOf(eot) <= timeoutMs;
  }

  #silenceOf(confidence: number): number {
    return confidence >= 1 ? Number.POSITIVE_INFINITY : this.#endMs * (Math.log(1 - confidence) / Math.log(0.3));
  }
}
