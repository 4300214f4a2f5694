import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, type TestContext, test } from "node:test";
import { VAD_STATE_FLOATS_MAX } from "../../src/actors/vad.js";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { VadModel } from "../../src/models/family.js";
import { fireredVadFamily } from "../../src/models/firered-vad.js";
import { sileroFamily } from "../../src/models/silero.js";
import { openFamily, readWav, sharedFile, toFloats } from "./family-support.js";
import { binaryMatrix } from "./front-ends/kaldi-support.js";
import { checkParity, listen, newState } from "./vad-support.js";

/** Share of Silero's windows on which both decide alike; measured: 0.94 to 0.99 on these clips. */
const AGREEMENT_MIN = 0.92;
/**
 * Means of two frames' probabilities in jfk.wav by window, from kaldi-native-fbank 1.23.0 and ONNX Runtime in Python: all
 * frames in one run, 240 zeros before the recording.
 */
const JFK_PROBABILITIES: readonly (readonly [window: number, probability: number])[] = [
  [15, 0.0233],
  [50, 0.9874],
  [120, 0.1388],
  [190, 0.2504],
  [225, 0.1092],
  [295, 0.6714],
  [330, 0.9946],
  [400, 0.0454],
  [435, 0.9913],
  [540, 0.5431],
];
const CLIPS = ["jfk.wav", "austen-0870.wav", "cmu_arctic_aew_a0001.wav", "rhasspy3_this_is_a_test.wav"];

const folder = mkdtempSync(join(tmpdir(), "syrinx-firered-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The real model, or undefined after the test has been skipped aloud. */
async function openReal(t: TestContext): Promise<VadModel | undefined> {
  const file = sharedFile("models", "vad", "fireredvad_stream_vad_with_cache.onnx");
  const cmvn = sharedFile("models", "vad", "fireredvad_cmvn.ark");
  if (file !== undefined && cmvn !== undefined) return openFamily(fireredVadFamily, { file, cmvn });
  t.skip("no ../shared/models/vad/fireredvad_stream_vad_with_cache.onnx and fireredvad_cmvn.ark");
  return undefined;
}

/** Samples of a recording behind half a second of silence, or undefined after the test has been skipped aloud. */
function recording(t: TestContext, name: string): Float32Array | undefined {
  const path = sharedFile("audio", name);
  if (path === undefined) {
    t.skip(`no ../shared/audio/${name}`);
    return undefined;
  }
  const pcm = toFloats(readWav(path));
  const behind = new Float32Array(8000 + pcm.length);
  behind.set(pcm, 8000);
  return behind;
}

describe("firered-vad", () => {
  test("gives a call in a batch what it gives it alone", async (t) => {
    const model = await openReal(t);
    if (model === undefined) return;
    assert.equal(model.windowSamples, 320);
    await checkParity(model);
    await model.release();
  });

  test("has a state that the vad actor's rows can hold", async (t) => {
    const model = await openReal(t);
    if (model === undefined) return;
    assert.ok(model.stateFloats <= VAD_STATE_FLOATS_MAX);
    await model.release();
  });

  test("goes on from a copy of a call's state as from the state", async (t) => {
    const model = await openReal(t);
    const pcm = recording(t, "cmu_arctic_aew_a0001.wav");
    if (model === undefined || pcm === undefined) return;
    const cut = 60 * model.windowSamples;
    const whole = await listen(model, pcm);
    const state = newState(model);
    await listen(model, pcm.subarray(0, cut), state);
    const copy = state.slice();
    await listen(model, pcm.subarray(0, cut), state); // the original goes elsewhere
    const rest = await listen(model, pcm.subarray(cut), copy);
    assert.deepEqual(rest.probabilities, whole.probabilities.subarray(60));
    assert.deepEqual(rest.state, whole.state);
    await model.release();
  });

  test("gives window by window what the reference gives a whole recording", async (t) => {
    const path = sharedFile("audio", "jfk.wav");
    if (path === undefined) return t.skip("no ../shared/audio/jfk.wav");
    const model = await openReal(t);
    if (model === undefined) return;
    const { probabilities } = await listen(model, toFloats(readWav(path)));
    assert.equal(probabilities.length, 550);
    assert.equal(probabilities.filter((probability) => probability > 0.5).length, 367);
    for (const [window, probability] of JFK_PROBABILITIES) {
      assert.ok(Math.abs(probabilities[window]! - probability) < 1e-3, `window ${window}: ${probabilities[window]}`);
    }
    await model.release();
  });

  test("agrees with Silero on recordings, at its lag", async (t) => {
    const file = sharedFile("models", "vad", "silero_vad_16k_op15.onnx");
    if (file === undefined) return t.skip("no ../shared/models/vad/silero_vad_16k_op15.onnx: the two are not compared");
    const model = await openReal(t);
    if (model === undefined) return;
    const silero = await openFamily(sileroFamily, { file });
    for (const name of CLIPS) {
      const pcm = recording(t, name);
      if (pcm === undefined) return;
      const share = await agreement(pcm, silero, model);
      t.diagnostic(`${name}: ${(100 * share).toFixed(1)} % of windows`);
      assert.ok(share > AGREEMENT_MIN, `${name}: ${share}`);
    }
    await Promise.all([model.release(), silero.release()]);
  });

  test("hears no speech in silence, nor in noise", async (t) => {
    const model = await openReal(t);
    const noise = recording(t, "noise2.wav");
    if (model === undefined || noise === undefined) return;
    for (const pcm of [new Float32Array(32_000), noise.subarray(0, 160_000)]) {
      const { probabilities } = await listen(model, pcm);
      assert.ok(Math.max(...probabilities) < 0.3, `${Math.max(...probabilities)}`);
    }
    await model.release();
  });
});

/** Share of the first model's windows on which the second, read at the same time of the stream, decides alike. */
async function agreement(pcm: Float32Array, one: VadModel, two: VadModel): Promise<number> {
  const { probabilities } = await listen(one, pcm);
  const others = (await listen(two, pcm)).probabilities;
  let same = 0;
  let count = 0;
  for (const [i, probability] of probabilities.entries()) {
    const centre = (i + 0.5) * one.windowSamples;
    const other = others[Math.round((centre + two.lagSamples) / two.windowSamples - 0.5)];
    if (other === undefined) continue;
    count += 1;
    if (probability > 0.5 === other > 0.5) same += 1;
  }
  assert.ok(count > 50, "there was something to compare");
  return same / count;
}

describe("firered-vad's files", () => {
  const starter = join(packageRoot(), "models", "starter", "vad.onnx");
  const cmvn = join(folder, "cmvn.ark");
  writeFileSync(cmvn, binaryMatrix("DM ", new Array<number>(162).fill(1)));

  test("another family's model is refused with the difference", async () => {
    await assert.rejects(openFamily(fireredVadFamily, { file: starter, cmvn }), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, /input feat: expected float32\[1, frames, 80\], found none among pcm, state/);
      assert.match(error.message, /input caches_in: expected float32\[8, 1, 128, 19\], found none/);
      return true;
    });
  });

  test("what is missing is named, each of the two", async () => {
    const isMissing = (name: RegExp) => (error: unknown) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_MISSING");
      assert.match(error.message, name);
      return true;
    };
    await assert.rejects(openFamily(fireredVadFamily, { file: "none.onnx", cmvn }), isMissing(/none\.onnx/));
    await assert.rejects(openFamily(fireredVadFamily, { file: starter, cmvn: "none.ark" }), isMissing(/none\.ark/));
  });

  test("both are wanted, and nothing else", () => {
    const { options } = fireredVadFamily;
    assert.equal(options.safeParse({ file: "a.onnx" }).success, false);
    assert.equal(options.safeParse({ cmvn: "a.ark" }).success, false);
    assert.equal(options.safeParse({ file: "a.onnx", cmvn: "a.ark", threshold: 0.5 }).success, false);
  });
});
