/**
 * NeMo's transducer networks behind the encoder, in both published layouts: `decoder_joint-model.onnx` (NeMo's own and
 * onnx-asr's exports), or `decoder.onnx` and `joiner.onnx` (sherpa-onnx's), where the state's names differ between
 * exports and its place tells.
 */
import { SyrinxError } from "../../base/errors.js";
import { type DeclaredTensor, type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import { metadataCount } from "../../gpu/onnx-metadata.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { type RowTensor, RowTensors } from "../../gpu/row-tensors.js";
import { integerTypeOf } from "../../gpu/tensors.js";
import { firstRun, fixedDim, inputOf, type ModelFolder } from "./model-folder.js";
import type { NemoFacts } from "./nemo-facts.js";
import type { TokenTable } from "./token-table.js";
import type { TokenDecoder } from "./transcriber.js";
import { type TransducerTranscriber, transducerDecoder } from "./transducer.js";
import { FusedNetwork, RecurrentPredictor, SplitNetwork, type TransducerNetwork } from "./transducer-network.js";

/** Both of them: what goes in and what comes out beside the state. */
const TARGETS = ["targets", "target_length"] as const;
const PREDICTED = ["outputs", "prednet_lengths"] as const;
/** Durations that a token-and-duration model may have. More would be another kind of model. */
const DURATIONS_MAX = 16;

interface Opened {
  readonly network: TransducerNetwork;
  /** The file that gives the logits. */
  readonly model: OnnxModel;
}

interface Context {
  readonly family: string;
  readonly table: TokenTable;
  readonly facts: NemoFacts;
  /** Width of an encoder frame. */
  readonly width: number;
}

/** Loads and checks. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH. */
export async function openNemoDecoder(
  files: ModelFolder,
  context: Context,
): Promise<TokenDecoder<TransducerTranscriber>> {
  const opened = files.has("decoder_joint") ? await openFused(files, context) : await openSplit(files, context);
  await checkLogits(opened, context);
  const { table, facts } = context;
  const symbolCount = table.pieces.length;
  return transducerDecoder(opened.network, {
    blank: table.blank,
    symbolCount,
    tokensPerFrameMax: facts.tokensPerFrameMax,
  });
}

async function openFused(files: ModelFolder, { family, table, facts, width }: Context): Promise<Opened> {
  const model = await files.model("decoder_joint");
  const states = recurrentStates(model, family, facts.metadata, [
    { name: "encoder_outputs", type: "float32", dims: [null, width, null] },
  ]);
  const names = { ...targetNames(model), frames: "encoder_outputs", logits: "outputs" };
  return { network: new FusedNetwork(model, names, new RowTensors(states), table.blank), model };
}

async function openSplit(files: ModelFolder, { family, table, facts, width }: Context): Promise<Opened> {
  const predictor = await files.model("decoder");
  const states = recurrentStates(predictor, family, facts.metadata, []);
  const joiner = await files.model("joiner");
  expectTensors(joiner, family, {
    inputs: [
      { name: "encoder_outputs", type: "float32", dims: [null, width, null] },
      { name: "decoder_outputs", type: "float32", dims: [null, null, null] },
    ],
    outputs: [{ name: "outputs", type: "float32", dims: [null, null, null, null] }],
  });
  const names = { ...targetNames(predictor), output: "outputs" };
  const recurrent = new RecurrentPredictor(predictor, names, new RowTensors(states), table.blank);
  const joint = { frames: "encoder_outputs", predicted: "decoder_outputs", logits: "outputs", rank: 3 } as const;
  return { network: new SplitNetwork(recurrent, joiner, joint), model: joiner };
}

function targetNames(model: OnnxModel) {
  return {
    targets: TARGETS[0],
    targetLength: TARGETS[1],
    targetType: integerTypeOf(inputOf(model, TARGETS[0])),
    lengthType: integerTypeOf(inputOf(model, TARGETS[1])),
  };
}

/**
 * The two tensors [layers, batch, width] of an LSTM: inputs and outputs that are no other known ones, in their order.
 * Throws MODEL_TENSORS_MISMATCH for all that is not as expected.
 */
function recurrentStates(
  model: OnnxModel,
  family: string,
  metadata: ReadonlyMap<string, string>,
  more: readonly ExpectedTensor[],
): RowTensor[] {
  const known = [...TARGETS, ...more.map(({ name }) => name)];
  const before = without(model.inputs, known);
  const after = without(model.outputs, PREDICTED);
  const { targetType, lengthType } = targetNames(model);
  const stateOf = (name: string): ExpectedTensor => ({ name, type: "float32", dims: [null, null, null] });
  expectTensors(model, family, {
    inputs: [
      ...more,
      { name: TARGETS[0], type: targetType, dims: [null, null] },
      { name: TARGETS[1], type: lengthType, dims: [null] },
      ...[0, 1].map((i) => stateOf(before[i]?.name ?? `input_states_${i + 1}`)),
    ],
    outputs: [
      { name: PREDICTED[0], type: "float32", dims: more.length > 0 ? [null, null, null, null] : [null, null, null] },
      ...[0, 1].map((i) => stateOf(after[i]?.name ?? `output_states_${i + 1}`)),
    ],
  });
  return before.map((input, i) => {
    const layers = fixedDim(input, 0) ?? metadataCount(metadata, "pred_rnn_layers");
    const width = fixedDim(input, 2) ?? metadataCount(metadata, "pred_hidden");
    if (layers === undefined || width === undefined) {
      const difference = `input ${input.name}: expected a fixed number of layers and a fixed width, found them free`;
      throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family, difference });
    }
    return { name: input.name, next: after[i]!.name, type: "float32", rowDims: [layers, width], batchAxis: 1 };
  });
}

function without(tensors: readonly DeclaredTensor[], known: readonly string[]): DeclaredTensor[] {
  return tensors.filter(({ name }) => !known.includes(name));
}

/** One step over a silent frame: it shows that the files run, and how many logits they give. */
async function checkLogits({ network, model }: Opened, { family, table, width }: Context): Promise<void> {
  const frame = new Float32Array(width);
  const { length } = await firstRun(model, () => network.step([{ row: network.createRow(), frame }]));
  const symbolCount = table.pieces.length;
  if (length >= symbolCount && length <= symbolCount + DURATIONS_MAX) return;
  const difference = `output outputs: expected logits of ${symbolCount} symbols as in ${table.path}, and of durations, found ${length}`;
  throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family, difference });
}
