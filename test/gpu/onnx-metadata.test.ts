import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { seeded } from "../../src/base/prng.js";
import { METADATA_ENTRY_BYTES_MAX, readOnnxMetadata } from "../../src/gpu/onnx-metadata.js";
import { GraphWriter, modelBytes } from "../support/onnx-writer.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-metadata-"));
after(() => rmSync(folder, { recursive: true }));

function file(bytes: Uint8Array): string {
  const path = join(folder, "model.onnx");
  writeFileSync(path, bytes);
  return path;
}

function modelOf(entries: Record<string, string>): Uint8Array {
  const graph = new GraphWriter();
  const weights = graph.constant("w", new Float32Array(50_000));
  graph.output("y", graph.node("Add", [graph.input("x", "float32", [1]), weights]), "float32", [50_000]);
  graph.metadata(entries);
  return modelBytes(graph);
}

const isInvalid = (error: unknown): boolean => isSyrinxError(error) && error.code === "MODEL_FILE_INVALID";

describe("a model file's metadata", () => {
  test("is read past the graph, empty and long values and other scripts included", async () => {
    const entries = { model_type: "zipformer2", normalize_type: "", vocab: "▁über ".repeat(5000), T: "45" };
    assert.deepEqual(Object.fromEntries(await readOnnxMetadata(file(modelOf(entries)))), entries);
  });

  test("is empty where nobody wrote any", async () => {
    assert.equal((await readOnnxMetadata(file(modelOf({})))).size, 0);
  });

  test("of a file that was cut off, or has an entry without end, is refused; of one that is missing, that is said", async () => {
    const whole = modelOf({ key: "value" });
    for (const length of [whole.length - 1, whole.length >> 1, 5]) {
      await assert.rejects(readOnnxMetadata(file(whole.subarray(0, length))), isInvalid, `${length} bytes`);
    }
    await assert.rejects(readOnnxMetadata(file(modelOf({ key: "v".repeat(METADATA_ENTRY_BYTES_MAX) }))), isInvalid);
    await assert.rejects(
      readOnnxMetadata(join(folder, "none.onnx")),
      (error) => isSyrinxError(error) && error.code === "MODEL_FILE_MISSING",
    );
  });

  test("of noise is refused or empty, and never anything else", async () => {
    const prng = seeded(11);
    for (let round = 0; round < 200; round += 1) {
      const bytes = Uint8Array.from({ length: prng.integer(1, 60) }, () => prng.integer(0, 256));
      await readOnnxMetadata(file(bytes)).catch((error: unknown) => assert.ok(isInvalid(error), String(error)));
    }
  });
});
