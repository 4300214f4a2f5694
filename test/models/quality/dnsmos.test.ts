import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../../src/base/errors.js";
import { gtcrnFamily } from "../../../src/models/gtcrn.js";
import { DNSMOS_WINDOW_SAMPLES, type Dnsmos, openDnsmos } from "../../../src/models/quality/dnsmos.js";
import { GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { filter } from "../denoise-support.js";
import { familyContext, openFamily, readWav, sharedFile, toFloats } from "../family-support.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-dnsmos-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** DNSMOS's tensors; the three outputs are a window's mean, its first sample and its last. */
function tinyFile(name: string, windowSamples = DNSMOS_WINDOW_SAMPLES): string {
  const graph = new GraphWriter();
  const input = graph.input("input_1", "float32", ["N", windowSamples]);
  const mean = graph.node("ReduceMean", [input], { axes: [1], keepdims: 1 });
  const first = graph.node("Slice", [input, graph.ints(0), graph.ints(1), graph.ints(1)]);
  const last = graph.node("Slice", [input, graph.ints(windowSamples - 1), graph.ints(windowSamples), graph.ints(1)]);
  graph.output("Identity:0", graph.node("Concat", [mean, first, last], { axis: 1 }), "float32", ["N", 3]);
  const path = join(folder, `${name}.onnx`);
  writeModel(path, graph);
  return path;
}

const SIGNAL = (x: number): number => -0.08397278 * x * x + 1.22083953 * x + 0.0052439;
const BACKGROUND = (x: number): number => -0.13166888 * x * x + 1.60915514 * x - 0.39604546;
const OVERALL = (x: number): number => -0.06766283 * x * x + 1.11546468 * x + 0.04602535;

function checkClose(found: number, expected: number): void {
  assert.ok(Math.abs(found - expected) < 1e-4, `${found}, not ${expected}`);
}

describe("the quality of a recording", () => {
  test("is the mean over windows that begin with each second, on the listeners' scale", async () => {
    const scorer = await openDnsmos(tinyFile("mean"), familyContext());
    // Each second is one number; 11.9 s have windows at 0 s and at 1 s.
    const pcm = Float32Array.from({ length: 190_400 }, (_, i) => Math.floor(i / 16_000) / 10);
    const found = await scorer.score(pcm);
    const at = (start: number, statistic: (window: Float32Array) => number): number =>
      statistic(pcm.subarray(start, start + DNSMOS_WINDOW_SAMPLES));
    const mean = (window: Float32Array): number => window.reduce((sum, value) => sum + value, 0) / window.length;
    const both = (statistic: (window: Float32Array) => number, scale: (x: number) => number): number =>
      (scale(at(0, statistic)) + scale(at(16_000, statistic))) / 2;
    checkClose(found.signal, both(mean, SIGNAL));
    checkClose(
      found.background,
      both((window) => window[0]!, BACKGROUND),
    );
    checkClose(
      found.overall,
      both((window) => window.at(-1)!, OVERALL),
    );
    await scorer.release();
  });

  test("of a short one is that of the recording again and again", async () => {
    const scorer = await openDnsmos(tinyFile("short"), familyContext());
    // Doubled until it is long enough, to 12.5 s: three windows.
    const pcm = Float32Array.from({ length: 50_001 }, (_, i) => i / 50_001);
    const { background, overall } = await scorer.score(pcm);
    const meanOf = (scale: (x: number) => number, at: number): number =>
      [0, 16_000, 32_000].reduce((sum, start) => sum + scale(((start + at) % 50_001) / 50_001) / 3, 0);
    checkClose(background, meanOf(BACKGROUND, 0));
    checkClose(overall, meanOf(OVERALL, DNSMOS_WINDOW_SAMPLES - 1));
    await assert.rejects(scorer.score(new Float32Array(0)), /has samples/);
    await scorer.release();
  });

  test("orders noise, noisy speech, the same denoised, and clean speech", async (t) => {
    const file = sharedFile("models", "quality", "DNSMOS_sig_bak_ovr.onnx");
    const denoiser = sharedFile("models", "denoise", "gtcrn_simple.onnx");
    const names = ["noise1.wav", "gtcrn_mix_noisy.wav", "beckett.wav"] as const;
    const paths = names.map((name) => sharedFile("audio", name));
    if (file === undefined || denoiser === undefined || paths.some((path) => path === undefined))
      return t.skip(`no ../shared/models/quality, ../shared/models/denoise or ../shared/audio/{${names.join()}}`);
    const scorer = await openDnsmos(file, familyContext());
    const filterModel = await openFamily(gtcrnFamily, { file: denoiser });
    const [noise, noisy, clean] = paths.map((path) => toFloats(readWav(path!)).subarray(0, 160_000));
    const denoised = (await filter(filterModel, noisy!)).subarray(filterModel.lagSamples);
    const rate = async (scored: Dnsmos, about: string, pcm: Float32Array): Promise<number> => {
      const { signal, background, overall } = await scored.score(pcm);
      for (const value of [signal, background, overall]) assert.ok(value > 0.9 && value < 5, `${about}: ${value}`);
      t.diagnostic(`${about}: ${overall.toFixed(2)}, speech ${signal.toFixed(2)}, background ${background.toFixed(2)}`);
      return overall;
    };
    const scores = [
      await rate(scorer, "noise", noise!),
      await rate(scorer, "noisy speech", noisy!),
      await rate(scorer, "denoised", denoised),
      await rate(scorer, "clean speech", clean!),
    ];
    for (const [i, score] of scores.entries()) {
      if (i > 0) assert.ok(score > scores[i - 1]! + 0.1, `${score} after ${scores[i - 1]}`);
    }
    await Promise.all([scorer.release(), filterModel.release()]);
  });

  test("wants the file that it knows", async () => {
    await assert.rejects(openDnsmos(tinyFile("narrow", 16_000), familyContext()), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, /input input_1: expected float32\[\?, 144160\], found float32\[N, 16000\]/);
      return true;
    });
    const cut = join(folder, "cut.onnx");
    writeFileSync(cut, readFileSync(tinyFile("whole")).subarray(0, 100));
    await assert.rejects(openDnsmos(cut, familyContext()), { code: "MODEL_FILE_INVALID" });
    await assert.rejects(openDnsmos(join(folder, "none.onnx"), familyContext()), { code: "MODEL_FILE_MISSING" });
  });
});
