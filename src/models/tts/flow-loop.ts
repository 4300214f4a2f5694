/**
 * The engine of voices that begin with noise and remove it in a few steps (flow matching). The rows of a batch are tensors
 * with the batch in front. Between two steps a row that went stale leaves: the others go on in a smaller batch.
 */
import type { OnnxTensor, OnnxTensors } from "../../gpu/batch-buffers.js";
import { float32Tensor, floatsOf } from "../../gpu/tensors.js";

/** f32 [batch, …] of each name: what is fed at every step, and what the steps refine. */
export interface FlowState {
  readonly latent: OnnxTensor;
  readonly conditions: OnnxTensors;
}

export interface FlowResult {
  /** Of the rows that are left. */
  readonly latent: OnnxTensor;
  /** Their indices in the batch that came in. Empty if all went stale. */
  readonly rows: readonly number[];
}

/**
 * Refines noise in `stepCount` steps.
 * @param step from a latent, its conditions and how many steps came before to the next latent
 * @param isStale is asked before each step
 */
export async function refine(
  { latent: noise, conditions: given }: FlowState,
  stepCount: number,
  step: (latent: OnnxTensor, conditions: OnnxTensors, index: number) => Promise<OnnxTensor>,
  isStale: (row: number) => boolean,
): Promise<FlowResult> {
  let latent = noise;
  let conditions = given;
  let rows = Array.from({ length: noise.dims[0]! }, (_, row) => row);
  for (let index = 0; index < stepCount; index += 1) {
    const kept = rows.flatMap((row, at) => (isStale(row) ? [] : [at]));
    if (kept.length === 0) return { latent, rows: [] };
    if (kept.length < rows.length) {
      latent = keepRows(latent, kept);
      conditions = Object.fromEntries(Object.entries(conditions).map(([name, each]) => [name, keepRows(each, kept)]));
      rows = kept.map((at) => rows[at]!);
    }
    latent = await step(latent, conditions, index);
  }
  return { latent, rows };
}

/** The rows at `kept` of an f32 tensor with the batch in front. */
export function keepRows(tensor: OnnxTensor, kept: readonly number[]): OnnxTensor {
  const data = floatsOf(tensor);
  const rowFloats = data.length / tensor.dims[0]!;
  const rows = new Float32Array(kept.length * rowFloats);
  for (const [at, row] of kept.entries()) {
    rows.set(data.subarray(row * rowFloats, (row + 1) * rowFloats), at * rowFloats);
  }
  return float32Tensor(rows, [kept.length, ...tensor.dims.slice(1)]);
}
