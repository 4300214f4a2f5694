/**
 * The `nemo-ctc` family: NeMo's Conformer and FastConformer recognisers with a CTC output, Parakeet CTC among them, as
 * exported by NeMo, onnx-asr or sherpa-onnx: `model.onnx` (or `model.int8.onnx`) and `tokens.txt` or `vocab.txt`. Input
 * `audio_signal` f32 [batch, 80 or 128, frames] and `length`, output `logprobs` f32 [batch, frames / 8, symbols].
 */
import { resolve } from "node:path";
import type { z } from "zod";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { NemoMel } from "./front-ends/nemo-mel.js";
import { ModelFolder } from "./stt/model-folder.js";
import { readNemoFacts } from "./stt/nemo-facts.js";
import { segmentRecogniser } from "./stt/recognisers.js";
import { SEGMENT_ENCODER_TRIAL, SegmentEncoder } from "./stt/segment-encoder.js";
import { NEMO_TOKEN_FILES, nemoSegmentOptions } from "./stt/segment-options.js";
import { expectSymbols, readTokenTable } from "./stt/token-table.js";
import { ctcDecoder } from "./stt/transcriber.js";

const NAME = "nemo-ctc";

export const nemoCtcFamily = defineFamily({
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
  const model = await files.model("model", SEGMENT_ENCODER_TRIAL);
  const facts = await readNemoFacts(files, model);
  const output = { name: "logprobs", lengths: undefined, isTimeLast: false } as const;
  const encoder = new SegmentEncoder(model, NAME, facts, output, context.batchMax);
  expectSymbols(table, await encoder.warm(), { model, family: NAME, output: "logprobs" });
  const { melBins, subsampling } = facts;
  const decoder = ctcDecoder(table.blank);
  const parts = { files, analysis: new NemoMel(melBins), table, subsampling, decoder, context };
  return segmentRecogniser(parts, encoder, partialMs);
}
