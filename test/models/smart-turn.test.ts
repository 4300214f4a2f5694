import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { TURN_WINDOW_SAMPLES_MAX } from "../../src/actors/turn.js";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { TurnModel } from "../../src/models/family.js";
import { smartTurnFamily, TurnFeatures } from "../../src/models/smart-turn.js";
import { writeModel } from "../support/onnx-writer.js";
import { babble, familyContext, openFamily, toFloats } from "./family-support.js";
import { ENDING_FRAMES, smartTurnGraph, type TurnShape } from "./turn-graphs.js";

const FRAMES = 800;
const FEATURES = 80 * FRAMES;

const folder = mkdtempSync(join(tmpdir(), "syrinx-smart-turn-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function tinyFile(name: string, shape?: TurnShape): string {
  const path = join(folder, `${name}.onnx`);
  writeModel(path, smartTurnGraph(shape));
  return path;
}

async function judged(model: TurnModel, sounds: readonly Float32Array[]): Promise<number[]> {
  const probabilities = new Float32Array(sounds.length).fill(Number.NaN);
  await model.judge(sounds, probabilities);
  return [...probabilities];
}

/** Sounds of many lengths, more than a batch takes; every other ends in silence. */
const sounds = Array.from({ length: 7 }, (_, i) => {
  const sound = toFloats(babble(i + 1, 4000 + 20_000 * i));
  if (i % 2 === 0) sound.fill(0, sound.length - 3600);
  return sound;
});

describe("smart-turn's features", () => {
  const golden = JSON.parse(readFileSync(join(packageRoot(), "test/fixtures/turn-features.json"), "utf8")) as {
    readonly turn80: readonly { readonly frame: number; readonly values: readonly number[] }[];
  };
  const turnFeatures = new TurnFeatures();
  const featuresOf = (sound: Float32Array): Float32Array => {
    const features = new Float32Array(FEATURES + 1);
    turnFeatures.compute(sound, features, 1);
    return features.subarray(1);
  };

  test("are what the definition gives in NumPy", () => {
    const features = featuresOf(toFloats(babble(7, 48_000)));
    assert.ok(golden.turn80.length >= 4);
    for (const { frame, values } of golden.turn80) {
      for (const [bin, value] of values.entries()) {
        const found = features[bin * FRAMES + frame]!;
        assert.ok(Math.abs(found - value) < 2e-4, `band ${bin} of frame ${frame} is ${found}, not ${value}`);
      }
    }
  });

  test("of more than 8 s are those of the last 8, and nothing stays from the sound before", () => {
    const long = toFloats(babble(9, 150_000));
    const last = featuresOf(long.subarray(150_000 - 128_000));
    const short = featuresOf(sounds[0]!);
    assert.deepEqual(featuresOf(long), last);
    assert.deepEqual(featuresOf(sounds[0]!), short);
  });

  test("do not depend on how loud a turn is", () => {
    const sound = toFloats(babble(7, 128_000));
    const loud = featuresOf(sound);
    const quiet = featuresOf(sound.map((sample) => sample / 8));
    const worst = loud.reduce((most, value, i) => Math.max(most, Math.abs(value - quiet[i]!)), 0);
    assert.ok(worst < 1e-2, `${worst}`);
  });

  test("of silence, and of nothing, are finite", () => {
    for (const sound of [new Float32Array(16_000), new Float32Array(0)])
      assert.ok(featuresOf(sound).every(Number.isFinite));
  });
});

for (const [name, shape] of [
  ["smart-turn", { batch: "batch" }],
  ["smart-turn with a batch of 1", { batch: 1, output: "probability" }],
] as const satisfies readonly (readonly [string, TurnShape])[]) {
  describe(name, () => {
    const open = (): Promise<TurnModel> =>
      openFamily(smartTurnFamily, { file: tinyFile(String(shape.batch), shape) }, familyContext(3));

    test("judges by the features of each call's own sound", async () => {
      const model = await open();
      const features = new Float32Array(FEATURES);
      const turnFeatures = new TurnFeatures();
      for (const [i, probability] of (await judged(model, sounds)).entries()) {
        turnFeatures.compute(sounds[i]!, features, 0);
        let sum = 0;
        for (let at = 0; at < FEATURES; at += 1) if (at % FRAMES >= FRAMES - ENDING_FRAMES) sum += features[at]!;
        const expected = 1 / (1 + Math.exp((4 * sum) / (80 * ENDING_FRAMES)));
        assert.ok(Math.abs(probability - expected) < 1e-5, `call ${i}`);
        assert.equal(probability > 0.5, i % 2 === 0, `call ${i}: ${probability}`);
      }
      await model.release();
    });

    test("gives a call among others what it gives it alone", async () => {
      const model = await open();
      const together = await judged(model, sounds);
      for (const [i, sound] of sounds.entries()) assert.deepEqual(await judged(model, [sound]), [together[i]]);
      assert.ok(new Set(together).size === sounds.length, "the calls differ, so that exchanged rows would show");
      await model.release();
    });
  });
}

describe("smart-turn's file", () => {
  test("has a window that the turn actor's rows can hold", async () => {
    const model = await openFamily(smartTurnFamily, { file: tinyFile("window") });
    assert.ok(model.windowSamples <= TURN_WINDOW_SAMPLES_MAX);
    await model.release();
  });

  test("with other features, or another family's, is refused with the difference", async () => {
    const whisper = tinyFile("whisper", { dims: [80, 3000] });
    for (const [file, difference] of [
      [whisper, /input input_features: expected float32\[\?, 80, 800\], found float32\[batch, 80, 3000\]/],
      [join(packageRoot(), "models", "starter", "vad.onnx"), /input input_features: .* found none among pcm, state/],
    ] as const) {
      await assert.rejects(openFamily(smartTurnFamily, { file }), (error) => {
        assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
        assert.match(error.message, difference);
        return true;
      });
    }
  });

  test("that is cut off is invalid, and one that is not there is missing", async () => {
    const file = join(folder, "cut.onnx");
    writeFileSync(file, readFileSync(tinyFile("whole")).subarray(0, 200));
    await assert.rejects(openFamily(smartTurnFamily, { file }), { code: "MODEL_FILE_INVALID" });
    await assert.rejects(openFamily(smartTurnFamily, { file: "none.onnx" }), { code: "MODEL_FILE_MISSING" });
  });

  test("is wanted, and nothing else", () => {
    assert.equal(smartTurnFamily.options.safeParse({}).success, false);
    assert.equal(smartTurnFamily.options.safeParse({ file: "a.onnx", threshold: 0.5 }).success, false);
  });
});
