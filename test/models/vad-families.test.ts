import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { VadModel } from "../../src/models/family.js";
import { sileroFamily } from "../../src/models/silero.js";
import { starterVadFamily } from "../../src/models/starter-vad.js";
import { familyContext, openFamily, readWav, sharedFile, toFloats } from "./family-support.js";
import { checkParity, listen, type Recognised } from "./vad-support.js";

const SILERO_FILES = ["silero_vad_16k_op15.onnx", "silero_vad.onnx"];

describe("starter-vad", () => {
  test("agrees with Silero on recordings", async (t) => {
    const file = sharedFile("models", "vad", SILERO_FILES[0]!);
    if (file === undefined) return t.skip("no ../shared/models/vad: the two are not compared");
    const silero = await openFamily(sileroFamily, { file });
    const starter = await openFamily(starterVadFamily);
    for (const name of ["jfk.wav", "austen-0870.wav", "cmu_arctic_aew_a0001.wav", "rhasspy3_this_is_a_test.wav"]) {
      const path = sharedFile("audio", name);
      if (path === undefined) return t.skip(`no ../shared/audio/${name}`);
      const pcm = toFloats(readWav(path));
      const share = agreement(await listen(silero, pcm), silero, await listen(starter, pcm), starter);
      t.diagnostic(`${name}: ${(100 * share).toFixed(1)} % of windows`);
      assert.ok(share > 0.85, `${name}: ${share}`);
    }
    await Promise.all([silero.release(), starter.release()]);
  });
});

/** Share of the first model's windows on which the second, read at the same time of the stream, decides alike. */
function agreement(one: Recognised, oneModel: VadModel, two: Recognised, twoModel: VadModel): number {
  let same = 0;
  let count = 0;
  for (const [i, probability] of one.probabilities.entries()) {
    const centre = (i + 0.5) * oneModel.windowSamples;
    const j = Math.round((centre + twoModel.lagSamples) / twoModel.windowSamples - 0.5);
    const other = two.probabilities[j];
    if (other === undefined) continue;
    count += 1;
    if (probability > 0.5 === other > 0.5) same += 1;
  }
  return same / count;
}

describe("silero", () => {
  for (const name of SILERO_FILES) {
    test(`${name} gives a call in a batch what it gives it alone`, async (t) => {
      const file = sharedFile("models", "vad", name);
      if (file === undefined) return t.skip(`no ../shared/models/vad/${name}`);
      const model = await openFamily(sileroFamily, { file });
      assert.equal(model.windowSamples, 512);
      await checkParity(model);
      await model.release();
    });
  }

  test("refuses another family's file with the difference", async () => {
    const file = join(packageRoot(), "models", "starter", "vad.onnx");
    await assert.rejects(openFamily(sileroFamily, { file }), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, /input input: expected float32\[batch, 576\], found none among pcm, state/);
      assert.match(error.message, /input pcm: expected none, found float32\[batch, 320\]/);
      return true;
    });
  });
});

describe("the detectors' options", () => {
  test("refuse unknown keys, and Silero's wants a file", () => {
    assert.equal(starterVadFamily.options.safeParse({ threshold: 0.5 }).success, false);
    assert.equal(sileroFamily.options.safeParse({}).success, false);
  });

  test("resolve a file against the configuration's folder", async () => {
    const context = { ...familyContext(), baseFolder: join(packageRoot(), "models") };
    const model = await openFamily(starterVadFamily, { file: "starter/vad.onnx" }, context);
    await model.release();
    await assert.rejects(
      openFamily(starterVadFamily, { file: "vad.onnx" }, context),
      /no model file .*models.vad\.onnx/,
    );
  });
});

describe("the manifest of the starter models", () => {
  test("tells size and facts of each file, and the code agrees", async () => {
    const folder = join(packageRoot(), "models", "starter");
    const { models } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { models: Entry[] };
    const detector = models.find(({ family }) => family === "starter-vad");
    const model = await openFamily(starterVadFamily);
    assert.equal(detector?.stepSamples, model.windowSamples);
    assert.equal(detector?.lagSamples, model.lagSamples);
    assert.equal(detector?.stateFloats, model.stateFloats);
    assert.ok(model.description.includes(detector.sha256.slice(0, 12)), model.description);
    await model.release();
  });
});

interface Entry {
  readonly family: string;
  readonly sha256: string;
  readonly stepSamples: number;
  readonly lagSamples: number;
  readonly stateFloats: number;
}
