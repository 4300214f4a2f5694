/**
 * Plain memory for the tensors of a batched model, allocated once for the largest batch. A smaller batch uses the
 * beginning of the same memory, so that a steady loop allocates no audio or state. Tensors over shared memory are
 * refused by ONNX Runtime; copying into these buffers is the one copy on the way from a ring to a model.
 */

import { assert } from "../base/assert.js";
import { Tensor } from "./ort.js";

export type OnnxTensor = Tensor;
export type OnnxTensors = Record<string, Tensor>;

/** One f32 tensor of a model and where the rows of a batch lie in it. */
export interface BatchedTensor {
  readonly name: string;
  /** Dimensions without the batch. */
  readonly rowDims: readonly number[];
  /** Where the batch stands among the dimensions; 0 if not given. */
  readonly batchAxis?: number;
}

interface Layout {
  readonly name: string;
  readonly rowDims: readonly number[];
  readonly batchAxis: number;
  /** A row is `outer` runs of `inner` floats that lie `count × inner` apart. */
  readonly outer: number;
  readonly inner: number;
  readonly memory: Float32Array;
}

const product = (dims: readonly number[]): number => dims.reduce((total, dim) => total * dim, 1);

export class BatchBuffers {
  readonly batchMax: number;
  readonly #layouts: readonly Layout[];
  readonly #tensors: (OnnxTensors | undefined)[];

  constructor(batchMax: number, tensors: readonly BatchedTensor[]) {
    assert(Number.isInteger(batchMax) && batchMax >= 1, "a batch has at least one row");
    this.batchMax = batchMax;
    this.#layouts = tensors.map(({ name, rowDims, batchAxis = 0 }) => ({
      name,
      rowDims,
      batchAxis,
      outer: product(rowDims.slice(0, batchAxis)),
      inner: product(rowDims.slice(batchAxis)),
      memory: new Float32Array(batchMax * product(rowDims)),
    }));
    this.#tensors = new Array<OnnxTensors | undefined>(batchMax + 1).fill(undefined);
  }

  /** The tensors for a batch of `count` rows: always the same objects over the same memory. */
  tensors(count: number): OnnxTensors {
    const known = this.#tensors[count];
    if (known !== undefined) return known;
    assert(count >= 1 && count <= this.batchMax, "a batch fits into its buffers");
    const made: OnnxTensors = {};
    for (const { name, rowDims, batchAxis, memory, outer, inner } of this.#layouts) {
      const dims = [...rowDims.slice(0, batchAxis), count, ...rowDims.slice(batchAxis)];
      made[name] = new Tensor("float32", memory.subarray(0, count * outer * inner), dims);
    }
    this.#tensors[count] = made;
    return made;
  }

  /** f32[batchMax × row]. With the batch on axis 0, row i begins at i × row floats, whatever the batch's size. */
  memory(name: string): Float32Array {
    return this.#layout(name).memory;
  }

  /** Copies a row in, from the beginning of `source` (which may be longer, and may be shared memory). */
  putRow(name: string, count: number, row: number, source: Float32Array): void {
    const { memory, outer, inner } = this.#layout(name);
    for (let i = 0; i < outer; i += 1) {
      memory.set(source.subarray(i * inner, (i + 1) * inner), (i * count + row) * inner);
    }
  }

  /** Copies a row out, to the beginning of `target`. */
  takeRow(name: string, count: number, row: number, target: Float32Array): void {
    const { memory, outer, inner } = this.#layout(name);
    for (let i = 0; i < outer; i += 1) {
      const start = (i * count + row) * inner;
      target.set(memory.subarray(start, start + inner), i * inner);
    }
  }

  #layout(name: string): Layout {
    const found = this.#layouts.find((layout) => layout.name === name);
    assert(found !== undefined, `a buffer is named ${name}`);
    return found;
  }
}

/** An int64 scalar, for inputs such as a sample rate. */
export function int64Scalar(value: number): OnnxTensor {
  return new Tensor("int64", BigInt64Array.of(BigInt(value)), []);
}
