import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { denoiseActor, GAP_FILTERED_SAMPLES } from "../../src/actors/denoise.js";
import { sampleOf } from "../../src/audio/pcm.js";
import { seeded } from "../../src/base/prng.js";
import { gtcrnFamily } from "../../src/models/gtcrn.js";
import { relativeError } from "../models/denoise-support.js";
import { openFamily, readWav, sharedFile, toFloats } from "../models/family-support.js";
import { type FakeDenoise, fakeDenoise } from "../support/fake-models.js";
import { type ActorRun, runActor, type Step } from "../support/run-actor.js";
import { audioSteps, close, fence, interleave, pcmOf } from "../support/steps.js";

const noise = (seed: number, ms = 700): Int16Array => pcmOf(seeded(seed), [["loud", ms]]);

/** What left, by position; and that it left in order and without a hole. */
function said(run: ActorRun, call = 0): Int16Array {
  const frames = run.of("audio.in", call);
  let position = frames[0]?.position ?? 0;
  for (const found of frames) {
    assert.equal(found.position, position, "gap-free");
    position += found.pcm.length;
  }
  return Int16Array.from(frames.flatMap((found) => found.pcm));
}

/** The model over whole calls, without the actor: what the actor ought to say. */
async function filtered(model: FakeDenoise, pcm: Int16Array): Promise<Int16Array> {
  const { windowSamples, lagSamples } = model;
  const state = new Float32Array(model.stateFloats);
  model.resetState(state);
  const windows = Math.ceil((pcm.length + lagSamples) / windowSamples);
  const input = new Float32Array(windows * windowSamples);
  input.set(Float32Array.from(pcm, (sample) => sample / 32_768));
  const output = new Float32Array(windowSamples);
  const whole: number[] = [];
  for (let window = 0; window < windows; window++) {
    const start = window * windowSamples;
    await model.step(1, input.subarray(start, start + windowSamples), [state], output);
    whole.push(...output);
  }
  return Int16Array.from(whole.slice(lagSamples, lagSamples + pcm.length), sampleOf);
}

describe("denoise", () => {
  for (const [windowSamples, lagSamples] of [
    [256, 256],
    [128, 384],
    [320, 0],
    [160, 100],
  ] as const) {
    test(`says every sample once, filtered, under its own position: windows of ${windowSamples}, lag ${lagSamples}`, async () => {
      const model = fakeDenoise(windowSamples, lagSamples);
      for (const length of [11_200, 11_199, 5, 256]) {
        const pcm = noise(1).subarray(0, length);
        const run = await runActor(denoiseActor, {}, [...audioSteps(pcm), close()], { model });
        assert.deepEqual(said(run), await filtered(model, pcm));
        assert.equal(run.of("audio.in")[0]!.position, 0);
        assert.equal(run.emitted.at(-1)!.kind, "close");
      }
    });
  }

  test("says the same however the samples are cut into frames and batches, wherever the worker dies", async () => {
    const pcms = [1, 2, 3].map((seed) => noise(seed, 300 + 70 * seed));
    const expected = await Promise.all(pcms.map((pcm) => filtered(fakeDenoise(), pcm)));
    for (let seed = 1; seed <= 8; seed++) {
      const chance = seeded(seed);
      const scripts = pcms.map((pcm, call) => [...audioSteps(pcm, call, 0, chance), close(call)]);
      const run = await runActor(denoiseActor, {}, interleave(chance, scripts), {
        model: fakeDenoise(),
        calls: 3,
        seed,
        batchMax: 9,
        killAfter: 0.2,
        killDuring: 0.2,
      });
      for (const call of [0, 1, 2]) assert.deepEqual(said(run, call), expected[call], `seed ${seed}`);
    }
  });

  test("advances all calls of a batch together, in as many rounds as the longest has windows", async () => {
    const model = fakeDenoise();
    const steps: Step[] = [3, 1, 2].flatMap((windows, call) => audioSteps(new Int16Array(256 * windows), call));
    await runActor(denoiseActor, {}, steps, { model, calls: 3 });
    assert.deepEqual(model.stepSizes, [3, 2, 1]);
  });

  test("a fence finds everything before it said, and the stream goes on as if it had not been there", async () => {
    const pcm = noise(4);
    const cut = 15;
    const steps = audioSteps(pcm);
    steps.splice(cut, 0, fence("f", "finalize"), fence("g"));
    for (const batchMax of [1, 50]) {
      const run = await runActor(denoiseActor, {}, [...steps, close()], { model: fakeDenoise(), batchMax });
      const at = run.emitted.findIndex(({ kind }) => kind === "fence");
      const before = run.emitted.slice(0, at).reduce((sum, frame) => sum + frame.pcm.length, 0);
      assert.equal(before, cut * 320);
      assert.equal(run.emitted[at + 1]!.kind, "fence", "a second fence has nothing to wait for");
      const whole = await filtered(fakeDenoise(), pcm);
      const held = 512;
      const found = said(run);
      assert.deepEqual(found.subarray(0, before - held), whole.subarray(0, before - held));
      assert.deepEqual(found.subarray(before), whole.subarray(before));
    }
  });

  test("a short gap is filtered as silence, a long one stays and the filter begins anew behind it", async () => {
    const pcm = noise(5, 100);
    const script = (gap: number): Step[] => [...audioSteps(pcm), ...audioSteps(pcm, 0, pcm.length + gap), close()];
    const short = await runActor(denoiseActor, {}, script(GAP_FILTERED_SAMPLES), { model: fakeDenoise() });
    const bridged = new Int16Array(2 * pcm.length + GAP_FILTERED_SAMPLES);
    bridged.set(pcm);
    bridged.set(pcm, pcm.length + GAP_FILTERED_SAMPLES);
    assert.deepEqual(said(short), await filtered(fakeDenoise(), bridged));

    const model = fakeDenoise();
    const far = 16_000 * 3_600;
    const long = await runActor(denoiseActor, {}, script(far), { model, batchMax: 3, killAfter: 0.3 });
    const once = await filtered(fakeDenoise(), pcm);
    const frames = long.of("audio.in");
    const second = frames.findIndex(({ position }) => position === pcm.length + far);
    assert.deepEqual(
      frames.slice(0, second).flatMap((found) => found.pcm),
      [...once],
    );
    assert.deepEqual(
      frames.slice(second).flatMap((found) => found.pcm),
      [...once],
    );
    assert.ok(model.stepSizes.length < 30, "a long gap costs no model time");
  });

  test("cleans GTCRN's noisy recording as its authors' reference does, sample by sample at the same place", async (t) => {
    const file = sharedFile("models", "denoise", "gtcrn_simple.onnx");
    const noisy = sharedFile("audio", "gtcrn_mix_noisy.wav");
    const reference = sharedFile("audio", "gtcrn_enh_reference.wav");
    if (file === undefined || noisy === undefined || reference === undefined)
      return t.skip("no ../shared/models/denoise/gtcrn_simple.onnx or ../shared/audio/gtcrn_*.wav");
    const model = await openFamily(gtcrnFamily, { file });
    const run = await runActor(denoiseActor, {}, [...audioSteps(readWav(noisy)), close()], { model, batchMax: 40 });
    const expected = toFloats(readWav(reference));
    // The reference mirrors the recording before its beginning, where a stream has heard nothing.
    const start = 32_000;
    const error = relativeError(toFloats(said(run)).subarray(start), expected.subarray(start));
    t.diagnostic(`relative error from 2 s on: ${error.toExponential(2)}`);
    assert.ok(error < 4e-3, `${error}`);
    await model.release();
  });

  test("refuses a model whose state or window does not fit into a row", () => {
    for (const [model, about] of [
      [{ ...fakeDenoise(), stateFloats: 100_000 }, /state fits/],
      [{ ...fakeDenoise(), windowSamples: 10_000 }, /window fits/],
    ] as const) {
      assert.throws(() => denoiseActor.create({}, { model } as never), about);
    }
  });
});
