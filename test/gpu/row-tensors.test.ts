import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { integersOf, type RowTensor, RowTensors } from "../../src/gpu/row-tensors.js";
import { float32Tensor, integerTensor } from "../../src/gpu/tensors.js";

const CACHE: RowTensor = { name: "cache", next: "nextCache", type: "float32", rowDims: [2, 3], batchAxis: 1 };
const COUNT: RowTensor = { name: "count", next: "nextCount", type: "int64", rowDims: [], batchAxis: 0 };

describe("tensors with a row for each call", () => {
  test("are gathered along each one's own axis and type", () => {
    const tensors = new RowTensors([CACHE, COUNT]);
    const rows = [1, 2].map((call) => {
      const row = tensors.create();
      for (let i = 0; i < 6; i += 1) row[0]![i] = 10 * call + i;
      (row[1] as BigInt64Array)[0] = BigInt(call);
      return row;
    });
    const { cache, count } = tensors.gather(rows);
    assert.deepEqual(cache!.dims, [2, 2, 3]);
    assert.deepEqual([...(cache!.data as Float32Array)], [10, 11, 12, 20, 21, 22, 13, 14, 15, 23, 24, 25]);
    assert.deepEqual([count!.type, count!.dims, count!.data], ["int64", [2], BigInt64Array.of(1n, 2n)]);
  });

  test("come back to their calls as they went", () => {
    const tensors = new RowTensors([CACHE, COUNT]);
    const rows = [tensors.create(), tensors.create(), tensors.create()];
    const data = Float32Array.from({ length: 18 }, (_, i) => i);
    const nextCount = integerTensor("int64", [7, 8, 9], [3]);
    tensors.scatter({ nextCache: float32Tensor(data, [2, 3, 3]), nextCount }, rows);
    assert.deepEqual([...rows[1]![0]!], [3, 4, 5, 12, 13, 14]);
    const { cache, count } = tensors.gather(rows);
    assert.deepEqual(cache!.data, data);
    assert.deepEqual(integersOf({ count: count! }, "count"), [7, 8, 9]);
  });

  test("are not taken from an output of another size or type", () => {
    const tensors = new RowTensors([CACHE]);
    const scatter = (data: Float32Array | Int32Array) => {
      const nextCache =
        data instanceof Float32Array ? float32Tensor(data, [data.length]) : integerTensor("int32", [...data], [6]);
      return () => tensors.scatter({ nextCache }, [tensors.create()]);
    };
    assert.throws(scatter(new Float32Array(5)), AssertionFailure);
    assert.throws(scatter(new Int32Array(6)), AssertionFailure);
  });
});
