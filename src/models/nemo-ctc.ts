/**
 * The `nemo-ctc` family: NeMo's Conformer and FastConformer recognisers with a CTC output, Parakeet CTC among them, as
 * exported by NeMo, onnx-asr or sherpa-onnx: `model.onnx` (or `model.int8.onnx`) and `tokens.txt` or `vocab.txt`. Input
 * `audio_signal` f32 [batch, 80 or 128, frames] and `length`, output `logprobs` f32 [batch, frames / 8, symbols].
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { NEMO_SHIFT_SAMPLES, NemoMel } from "./front-ends/nemo-mel.js";
import { SegmentStream } from "./stt/encoded-stream.js";
import { folderOption, ModelFolder, precisionOption } from "./stt/model-folder.js";
import { readNemoFacts } from "./stt/nemo-facts.js";
import { SegmentEncoder } from "./stt/segment-encoder.js";
import { NEMO_TOKEN_FILES, partialLagSamples, partialOption, partialSamples } from "./stt/segment-options.js";
import { StagedModel } from "./stt/staged-model.js";
import { readTokenTable } from "./stt/token-table.js";
import { CtcTranscriber } from "./stt/transcriber.js";

const NAME = "nemo-ctc";

const options = z.strictObject({ folder: folderOption, precision: precisionOption, partialMs: partialOption });

export const nemoCtcFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: ({ folder, precision, partialMs }: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> =>
    ModelFolder.use(resolve(context.baseFolder, folder), precision, context, (files) =>
      load(files, partialMs, context),
    ),
});

async function load(files: ModelFolder, partialMs: number, { batchMax }: FamilyContext): Promise<SttModel> {
  const table = await readTokenTable(files.expectFile(...NEMO_TOKEN_FILES));
  const model = await files.model("model");
  const facts = await readNemoFacts(files, model);
  const output = { name: "logprobs", lengths: undefined, isTimeLast: false } as const;
  const encoder = new SegmentEncoder(model, NAME, facts, output, batchMax);
  const symbolCount = await encoder.warm();
  if (symbolCount !== table.pieces.length) {
    const difference = `output logprobs: expected ${table.pieces.length} symbols as in ${table.path}, found ${symbolCount}`;
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family: NAME, difference });
  }
  const analysis = new NemoMel(facts.melBins);
  const encoderFrameSamples = facts.subsampling * NEMO_SHIFT_SAMPLES;
  return new StagedModel<SegmentStream<CtcTranscriber>>({
    device: files.device,
    description: files.description,
    lagSamples: partialLagSamples(partialMs),
    encoderBatchMax: encoder.batchMax,
    decoderBatchMax: batchMax,
    first: "encoder",
    create: () =>
      new SegmentStream(
        { analysis, transcriber: new CtcTranscriber(table.blank), table, encoderFrameSamples },
        partialSamples(partialMs),
      ),
    encode: (batch) => encoder.encode(batch),
    decode: async () => {},
    release: () => files.release(),
  });
}
