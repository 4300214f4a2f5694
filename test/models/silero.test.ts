import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { sileroFamily } from "../../src/models/silero.js";
import { GraphWriter, writeModel } from "../support/onnx-writer.js";
import { babble, openFamily, readWav, sharedFile, toFloats } from "./family-support.js";
import { checkParity, listen, newState } from "./vad-support.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-silero-"));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Variant {
  readonly version: "v4" | "v5";
  readonly takesRate?: boolean;
  /** Instead of the version's own width of recurrent tensors. */
  readonly width?: number;
}

/**
 * Silero's tensors with plain semantics: the probability is half of the mean square of all samples fed, context and
 * window, and half of the probability before, which v5 keeps in `state` and v4 in `c`; `h` counts windows. With `sr`,
 * a rate that is not 16 kHz doubles it.
 */
function tinySilero({ version, takesRate = true, width = version === "v4" ? 64 : 128 }: Variant): string {
  const graph = new GraphWriter();
  const input = graph.input("input", "float32", ["batch", "samples"]);
  const dims = [2, "batch", width];
  const kept = graph.input(version === "v4" ? "c" : "state", "float32", dims);
  const power = graph.node("ReduceMean", [graph.node("Mul", [input, input])], { axes: [1], keepdims: 1 });
  const first = graph.node("Slice", [kept, graph.ints(0, 0), graph.ints(1, 1), graph.ints(0, 2)]);
  const before = graph.node("Reshape", [first, graph.ints(-1, 1)]);
  const mean = graph.node("Mul", [graph.node("Add", [power, before]), graph.scalar(0.5)]);
  const probability = takesRate ? graph.node("Mul", [mean, rateFactor(graph)]) : mean;
  const spread = graph.node("Reshape", [mean, graph.ints(1, -1, 1)]);
  const next = graph.node("Add", [graph.node("Mul", [kept, graph.scalar(0)]), spread]);
  graph.output("output", probability, "float32", ["batch", 1]);
  graph.output(version === "v4" ? "cn" : "stateN", next, "float32", ["two", "batch", "width"]);
  if (version === "v4") {
    const hidden = graph.input("h", "float32", dims);
    graph.output("hn", graph.node("Add", [hidden, graph.scalar(1)]), "float32", dims);
  }
  const path = join(folder, `${version}-${takesRate}-${width}.onnx`);
  writeModel(path, graph);
  return path;
}

/** 1 at 16 kHz, 2 at another rate. */
function rateFactor(graph: GraphWriter): string {
  const rate = graph.input("sr", "int64", []);
  const isRight = graph.node("Equal", [rate, graph.scalar(16_000, "int64")]);
  return graph.node("Where", [isRight, graph.scalar(1), graph.scalar(2)]);
}

/** What the graph says of a call, by the definition above. */
function expected(pcm: Float32Array, windowSamples: number, contextSamples: number): number[] {
  const found: number[] = [];
  for (let start = 0; start + windowSamples <= pcm.length; start += windowSamples) {
    let energy = 0;
    for (let i = start - contextSamples; i < start + windowSamples; i += 1) energy += (pcm[i] ?? 0) ** 2;
    found.push((energy / (windowSamples + contextSamples) + (found.at(-1) ?? 0)) / 2);
  }
  return found;
}

const VARIANTS = [
  ["v5 and v6", { version: "v5" }, 512, 64],
  ["v5 without a rate", { version: "v5", takesRate: false }, 512, 64],
  ["v4", { version: "v4" }, 512, 0],
  ["v4 in windows of 1536", { version: "v4" }, 1536, 0],
] as const;

for (const [name, variant, windowSamples, contextSamples] of VARIANTS) {
  describe(`silero, ${name}`, () => {
    const open = () => openFamily(sileroFamily, { file: tinySilero(variant), windowSamples });

    test("feeds each window with what its version wants, and the state it left", async () => {
      const model = await open();
      assert.equal(model.windowSamples, windowSamples);
      const pcm = toFloats(babble(3, 20_000));
      const { probabilities, state } = await listen(model, pcm);
      const wanted = expected(pcm, windowSamples, contextSamples);
      assert.equal(probabilities.length, wanted.length);
      for (const [i, value] of wanted.entries()) assert.ok(Math.abs(probabilities[i]! - value) < 1e-5, `window ${i}`);
      if (variant.version === "v4") assert.equal(state.filter((value) => value === wanted.length).length, 128);
      await model.release();
    });

    test("gives a call in a batch what it gives it alone", async () => {
      const model = await open();
      await checkParity(model, (i, sampleCount) => toFloats(babble(i + 1, sampleCount, 4_000 + 2_500 * i)));
      await model.release();
    });

    test("goes on from a copy of a call's state as from the state", async () => {
      const model = await open();
      const pcm = toFloats(babble(4, 20 * windowSamples));
      const whole = await listen(model, pcm);
      const state = newState(model);
      await listen(model, pcm.subarray(0, 8 * windowSamples), state);
      const copy = state.slice();
      await listen(model, pcm.subarray(0, 8 * windowSamples), state); // the original goes elsewhere
      const rest = await listen(model, pcm.subarray(8 * windowSamples), copy);
      assert.deepEqual(rest.probabilities, whole.probabilities.subarray(8));
      await model.release();
    });
  });
}

describe("silero's files", () => {
  for (const name of ["silero_vad.onnx", "silero_vad_16k_op15.onnx"]) {
    test(`${name} finds speech in 233 of the 343 windows of a known recording`, async (t) => {
      const file = sharedFile("models", "vad", name);
      const recording = sharedFile("audio", "jfk.wav");
      if (file === undefined || recording === undefined)
        return t.skip(`no ../shared/models/vad/${name} or ../shared/audio/jfk.wav`);
      const model = await openFamily(sileroFamily, { file });
      const { probabilities } = await listen(model, toFloats(readWav(recording)));
      assert.equal(probabilities.length, 343);
      assert.equal(probabilities.filter((probability) => probability > 0.5).length, 233);
      await model.release();
    });
  }

  const refused = async (options: Record<string, unknown>, pattern: RegExp): Promise<void> => {
    await assert.rejects(openFamily(sileroFamily, options), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, pattern);
      return true;
    });
  };

  test("with recurrent tensors of another width are refused with the difference", async () => {
    const wide = tinySilero({ version: "v5", width: 64 });
    await refused({ file: wide }, /input state: expected float32\[2, batch, 128\], found float32\[2, batch, 64\]/);
    const thin = tinySilero({ version: "v4", width: 32 });
    await refused({ file: thin }, /input h: expected float32\[2, batch, 64\], found .*; input c: expected/);
  });

  test("of v5 hear 512 samples at a time, whatever is asked for", async () => {
    await refused({ file: tinySilero({ version: "v5" }), windowSamples: 1536 }, /512 samples at a time, not 1536/);
    assert.equal(sileroFamily.options.safeParse({ file: "a.onnx", windowSamples: 320 }).success, false);
  });

  test("that are cut off are invalid", async () => {
    const bytes = readFileSync(tinySilero({ version: "v4" }));
    const file = join(folder, "cut.onnx");
    writeFileSync(file, bytes.subarray(0, bytes.length - 40));
    await assert.rejects(openFamily(sileroFamily, { file }), { code: "MODEL_FILE_INVALID" });
  });
});
