import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../src/base/prng.js";
import { floatsOf, floatTensor, integerTensor, keepRows, zeroFloats } from "../../src/gpu/tensors.js";
import { halfBits } from "../support/onnx-writer.js";

describe("tensors of floats", () => {
  test("hold halves as the format rounds them, and give them back", () => {
    const prng = seeded(3);
    const special = [
      0,
      -0,
      1,
      -1,
      65_504,
      65_519,
      65_520,
      1e9,
      2 ** -24,
      2 ** -25,
      2 ** -14,
      1 / 3,
      Infinity,
      -Infinity,
    ];
    const random = Array.from({ length: 500 }, () => (2 * prng.next() - 1) * 2 ** prng.integer(-26, 17));
    const values = Float32Array.from([...special, ...random]);
    const tensor = floatTensor("float16", values, [values.length]);
    assert.equal(tensor.type, "float16");
    const back = floatsOf(tensor);
    for (const [i, value] of values.entries()) assert.equal(halfBits(back[i]!), halfBits(value), `${value}`);
    assert.ok(Math.abs(back[special.indexOf(1 / 3)]! - 1 / 3) < 2 ** -12);
    assert.equal(floatsOf(floatTensor("float16", Float32Array.of(Number.NaN), [1]))[0], Number.NaN);
  });

  test("of 32 bits are the memory that they were made of", () => {
    const values = Float32Array.of(1, 2);
    assert.equal(floatsOf(floatTensor("float32", values, [2])), values);
  });

  test("without values have a dimension of 0", () => {
    assert.deepEqual([...zeroFloats("float16", [2, 0, 3]).dims], [2, 0, 3]);
    assert.deepEqual([...floatsOf(zeroFloats("float32", [2, 1]))], [0, 0]);
  });
});

describe("the rows that stay of a batch", () => {
  const numbers = Array.from({ length: 24 }, (_, i) => i);
  for (const type of ["int32", "int64"] as const) {
    test(`of ${type}, with the batch at each axis`, () => {
      const rowsAt = (axis: number): number[] => {
        const left = keepRows(integerTensor(type, numbers, [2, 3, 4]), axis, axis === 0 ? [1] : [0, 2]);
        assert.deepEqual([...left.dims], [2, 3, 4].with(axis, axis === 0 ? 1 : 2));
        return Array.from(left.data as Iterable<number | bigint>, Number);
      };
      assert.deepEqual(rowsAt(0), numbers.slice(12));
      assert.deepEqual(rowsAt(1), [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23]);
      assert.deepEqual(rowsAt(2), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]);
    });
  }

  test("are the tensor itself if all stay", () => {
    const tensor = floatTensor("float32", Float32Array.from(numbers), [2, 12]);
    assert.equal(keepRows(tensor, 0, [0, 1]), tensor);
  });
});
