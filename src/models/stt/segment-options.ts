/** Options of the families that hear whole segments. */
import { z } from "zod";
import { LIMITS } from "../../base/limits.js";
import { msToSamples } from "../../base/units.js";
import { folderOption, precisionOption } from "./model-folder.js";

/** What exporters call the table of symbols. */
export const NEMO_TOKEN_FILES = ["tokens.txt", "vocab.txt"] as const;

const partialOption = z
  .union([z.literal(0), z.number().min(200).max(LIMITS.segmentMsMax)])
  .default(1000)
  .describe(
    "audio after which a segment is recognised before its end, again whenever it has grown by as much or by a quarter; 0: at its end only",
  );

/** Of NeMo's families that hear whole segments. */
export const nemoSegmentOptions = z.strictObject({
  folder: folderOption,
  precision: precisionOption,
  partialMs: partialOption,
});

export const partialSamples = (partialMs: number): number =>
  partialMs === 0 ? Number.POSITIVE_INFINITY : msToSamples(partialMs);

/** The longest that a word may wait for a run. */
export const partialLagSamples = (partialMs: number): number =>
  msToSamples(partialMs === 0 ? LIMITS.segmentMsMax : partialMs);
