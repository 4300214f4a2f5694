import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { float16Bits, float16Tensor } from "../../src/gpu/float16.js";
import { InferenceSession, Tensor } from "../../src/gpu/ort.js";
import { writeTinyModel } from "../../src/gpu/tiny-models.js";

/** IEEE 754 binary16 of 1, 2, -0.5 and 0. */
const BITS = [0x3c00, 0x4000, 0xb800, 0];

describe("fp16 tensors", () => {
  test("go through a model and come back, into given outputs too, on every version of Node", async () => {
    const vector = (name: string) => ({ name, type: "float16", dims: ["n"] }) as const;
    const model = { inputs: [vector("x")], outputs: [vector("y")] };
    const nodes = [{ type: "Add", inputs: ["x", "x"], outputs: ["y"] }];
    const session = await InferenceSession.create(writeTinyModel({ ...model, nodes }));
    const x = float16Tensor(Uint16Array.from(BITS), [4]);
    const doubled = [0x4000, 0x4400, 0xbc00, 0];
    const { y } = await session.run({ x });
    assert.deepEqual([...float16Bits(y!)], doubled);
    const memory = new Uint16Array(4);
    await session.run({ x }, { y: float16Tensor(memory, [4]) });
    assert.deepEqual([...memory], doubled);
    await session.release();
  });

  test("share their memory, and others have no such bits", () => {
    const bits = Uint16Array.from(BITS);
    const tensor = float16Tensor(bits, [2, 2]);
    bits[3] = 0x3c00;
    assert.deepEqual([...float16Bits(tensor)], [...bits]);
    assert.throws(() => float16Bits(new Tensor("float32", [1], [1])), AssertionFailure);
  });
});
