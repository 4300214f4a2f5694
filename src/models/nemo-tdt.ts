/**
 * The `nemo-tdt` family: NeMo's recognisers with a transducer behind the encoder, with durations (TDT: Parakeet TDT v2 and
 * v3) or without (RNNT), in both published layouts: `encoder-model.onnx`, `decoder_joint-model.onnx` and `vocab.txt`
 * (onnx-asr's), or `encoder.onnx`, `decoder.onnx`, `joiner.onnx` and `tokens.txt` (sherpa-onnx's). The encoder takes
 * `audio_signal` f32 [batch, 80 or 128, frames] and `length`, and gives `outputs` f32 [batch, width, frames / 8].
 */
import { resolve } from "node:path";
import { z } from "zod";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { NEMO_SHIFT_SAMPLES, NemoMel } from "./front-ends/nemo-mel.js";
import { SegmentStream } from "./stt/encoded-stream.js";
import { folderOption, ModelFolder, precisionOption } from "./stt/model-folder.js";
import { openNemoDecoder } from "./stt/nemo-decoder.js";
import { readNemoFacts } from "./stt/nemo-facts.js";
import { SegmentEncoder } from "./stt/segment-encoder.js";
import { NEMO_TOKEN_FILES, partialLagSamples, partialOption, partialSamples } from "./stt/segment-options.js";
import { StagedModel } from "./stt/staged-model.js";
import { readTokenTable } from "./stt/token-table.js";
import { stepTransducers, TransducerTranscriber } from "./stt/transducer.js";

const NAME = "nemo-tdt";

const options = z.strictObject({ folder: folderOption, precision: precisionOption, partialMs: partialOption });

export const nemoTdtFamily = defineFamily({
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
  const model = await files.model("encoder");
  const facts = await readNemoFacts(files, model);
  const output = { name: "outputs", lengths: "encoded_lengths", isTimeLast: true } as const;
  const encoder = new SegmentEncoder(model, NAME, facts, output, batchMax);
  const width = await encoder.warm();
  const { network } = await openNemoDecoder(files, { family: NAME, table, metadata: facts.metadata, width });
  const analysis = new NemoMel(facts.melBins);
  const encoderFrameSamples = facts.subsampling * NEMO_SHIFT_SAMPLES;
  const { tokensPerFrameMax } = facts;
  const rules = { blank: table.blank, symbolCount: table.pieces.length, tokensPerFrameMax };
  return new StagedModel<SegmentStream<TransducerTranscriber>>({
    device: files.device,
    description: files.description,
    lagSamples: partialLagSamples(partialMs),
    encoderBatchMax: encoder.batchMax,
    decoderBatchMax: batchMax,
    first: "encoder",
    create: () => {
      const transcriber = new TransducerTranscriber(network, rules);
      return new SegmentStream({ analysis, transcriber, table, encoderFrameSamples }, partialSamples(partialMs));
    },
    encode: (batch) => encoder.encode(batch),
    decode: (batch) =>
      stepTransducers(
        network,
        batch.map(({ transcriber }) => transcriber),
      ),
    release: () => files.release(),
  });
}
