import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { float32Tensor, floatsOf } from "../../src/gpu/tensors.js";
import type { SpeakRequest, TtsModel } from "../../src/models/family.js";
import { supertonicFamily } from "../../src/models/supertonic.js";
import { refine } from "../../src/models/tts/flow-loop.js";
import { familyContext, openFamily } from "./family-support.js";
import { FRAME_SAMPLES, ID_COUNT, idOf, LEVEL, RATE_HZ, writeSupertonic } from "./tts/supertonic-support.js";
import { levelOf, Recorder, readIds } from "./tts/tone-voice.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-supertonic-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeSupertonic(folder);

const FILES = { folder: "onnx", voices: "voices" };
const open = (options: Record<string, unknown> = {}): Promise<TtsModel> =>
  openFamily(supertonicFamily, { ...FILES, ...options }, { ...familyContext(), baseFolder: folder });

const request = (text: string, more: Partial<SpeakRequest> = {}): SpeakRequest => ({
  text,
  isStale: () => false,
  ...more,
});
const idsOf = (letters: string): number[] => [...letters].map(idOf);

describe("supertonic", () => {
  test("says the letters of the text, whatever the number of steps", async () => {
    for (const steps of [1, 2, 5]) {
      const voice = await open({ steps });
      assert.equal(voice.rateHz, RATE_HZ);
      assert.deepEqual(voice.voices, ["F1", "M1"]);
      const recorder = new Recorder();
      await voice.speak(request("Hello, it's me"), recorder.take);
      assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf("Hello, it's me."));
      assert.ok(Math.abs(levelOf(recorder.pcm) - LEVEL) < 1e-3, "no noise was left");
      await voice.release();
    }
  });

  test("is told the language by tags, and what it cannot read is left out", async () => {
    const voice = await open({ language: "en" });
    const recorder = new Recorder();
    await voice.speak(request("“Café” — yes \u{1f600} ok!"), recorder.take);
    assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf("<en>Cafe - yes ok!</en>"));
    await voice.speak(request("\u{1f600} —"), () => assert.fail("there is nothing to say"));
    await voice.release();
  });

  test("gives calls in a batch what it gives them one by one, whatever their voices, speeds and lengths", async () => {
    const voice = await open();
    const requests = [
      request("A text of some length, to be the longest."),
      request("No."),
      request("In between, and slower.", { speed: 0.5 }),
      request("Two frames each.", { voice: "M1" }),
      request("And faster it goes.", { speed: 2 }),
    ];
    const together = requests.map(() => new Recorder());
    const reports = await voice.speakAll!(requests, (index, pcm) => together[index]!.take(pcm));
    for (const [index, each] of requests.entries()) {
      const alone = new Recorder();
      assert.deepEqual(await voice.speak(each, alone.take), reports[index]);
      assert.deepEqual(together[index]!.pcm, alone.pcm, each.text);
      const frames = (each.text.length * (each.voice === "M1" ? 2 : 1)) / (each.speed ?? 1);
      assert.ok(Math.abs(alone.pcm.length / FRAME_SAMPLES - frames) < 1, `${alone.pcm.length / FRAME_SAMPLES}`);
    }
    assert.deepEqual(readIds(together[1]!.pcm, RATE_HZ, ID_COUNT), idsOf("No."));
    await voice.release();
  });

  test("lets a call that goes stale between steps leave the batch, and the others go on", async () => {
    const voice = await open({ steps: 5 });
    let looks = 0;
    const requests = [request("It is cut off.", { isStale: () => ++looks > 4 }), request("It goes on.")];
    const recorder = new Recorder();
    const reports = await voice.speakAll!(requests, (index, pcm) => {
      assert.equal(index, 1);
      recorder.take(pcm);
    });
    assert.deepEqual(reports[0], { sampleCount: 0, spans: [] });
    assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf("It goes on."));
    await voice.release();
  });

  test("estimates when each word is spoken, and cuts what is longer than a run", async () => {
    const voice = await open();
    const { spans, isEstimated } = await voice.speak(request("One two."), () => {});
    assert.equal(isEstimated, true);
    assert.deepEqual(spans, [
      { text: "One", startSample: 0, endSample: 3 * FRAME_SAMPLES },
      { text: "two.", startSample: 4 * FRAME_SAMPLES, endSample: 8 * FRAME_SAMPLES },
    ]);
    const long = "word ".repeat(90).trim();
    const recorder = new Recorder();
    const report = await voice.speak(request(long), recorder.take);
    const ids = readIds(recorder.pcm, RATE_HZ, ID_COUNT);
    assert.equal(ids.filter((id) => id === idOf(".")).length, 2, "each run ends like a sentence");
    assert.equal(report.spans.map(({ text }) => text).join(" "), long);
    await voice.release();
  });

  test("says what is wrong with its files", async () => {
    const isError = (code: string, message: RegExp) => (error: unknown) =>
      isSyrinxError(error) && error.code === code && message.test(error.message);
    await assert.rejects(open({ voices: "none" }), isError("MODEL_FILE_MISSING", /none/));
    await assert.rejects(open({ voice: "Z9" }), isError("TTS_VOICE_UNKNOWN", /Z9/));
    writeFileSync(join(folder, "bad.json"), JSON.stringify({ style_ttl: { data: [[1]] } }));
    await assert.rejects(open({ voices: "bad.json" }), isError("MODEL_FILE_INVALID", /style_dp/));
    cpSync(join(folder, "onnx"), join(folder, "swapped"), { recursive: true });
    cpSync(join(folder, "onnx", "vocoder.onnx"), join(folder, "swapped", "text_encoder.onnx"));
    await assert.rejects(
      open({ folder: "swapped" }),
      isError(
        "MODEL_TENSORS_MISMATCH",
        /text_encoder\.onnx.*input text_ids: expected int64\[batch, letters\], found none/,
      ),
    );
  });
});

test("a flow's steps end when all its rows are stale", async () => {
  let steps = 0;
  const latent = float32Tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
  const step = async (): Promise<typeof latent> => {
    steps += 1;
    return latent;
  };
  const result = await refine({ latent, conditions: {} }, 5, step, () => steps === 2);
  assert.deepEqual({ steps, rows: result.rows }, { steps: 2, rows: [] });
  const half = await refine(
    { latent, conditions: {} },
    1,
    async (rest) => rest,
    (row) => row === 0,
  );
  assert.deepEqual({ rows: half.rows, left: [...floatsOf(half.latent)] }, { rows: [1], left: [3, 4] });
});
