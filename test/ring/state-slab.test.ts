import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { createSlabBuffer, StateSlab } from "../../src/ring/index.js";

describe("a state slab", () => {
  test("hands out the same views each time", () => {
    const slab = new StateSlab(createSlabBuffer(3, 100), 100);
    assert.equal(slab.rowCount, 3);
    assert.equal(slab.row(1), slab.row(1));
    assert.equal(slab.row(1).f32, slab.row(1).f32);
  });

  test("aligns rows to cache lines and keeps them apart", () => {
    const slab = new StateSlab(createSlabBuffer(4, 100), 100);
    for (let index = 0; index < 4; index++) {
      const { u8, i16, i32, f32, f64 } = slab.row(index);
      for (const view of [u8, i16, i32, f32, f64]) assert.equal(view.byteOffset, index * 128);
      assert.deepEqual([u8.length, i16.length, i32.length, f32.length, f64.length], [100, 50, 25, 25, 12]);
      u8.fill(index + 1);
    }
    for (let index = 0; index < 4; index++) assert.ok(slab.row(index).u8.every((byte) => byte === index + 1));
    slab.clear(2);
    assert.ok(slab.row(2).u8.every((byte) => byte === 0));
    assert.ok(slab.row(1).u8.every((byte) => byte === 2));
    assert.ok(slab.row(3).u8.every((byte) => byte === 4));
  });

  test("gives a successor the rows as they were left", () => {
    const buffer = createSlabBuffer(2, 64);
    new StateSlab(buffer, 64).row(1).f32[15] = 0.5;
    assert.equal(new StateSlab(buffer, 64).row(1).f32[15], 0.5);
  });

  test("refuses rows that it does not have, and a buffer of another shape", () => {
    const slab = new StateSlab(createSlabBuffer(2, 64), 64);
    for (const index of [-1, 2, 0.5, Number.NaN]) assert.throws(() => slab.row(index), AssertionFailure);
    assert.throws(() => new StateSlab(createSlabBuffer(3, 64), 128), AssertionFailure);
    assert.throws(() => createSlabBuffer(3, 0), AssertionFailure);
  });
});
