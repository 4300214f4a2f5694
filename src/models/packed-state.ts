import { SyrinxError } from "../base/errors.js";
import { type ExpectedTensor, expectTensors } from "../gpu/expect-tensors.js";
import type { OnnxModel } from "../gpu/onnx-model.js";

/**
 * Checks a starter model's tensors: `pcm` and all recurrent state, packed into one tensor of a row per call, to `output`
 * and the next state. Returns the floats of a row of state; zeros are its beginning. Throws MODEL_TENSORS_MISMATCH.
 */
export function packedStateFloats(
  model: OnnxModel,
  family: string,
  { pcm, output }: { readonly pcm: ExpectedTensor; readonly output: ExpectedTensor },
): number {
  const floats = model.inputs.find(({ name }) => name === "state")?.dims[1];
  if (typeof floats === "string") {
    const difference = "input state: expected a fixed number of floats per row, found a free one";
    throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family, difference });
  }
  expectTensors(model, family, {
    inputs: [pcm, { name: "state", type: "float32", dims: ["batch", floats ?? null] }],
    outputs: [output, { name: "nextState", type: "float32", dims: ["batch", floats ?? null] }],
  });
  return floats!;
}
