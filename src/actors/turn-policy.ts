/**
 * Decides from a silence whether the speaker has finished: the seam for semantic turn detection. One row in
 * {@link TURN_POLICIES} adds a kind.
 */
import type { ZodType } from "zod";
import { z } from "zod";
import { msToSamples } from "../base/units.js";

/** What a policy may look at. Positions and lengths in samples at 16 kHz of stream time. */
export interface Silence {
  /** How long nobody has spoken. */
  readonly silentSamples: number;
  /** From the beginning of the turn's speech to its end. */
  readonly spokenSamples: number;
  /** Confidence of the voice detector that this is silence, in [0, 1]. */
  readonly confidence: number;
}

export type Verdict =
  /** `wait`: not yet; asked again when more time has passed. `eager_end`: probably, worth preparing an answer. */
  | { readonly what: "wait" | "eager_end" }
  | { readonly what: "end"; readonly confidence: number; readonly trigger: "model" | "timeout" };

export interface TurnPolicy {
  /** Asked whenever stream time has moved while a turn is open and nobody speaks. Must depend on its argument alone. */
  judge(silence: Silence): Verdict;
}

interface PolicyRow<Options> {
  readonly options: ZodType<Options>;
  /** The longest silence after which it still says `wait`. */
  latencyMs(options: Options): number;
  create(options: Options): TurnPolicy;
}

const WAIT: Verdict = { what: "wait" };
const EAGER: Verdict = { what: "eager_end" };
const END: Verdict = { what: "end", confidence: 1, trigger: "timeout" };

const silenceOptions = z.object({
  endMs: z.number().min(0).max(10_000).default(600).describe("Silence that ends a turn."),
  eagerMs: z
    .number()
    .min(0)
    .max(10_000)
    .optional()
    .describe("Silence after which `eager_end` is announced; absent: never."),
});
type SilenceOptions = z.infer<typeof silenceOptions>;

const silence: PolicyRow<SilenceOptions> = {
  options: silenceOptions,
  latencyMs: ({ endMs }) => endMs,
  create({ endMs, eagerMs }) {
    const endSamples = msToSamples(endMs);
    const eagerSamples = eagerMs === undefined ? Number.POSITIVE_INFINITY : msToSamples(eagerMs);
    return {
      judge({ silentSamples }) {
        if (silentSamples >= endSamples) return END;
        return silentSamples >= eagerSamples ? EAGER : WAIT;
      },
    };
  },
};

export const TURN_POLICIES = { silence } as const;
export type TurnKind = keyof typeof TURN_POLICIES;

/** The turn actor's options: those of the kind, and those that every kind shares. */
export const turnPolicyOptions = { kind: z.enum(["silence"]).default("silence"), ...silenceOptions.shape };
