/** Keys under `server.admission`: when one more call is refused, though there is a slot for it. */
import { z } from "zod";

const MS_MAX = 60_000;

function promise(defaultMs: number, meaning: string) {
  return z.number().min(1).max(MS_MAX).default(defaultMs).describe(meaning);
}

export const ADMISSION_MODES = ["plan", "live", "off"] as const;

/** The promises by the names under which `syrinx plan --slo` takes them. */
export const SLO_NAMES = { final_p95: "finalP95Ms", ttfa_p95: "ttfaP95Ms", lag_p95: "lagP95Ms" } as const;

export const sloSchema = z
  .strictObject({
    finalP95Ms: promise(300, "From when the end of speech was to be known to the final transcript, 95th percentile."),
    ttfaP95Ms: promise(
      250,
      "From when the end of the turn was to be known to the reply's first audio, 95th percentile.",
    ),
    lagP95Ms: promise(
      100,
      "From a frame to what is made of it, 95th percentile, where nothing is transcribed or spoken.",
    ),
  })
  .prefault({})
  .describe("What calls are promised. No call comes in that would break it for others.");

export const admissionSchema = z
  .strictObject({
    mode: z
      .enum(ADMISSION_MODES)
      .default("plan")
      .describe("plan: by what `syrinx plan` measured, else by estimate. live: by estimate. off: by maxCalls alone."),
    file: z
      .string()
      .min(1)
      .optional()
      .describe("The capacity plan, relative to this file. Default: the one in the cache for this file and machine."),
    slo: sloSchema,
    degrade: z
      .boolean()
      .default(false)
      .describe("Send fewer partial transcripts and make larger batches before calls are refused."),
  })
  .prefault({})
  .describe("When one more call is refused, though there is a slot for it.");
