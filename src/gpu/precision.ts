/** What a device cannot compute with, known from a file's operators before it is loaded. */
import { SyrinxError } from "../base/errors.js";
import { type Device, deviceName } from "./devices.js";
import type { OnnxFile } from "./onnx-file.js";

/**
 * Operators that compute in 8-bit integers. `DequantizeLinear` alone is not one: it unpacks small weights into floats.
 * `com.microsoft` holds ONNX Runtime's own.
 */
const INT8_OPERATOR =
  /^(QLinear\w+|ConvInteger|MatMulInteger|DynamicQuantizeLinear|QuantizeLinear|com\.microsoft::(QLinear\w+|QGemm|QMoE|QAttention|QOrdered\w+|QuantizeLinear|DynamicQuantize(MatMul|LSTM)|MatMulInteger\w*))$/;

/** Devices whose providers leave most of those operators to the CPU, with a copy to it and back for each. */
const WITHOUT_INT8: readonly string[] = ["cuda", "webgpu"];

/** The operators of a file that compute in 8-bit integers, each once. */
export function int8Operators({ operators }: Pick<OnnxFile, "operators">): string[] {
  return [...operators.keys()].filter((type) => INT8_OPERATOR.test(type));
}

/** Throws DEVICE_PRECISION for an int8 file on a device that would leave its steps to the CPU. */
export function refuseInt8(file: Pick<OnnxFile, "operators" | "path">, device: Device): void {
  if (!WITHOUT_INT8.includes(device.kind)) return;
  const operators = int8Operators(file);
  if (operators.length === 0) return;
  const detail = { path: file.path, device: deviceName(device), operators: operators.slice(0, 4).join(", ") };
  throw new SyrinxError("DEVICE_PRECISION", detail);
}
