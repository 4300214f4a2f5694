/**
 * What NeMo's exporters say about a model beside its tensors: `config.json` (onnx-asr's exports), the metadata of the
 * encoder's file (sherpa-onnx's), or nothing, where NeMo's own habits hold.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { metadataCount, readOnnxMetadata } from "../../gpu/onnx-metadata.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { NEMO_MEL_BINS } from "../front-ends/nemo-mel.js";
import { fixedDim, inputOf, type ModelFolder } from "./model-folder.js";

export interface NemoFacts {
  readonly melBins: number;
  /** Feature frames of 10 ms that become one of the encoder's. */
  readonly subsampling: number;
  readonly normalise: "per-feature" | "none";
  readonly tokensPerFrameMax: number;
  /** All of the file's entries. */
  readonly metadata: ReadonlyMap<string, string>;
}

const SUBSAMPLING = 8;
const TOKENS_PER_FRAME_MAX = 10;

const count = z.int().min(1).max(1024).optional();
const Config = z.object({ features_size: count, subsampling_factor: count, max_tokens_per_step: count });
type Config = z.infer<typeof Config>;

/** Throws MODEL_FILE_INVALID for what contradicts itself or is not known here. */
export async function readNemoFacts(folder: ModelFolder, encoder: OnnxModel): Promise<NemoFacts> {
  const config = await readConfig(folder.file("config.json"));
  const metadata = await readOnnxMetadata(encoder.path);
  const invalid = (reason: string) => new SyrinxError("MODEL_FILE_INVALID", { path: encoder.path, reason });
  const declared = fixedDim(inputOf(encoder, "audio_signal"), 1);
  const melBins = declared ?? config.features_size ?? metadataCount(metadata, "feat_dim") ?? NEMO_MEL_BINS[0];
  if (!NEMO_MEL_BINS.some((bins) => bins === melBins)) {
    throw invalid(`it wants ${melBins} mel bands, this build computes NeMo's ${NEMO_MEL_BINS.join(" or ")}`);
  }
  const normalise = normalisation(metadata.get("normalize_type"));
  if (normalise === undefined) {
    throw invalid(
      `it wants its features normalised by ${metadata.get("normalize_type")}, which this build does not know`,
    );
  }
  return {
    melBins,
    subsampling: config.subsampling_factor ?? metadataCount(metadata, "subsampling_factor") ?? SUBSAMPLING,
    normalise,
    tokensPerFrameMax: config.max_tokens_per_step ?? TOKENS_PER_FRAME_MAX,
    metadata,
  };
}

function normalisation(type = "per_feature"): NemoFacts["normalise"] | undefined {
  if (type === "per_feature") return "per-feature";
  return ["", "NA", "None"].includes(type) ? "none" : undefined;
}

async function readConfig(path: string | undefined): Promise<Config> {
  if (path === undefined) return {};
  try {
    return Config.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error).replaceAll("\n", " ") : reasonOf(error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason }, error);
  }
}
