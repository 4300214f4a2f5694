import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { OnnxTensors } from "../../src/gpu/batch-buffers.js";
import { type OnnxModel, openOnnxModel } from "../../src/gpu/onnx-model.js";
import { Tensor } from "../../src/gpu/ort.js";
import { elementType, float, floats, GraphWriter, halfBits, modelBytes, tensor, writeModel } from "./onnx-writer.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-writer-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
async function opened(graph: GraphWriter): Promise<OnnxModel> {
  files += 1;
  const path = join(folder, `${files}.onnx`);
  writeModel(path, graph);
  return openOnnxModel({ path, device: "cpu", log: () => {} });
}

const vector = (...values: number[]) => new Tensor("float32", Float32Array.from(values), [values.length]);

async function resultOf(graph: GraphWriter, feeds: OnnxTensors, name = "y"): Promise<unknown[]> {
  const model = await opened(graph);
  const { [name]: result } = await model.run(feeds);
  await model.release();
  return Array.from(result!.data as ArrayLike<unknown>);
}

describe("the ONNX writer", () => {
  test("writes a model that declares what was asked for and computes it", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", ["batch", 2]);
    const w = graph.constant("w", Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    graph.output("y", graph.node("MatMul", [x, w]), "float32", ["batch", 3]);
    const model = await opened(graph);
    assert.deepEqual(model.inputs, [{ name: "x", type: "float32", dims: ["batch", 2] }]);
    assert.deepEqual(model.outputs, [{ name: "y", type: "float32", dims: ["batch", 3] }]);
    const { y } = await model.run({ x: new Tensor("float32", Float32Array.of(1, 1, 0, 2), [2, 2]) });
    assert.deepEqual([...(y!.data as Float32Array)], [5, 7, 9, 8, 10, 12]);
    await model.release();
  });

  test("writes every type, as constant, input and output", async () => {
    for (const [dtype, data] of [
      ["float32", Float32Array.of(1, 0, 3)],
      ["float16", Uint16Array.of(halfBits(1), halfBits(0), halfBits(3))],
      ["int64", BigInt64Array.of(1n, 0n, 3n)],
      ["int32", Int32Array.of(1, 0, 3)],
      ["uint8", Uint8Array.of(1, 0, 3)],
      ["int8", Int8Array.of(1, 0, 3)],
      ["bool", Uint8Array.of(1, 0, 1)],
    ] as const) {
      const graph = new GraphWriter();
      const x = graph.input("x", dtype, [3]);
      const all = graph.node("Concat", [x, graph.constant("c", [1, 0, 1], [3], dtype)], { axis: 0 });
      graph.output("y", all, dtype, [6]);
      const back = graph.node("Cast", [all], { to: elementType("float32") });
      graph.output("floats", back, "float32", [6]);
      const last = dtype === "bool" ? 1 : 3;
      const values = await resultOf(graph, { x: new Tensor(dtype, data, [3]) }, "floats");
      assert.deepEqual(values, [1, 0, last, 1, 0, 1], dtype);
    }
  });

  test("writes every kind of attribute", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", [4]);
    const leaky = graph.node("LeakyRelu", [x], { alpha: float(0.5) });
    const shape = graph.node("Shape", [leaky]);
    const sevens = graph.node("ConstantOfShape", [shape], { value: tensor([7], [1]) });
    const offsets = graph.node("Constant", [], { value_floats: floats([0.5, 0, 0, 0]) });
    const sum = graph.node("Sum", [leaky, sevens, offsets]);
    const rows = graph.node("Reshape", [sum, graph.ints(2, 2)]);
    const turned = graph.node("Transpose", [rows], { perm: [1, 0] });
    graph.output("y", graph.node("Einsum", [turned], { equation: "ij->i" }), "float32", [2]);
    assert.deepEqual(await resultOf(graph, { x: vector(-2, 1, 2, -4) }), [15.5, 13]);
  });

  test("writes operators with several outputs, and leaves an optional input out", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", [3]);
    const clipped = graph.node("Clip", [x, "", graph.scalar(2)]);
    const [values, indices] = graph.nodes("TopK", [clipped, graph.ints(1)], 2, { axis: 0 });
    graph.output("y", values!, "float32", [1]);
    graph.output("at", indices!, "int64", [1]);
    assert.deepEqual(await resultOf(graph, { x: vector(-5, 7, 1) }), [2]);
    assert.deepEqual(await resultOf(graph, { x: vector(-5, 7, 1) }, "at"), [1n]);
  });

  test("writes branches that see the tensors around them", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", [1]);
    const isPositive = graph.node("Squeeze", [graph.node("Greater", [x, graph.scalar(0)]), graph.ints(0)]);
    const branch = (factor: number) => {
      const body = graph.subgraph();
      body.output(`by${factor}`, body.node("Mul", [x, body.scalar(factor)]), "float32", [1]);
      return body;
    };
    const chosen = graph.node("If", [isPositive], { then_branch: branch(10), else_branch: branch(100) });
    graph.output("y", chosen, "float32", [1]);
    assert.deepEqual(await resultOf(graph, { x: vector(2) }), [20]);
    assert.deepEqual(await resultOf(graph, { x: vector(-2) }), [-200]);
  });

  test("writes loops that carry a state", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", [1]);
    const body = graph.subgraph();
    body.input("iteration", "int64", []);
    const goOn = body.input("go", "bool", []);
    const state = body.input("state", "float32", [1]);
    body.output("goes", goOn, "bool", []);
    body.output("doubled", body.node("Add", [state, state]), "float32", [1]);
    const loop = graph.node("Loop", [graph.scalar(5, "int64"), "", x], { body });
    graph.output("y", loop, "float32", [1]);
    assert.deepEqual(await resultOf(graph, { x: vector(3) }), [96]);
  });

  test("takes the opset that is chosen", async () => {
    const graph = new GraphWriter();
    const x = graph.input("x", "float32", [1]);
    graph.output("y", graph.node("Gelu", [x]), "float32", [1]);
    const path = join(folder, "gelu.onnx");
    const open = () => openOnnxModel({ path, device: "cpu", log: () => {} });
    writeModel(path, graph);
    await assert.rejects(open(), (error) => isSyrinxError(error) && error.code === "MODEL_FILE_INVALID");
    writeModel(path, graph, { opset: 20, irVersion: 9 });
    await (await open()).release();
  });

  test("gives the same bytes for the same calls, and others for other metadata", () => {
    const bytes = (vocabulary: number): Buffer => {
      const graph = new GraphWriter();
      graph.output("y", graph.input("x", "float32", [1]), "float32", [1]);
      graph.metadata({ vocab_size: vocabulary, model_type: "tones" });
      return Buffer.from(modelBytes(graph));
    };
    assert.ok(bytes(500).equals(bytes(500)));
    assert.ok(!bytes(500).equals(bytes(501)));
    assert.ok(bytes(500).includes("vocab_size") && bytes(500).includes("500"));
  });

  test("refuses a constant whose values do not fill its dimensions, and a fraction as an integer", () => {
    const graph = new GraphWriter();
    assert.throws(() => graph.constant("w", [1, 2, 3], [2, 2]), /\[2, 2\] has 4 values/);
    assert.throws(() => graph.node("LeakyRelu", ["x"], { alpha: 0.5 }), /write float\(0\.5\)/);
  });

  test("rounds to the nearest half, ties to even", () => {
    for (const [value, bits] of [
      [1, 0x3c00],
      [-2, 0xc000],
      [65_504, 0x7bff],
      [65_520, 0x7c00],
      [2 ** -24, 0x0001],
      [2 ** -25, 0x0000],
      [1 / 3, 0x3555],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [-0, 0x8000],
    ] as const) {
      assert.equal(halfBits(value), bits, String(value));
    }
  });
});
