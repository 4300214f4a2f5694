/**
 * The `zipformer` family: icefall's streaming Zipformer 2 as exported for sherpa-onnx, with a transducer whose predictor
 * looks at the last tokens (`encoder….onnx`, `decoder….onnx`, `joiner….onnx`) or a CTC output (`ctc….onnx`), and
 * `tokens.txt`. The encoder takes `x` f32 [batch, T, 80] and six caches for each layer, some of them with the batch on
 * axis 1, and gives `encoder_out` f32 [batch, T', width] and the caches' next values as `new_…`.
 *
 * A window has `T` frames and moves on by `decode_chunk_len`; the difference is what the network looks ahead.
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../base/errors.js";
import { expectTensors } from "../gpu/expect-tensors.js";
import { metadataCount, readOnnxMetadata } from "../gpu/onnx-metadata.js";
import type { OnnxModel } from "../gpu/onnx-model.js";
import type { RowTensor } from "../gpu/row-tensors.js";
import { integerTypeOf } from "../gpu/tensors.js";
import { defineFamily, type FamilyContext, type SttModel } from "./family.js";
import { IcefallFbank } from "./front-ends/icefall-fbank.js";
import type { Windows } from "./stt/encoded-stream.js";
import { firstRun, fixedDim, folderOption, inputOf, ModelFolder, precisionOption } from "./stt/model-folder.js";
import { windowRecogniser } from "./stt/recognisers.js";
import { expectSymbols, readTokenTable, type TokenTable } from "./stt/token-table.js";
import { ctcDecoder, type TokenDecoder } from "./stt/transcriber.js";
import { type TransducerTranscriber, transducerDecoder } from "./stt/transducer.js";
import { SplitNetwork, StatelessPredictor } from "./stt/transducer-network.js";
import { WindowEncoder, type WindowLayout } from "./stt/window-encoder.js";

const NAME = "zipformer";
const BINS = 80;
/** Feature frames of 10 ms that one encoder frame stands for. */
const SUBSAMPLING = 4;
/** icefall's greedy search takes one token of a frame. */
const TOKENS_PER_FRAME_MAX = 1;
/** Silence behind the last frame: icefall's own 0.3 s. */
const FLUSH_FRAMES = 30;
const CONTEXT_SIZE = 2;

const options = z.strictObject({ folder: folderOption, precision: precisionOption });

export const zipformerFamily = defineFamily({
  name: NAME,
  task: "stt",
  options,
  open: ({ folder, precision }: z.infer<typeof options>, context: FamilyContext): Promise<SttModel> =>
    ModelFolder.use(resolve(context.baseFolder, folder), precision, context, (files) => load(files, context)),
});

async function load(files: ModelFolder, context: FamilyContext): Promise<SttModel> {
  const table = await readTokenTable(files.expectFile("tokens.txt"));
  const isCtc = files.has("ctc");
  const model = await files.model(isCtc ? "ctc" : "encoder");
  const windows = windowsOf(model, await readOnnxMetadata(model.path));
  const encoder = new WindowEncoder(model, NAME, layoutOf(model, isCtc), windows, context.batchMax);
  const width = await encoder.warm();
  const parts = { files, analysis: new IcefallFbank(BINS), table, subsampling: SUBSAMPLING, context };
  if (!isCtc) return windowRecogniser({ ...parts, decoder: await openDecoder(files, table, width) }, encoder);
  expectSymbols(table, width, { model, family: NAME, output: "log_probs" });
  return windowRecogniser({ ...parts, decoder: ctcDecoder(table.blank) }, encoder);
}

function invalid(model: OnnxModel, reason: string): SyrinxError {
  return new SyrinxError("MODEL_FILE_INVALID", { path: model.path, reason });
}

function windowsOf(model: OnnxModel, metadata: ReadonlyMap<string, string>): Windows {
  const type = metadata.get("model_type") ?? "zipformer2";
  if (!type.startsWith("zipformer2")) throw invalid(model, `its model_type is ${type}, this build knows zipformer2`);
  const feature = metadata.get("feature") ?? "";
  if (feature !== "") throw invalid(model, `it wants features of ${feature}, this build computes Kaldi's`);
  const frames = metadataCount(metadata, "T");
  const shift = metadataCount(metadata, "decode_chunk_len");
  if (frames === undefined || shift === undefined || shift > frames) {
    throw invalid(model, "its metadata does not give T and decode_chunk_len: is it a streaming export?");
  }
  return { frames, shift, lead: 0, flush: FLUSH_FRAMES };
}

/** Where the batch stands in a cache, by its name; undefined for what is none. */
function batchAxisOf(name: string): 0 | 1 | undefined {
  if (/^cached_(key|nonlin_attn|val1|val2)_\d+$/.test(name)) return 1;
  return /^(cached_conv[12]_\d+|embed_states|processed_lens)$/.test(name) ? 0 : undefined;
}

function layoutOf(model: OnnxModel, isCtc: boolean): WindowLayout {
  const caches = model.inputs.flatMap(({ name, type, dims }): RowTensor[] => {
    const batchAxis = batchAxisOf(name);
    if (batchAxis === undefined) return [];
    const rowDims = dims.filter((_, axis) => axis !== batchAxis);
    if (!rowDims.every((dim) => typeof dim === "number")) throw invalid(model, `its input ${name} has no fixed size`);
    return [{ name, next: `new_${name}`, type: type === "int64" ? type : "float32", rowDims, batchAxis }];
  });
  if (caches.length === 0) throw invalid(model, "it has no caches: is it a streaming export?");
  const output = isCtc ? "log_probs" : "encoder_out";
  return { input: "x", bins: BINS, isTimeLast: false, output, isOutputTimeLast: false, caches };
}

async function openDecoder(
  files: ModelFolder,
  table: TokenTable,
  width: number,
): Promise<TokenDecoder<TransducerTranscriber>> {
  const decoder = await files.model("decoder");
  const tokenType = integerTypeOf(inputOf(decoder, "y"));
  const contextSize =
    fixedDim(inputOf(decoder, "y"), 1) ??
    metadataCount(await readOnnxMetadata(decoder.path), "context_size") ??
    CONTEXT_SIZE;
  expectTensors(decoder, NAME, {
    inputs: [{ name: "y", type: tokenType, dims: [null, contextSize] }],
    outputs: [{ name: "decoder_out", type: "float32", dims: [null, null] }],
  });
  const joiner = await files.model("joiner");
  expectTensors(joiner, NAME, {
    inputs: [
      { name: "encoder_out", type: "float32", dims: [null, width] },
      { name: "decoder_out", type: "float32", dims: [null, null] },
    ],
    outputs: [{ name: "logit", type: "float32", dims: [null, null] }],
  });
  const names = { tokens: "y", tokenType, output: "decoder_out", contextSize };
  const joint = { frames: "encoder_out", predicted: "decoder_out", logits: "logit", rank: 2 } as const;
  const network = new SplitNetwork(new StatelessPredictor(decoder, names, table.blank), joiner, joint);
  const frame = new Float32Array(width);
  const logits = await firstRun(joiner, () => network.step([{ row: network.createRow(), frame }]));
  expectSymbols(table, logits.length, { model: joiner, family: NAME, output: "logit" });
  const { blank, pieces } = table;
  return transducerDecoder(network, { blank, symbolCount: pieces.length, tokensPerFrameMax: TOKENS_PER_FRAME_MAX });
}
