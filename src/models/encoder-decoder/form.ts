/**
 * The forms in which decoders with a cache are published, as one description: which file runs first and which later, and
 * how what one step says comes back as an input of the next. Names, types and sizes are read from the files.
 *
 * - Merged: one file with both branches, told apart by `use_cache_branch`, or by pasts of length 0 alone.
 * - Two files: a decoder without pasts, and one with.
 *
 * Families that are published in yet another form describe it themselves.
 */
import { SyrinxError } from "../../base/errors.js";
import type { OnnxTensors } from "../../gpu/batch-buffers.js";
import { type DeclaredTensor, type ExpectedTensor, expectTensors } from "../../gpu/expect-tensors.js";
import type { OnnxModel } from "../../gpu/onnx-model.js";
import { boolTensor, type FloatType, type IntegerType, integerTypeOf, isFloatType } from "../../gpu/tensors.js";

/** An output that is an input of the next step. */
export interface Carried {
  readonly input: string;
  readonly output: string;
  /** What the first file calls the output, if not the same. */
  readonly firstOutput?: string;
  readonly batchAxis: number;
  /** What the encoder heard: the first step says it, and all later ones are given the same. */
  readonly isFixed: boolean;
  /** What the first step is given, if its file has the input: zeros, in these dimensions for so many rows; mostly none. */
  readonly first?: { readonly type: FloatType; dims(rows: number): readonly number[] };
}

/** What a step's further inputs may depend on. */
export interface StepState {
  readonly isFirst: boolean;
  /** Tokens of a row, those of this step included. */
  readonly tokenCount: number;
  /** Those of the steps before. */
  readonly tokensBefore: number;
}

export interface DecoderFile {
  readonly model: OnnxModel;
  readonly tokens: { readonly name: string; readonly type: IntegerType };
  readonly logits: string;
  /** What the file calls inputs of what the encoder heard, if not as they are known. */
  readonly heard?: Readonly<Record<string, string>>;
}

export interface DecoderForm {
  readonly first: DecoderFile;
  readonly later: DecoderFile;
  readonly carried: readonly Carried[];
  /** Outputs of either file that somebody wants to see at each step. */
  readonly watched?: readonly string[];
  /** Rows that the files take at once. */
  readonly batchMax: number;
  /** Inputs that are neither tokens nor carried nor what the encoder heard. */
  extras(step: StepState): OnnxTensors;
}

const KEY_VALUE = /^past_key_values\.\d+\.(decoder|encoder)\.(key|value)$/;

/** Throws MODEL_TENSORS_MISMATCH. */
export function mergedForm(model: OnnxModel, family: string): DecoderForm {
  const pasts = keyValues(model);
  const hasBranch = model.inputs.some(({ name }) => name === "use_cache_branch");
  const branch: ExpectedTensor[] = hasBranch ? [{ name: "use_cache_branch", type: "bool", dims: [1] }] : [];
  expectTensors(model, family, {
    inputs: [expectedTokens(model), ...expectedHeard(model, true), ...expectedPasts(model, pasts), ...branch],
    outputs: [expectedLogits(model), ...expectedPresents(pasts)],
  });
  const file = fileOf(model);
  return {
    first: file,
    later: file,
    carried: pasts.map((past) => ({ ...carriedOf(past), first: emptyOf(past, model.path, family) })),
    batchMax: Number.POSITIVE_INFINITY,
    extras: ({ isFirst }): OnnxTensors => (hasBranch ? { use_cache_branch: boolTensor(!isFirst, [1]) } : {}),
  };
}

/** Throws MODEL_TENSORS_MISMATCH. */
export function twoFileForm(first: OnnxModel, later: OnnxModel, family: string): DecoderForm {
  const pasts = keyValues(later);
  expectTensors(later, family, {
    inputs: [expectedTokens(later, null), ...expectedHeard(later, false), ...expectedPasts(later, pasts)],
    outputs: [expectedLogits(later), ...expectedPresents(pasts.filter((past) => !carriedOf(past).isFixed))],
  });
  expectTensors(first, family, {
    inputs: [expectedTokens(first), ...expectedHeard(first, true)],
    outputs: [expectedLogits(first), ...expectedPresents(pasts)],
  });
  return {
    first: fileOf(first),
    later: fileOf(later),
    carried: pasts.map(carriedOf),
    batchMax: Number.POSITIVE_INFINITY,
    extras: () => ({}),
  };
}

function fileOf(model: OnnxModel): DecoderFile {
  return { model, tokens: { name: "input_ids", type: integerTypeOf(inputOf(model, "input_ids")) }, logits: "logits" };
}

const inputOf = ({ inputs }: OnnxModel, input: string) => inputs.find(({ name }) => name === input);

function keyValues(model: OnnxModel): DeclaredTensor[] {
  return model.inputs.filter(({ name }) => KEY_VALUE.test(name));
}

const presentOf = (past: string): string => past.replace("past_key_values", "present");

function carriedOf({ name }: DeclaredTensor): Carried {
  return { input: name, output: presentOf(name), batchAxis: 0, isFixed: KEY_VALUE.exec(name)?.[1] === "encoder" };
}

function emptyOf({ name, type, dims }: DeclaredTensor, path: string, family: string): Carried["first"] {
  const [, heads, , size] = dims;
  if (typeof heads !== "number" || typeof size !== "number" || !isFloatType(type)) {
    const difference = `input ${name}: expected fixed numbers of heads and of values in each, found free ones`;
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path, family, difference });
  }
  return { type, dims: (rows) => [rows, heads, 0, size] };
}

/** A tensor's float type as declared; float32, so that the difference is told, if it has none. */
export function floatTypeOf(tensors: readonly DeclaredTensor[], name: string): FloatType {
  const type = tensors.find((tensor) => tensor.name === name)?.type ?? "";
  return isFloatType(type) ? type : "float32";
}

function expectedTokens(model: OnnxModel, count: string | null = "tokens"): ExpectedTensor {
  return { name: "input_ids", type: integerTypeOf(inputOf(model, "input_ids")), dims: ["batch", count] };
}

function expectedLogits(model: OnnxModel): ExpectedTensor {
  return { name: "logits", type: floatTypeOf(model.outputs, "logits"), dims: ["batch", null, null] };
}

/** What the encoder heard; a decoder with pasts may know it from them, and masks are for those that want one. */
function expectedHeard({ inputs }: OnnxModel, isRequired: boolean): ExpectedTensor[] {
  const has = (input: string): boolean => inputs.some(({ name }) => name === input);
  const states = "encoder_hidden_states";
  const mask = "encoder_attention_mask";
  const expected: ExpectedTensor[] = [];
  if (isRequired || has(states)) {
    expected.push({ name: states, type: floatTypeOf(inputs, states), dims: ["batch", null, null] });
  }
  if (has(mask)) expected.push({ name: mask, type: "int64", dims: ["batch", "samples"] });
  return expected;
}

function expectedPasts({ inputs }: OnnxModel, pasts: readonly DeclaredTensor[]): ExpectedTensor[] {
  const names = pasts.length > 0 ? pasts.map(({ name }) => name) : ["past_key_values.0.decoder.key"];
  return names.map((name) => {
    const length = KEY_VALUE.exec(name)?.[1] === "decoder" ? "past" : null;
    return { name, type: floatTypeOf(inputs, name), dims: ["batch", null, length, null] };
  });
}

/** Of the same type as the pasts that they become. */
function expectedPresents(pasts: readonly DeclaredTensor[]): ExpectedTensor[] {
  return pasts.map(({ name, type }) => ({ name: presentOf(name), type, dims: [null, null, null, null] }));
}
