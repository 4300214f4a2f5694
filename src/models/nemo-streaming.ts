/**
 * The `nemo-streaming` family: NeMo's cache-aware FastConformer, which hears a stream in chunks of the length that its
 * file was exported for (80 ms to 1.1 s), Nemotron among them, with a transducer behind it; or with a CTC output, in
 * `model.onnx`. Files as for `nemo-tdt`, with sherpa-onnx's metadata. The encoder takes `audio_signal` f32 [batch, bands,
 * window], `length` and three caches, all with the batch in front, and gives `outputs` and the caches' next values.
 *
 * A window begins with the last frames of the one before; the first with silence. Features are not normalised.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { metadataCount } from "../gpu/onnx-metadata.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import type { RowTensor, RowType } from "../gpu/row-tensors.js";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { NemoMel } from "./front-ends/nemo-mel.js";
import type { Windows } from "./stt/encoded-stream.js";
import { fixedDim, folderOption, inputOf, ModelFolder, outputOf, precisionOption } from "./stt/model-folder.js";
import { openNemoDecoder } from "./stt/nemo-decoder.js";
import { type NemoFacts, readNemoFacts } from "./stt/nemo-facts.js";
import { windowRecogniser } from "./stt/recognisers.js";
import { NEMO_TOKEN_FILES } from "./stt/segment-options.js";
import { expectSymbols, readTokenTable } from "./stt/token-table.js";
import { ctcDecoder } from "./stt/transcriber.js";
import { WindowEncoder, type WindowLayout } from "./stt/window-encoder.js";

const NAME = "nemo-streaming";
/** Silence behind the last frame, in which a transducer says what it held back. */
const FLUSH_FRAMES = 32;

const options = z.strictObject({ folder: folderOption, precision: precisionOption });

export const nemoStreamingFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: ({ folder, precision }: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> =>
    ModelFolder.use(resolve(context.baseFolder, folder), precision, context, (files) => load(files, context)),
});

async function load(files: ModelFolder, context: FamilyContext): Promise<SttModel> {
  const table = await readTokenTable(files.expectFile(...NEMO_TOKEN_FILES));
  const isCtc = files.has("model");
  const model = await files.model(isCtc ? "model" : "encoder");
  const facts = await readNemoFacts(files, model);
  if (facts.normalise !== "none") throw invalid(model, "it wants its features normalised over the whole stream");
  const windows = windowsOf(model, facts);
  const encoder = new WindowEncoder(model, NAME, layoutOf(model, facts, isCtc), windows, context.batchMax);
  const width = await encoder.warm();
  const { melBins, subsampling } = facts;
  const parts = { files, analysis: new NemoMel(melBins), table, subsampling, context };
  if (!isCtc) {
    const decoder = await openNemoDecoder(files, { family: NAME, table, facts, width });
    return windowRecogniser({ ...parts, decoder }, encoder);
  }
  expectSymbols(table, width, { model, family: NAME, output: "logprobs" });
  return windowRecogniser({ ...parts, decoder: ctcDecoder(table.blank) }, encoder);
}

function invalid(model: OnnxModel, reason: string): SyrinxError {
  return new SyrinxError("MODEL_FILE_INVALID", { path: model.path, reason });
}

function windowsOf(model: OnnxModel, { metadata }: NemoFacts): Windows {
  const frames = metadataCount(metadata, "window_size");
  const shift = metadataCount(metadata, "chunk_shift");
  if (frames === undefined || shift === undefined || shift > frames) {
    throw invalid(model, "its metadata does not give window_size and chunk_shift: is it a streaming export?");
  }
  return { frames, shift, lead: frames - shift, flush: FLUSH_FRAMES };
}

function layoutOf(model: OnnxModel, { melBins, metadata }: NemoFacts, isCtc: boolean): WindowLayout {
  const cache = (name: string, type: RowType, rank: number, ...nextNames: readonly string[]): RowTensor => {
    const next = nextNames.find((each) => outputOf(model, each) !== undefined) ?? nextNames[0]!;
    const rowDims = Array.from({ length: rank - 1 }, (_, i) => cacheDim(model, metadata, name, i + 1));
    return { name, next, type, rowDims, batchAxis: 0 };
  };
  return {
    input: "audio_signal",
    bins: melBins,
    isTimeLast: true,
    length: "length",
    output: isCtc ? "logprobs" : "outputs",
    isOutputTimeLast: !isCtc,
    outputLengths: "encoded_lengths",
    caches: [
      cache("cache_last_channel", "float32", 4, "cache_last_channel_next"),
      cache("cache_last_time", "float32", 4, "cache_last_time_next"),
      cache("cache_last_channel_len", "int64", 1, "cache_last_channel_next_len", "cache_last_channel_len_next"),
    ],
  };
}

/** As the file fixes it, or its metadata says. */
function cacheDim(model: OnnxModel, metadata: ReadonlyMap<string, string>, name: string, axis: number): number {
  const dim = fixedDim(inputOf(model, name), axis) ?? metadataCount(metadata, `${name}_dim${axis}`);
  if (dim !== undefined) return dim;
  throw invalid(model, `neither its input ${name} nor its metadata gives the size of dimension ${axis}`);
}
