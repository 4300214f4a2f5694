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
  /** `wait`: not yet; asked again when more time has passed. `eager_end`: probably, worth preparing an answer. */
  | { readonly what: "wait" | "eager_end" }
  | { readonly what: "end"; readonly confidence: number; readonly trigger: "model" | "timeout" };

export interface TurnPolicy {
  /** True if a turn model is asked about every silence before this is. */
  readonly asksModel: boolean;
  /** Asked whenever stream time has moved while a turn is open and nobody speaks. Must depend on its argument alone. */
  judge(silence: Silence): Verdict;
}

interface PolicyRow<Options> {
  readonly options: ZodType<Options>;
  /** The longest silence after which it still says `wait`. */
  latencyMs(options: Options): number;
  create(options: Options): TurnPolicy;
}

/** Keys of every kind. */
const shared = {
  interrupt: z.boolean().default(true).describe("Speech during a reply cuts it off."),
  interruptMs: z.number().min(0).max(5_000).default(0).describe("Speech that is needed for that: more than a cough."),
  maxMs: z
    .number()
    .min(1_000)
    .max(LIMITS.turnMsMax)
    .default(LIMITS.turnMsMax)
    .describe("Longest turn. At it: the turn ends and what follows is the next."),
};

const WAIT: Verdict = { what: "wait" };
const EAGER: Verdict = { what: "eager_end" };
const END: Verdict = { what: "end", confidence: 1, trigger: "timeout" };

const silenceOptions = z.strictObject({
  ...shared,
  kind: z.literal("silence").default("silence").describe("A turn ends with a silence of `endMs`."),
  endMs: z.number().min(0).max(10_000).default(600).describe("Silence that ends a turn."),
  eagerMs: z
    .number()
    .min(0)
    .max(10_000)
    .optional()
    .describe("Silence after which `eager_end` is announced; absent: never."),
});

const silence: PolicyRow<z.infer<typeof silenceOptions>> = {
  options: silenceOptions,
  latencyMs: ({ endMs }) => endMs,
  create({ endMs, eagerMs }) {
    const endSamples = msToSamples(endMs);
    const eagerSamples = eagerMs === undefined ? Number.POSITIVE_INFINITY : msToSamples(eagerMs);
    return {
      asksModel: false,
      judge({ silentSamples }) {
        if (silentSamples >= endSamples) return END;
        return silentSamples >= eagerSamples ? EAGER : WAIT;
      },
    };
  },
};

const modelOptions = z.strictObject({
  ...shared,
  kind: z.literal("model").describe("A model hears at each silence whether the speaker has finished."),
  threshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("Probability that the speaker has finished from which the turn ends at once."),
  timeoutMs: z.number().min(0).max(20_000).default(3_000).describe("Silence that ends a turn whatever the model says."),
});

const model: PolicyRow<z.infer<typeof modelOptions>> = {
  options: modelOptions,
  latencyMs: ({ timeoutMs }) => timeoutMs,
  create({ threshold, timeoutMs }) {
    const timeoutSamples = msToSamples(timeoutMs);
    return {
      asksModel: true,
      judge({ silentSamples, completion }) {
        if (completion >= threshold) return { what: "end", confidence: completion, trigger: "model" };
        return silentSamples >= timeoutSamples ? END : WAIT;
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
