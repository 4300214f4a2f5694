/** fp16 tensors by their bits. Node has no type for them before 24, and ONNX Runtime's binding does not know the one since. */
import { assert } from "../base/assert.js";
import { Tensor } from "./ort.js";

/**
 * A tensor over IEEE 754 binary16 numbers, which it does not copy. Where `Float16Array` exists, onnxruntime-common turns
 * the bits into one and onnxruntime-node 1.30 then refuses it ("not enough space: expected 8, got 0").
 */
export function float16Tensor(bits: Uint16Array, dims: readonly number[]): Tensor {
  const tensor = new Tensor("float16", bits, dims);
  if (!(tensor.data instanceof Uint16Array)) Object.defineProperty(tensor, "data", { value: bits });
  return tensor;
}

/** The bits of an fp16 tensor, as a view. */
export function float16Bits({ type, data }: Tensor): Uint16Array {
  assert(type === "float16" && ArrayBuffer.isView(data), "a tensor holds fp16 numbers");
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / Uint16Array.BYTES_PER_ELEMENT);
}
