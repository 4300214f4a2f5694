/**
 * Moonshine as its makers first published it (`UsefulSensors/moonshine`, `onnx/tiny` and `onnx/base`) and sherpa-onnx still
 * does: `preprocess`, `encode`, `uncached_decode`, `cached_decode`. Names of tensors are an exporter's numbers, so what a
 * tensor is goes by its place (github.com/k2-fsa/sherpa-onnx, scripts/moonshine/test.py):
 *
 * - preprocess: samples f32 [batch, n] → features f32 [batch, frames, width]
 * - encode: features, the number of frames int32 [1] → what was heard f32 [batch, frames, width]
 * - uncached_decode: token int32 [batch, 1], what was heard, the number of tokens so far int32 [1] → logits f32 [batch, 1,
 *   vocabulary], and keys and values
 * - cached_decode: the same, and the keys and values of the step before → the same
 *
 * Nobody says that a batch may have more than one row. So two are tried against each alone, on noise, before it has.
 */
import { seeded } from "../../base/prng.js";
import type { OnnxTensor } from "../../gpu/batch-buffers.js";
import { type DeclaredTensor, type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { float32Tensor, integerTensor, integerTypeOf } from "../../gpu/tensors.js";
import { CachedDecoder, type Heard } from "../encoder-decoder/cached-decoder.js";
import type { Carried, DecoderFile, DecoderForm } from "../encoder-decoder/form.js";
import { opening } from "../encoder-decoder/open.js";
import type { FamilyContext } from "../family.js";
import { type FileSearch, findOnnxFile, tryOnnxFile } from "../model-folder.js";
import { MOONSHINE, type OpenMoonshine, SAMPLES_MIN } from "./open-moonshine.js";

const HEARD = "encoder_hidden_states";
/** Relative to the largest logit. Beyond: rows see each other, or are not rows. */
const DIFFERENCE_MAX = 1e-3;

/** Whether a folder is laid out so. */
export async function hasFourFiles(search: FileSearch): Promise<boolean> {
  return (await tryOnnxFile(search, "preprocess")) !== undefined;
}

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID, MODEL_TENSORS_MISMATCH, DEVICE_UNAVAILABLE. */
export async function openFourFiles(search: FileSearch, context: FamilyContext): Promise<OpenMoonshine> {
  const names = ["preprocess", "encode", "uncached_decode", "cached_decode"] as const;
  const paths: string[] = [];
  for (const name of names) paths.push(await findOnnxFile(search, name));
  return opening(context, async (open) => {
    const models: OnnxModel[] = [];
    for (const path of paths) models.push(await open(path));
    const [preprocess, encode, first, later] = models as [OnnxModel, OnnxModel, OnnxModel, OnnxModel];
    expectInOrder(preprocess, ["samples"], ["features"]);
    expectInOrder(encode, ["features", "length"], ["heard"]);
    const form = decoderForm(first, later);
    const files = { device: encode.device, models, hasMasks: false, form, hear: hearing(preprocess, encode) };
    const isBatched = context.batchMax > 1 && (await rowsAreRows(files));
    context.log("info", isBatched ? "segments share steps" : "the files take one segment at a time", {
      path: first.path,
    });
    return { ...files, form: { ...form, batchMax: isBatched ? form.batchMax : 1 } };
  });
}

const KINDS = {
  samples: { rank: 2, isFloat: true },
  features: { rank: 3, isFloat: true },
  heard: { rank: 3, isFloat: true },
  logits: { rank: 3, isFloat: true },
  token: { rank: 2, isFloat: false },
  length: { rank: 1, isFloat: false },
} as const;
type Kind = keyof typeof KINDS;

/**
 * Throws MODEL_TENSORS_MISMATCH unless the tensors are of these kinds, in this order; behind them as many states, whose ranks
 * are the file's.
 */
function expectInOrder(
  model: OnnxModel,
  inputs: readonly Kind[],
  outputs: readonly Kind[],
  states = { in: 0, out: 0 },
): void {
  const expected = (found: readonly DeclaredTensor[], kinds: readonly Kind[], stateCount: number): ExpectedTensor[] =>
    Array.from({ length: kinds.length + stateCount }, (_, place) => {
      const tensor = found[place];
      const kind = kinds[place];
      const name = tensor?.name ?? kind ?? `number ${place + 1}`;
      if (kind === undefined) return { name, type: "float32", dims: (tensor?.dims ?? []).map(() => null) };
      const { rank, isFloat } = KINDS[kind];
      return { name, type: isFloat ? "float32" : integerTypeOf(tensor), dims: new Array<null>(rank).fill(null) };
    });
  expectTensors(model, MOONSHINE, {
    inputs: expected(model.inputs, inputs, states.in),
    outputs: expected(model.outputs, outputs, states.out),
  });
}

function hearing(preprocess: OnnxModel, encode: OnnxModel): OpenMoonshine["hear"] {
  const [samplesIn, featuresOut] = [preprocess.inputs[0]!.name, preprocess.outputs[0]!.name];
  const [featuresIn, length] = [encode.inputs[0]!.name, encode.inputs[1]!];
  const heardOut = encode.outputs[0]!.name;
  return async (samples, lengths, width) => {
    const feeds = { [samplesIn]: float32Tensor(samples, [lengths.length, width]) };
    const features = (await preprocess.run(feeds, [featuresOut]))[featuresOut] as OnnxTensor;
    const frames = integerTensor(integerTypeOf(length), [features.dims[1]!], [1]);
    const outputs = await encode.run({ [featuresIn]: features, [length.name]: frames }, [heardOut]);
    return { [HEARD]: { tensor: outputs[heardOut]!, batchAxis: 0 } };
  };
}

function decoderForm(first: OnnxModel, later: OnnxModel): DecoderForm {
  const inputs = ["token", "heard", "length"] as const;
  const states = Math.max(1, later.inputs.length - inputs.length);
  expectInOrder(first, inputs, ["logits"], { in: 0, out: states });
  expectInOrder(later, inputs, ["logits"], { in: states, out: states });
  const carried = Array.from({ length: states }, (_, i): Carried => {
    const [input, output] = [later.inputs[inputs.length + i]!.name, later.outputs[1 + i]!.name];
    return { input, output, firstOutput: first.outputs[1 + i]!.name, batchAxis: 0, isFixed: false };
  });
  return {
    first: fileOf(first),
    later: fileOf(later),
    carried,
    batchMax: Number.POSITIVE_INFINITY,
    extras: ({ isFirst, tokenCount }) => {
      const length = (isFirst ? first : later).inputs[2]!;
      return { [length.name]: integerTensor(integerTypeOf(length), [tokenCount], [1]) };
    },
  };
}

function fileOf(model: OnnxModel): DecoderFile {
  const [tokens, heard] = model.inputs;
  return {
    model,
    tokens: { name: tokens!.name, type: integerTypeOf(tokens) },
    heard: { [HEARD]: heard!.name },
    logits: model.outputs[0]!.name,
  };
}

/** Whether two segments of noise in one batch say what each says alone, over two steps. */
async function rowsAreRows(files: Omit<OpenMoonshine, "form"> & { readonly form: DecoderForm }): Promise<boolean> {
  const prng = seeded(1);
  const noise = Float32Array.from({ length: 2 * SAMPLES_MIN }, () => 0.2 * (prng.next() - 0.5));
  try {
    const together = await twoSteps(files, noise, 2);
    const alone = [0, 1].map((row) => noise.slice(row * SAMPLES_MIN, (row + 1) * SAMPLES_MIN));
    const apart = [await twoSteps(files, alone[0]!, 1), await twoSteps(files, alone[1]!, 1)];
    return together.every((logits, step) => isClose(logits, [...apart[0]![step]!, ...apart[1]![step]!]));
  } catch {
    // ONNX Runtime refuses a batch that some operator of the graph cannot take.
    return false;
  }
}

async function twoSteps(
  { form, hear }: Pick<OpenMoonshine, "form" | "hear">,
  samples: Float32Array,
  rows: number,
): Promise<Float32Array[]> {
  const heard: Heard = await hear(samples, new Array<number>(rows).fill(SAMPLES_MIN), SAMPLES_MIN);
  const decoder = new CachedDecoder(form, heard, rows);
  const tokens = Array.from({ length: rows }, () => [1]);
  const first = Float32Array.from((await decoder.step(tokens)).data);
  return [first, Float32Array.from((await decoder.step(tokens)).data)];
}

function isClose(found: Float32Array, expected: readonly number[]): boolean {
  if (found.length !== expected.length) return false;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return found.every((value, i) => Math.abs(value - expected[i]!) <= DIFFERENCE_MAX * largest);
}
