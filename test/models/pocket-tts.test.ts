import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { SpeakRequest, TtsModel } from "../../src/models/family.js";
import { pocketTtsFamily } from "../../src/models/pocket-tts.js";
import { SentencePieces } from "../../src/models/tts/sentence-pieces.js";
import { familyContext, openFamily } from "./family-support.js";
import {
  FRAME_SAMPLES,
  FRAME_SPEED,
  ID_COUNT,
  LEVELS,
  PIECES,
  RATE_HZ,
  SCORES,
  writePocket,
} from "./tts/pocket-support.js";
import { levelOf, Recorder, readIds } from "./tts/tone-voice.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-pocket-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writePocket(folder);

const FILES = { folder: "model", voices: "voices" };
const open = (options: Record<string, unknown> = {}): Promise<TtsModel> =>
  openFamily(pocketTtsFamily, { ...FILES, ...options }, { ...familyContext(), baseFolder: folder });

const request = (text: string, more: Partial<SpeakRequest> = {}): SpeakRequest => ({
  text,
  isStale: () => false,
  ...more,
});

/** The ids that were said: each frame's pitch is shifted by the number of frames before it; behind the end come three of 0. */
function saidIds(pcm: Int16Array): number[] {
  return readIds(pcm, RATE_HZ, ID_COUNT, FRAME_SPEED).map((id, frame) => (id - frame + ID_COUNT) % ID_COUNT);
}

const pieces = (...names: string[]): number[] => [...names.map((name) => PIECES[name]!), 0, 0, 0];

describe("pocket-tts", () => {
  test("says the pieces of the text frame by frame, whatever the number of steps", async () => {
    for (const steps of [1, 4]) {
      const voice = await open({ steps });
      const recorder = new Recorder();
      const report = await voice.speak(request("go on, and on and on and on and go home"), recorder.take);
      const rest = ["\u2581and", "\u2581on", "\u2581and", "\u2581on", "\u2581and", "\u2581on", "\u2581and", "\u2581go"];
      assert.deepEqual(saidIds(recorder.pcm), pieces("\u2581Go", "\u2581on", ",", ...rest, "\u2581home", "."));
      assert.equal(report.sampleCount, recorder.pcm.length);
      await voice.release();
    }
  });

  test("sounds like the recording of its voice, from its own start each time", async () => {
    const voice = await open({ voice: "otto" });
    assert.deepEqual(voice.voices, ["anna", "otto"]);
    for (const [name, level] of [
      ["otto", LEVELS.otto],
      ["anna", LEVELS.anna],
      ["otto", LEVELS.otto],
    ] as const) {
      const recorder = new Recorder();
      await voice.speak(request("Go home", { voice: name }), recorder.take);
      assert.deepEqual(saidIds(recorder.pcm), pieces("\u2581Go", "\u2581home", "."));
      assert.ok(Math.abs(levelOf(recorder.pcm) - level) < 1e-3, `${name}: ${levelOf(recorder.pcm)}`);
    }
    await voice.release();
  });

  test("emits the first frame before the others are made, and nothing more once it is stale", async () => {
    const voice = await open();
    let looks = 0;
    let samples = 0;
    const isStale = (): boolean => {
      looks += 1;
      return samples >= 3 * FRAME_SAMPLES;
    };
    const report = await voice.speak(request("Go on and on and on and on", { isStale }), (pcm) => {
      if (samples === 0) assert.ok(looks <= 5, `after ${looks} looks`);
      samples += pcm.length;
    });
    assert.equal(samples, 3 * FRAME_SAMPLES, "one frame, then two");
    assert.deepEqual(report, { sampleCount: samples, spans: [] });
    await voice.release();
  });

  test("estimates when each word is spoken", async () => {
    const voice = await open();
    const { spans, isEstimated, sampleCount } = await voice.speak(request("go on"), () => {});
    assert.equal(isEstimated, true);
    assert.deepEqual(
      spans.map(({ text, startSample }) => [text, startSample]),
      [
        ["go", 0],
        ["on", (sampleCount * 3) / "Go on.".length],
      ],
    );
    await voice.release();
  });

  test("says what is wrong with its files", async () => {
    const isError = (code: string, message: RegExp) => (error: unknown) =>
      isSyrinxError(error) && error.code === code && message.test(error.message);
    await assert.rejects(open({ voices: "model" }), isError("MODEL_FILE_INVALID", /no recordings/));
    await assert.rejects(open({ folder: "voices" }), isError("MODEL_FILE_MISSING", /vocab\.json/));
    cpSync(join(folder, "model"), join(folder, "swapped"), { recursive: true });
    cpSync(join(folder, "model", "lm_flow.onnx"), join(folder, "swapped", "decoder.onnx"));
    await assert.rejects(
      open({ folder: "swapped" }),
      isError(
        "MODEL_TENSORS_MISMATCH",
        /decoder\.onnx.*input c: expected float32\[\?, \?, \?\], found float32\[1, 32\]/,
      ),
    );
    writeFileSync(join(folder, "swapped", "vocab.json"), "[]");
    await assert.rejects(open({ folder: "swapped" }), isError("MODEL_FILE_INVALID", /vocab\.json/));
  });
});

describe("sentence pieces", () => {
  const vocabulary = new Map(Object.entries(PIECES).map(([piece, id]) => [piece, { id, score: SCORES[piece]! }]));
  const encode = (text: string): number[] => new SentencePieces(vocabulary).encode(text);

  test("are the split whose scores sum to the most", () => {
    assert.deepEqual(encode("go on"), [PIECES["\u2581go"], PIECES["\u2581on"]]);
    assert.deepEqual(encode("ongo"), [PIECES["\u2581on"], PIECES.g, PIECES.o]);
    assert.deepEqual(encode("  o"), [PIECES["\u2581"], PIECES.o]);
  });

  test("are bytes where nothing else fits, and nothing where there are none", () => {
    assert.deepEqual(encode("go\u00e9"), [PIECES["\u2581go"], PIECES["<0xC3>"], PIECES["<0xA9>"]]);
    assert.deepEqual(encode("go\u{1f600}."), [PIECES["\u2581go"], PIECES["."]]);
  });
});
