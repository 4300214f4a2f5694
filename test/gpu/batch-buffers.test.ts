import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { BatchBuffers, int64Scalar } from "../../src/gpu/batch-buffers.js";

const row = (first: number, length: number): Float32Array => Float32Array.from({ length }, (_, i) => first + i);

describe("batch buffers", () => {
  test("lay rows one behind the other when the batch is the first axis", () => {
    const buffers = new BatchBuffers(4, [{ name: "x", rowDims: [2, 3] }]);
    buffers.putRow("x", 2, 0, row(0, 6));
    buffers.putRow("x", 2, 1, row(10, 6));
    const { x } = buffers.tensors(2);
    assert.deepEqual(x!.dims, [2, 2, 3]);
    assert.deepEqual([...(x!.data as Float32Array)], [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]);
  });

  test("interleave rows when the batch is a later axis", () => {
    const buffers = new BatchBuffers(4, [{ name: "h", rowDims: [2, 3], batchAxis: 1 }]);
    buffers.putRow("h", 2, 0, row(0, 6));
    buffers.putRow("h", 2, 1, row(10, 6));
    const { h } = buffers.tensors(2);
    assert.deepEqual(h!.dims, [2, 2, 3]);
    assert.deepEqual([...(h!.data as Float32Array)], [0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15]);
  });

  test("give back the row that was put in, for every place in every batch and either axis", () => {
    for (const batchAxis of [0, 1]) {
      const buffers = new BatchBuffers(5, [{ name: "s", rowDims: [3, 4], batchAxis }]);
      for (let count = 1; count <= 5; count += 1) {
        for (let i = 0; i < count; i += 1) buffers.putRow("s", count, i, row(100 * i, 12));
        for (let i = 0; i < count; i += 1) {
          const found = new Float32Array(12);
          buffers.takeRow("s", count, i, found);
          assert.deepEqual(found, row(100 * i, 12), `row ${i} of ${count}, axis ${batchAxis}`);
        }
      }
    }
  });

  test("take rows from shared memory and from arrays that are longer than a row, and write no further", () => {
    const buffers = new BatchBuffers(2, [{ name: "s", rowDims: [3] }]);
    const shared = new Float32Array(new SharedArrayBuffer(20));
    shared.set([1, 2, 3, 4, 5]);
    buffers.putRow("s", 2, 0, shared);
    buffers.putRow("s", 2, 1, row(7, 3));
    shared.fill(0);
    buffers.takeRow("s", 2, 0, shared);
    assert.deepEqual([...shared], [1, 2, 3, 0, 0]);
  });

  test("are made once: a batch size has the same tensors, over plain memory, each time", () => {
    const buffers = new BatchBuffers(3, [{ name: "x", rowDims: [2] }]);
    assert.equal(buffers.tensors(2), buffers.tensors(2));
    const { buffer } = buffers.tensors(2).x!.data as Float32Array;
    assert.ok(buffer instanceof ArrayBuffer);
    assert.equal(buffer, buffers.memory("x").buffer);
    assert.equal(buffer, (buffers.tensors(3).x!.data as Float32Array).buffer);
  });

  test("refuse a batch larger than they were made for", () => {
    const buffers = new BatchBuffers(3, [{ name: "x", rowDims: [2] }]);
    assert.throws(() => buffers.tensors(4), AssertionFailure);
    assert.throws(() => buffers.memory("y"), AssertionFailure);
  });

  test("a scalar has no dimensions", () => {
    const scalar = int64Scalar(16_000);
    assert.deepEqual(scalar.dims, []);
    assert.deepEqual([...(scalar.data as BigInt64Array)], [16_000n]);
  });
});
