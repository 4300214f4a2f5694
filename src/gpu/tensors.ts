/** Tensors for models whose shapes change with every run, such as voices. Steady loops use `BatchBuffers`. */
import { assert } from "../base/assert.js";
import type { OnnxTensor } from "./batch-buffers.js";
import { Tensor } from "./ort.js";

/** Over `data`, which is not copied. */
export function float32Tensor(data: Float32Array, dims: readonly number[] = [data.length]): OnnxTensor {
  return new Tensor("float32", data, dims);
}

/** Integers as int64. */
export function int64Tensor(values: ArrayLike<number>, dims: readonly number[] = [values.length]): OnnxTensor {
  return new Tensor("int64", BigInt64Array.from(Array.from(values, BigInt)), dims);
}

/** The elements of a float32 output; whoever opened the model has checked its type. */
export function floatsOf(tensor: OnnxTensor | undefined): Float32Array {
  const data = tensor?.data;
  assert(data instanceof Float32Array, "an output that was declared float32 is float32");
  return data;
}

/** The elements of an output of any number type. */
export function numbersOf(tensor: OnnxTensor): Float64Array {
  const { data } = tensor;
  assert(ArrayBuffer.isView(data), "an output of numbers lies in memory");
  const numbers = new Float64Array(data.length);
  for (let i = 0; i < data.length; i += 1) numbers[i] = Number(data[i]);
  return numbers;
}

/** All zero, or false. */
export function zeroTensor(type: string, dims: readonly number[]): OnnxTensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (type === "int64") return new Tensor("int64", new BigInt64Array(count), dims);
  if (type === "bool") return new Tensor("bool", new Uint8Array(count), dims);
  assert(type === "float32", "a state is float32, int64 or bool");
  return new Tensor("float32", new Float32Array(count), dims);
}
