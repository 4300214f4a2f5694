/**
 * The `nemo-tdt` family: NeMo's recognisers with a transducer behind the encoder, with durations (TDT: Parakeet TDT v2 and
 * v3) or without (RNNT), in both published layouts: `encoder-model.onnx`, `decoder_joint-model.onnx` and `vocab.txt`
 * (onnx-asr's), or `encoder.onnx`, `decoder.onnx`, `joiner.onnx` and `tokens.txt` (sherpa-onnx's). The encoder takes
 * `audio_signal` f32 [batch, 80 or 128, frames] and `length`, and gives `outputs` f32 [batch, width, frames / 8].
 */
import { resolve } from "node:path";
import type { z } from "zod";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { NemoMel } from "./front-ends/nemo-mel.js";
import { ModelFolder } from "./stt/model-folder.js";
import { openNemoDecoder } from "./stt/nemo-decoder.js";
import { readNemoFacts } from "./stt/nemo-facts.js";
import { segmentRecogniser } from "./stt/recognisers.js";
import { SEGMENT_ENCODER_TRIAL, SegmentEncoder } from "./stt/segment-encoder.js";
import { NEMO_TOKEN_FILES, nemoSegmentOptions } from "./stt/segment-options.js";
import { readTokenTable } from "./stt/token-table.js";

const NAME = "nemo-tdt";

export const nemoTdtFamily = defineFamily({
  name: NAME,
  task: "stt",
  options: nemoSegmentOptions,
  open: (
    { folder, precision, partialMs }: z.infer<typeof nemoSegmentOptions>,
    context: FamilyContext,
  ): Promise<SttModel> =>
    ModelFolder.use(resolve(context.baseFolder, folder), precision, context, (files) =>
      load(files, partialMs, context),
    ),
});

async function load(files: ModelFolder, partialMs: number, context: FamilyContext): Promise<SttModel> {
  const table = await readTokenTable(files.expectFile(...NEMO_TOKEN_FILES));
  const model = await files.model("encoder", SEGMENT_ENCODER_TRIAL);
  const facts = await readNemoFacts(files, model);
  const output = { name: "outputs", lengths: "encoded_lengths", isTimeLast: true } as const;
  const encoder = new SegmentEncoder(model, NAME, facts, output, context.batchMax);
  const width = await encoder.warm();
  const decoder = await openNemoDecoder(files, { family: NAME, table, facts, width });
  const { melBins, subsampling } = facts;
  const parts = { files, analysis: new NemoMel(melBins), table, subsampling, decoder, context };
  return segmentRecogniser(parts, encoder, partialMs);
}
