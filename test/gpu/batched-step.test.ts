import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/base/package-root.js";
import { seeded } from "../../src/base/prng.js";
import { BatchedStep } from "../../src/gpu/batched-step.js";
import { OnnxModel } from "../../src/gpu/onnx-model.js";
import { InferenceSession } from "../../src/gpu/ort.js";

const VAD = join(packageRoot(), "models", "starter", "vad.onnx");
const BATCH_MAX = 8;
const WINDOW = 320;

/** The starter's detector, which runs on the CPU and says that it runs on `device`. */
async function stepOn(device: "cpu" | "webgpu"): Promise<{ step: BatchedStep; release: () => Promise<void> }> {
  const model = new OnnxModel(
    { session: await InferenceSession.create(VAD), device: { kind: device, index: 0 }, reason: "" },
    VAD,
    "vad",
  );
  const stateFloats = Number(model.inputs.find(({ name }) => name === "state")!.dims[1]);
  const step = new BatchedStep(model, {
    batchMax: BATCH_MAX,
    log: () => {},
    feeds: [
      { name: "pcm", rowDims: [WINDOW] },
      { name: "state", rowDims: [stateFloats] },
    ],
    fetches: [
      { name: "prob", rowDims: [1] },
      { name: "nextState", rowDims: [stateFloats] },
    ],
  });
  return { step, release: () => model.release() };
}

async function probabilities(step: BatchedStep, rows: number): Promise<number[]> {
  const prng = seeded(rows);
  const pcm = step.feeds.memory("pcm");
  for (let i = 0; i < rows * WINDOW; i++) pcm[i] = prng.next() - 0.5;
  step.feeds.memory("state").fill(0, 0, (rows * step.feeds.memory("state").length) / BATCH_MAX);
  await step.run(step.sizeFor(rows));
  return Array.from(step.fetches.memory("prob").subarray(0, rows));
}

describe("a batched step", () => {
  test("has exactly its rows on the CPU, and the next power of two of them elsewhere", async () => {
    for (const [device, sizes] of [
      ["cpu", [1, 2, 3, 5, 8]],
      ["webgpu", [1, 2, 4, 8, 8]],
    ] as const) {
      const { step, release } = await stepOn(device);
      assert.deepEqual(
        [1, 2, 3, 5, 8].map((rows) => step.sizeFor(rows)),
        sizes,
      );
      await release();
    }
  });

  test("gives its rows the same with spare rows as without", async () => {
    const [exact, padded] = await Promise.all([stepOn("cpu"), stepOn("webgpu")]);
    // Something else was in the spare rows before.
    await probabilities(padded.step, BATCH_MAX);
    for (const rows of [1, 3, 5, 7]) {
      const expected = await probabilities(exact.step, rows);
      const found = await probabilities(padded.step, rows);
      assert.equal(found.length, rows);
      for (const [row, value] of found.entries()) {
        assert.ok(Math.abs(value - expected[row]!) < 1e-6, `row ${row} of ${rows}`);
      }
    }
    await Promise.all([exact.release(), padded.release()]);
  });

  test("learns how long it takes from warming on, at both ends or at every size", async () => {
    for (const [device, observed] of [
      ["cpu", 2],
      ["webgpu", 4],
    ] as const) {
      const { step, release } = await stepOn(device);
      await step.warm();
      assert.equal(step.times.observedCount, observed);
      assert.ok(step.times.predictMs(1) > 0 && step.times.predictMs(BATCH_MAX) >= step.times.predictMs(1));
      await release();
    }
  });
});
