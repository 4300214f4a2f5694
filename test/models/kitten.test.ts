import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { TtsModel } from "../../src/models/family.js";
import { kittenFamily } from "../../src/models/kitten.js";
import { phonemizeEnglish } from "../../src/models/pronunciation/phonemizer.js";
import { familyContext, openFamily } from "./family-support.js";
import {
  ID_COUNT,
  KITTEN,
  levelOfRow,
  npyFile,
  npzFile,
  RATE_HZ,
  styleTable,
  writeStyleVoice,
} from "./tts/style-tts-support.js";
import { levelOf, Recorder, readIds, slotSamplesOf } from "./tts/tone-voice.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-kitten-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeStyleVoice(join(folder, "model.onnx"), KITTEN);
const ROWS = 20;
writeFileSync(
  join(folder, "voices.npz"),
  npzFile({
    "expr-voice-2-f": npyFile(styleTable(ROWS), [ROWS, 256]),
    "expr-voice-2-m": npyFile(styleTable(1, 0.5), [1, 256]),
  }),
);
writeFileSync(
  join(folder, "config.json"),
  JSON.stringify({
    name: "tiny",
    voice_aliases: { Bella: "expr-voice-2-f", Jasper: "expr-voice-2-m", Gone: "expr-voice-9-f" },
    speed_priors: { "expr-voice-2-m": 0.8 },
  }),
);

const CONTEXT = { ...familyContext(), baseFolder: folder };
const FILES = { file: "model.onnx", voices: "voices.npz" };
const open = (options: Record<string, unknown> = {}): Promise<TtsModel> =>
  openFamily(kittenFamily, { ...FILES, ...options }, CONTEXT);
const isStale = (): boolean => false;

/** Some of the ids in kittentts/onnx_model.py's table, counted by hand. */
const IDS: Readonly<Record<string, number>> = { ",": 3, ".": 4, " ": 16, d: 46, ɡ: 92, ʊ: 135, ˈ: 156, ː: 158, ᵻ: 177 };

describe("kitten", () => {
  test("has the ids of its own table, marks apart, and its ends", async () => {
    const voice = await open();
    const recorder = new Recorder();
    await voice.speak({ text: "Good, good.", isStale }, recorder.take);
    const ids = readIds(recorder.pcm, RATE_HZ, ID_COUNT).filter((id) => id >= 0);
    assert.equal(phonemizeEnglish("good", "espeak")[0]?.phonemes, "ɡˈʊd");
    assert.deepEqual(ids, [0, ...[..."ɡˈʊd , ɡˈʊd ."].map((symbol) => IDS[symbol]), 10, 0]);
    await voice.release();
  });

  test("tells from the graph's durations when each word is spoken", async () => {
    const voice = await open();
    const recorder = new Recorder();
    const report = await voice.speak({ text: "Good, good.", isStale }, recorder.take);
    assert.equal(report.isEstimated, undefined);
    const slot = slotSamplesOf(RATE_HZ);
    // Odd ids last two slots: here ʊ and the comma.
    assert.deepEqual(report.spans, [
      { text: "Good,", startSample: slot, endSample: 9 * slot },
      { text: "good.", startSample: 10 * slot, endSample: 17 * slot },
    ]);
    assert.equal(report.sampleCount, 19 * slot, "without the silence that the network adds");
    await voice.release();
  });

  test("calls its voices by name, each with its rows and its pace", async () => {
    const voice = await open({ config: "config.json", voice: "Jasper" });
    assert.deepEqual(voice.voices, ["Bella", "Jasper", "expr-voice-2-f", "expr-voice-2-m"]);
    const jasper = new Recorder();
    const report = await voice.speak({ text: "do", isStale }, jasper.take);
    assert.equal(report.sampleCount % slotSamplesOf(RATE_HZ, 0.8), 0);
    const bella = new Recorder();
    await voice.speak({ text: "Good good.", voice: "Bella", isStale }, bella.take);
    const ids = readIds(bella.pcm, RATE_HZ, ID_COUNT);
    const said = ids.filter((id) => id >= 0).length / ids.length;
    const level = levelOf(bella.pcm) / Math.sqrt(said);
    assert.ok(Math.abs(level - levelOfRow("Good good.".length)) < 1e-3, `${level}`);
    await voice.release();
  });

  test("says what is wrong with its files", async () => {
    writeFileSync(join(folder, "odd.json"), JSON.stringify({ speed_priors: { a: "fast" } }));
    const isInvalid = (message: RegExp) => (error: unknown) =>
      isSyrinxError(error) && error.code === "MODEL_FILE_INVALID" && message.test(error.message);
    await assert.rejects(open({ config: "odd.json" }), isInvalid(/speed_priors/));
    writeFileSync(join(folder, "no.json"), "{");
    await assert.rejects(open({ config: "no.json" }), isInvalid(/not JSON/));
    writeFileSync(join(folder, "no.npz"), "PK, but no archive");
    await assert.rejects(open({ voices: "no.npz" }), isInvalid(/no\.npz/));
  });
});
