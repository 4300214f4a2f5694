import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, type TestContext, test } from "node:test";
import { DENOISE_STATE_FLOATS_MAX, DENOISE_WINDOW_SAMPLES_MAX } from "../../src/actors/denoise.js";
import { isSyrinxError } from "../../src/base/errors.js";
import type { DenoiseModel } from "../../src/models/family.js";
import { Stft } from "../../src/models/front-ends/stft.js";
import { gtcrnFamily } from "../../src/models/gtcrn.js";
import { openStreamFilter } from "../../src/models/stream-filter.js";
import { writeModel } from "../support/onnx-writer.js";
import { filter, filterTogether, newState, relativeError } from "./denoise-support.js";
import { BATCH_MAX, babble, familyContext, openFamily, readWav, sharedFile, toFloats } from "./family-support.js";
import { batchedFilterGraph, type GtcrnShape, gtcrnGraph } from "./filter-graphs.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-gtcrn-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function tinyFile(name: string, shape?: GtcrnShape): string {
  const path = join(folder, `${name}.onnx`);
  writeModel(path, gtcrnGraph(shape));
  return path;
}

const openTiny = (): Promise<DenoiseModel> => openFamily(gtcrnFamily, { file: tinyFile("tiny") });

/** A filter over a file whose batch is free. */
function openBatched(): Promise<DenoiseModel> {
  const stft = new Stft(64, 16);
  const path = join(folder, "batched.onnx");
  writeModel(path, batchedFilterGraph(stft.bins));
  return openStreamFilter(
    path,
    {
      family: "test",
      stft,
      spectrum: { input: "spec", output: "filtered", rowDims: [stft.bins, 2], batchAxis: 0 },
      states: [
        { input: "before", output: "now", rowDims: [1, 2 * stft.bins], batchAxis: 1 },
        { input: "count", output: "counted", rowDims: [1], batchAxis: 0 },
      ],
    },
    familyContext(),
  );
}

/** The real model, or undefined after the test has been skipped aloud. */
async function openReal(t: TestContext): Promise<DenoiseModel | undefined> {
  const file = sharedFile("models", "denoise", "gtcrn_simple.onnx");
  if (file !== undefined) return openFamily(gtcrnFamily, { file });
  t.skip("no ../shared/models/denoise/gtcrn_simple.onnx");
  return undefined;
}

/** More calls than a batch takes. */
const calls = Array.from({ length: BATCH_MAX + 3 }, (_, i) => toFloats(babble(i + 1, 6400)));

/** What a graph of filter-graphs.ts makes of a call. */
function echo(model: DenoiseModel, pcm: Float32Array): Float32Array {
  const { windowSamples, lagSamples } = model;
  return Float32Array.from({ length: Math.floor(pcm.length / windowSamples) * windowSamples }, (_, i) => {
    const at = i - lagSamples;
    return ((pcm[at] ?? 0) + (pcm[at - windowSamples] ?? 0)) / 2;
  });
}

function checkClose(found: Float32Array, expected: Float32Array, about: string): void {
  assert.equal(found.length, expected.length);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
  assert.ok(worst < 2e-6, `${about}: off by ${worst}`);
}

for (const [name, open] of [
  ["gtcrn, one call at a time", openTiny],
  ["a filter whose batch is free", openBatched],
] as const) {
  describe(name, () => {
    test("filters spectra: each call alone gives what the graph makes of its samples", async () => {
      const model = await open();
      for (const pcm of calls.slice(0, 2)) checkClose(await filter(model, pcm), echo(model, pcm), "alone");
      await model.release();
    });

    test("gives a call in a batch what it gives it alone, to the bit", async () => {
      const model = await open();
      const states = calls.map(() => newState(model));
      const together = await filterTogether(model, calls, states);
      for (const [i, call] of calls.entries()) {
        const state = newState(model);
        assert.deepEqual(together[i], await filter(model, call, state), `call ${i}`);
        assert.deepEqual(states[i], state, `state of call ${i}`);
      }
      await model.release();
    });

    test("keeps everything in the state: it goes on from a copy as from the state", async () => {
      const model = await open();
      const cut = 7 * model.windowSamples;
      const whole = await filter(model, calls[0]!);
      const state = newState(model);
      await filter(model, calls[0]!.subarray(0, cut), state);
      const copy = state.slice();
      await filter(model, calls[1]!, state); // the original goes elsewhere
      assert.deepEqual(await filter(model, calls[0]!.subarray(cut), copy), whole.subarray(cut));
      await model.release();
    });
  });
}

describe("gtcrn", () => {
  test("hands each cache over as itself", async () => {
    const model = await openTiny();
    const state = newState(model);
    await filter(model, calls[0]!.subarray(0, 5 * model.windowSamples), state);
    assert.equal(state.filter((value) => value === 5).length, 96, "one of 96 floats counts windows");
    assert.equal(state.filter((value) => value === 10).length, 1056, "one of 1056 counts them twice");
    await model.release();
  });

  test("has a state and a window that the denoise actor's rows can hold", async () => {
    const model = await openTiny();
    assert.ok(model.stateFloats <= DENOISE_STATE_FLOATS_MAX);
    assert.ok(model.windowSamples <= DENOISE_WINDOW_SAMPLES_MAX);
    assert.deepEqual([model.windowSamples, model.lagSamples], [256, 256]);
    await model.release();
  });

  test("cleans its authors' noisy recording as their reference does", async (t) => {
    const noisy = sharedFile("audio", "gtcrn_mix_noisy.wav");
    const reference = sharedFile("audio", "gtcrn_enh_reference.wav");
    if (noisy === undefined || reference === undefined) return t.skip("no ../shared/audio/gtcrn_*.wav");
    const model = await openReal(t);
    if (model === undefined) return;
    const pcm = toFloats(readWav(noisy));
    const expected = toFloats(readWav(reference));
    const { windowSamples, lagSamples } = model;
    // The reference mirrors the recording at both ends; a stream has heard nothing before it.
    const state = newState(model);
    const carryAt = model.stateFloats - 2 * lagSamples;
    for (let i = 0; i < lagSamples; i += 1) state[carryAt + i] = pcm[lagSamples - i]!;
    const mirrored = new Float32Array(expected.length + lagSamples + windowSamples);
    mirrored.set(pcm.subarray(0, mirrored.length));
    for (let i = 0; i < lagSamples; i += 1) mirrored[pcm.length + i] = pcm[pcm.length - 2 - i]!;
    const found = (await filter(model, mirrored, state)).subarray(lagSamples);
    const error = relativeError(found, expected);
    t.diagnostic(`relative error ${error.toExponential(2)}`);
    assert.ok(error < 2e-3, `${error}`);

    const unheard = (await filter(model, mirrored)).subarray(lagSamples);
    const later = 16_000;
    const drift = relativeError(unheard.subarray(later), expected.subarray(later));
    assert.ok(drift < 5e-3, `a stream's own beginning is forgotten: ${drift}`);
    await model.release();
  });

  test("with its real weights gives calls together what it gives them alone", async (t) => {
    const model = await openReal(t);
    if (model === undefined) return;
    const some = calls.slice(0, 3).map((call) => call.subarray(0, 12 * model.windowSamples));
    const together = await filterTogether(model, some);
    for (const [i, call] of some.entries()) assert.deepEqual(together[i], await filter(model, call));
    assert.ok(relativeError(together[0]!, together[1]!) > 0.1, "the calls differ, so that exchanged rows would show");
    await model.release();
  });
});

describe("gtcrn's file", () => {
  const mismatch =
    (...patterns: readonly RegExp[]) =>
    (error: unknown) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      for (const pattern of patterns) assert.match(error.message, pattern);
      return true;
    };

  test("with other shapes or names is refused with every difference", async () => {
    const wide = tinyFile("wide", { bins: 129 });
    await assert.rejects(
      openFamily(gtcrnFamily, { file: wide }),
      mismatch(/input mix: expected float32\[1, 257, 1, 2\], found float32\[1, 129, 1, 2\]/, /output enh/),
    );
    const renamed = tinyFile("renamed", { caches: ["conv_cache", "tra", "inter_cache"] });
    await assert.rejects(
      openFamily(gtcrnFamily, { file: renamed }),
      mismatch(/input tra_cache: expected .* found none among/, /input tra: expected none/, /output tra_cache_out/),
    );
  });

  test("that is cut off, empty or no model is invalid; one that is not there is missing", async () => {
    const bytes = readFileSync(tinyFile("whole"));
    for (const [name, content] of [
      ["cut", bytes.subarray(0, bytes.length / 2)],
      ["empty", new Uint8Array(0)],
      ["text", Buffer.from("no model at all")],
    ] as const) {
      const file = join(folder, `${name}.onnx`);
      writeFileSync(file, content);
      await assert.rejects(openFamily(gtcrnFamily, { file }), { code: "MODEL_FILE_INVALID" }, name);
    }
    await assert.rejects(openFamily(gtcrnFamily, { file: join(folder, "none.onnx") }), { code: "MODEL_FILE_MISSING" });
  });

  test("is wanted, and nothing else", () => {
    assert.equal(gtcrnFamily.options.safeParse({}).success, false);
    assert.equal(gtcrnFamily.options.safeParse({ file: "a.onnx", strength: 1 }).success, false);
  });
});
