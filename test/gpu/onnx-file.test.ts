import assert from "node:assert/strict";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { seeded } from "../../src/base/prng.js";
import { type OnnxFile, readOnnxFile } from "../../src/gpu/onnx-file.js";
import { InferenceSession } from "../../src/gpu/ort.js";
import { int8Product, numberField, partField, productChain } from "../../src/gpu/tiny-models.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-onnx-file-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, ...content: Buffer[]): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.concat(content));
  return path;
}

function refusal(path: string): string {
  try {
    readOnnxFile(path);
  } catch (error) {
    assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_INVALID", String(error));
    return String(error.detail.reason);
  }
  return "";
}

const sorted = (counts: ReadonlyMap<string, number>) => Object.fromEntries([...counts].sort());

/** TensorProto with dims one by one, and packed. */
const tensor = (name: string, type: number, dims: readonly number[], ...more: Buffer[]): Buffer[] => [
  ...dims.map((dim) => numberField(1, dim)),
  numberField(2, type),
  partField(8, name),
  ...more,
];

describe("an ONNX file's description", () => {
  test("agrees with what ONNX Runtime says of the same file, for every model that comes with the package", async () => {
    for (const name of ["vad.onnx", "stt-en.onnx"]) {
      const path = join(packageRoot(), "models", "starter", name);
      const found = readOnnxFile(path);
      const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
      for (const [ours, theirs] of [
        [found.inputs, session.inputMetadata],
        [found.outputs, session.outputMetadata],
      ] as const) {
        const declared = theirs.map((value) => ({
          name: value.name,
          type: value.isTensor ? value.type : "",
          dims: value.isTensor ? value.shape : [],
        }));
        assert.deepEqual(ours, declared, name);
      }
      assert.equal(found.byteCount, readFileSync(path).length);
      assert.equal(found.metadata.get("sampleRateHz"), "16000");
      assert.deepEqual([...found.opsets], [["ai.onnx", 17]]);
      const products = (found.operators.get("MatMul") ?? 0) + (found.operators.get("Gemm") ?? 0);
      assert.ok(products > 5, `${name}: ${products} products`);
      const floats = found.weights.get("float16")! * 2 + found.weights.get("float32")! * 4;
      assert.ok(floats > 0.9 * found.byteCount && floats < found.byteCount, `${floats} bytes of weights`);
      await session.release();
    }
  });

  test("counts operators and weights of inner graphs, functions and constants, and tells foreign ones apart", () => {
    const inner = partField(7 - 1, partField(1, partField(4, "LSTM")), partField(5, ...tensor("r", 10, [2, 8])));
    const graph = partField(
      7,
      partField(1, partField(4, "If"), partField(5, partField(1, "then_branch"), inner)),
      partField(1, partField(4, "Constant"), partField(5, partField(1, "value"), partField(5, ...tensor("", 7, [])))),
      partField(1, partField(4, "QAttention"), partField(7, "com.microsoft")),
      partField(1, partField(4, "If"), partField(7, "ai.onnx")),
      partField(5, ...tensor("w", 3, [4, 5])),
      partField(5, partField(1, Buffer.from([6, 7])), numberField(2, 1), partField(8, "packed")),
    );
    const called = partField(25, partField(1, "f"), partField(7, partField(4, "Gelu")));
    const opset = (domain: string, version: number) => partField(8, partField(1, domain), numberField(2, version));
    const found = readOnnxFile(
      file("inner.onnx", numberField(1, 8), graph, called, opset("", 17), opset("com.microsoft", 1)),
    );
    assert.deepEqual(sorted(found.operators), { Constant: 1, Gelu: 1, If: 2, LSTM: 1, "com.microsoft::QAttention": 1 });
    assert.deepEqual(sorted(found.weights), { float16: 16, float32: 42, int64: 1, int8: 20 });
    assert.deepEqual(sorted(found.opsets), { "ai.onnx": 17, "com.microsoft": 1 });
  });

  test("has producer, metadata, external files, and leaves out inputs that have a default", () => {
    const external = (key: string, value: string) => partField(13, partField(1, key), partField(2, value));
    const more = partField(
      7,
      partField(5, ...tensor("w", 1, [3], external("location", "big.onnx_data"), external("offset", "0"))),
    );
    const pair = (key: string, value: string) => partField(14, partField(1, key), partField(2, value));
    const meta = [
      partField(2, "writer"),
      partField(3, "2.1"),
      pair("rate", "16000"),
      pair("vocabulary", "a".repeat(300_000)),
    ];
    const found: OnnxFile = readOnnxFile(file("meta.onnx", productChain("float16", 1), more, ...meta));
    assert.equal(found.producer, "writer 2.1");
    assert.equal(found.metadata.get("rate"), "16000");
    assert.equal(found.metadata.get("vocabulary")!.length, 300_000);
    assert.deepEqual(found.externalFiles, ["big.onnx_data"]);
    assert.deepEqual(found.inputs, [{ name: "x", type: "float16", dims: ["n", "n"] }]);
    assert.deepEqual(found.outputs, [{ name: "y", type: "float16", dims: ["n", "n"] }]);
  });

  test("steps over weights instead of reading them: a gigabyte of them needs no memory", () => {
    const path = join(folder, "large.onnx");
    const weightBytes = 2 ** 30;
    // Length-delimited fields whose content is a hole in a sparse file; the graph's own length comes first.
    const size = (value: number) => numberField(0, value).subarray(1);
    const raw = Buffer.concat([Buffer.from([9 * 8 + 2]), size(weightBytes)]);
    const head = Buffer.concat(tensor("w", 2, [weightBytes]));
    const tensorBytes = head.length + raw.length + weightBytes;
    const init = Buffer.concat([Buffer.from([5 * 8 + 2]), size(tensorBytes), head, raw]);
    const tail = partField(2, "graph behind the weights");
    const graph = Buffer.concat([
      numberField(1, 8),
      Buffer.from([7 * 8 + 2]),
      size(init.length + weightBytes + tail.length),
      init,
    ]);
    const out = openSync(path, "w");
    writeSync(out, graph, 0, graph.length, 0);
    writeSync(out, tail, 0, tail.length, graph.length + weightBytes);
    ftruncateSync(out, graph.length + weightBytes + tail.length);
    closeSync(out);
    const before = process.memoryUsage();
    const found = readOnnxFile(path);
    const after = process.memoryUsage();
    assert.deepEqual([...found.weights], [["uint8", weightBytes]]);
    assert.ok(after.rss - before.rss < weightBytes / 8, `${after.rss - before.rss} bytes more`);
  });

  test("is refused, never guessed, for what is no ONNX file", () => {
    assert.match(refusal(file("text.onnx", Buffer.from("this is no protocol buffer"))), /no ONNX file/);
    assert.match(refusal(file("empty.onnx")), /no graph/);
    assert.match(refusal(file("long.onnx", numberField(1, 8), Buffer.from([7 * 8 + 2, 100, 0]))), /does not fit/);
    assert.match(refusal(file("ort.onnx", Buffer.from([24, 0, 0, 0]), Buffer.from("ORTM1234567890"))), /no ONNX file/);
    const bomb = Array.from({ length: 80 }).reduce<Buffer>((within) => partField(6, within), Buffer.alloc(0));
    const nested = partField(
      1,
      partField(
        5,
        Array.from({ length: 40 }).reduce<Buffer>((within) => partField(6, partField(1, partField(5, within))), bomb),
      ),
    );
    assert.match(refusal(file("deep.onnx", numberField(1, 8), partField(7, nested))), /nested too deep/);
    assert.throws(() => readOnnxFile(join(folder, "none.onnx")), { code: "MODEL_FILE_MISSING" });
  });

  test("of a file that is cut off or has any byte changed is either given or refused", () => {
    const bytes = Buffer.concat([int8Product(), partField(14, partField(1, "key"), partField(2, "value"))]);
    const prng = seeded(3);
    for (let round = 0; round < 600; round += 1) {
      const changed = Buffer.from(bytes);
      changed[prng.integer(0, changed.length)] = prng.integer(0, 256);
      const length = round % 3 === 0 ? prng.integer(0, changed.length) : changed.length;
      const path = file("changed.onnx", changed.subarray(0, length));
      try {
        assert.equal(readOnnxFile(path).byteCount, length);
      } catch (error) {
        assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_INVALID", String(error));
        assert.match(String(error.detail.reason), /^it is no ONNX file/, `round ${round}`);
      }
    }
  });
});
