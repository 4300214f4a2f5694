/**
 * Tensors of which every call has a row, such as the caches of a streaming encoder: gathered into a batch before a run
 * and given back to their calls after it. Each tensor has a type and a batch axis of its own.
 */
import { assert } from "../base/assert.js";
import type { OnnxTensor, OnnxTensors } from "./batch-buffers.js";
import { Tensor } from "./ort.js";

/** The types that rows may have; ONNX Runtime's names. */
export const ROW_TYPES = ["float32", "int64", "int32"] as const;
export type RowType = (typeof ROW_TYPES)[number];
export type RowData = Float32Array | BigInt64Array | Int32Array;

export interface RowTensor {
  /** The model's input. */
  readonly name: string;
  /** The model's output that is the input's next value; of the same type and dimensions. */
  readonly next: string;
  readonly type: RowType;
  /** Dimensions without the batch. */
  readonly rowDims: readonly number[];
  readonly batchAxis: number;
}

/** One call's rows, in the order of the tensors. */
export type Rows = readonly RowData[];

export class RowTensors {
  readonly #tensors: readonly RowTensor[];
  /** Room for the largest batch so far, per tensor. */
  #memory: RowData[];

  constructor(tensors: readonly RowTensor[]) {
    this.#tensors = tensors;
    this.#memory = tensors.map(({ type }) => allocate(type, 0));
  }

  /** The rows of a call that begins: zeros. */
  create(): Rows {
    return this.#tensors.map(({ type, rowDims }) => allocate(type, product(rowDims)));
  }

  /** Input tensors for a batch. They hold until the next `gather`. */
  gather(batch: readonly Rows[]): OnnxTensors {
    const feeds: OnnxTensors = {};
    for (const [index, tensor] of this.#tensors.entries()) {
      const needed = batch.length * product(tensor.rowDims);
      if (this.#memory[index]!.length < needed) this.#memory[index] = allocate(tensor.type, needed);
      const data = this.#memory[index]!.subarray(0, needed);
      for (const [row, rows] of batch.entries()) {
        copyRuns(tensor, batch.length, row, (target, source, length) => {
          put(data, target, rows[index]!, source, length);
        });
      }
      feeds[tensor.name] = new Tensor(tensor.type, data, withBatch(tensor, batch.length));
    }
    return feeds;
  }

  /** Takes the next values out of a run's outputs, into the batch's rows. */
  scatter(outputs: OnnxTensors, batch: readonly Rows[]): void {
    for (const [index, tensor] of this.#tensors.entries()) {
      const data = rowData(outputs[tensor.next], tensor.next);
      assert(data.length === batch.length * product(tensor.rowDims), `${tensor.next} is as large as ${tensor.name}`);
      for (const [row, rows] of batch.entries()) {
        copyRuns(tensor, batch.length, row, (source, target, length) => {
          put(rows[index]!, target, data, source, length);
        });
      }
    }
  }
}

/** Calls `copy` with where each of a row's runs lies in the batch and in the row, and the run's length. */
function copyRuns(
  { rowDims, batchAxis }: RowTensor,
  batchSize: number,
  row: number,
  copy: (inBatch: number, inRow: number, length: number) => void,
): void {
  const outer = product(rowDims.slice(0, batchAxis));
  const inner = product(rowDims.slice(batchAxis));
  for (let i = 0; i < outer; i += 1) copy((i * batchSize + row) * inner, i * inner, inner);
}

function put(target: RowData, at: number, source: RowData, from: number, length: number): void {
  const part = source.subarray(from, from + length);
  if (target instanceof BigInt64Array && part instanceof BigInt64Array) target.set(part, at);
  else if (target instanceof Int32Array && part instanceof Int32Array) target.set(part, at);
  else if (target instanceof Float32Array && part instanceof Float32Array) target.set(part, at);
  else assert(false, "an input and its next value have one type");
}

function allocate(type: RowType, length: number): RowData {
  if (type === "int64") return new BigInt64Array(length);
  return type === "int32" ? new Int32Array(length) : new Float32Array(length);
}

function withBatch({ rowDims, batchAxis }: RowTensor, batchSize: number): number[] {
  return [...rowDims.slice(0, batchAxis), batchSize, ...rowDims.slice(batchAxis)];
}

const product = (dims: readonly number[]): number => dims.reduce((total, dim) => total * dim, 1);

function rowData(tensor: OnnxTensor | undefined, name: string): RowData {
  const data = tensor?.data;
  const isKnown = data instanceof Float32Array || data instanceof BigInt64Array || data instanceof Int32Array;
  assert(isKnown, `the model gave ${name}`);
  return data;
}

/** The floats of an output. */
export function floatsOf(outputs: OnnxTensors, name: string): { data: Float32Array; dims: readonly number[] } {
  const tensor = outputs[name];
  assert(tensor !== undefined && tensor.data instanceof Float32Array, `the model gave ${name} as float32`);
  return { data: tensor.data, dims: tensor.dims };
}

/** The integers of an output, whether int32 or int64. */
export function integersOf(outputs: OnnxTensors, name: string): number[] {
  const data = rowData(outputs[name], name);
  return Array.from(data as Iterable<number | bigint>, Number);
}
