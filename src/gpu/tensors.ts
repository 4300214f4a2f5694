/** Making tensors of the type that a model file declares, reading them, and taking rows out of a batch. */
import { assert } from "../base/assert.js";
import type { OnnxTensor } from "./batch-buffers.js";
import { float16Bits, float16Tensor } from "./float16.js";
import { Tensor } from "./ort.js";

export type FloatType = "float32" | "float16";
export type IntegerType = "int32" | "int64";

export function isFloatType(type: string): type is FloatType {
  return type === "float32" || type === "float16";
}

export function isIntegerType(type: string): type is IntegerType {
  return type === "int32" || type === "int64";
}

/** int64 or int32, as a file declares an input; int64 if it declares something else, which a check will tell. */
export function integerTypeOf(declared: { readonly type: string } | undefined): IntegerType {
  return declared !== undefined && isIntegerType(declared.type) ? declared.type : "int64";
}

/** Over `values` itself if it is float32; they must not change while a model runs. */
export function floatTensor(type: FloatType, values: Float32Array, dims: readonly number[]): OnnxTensor {
  if (type === "float32") return new Tensor(type, values, dims);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i += 1) halves[i] = halfOf(values[i]!);
  return float16Tensor(halves, dims);
}

/** Over `data`, which is not copied. */
export function float32Tensor(data: Float32Array, dims: readonly number[] = [data.length]): OnnxTensor {
  return new Tensor("float32", data, dims);
}

/** Integers as int64. */
export function int64Tensor(values: ArrayLike<number>, dims: readonly number[] = [values.length]): OnnxTensor {
  return new Tensor("int64", BigInt64Array.from(Array.from(values, BigInt)), dims);
}

/** All zero, or false. */
export function zeroTensor(type: string, dims: readonly number[]): OnnxTensor {
  if (type === "int64") return new Tensor("int64", new BigInt64Array(product(dims)), dims);
  if (type === "bool") return new Tensor("bool", new Uint8Array(product(dims)), dims);
  assert(type === "float32", "a state is float32, int64 or bool");
  return new Tensor("float32", new Float32Array(product(dims)), dims);
}

export function integerTensor(type: IntegerType, values: readonly number[], dims: readonly number[]): OnnxTensor {
  if (type === "int32") return new Tensor(type, Int32Array.from(values), dims);
  return new Tensor(type, BigInt64Array.from(values, BigInt), dims);
}

export function boolTensor(value: boolean, dims: readonly number[]): OnnxTensor {
  return new Tensor("bool", [value], dims);
}

/** int64 [lengths, width]: 1 for so many values of each row, 0 behind them. */
export function maskTensor(lengths: readonly number[], width: number): OnnxTensor {
  const mask = new BigInt64Array(lengths.length * width);
  for (const [row, length] of lengths.entries()) mask.fill(1n, row * width, row * width + length);
  return new Tensor("int64", mask, [lengths.length, width]);
}

/** Zeros, of which there are none if a dimension is 0: what a cache is before the first step. */
export function zeroFloats(type: FloatType, dims: readonly number[]): OnnxTensor {
  return floatTensor(type, new Float32Array(product(dims)), dims);
}

/** The values of a float tensor: its own memory if it is float32, else converted. */
export function floatsOf(tensor: OnnxTensor | undefined): Float32Array {
  assert(tensor !== undefined, "an output that was declared is there");
  const { data } = tensor;
  if (data instanceof Float32Array) return data;
  return Float32Array.from(float16Bits(tensor), (half) => HALVES[half]!);
}

/** The elements of an output of any number type. */
export function numbersOf(tensor: OnnxTensor): Float64Array {
  const { data } = tensor;
  assert(ArrayBuffer.isView(data), "an output of numbers lies in memory");
  const numbers = new Float64Array(data.length);
  for (let i = 0; i < data.length; i += 1) numbers[i] = Number(data[i]);
  return numbers;
}

/**
 * The batch that is left of a tensor if only `rows`, ascending, stay. Works in the tensor's own memory: the tensor given
 * must not be used again.
 */
export function keepRows(tensor: OnnxTensor, batchAxis: number, rows: readonly number[]): OnnxTensor {
  const batch = tensor.dims[batchAxis]!;
  if (rows.length === batch) return tensor;
  const { data } = tensor;
  assert(!Array.isArray(data), "a tensor of numbers");
  const inner = product(tensor.dims.slice(batchAxis + 1));
  const outer = product(tensor.dims.slice(0, batchAxis));
  let at = 0;
  for (let i = 0; i < outer; i += 1) {
    for (const row of rows) {
      const from = (i * batch + row) * inner;
      data.copyWithin(at, from, from + inner);
      at += inner;
    }
  }
  const dims = tensor.dims.with(batchAxis, rows.length);
  if (tensor.type === "float16") return float16Tensor(float16Bits(tensor).subarray(0, at), dims);
  return new Tensor(tensor.type, data.subarray(0, at), dims);
}

const product = (dims: readonly number[]): number => dims.reduce((total, dim) => total * dim, 1);

/** Every IEEE 754 binary16 as a number. */
const HALVES = Float32Array.from({ length: 0x1_0000 }, (_, bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
});

/** The nearest binary16, ties to even. Infinite from 65,520. */
function halfOf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  // Halves around `size` stand 2^(exponent - 10) apart; what rounds up beyond the last step carries into the exponent.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const steps = size / 2 ** (exponent - 10);
  const below = Math.floor(steps);
  const rest = steps - below;
  const rounded = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  return sign | (rounded + (exponent + 14) * 1024);
}
