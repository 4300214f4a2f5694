import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { type ErrorCode, isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { BatchBuffers } from "../../src/gpu/batch-buffers.js";
import { executionProviders, parseDevice } from "../../src/gpu/devices.js";
import { type OnnxModel, openOnnxModel } from "../../src/gpu/onnx-model.js";

const VAD = join(packageRoot(), "models", "starter", "vad.onnx");
const folder = mkdtempSync(join(tmpdir(), "syrinx-onnx-"));
after(() => rmSync(folder, { recursive: true }));

const open = (path: string, device = "cpu"): Promise<OnnxModel> => openOnnxModel({ path, device, log: () => {} });

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function refusal(code: ErrorCode, path: string, device?: string): Promise<string> {
  let error: unknown;
  await assert.rejects(open(path, device), (thrown) => {
    error = thrown;
    return true;
  });
  assert.ok(isSyrinxError(error), String(error));
  assert.equal(error.code, code);
  return String(error.detail.reason);
}

describe("a model file", () => {
  test("that is not there is missing", async () => {
    await refusal("MODEL_FILE_MISSING", join(folder, "none.onnx"));
  });

  test("that is a folder, empty, a pointer of Git LFS, garbage or cut off is invalid, and the reason says so", async () => {
    const invalid = (path: string) => refusal("MODEL_FILE_INVALID", path);
    assert.equal(await invalid(folder), "it is not a file");
    assert.equal(await invalid(file("empty.onnx", "")), "it is empty");
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert.match(await invalid(file("lfs.onnx", pointer)), /pointer of Git LFS/);
    assert.match(await invalid(file("garbage.onnx", "this is no protocol buffer")), /parsing failed/i);
    const cut = readFileSync(VAD).subarray(0, 200_000);
    assert.match(await invalid(file("cut.onnx", cut)), /parsing failed/i);
  });

  test("opens, says where and why it runs there, and declares its tensors", async () => {
    const lines: unknown[] = [];
    const model = await openOnnxModel({ path: VAD, device: "auto", log: (...line) => lines.push(line) });
    assert.equal(model.device, "cpu");
    assert.match(model.deviceReason, /auto/);
    assert.match(model.description, /^vad\.onnx, 0\.\d\d MB, sha256 [0-9a-f]{12}$/);
    assert.deepEqual(
      model.inputs.map(({ name, type, dims }) => [name, type, dims[0]]),
      [
        ["pcm", "float32", "batch"],
        ["state", "float32", "batch"],
      ],
    );
    assert.equal(lines.length, 1);
    await model.release();
  });
});

describe("an open model", () => {
  const stateFloats = 1109;
  const feeds = new BatchBuffers(2, [
    { name: "pcm", rowDims: [320] },
    { name: "state", rowDims: [stateFloats] },
  ]);
  const fetches = new BatchBuffers(2, [
    { name: "prob", rowDims: [1] },
    { name: "nextState", rowDims: [stateFloats] },
  ]);

  test("writes into the outputs that it is given", async () => {
    const model = await open(VAD);
    feeds.memory("pcm").fill(0.1);
    await model.run(feeds.tensors(2), fetches.tensors(2));
    const allocated = await model.run(feeds.tensors(2));
    assert.ok(fetches.memory("prob").every((probability) => probability > 0 && probability < 1));
    assert.deepEqual(fetches.memory("nextState"), allocated.nextState!.data);
    await model.release();
  });

  test("runs once at a time and never after its release, which may be repeated", async () => {
    const model = await open(VAD);
    const first = model.run(feeds.tensors(1));
    await assert.rejects(model.run(feeds.tensors(1)), AssertionFailure);
    await assert.rejects(model.release(), AssertionFailure);
    await first;
    await model.release();
    await model.release();
    await assert.rejects(model.run(feeds.tensors(1)), AssertionFailure);
  });
});

describe("a device", () => {
  test("that nobody knows is refused with the names that are known", async () => {
    for (const device of ["gpu", "cpu:1", "cuda:x", "", "CPU"]) {
      assert.match(await refusal("DEVICE_UNAVAILABLE", VAD, device), /known are auto, cpu, cuda/, device);
    }
  });

  test("that this build of ONNX Runtime does not have is refused before the file is looked at", async () => {
    const absent = process.platform === "win32" ? "coreml" : "dml";
    assert.match(await refusal("DEVICE_UNAVAILABLE", join(folder, "none.onnx"), absent), /has no \w+Provider/);
  });

  test("number goes to the provider", () => {
    assert.deepEqual(executionProviders({ kind: "cuda", index: 3 }), [{ name: "cuda", deviceId: 3 }]);
    assert.deepEqual(executionProviders(parseDevice("cpu")), ["cpu"]);
  });
});
