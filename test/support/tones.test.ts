import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { openOnnxModel } from "../../src/gpu/onnx-model.js";
import { Tensor } from "../../src/gpu/ort.js";
import { elementType, GraphWriter, writeModel } from "./onnx-writer.js";
import { readTones, SLOT_SAMPLES, TONE_FRAME_SAMPLES, TONE_SYMBOLS, toneScores, tonesOf } from "./tones.js";

const PANGRAM = "the quick brown fox jumps over the lazy dog's aabbcc";

const folder = mkdtempSync(join(tmpdir(), "syrinx-tones-"));
after(() => rmSync(folder, { recursive: true }));

describe("the tone alphabet", () => {
  test("is read back, at the rates of recognisers and of voices", () => {
    for (const rateHz of [16_000, 22_050, 24_000]) {
      assert.equal(readTones(tonesOf(PANGRAM, rateHz), rateHz), PANGRAM, `${rateHz} Hz`);
    }
  });

  test("fills one slot for each symbol, and refuses what has no tone", () => {
    assert.equal(tonesOf("abc").length, 3 * SLOT_SAMPLES);
    assert.throws(() => tonesOf("A"), /"A" has a tone/);
  });

  test("is told apart by a graph, silence between the tones", async () => {
    const graph = new GraphWriter();
    const pcm = graph.input("pcm", "float32", ["samples"]);
    const frames = graph.node("Reshape", [pcm, graph.ints(-1, TONE_FRAME_SAMPLES)]);
    const best = graph.node("ArgMax", [toneScores(graph, frames)], { axis: -1, keepdims: 0 });
    graph.output("best", graph.node("Cast", [best], { to: elementType("int32") }), "int32", ["frames"]);
    const path = join(folder, "tones.onnx");
    writeModel(path, graph);
    const model = await openOnnxModel({ path, device: "cpu", log: () => {} });
    const samples = Float32Array.from(tonesOf(PANGRAM), (sample) => sample / 32_768);
    const { best: found } = await model.run({ pcm: new Tensor("float32", samples, [samples.length]) });
    const expected = [...PANGRAM].flatMap((symbol) => [1 + TONE_SYMBOLS.indexOf(symbol), 0]);
    assert.deepEqual([...(found!.data as Int32Array)], expected);
    await model.release();
  });
});
