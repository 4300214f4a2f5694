import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { type ExpectedTensors, expectTensors } from "../../src/gpu/expect-tensors.js";

const FILE = {
  path: "some.onnx",
  inputs: [
    { name: "pcm", type: "float32", dims: ["batch", 320] },
    { name: "state", type: "float32", dims: [2, "", 128] },
  ],
  outputs: [
    { name: "prob", type: "float32", dims: [1, 1] },
    { name: "extra", type: "int64", dims: [] },
  ],
};

const PCM = { name: "pcm", type: "float32", dims: ["batch", 320] };
const STATE = { name: "state", type: "float32", dims: [2, "batch", 128] };
const PROB = { name: "prob", type: "float32", dims: [null, 1] };

function difference(expected: ExpectedTensors): string {
  try {
    expectTensors(FILE, "some-family", expected);
  } catch (error) {
    assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH", String(error));
    assert.match(error.message, /some\.onnx has other tensors than family some-family expects/);
    return String(error.detail.difference);
  }
  return "";
}

describe("expected tensors", () => {
  test("that fit are silent, whatever free dimensions are called and whatever else the file puts out", () => {
    assert.equal(difference({ inputs: [PCM, STATE], outputs: [PROB] }), "");
    assert.equal(difference({ inputs: [{ ...PCM, dims: [7, null] }, STATE], outputs: [PROB] }), "");
  });

  test("with another size, type or rank are shown against what was found", () => {
    const inputs = [
      { ...PCM, dims: ["batch", 512] },
      { ...STATE, type: "int64" },
    ];
    const found = difference({ inputs, outputs: [{ ...PROB, dims: [null] }] });
    assert.deepEqual(found.split("; "), [
      "input pcm: expected float32[batch, 512], found float32[batch, 320]",
      "input state: expected int64[2, batch, 128], found float32[2, ?, 128]",
      "output prob: expected float32[?], found float32[1, 1]",
    ]);
  });

  test("whose batch may vary are not met by a file that fixes it", () => {
    const found = difference({ inputs: [PCM, STATE], outputs: [{ ...PROB, dims: ["batch", 1] }] });
    assert.equal(found, "output prob: expected float32[batch, 1], found float32[1, 1]");
  });

  test("that are missing are reported with the names that the file has", () => {
    const inputs = [PCM, STATE, { name: "sr", type: "int64", dims: [] }];
    assert.equal(difference({ inputs, outputs: [PROB] }), "input sr: expected int64[], found none among pcm, state");
  });

  test("do not leave an input of the file unfed", () => {
    const found = difference({ inputs: [PCM], outputs: [PROB] });
    assert.equal(found, "input state: expected none, found float32[2, ?, 128]");
  });
});
