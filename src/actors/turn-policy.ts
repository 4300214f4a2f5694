/**
 * Decides from a silence whether the speaker has finished: by its length, or by what a turn model heard before it. One row
 * in {@link TURN_POLICIES} and one branch of {@link turnOptions} add a kind.
 */
import type { ZodType } from "zod";
import { z } from "zod";
import { LIMITS } from "../base/limits.js";
import { msToSamples } from "../base/units.js";

/** What a policy may look at. Positions and lengths in samples at 16 kHz of stream time. */
export interface Silence {
  /** How long nobody has spoken. */
  readonly silentSamples: number;
  /** From the beginning of the turn's speech to its end. */
  readonly spokenSamples: number;
  /** Confidence of the voice detector that this is silence, in [0, 1]. */
  readonly confidence: number;
  /** The turn model's probability that the speaker has finished, as of when the silence was noticed; −1 without one. */
  readonly completion: number;
}

export type Verdict =
  /** Not yet; asked again when more time has passed. */
  | { readonly what: "wait" }
  /** Probably, worth preparing an answer. `confidence`: that the speaker has finished; absent: that nobody speaks. */
  | { readonly what: "eager_end"; readonly confidence?: number }
  | { readonly what: "end"; readonly confidence: number; readonly trigger: "model" | "timeout" };

export interface TurnPolicy {
  /** True if a turn model is asked about every silence before this is. */
  readonly asksModel: boolean;
  /** Asked whenever stream time has moved while a turn is open and nobody speaks. Must depend on its argument alone. */
  judge(silence: Silence): Verdict;
}

interface PolicyRow<Options> {
  readonly options: ZodType<Options>;
  /** What one call may ask for instead, at any time; `null` takes away what the node has. */
  readonly callOptions: ZodType;
  /** The longest silence after which it still says `wait`. */
  latencyMs(options: Options): number;
  create(options: Options): TurnPolicy;
}

const interruptMs = z.number().min(0).max(5_000).describe("Speech that is needed for that: more than a cough.");
const maxMs = z
  .number()
  .min(1_000)
  .max(LIMITS.turnMsMax)
  .describe("Longest turn. At it: the turn ends and what follows is the next.");

/** Keys of every kind. */
const shared = {
  interrupt: z.boolean().default(true).describe("Speech during a reply cuts it off."),
  interruptMs: interruptMs.default(0),
  maxMs: maxMs.default(LIMITS.turnMsMax),
};
const sharedOfCall = { interruptMs: interruptMs.optional(), maxMs: maxMs.optional() };

const WAIT: Verdict = { what: "wait" };
const EAGER: Verdict = { what: "eager_end" };
const END: Verdict = { what: "end", confidence: 1, trigger: "timeout" };

const endMs = z.number().min(0).max(60_000).describe("Silence that ends a turn.");
const eagerMs = z.number().min(0).max(60_000).describe("Silence after which `eager_end` is announced; absent: never.");

const silenceOptions = z.strictObject({
  ...shared,
  kind: z.literal("silence").default("silence").describe("A turn ends with a silence of `endMs`."),
  endMs: endMs.default(600),
  eagerMs: eagerMs.optional(),
});

const silence: PolicyRow<z.infer<typeof silenceOptions>> = {
  options: silenceOptions,
  callOptions: z.strictObject({ ...sharedOfCall, endMs: endMs.optional(), eagerMs: eagerMs.nullable().optional() }),
  latencyMs: (options) => options.endMs,
  create(options) {
    const endSamples = msToSamples(options.endMs);
    const eagerSamples = options.eagerMs === undefined ? Number.POSITIVE_INFINITY : msToSamples(options.eagerMs);
    return {
      asksModel: false,
      judge({ silentSamples }) {
        if (silentSamples >= endSamples) return END;
        return silentSamples >= eagerSamples ? EAGER : WAIT;
      },
    };
  },
};

const threshold = z
  .number()
  .gt(0)
  .max(1)
  .describe("Probability that the speaker has finished from which the turn ends at once.");
const eagerThreshold = z
  .number()
  .gt(0)
  .max(1)
  .describe("Probability from which `eager_end` is announced, below `threshold`; absent: never.");
const timeoutMs = z.number().min(0).max(60_000).describe("Silence that ends a turn whatever the model says.");

const modelOptions = z.strictObject({
  ...shared,
  kind: z.literal("model").describe("A model hears at each silence whether the speaker has finished."),
  threshold: threshold.default(0.5),
  eagerThreshold: eagerThreshold.optional(),
  timeoutMs: timeoutMs.default(3_000),
});

const model: PolicyRow<z.infer<typeof modelOptions>> = {
  options: modelOptions,
  callOptions: z.strictObject({
    ...sharedOfCall,
    threshold: threshold.optional(),
    eagerThreshold: eagerThreshold.nullable().optional(),
    timeoutMs: timeoutMs.optional(),
  }),
  latencyMs: (options) => options.timeoutMs,
  create(options) {
    const timeoutSamples = msToSamples(options.timeoutMs);
    const eagerFrom = options.eagerThreshold ?? Number.POSITIVE_INFINITY;
    return {
      asksModel: true,
      judge({ silentSamples, completion }) {
        if (completion >= options.threshold) return { what: "end", confidence: completion, trigger: "model" };
        if (silentSamples >= timeoutSamples) return END;
        return completion >= eagerFrom ? { what: "eager_end", confidence: completion } : WAIT;
      },
    };
  },
};

export const TURN_POLICIES = { silence, model } as const;

/** The turn actor's options: those of the kind, and those that every kind shares. */
export const turnOptions = z.discriminatedUnion("kind", [silenceOptions, modelOptions]);
export type TurnOptions = z.infer<typeof turnOptions>;

/** The row of the kind that was chosen. */
export function policyRow({ kind }: TurnOptions): PolicyRow<TurnOptions> {
  return TURN_POLICIES[kind];
}

/** The node's options as a call has them that asked for these. */
export function turnOptionsFor(chosen: TurnOptions, asked: Readonly<Record<string, unknown>>): TurnOptions {
  const merged = Object.entries({ ...chosen, ...asked });
  return Object.fromEntries(merged.filter(([, value]) => value !== null)) as TurnOptions;
}
