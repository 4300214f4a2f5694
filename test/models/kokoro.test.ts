import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { SpeakRequest, TtsModel } from "../../src/models/family.js";
import { KOKORO_STYLE_ROWS, kokoroFamily } from "../../src/models/kokoro.js";
import { phonemizeEnglish } from "../../src/models/pronunciation/phonemizer.js";
import { readStyleVectors, STYLE_FLOATS } from "../../src/models/tts/style-vectors.js";
import { familyContext, openFamily, sharedFile } from "./family-support.js";
import {
  bytesOf,
  ID_COUNT,
  idOf,
  levelOfRow,
  npyFile,
  npzFile,
  RATE_HZ,
  SHERPA,
  STYLE_ROWS,
  styleTable,
  writeKokoro,
} from "./tts/style-tts-support.js";
import { levelOf, Recorder, readIds, slotSamplesOf } from "./tts/tone-voice.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-kokoro-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writeKokoro(folder);

const CONTEXT = { ...familyContext(), baseFolder: folder };
const FILES = { file: "model.onnx", voices: "voices", tokens: "tokenizer.json" };
const open = (options: Record<string, unknown> = {}): Promise<TtsModel> =>
  openFamily(kokoroFamily, { ...FILES, ...options }, CONTEXT);

const request = (text: string, more: Partial<SpeakRequest> = {}): SpeakRequest => ({
  text,
  isStale: () => false,
  ...more,
});

/** The ids of a text's phonemes between their two borders. */
function idsOf(text: string): number[] {
  const phonemes = phonemizeEnglish(text, "misaki").map((word) => word.phonemes);
  return [0, ...[...phonemes.join(" ")].map(idOf), 0];
}

async function rejectsWith(code: string, opening: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(isSyrinxError(error) && error.code === code, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("kokoro", () => {
  const text = "Well, the quick brown fox paid $5!";

  test("is fed the phonemes of the text, in both published layouts and with each form of vocabulary", async () => {
    writeKokoro(join(folder, "sherpa"), SHERPA);
    for (const layout of [".", "sherpa"]) {
      for (const tokens of ["tokenizer.json", "config.json", "tokens.txt"]) {
        const files = { file: `${layout}/model.onnx`, voices: `${layout}/voices`, tokens: `${layout}/${tokens}` };
        const voice = await open(files);
        const recorder = new Recorder();
        await voice.speak(request(text), recorder.take);
        assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf(text), `${layout} ${tokens}`);
        await voice.release();
      }
    }
  });

  test("speaks with the row of its voice's table that belongs to the number of phonemes", async () => {
    const voice = await open({ voice: "am_high" });
    assert.deepEqual(voice.voices, ["af_low", "am_high"]);
    const rows = async (words: string, more: Partial<SpeakRequest>, base: number): Promise<void> => {
      const recorder = new Recorder();
      await voice.speak(request(words, more), recorder.take);
      const expected = levelOfRow(idsOf(words).length - 2, base);
      assert.ok(Math.abs(levelOf(recorder.pcm) - expected) < 1e-4, `${levelOf(recorder.pcm)}, not ${expected}`);
    };
    await rows(text, {}, 0.5);
    await rows("No.", {}, 0.5);
    await rows(text, { voice: "af_low" }, 0.2);
    await rejectsWith(
      "TTS_VOICE_UNKNOWN",
      voice.speak(request(text, { voice: "none" }), () => {}),
      /none/,
    );
    await voice.release();
  });

  test("speaks faster and slower, within limits, from the model's speed or the call's", async () => {
    const voice = await open({ speed: 2 });
    for (const [speed, heard] of [
      [undefined, 2],
      [1, 1],
      [0.8, 0.8],
      [9, 2],
      [0.01, 0.5],
    ] as const) {
      const recorder = new Recorder();
      const report = await voice.speak(request("Go on.", speed === undefined ? {} : { speed }), recorder.take);
      assert.equal(report.sampleCount, idsOf("Go on.").length * slotSamplesOf(RATE_HZ, heard));
      assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT, heard), idsOf("Go on."));
    }
    await voice.release();
  });

  test("tells when each word is spoken, as an estimate, and emits pieces of at most 100 ms", async () => {
    const voice = await open();
    const recorder = new Recorder();
    const report = await voice.speak(request("Two words."), recorder.take);
    assert.equal(report.isEstimated, true);
    const slot = slotSamplesOf(RATE_HZ);
    const [two, words] = phonemizeEnglish("Two words.", "misaki").map(({ phonemes }) => [...phonemes].length);
    assert.deepEqual(report.spans, [
      { text: "Two", startSample: slot, endSample: (1 + two!) * slot },
      { text: "words.", startSample: (2 + two!) * slot, endSample: (2 + two! + words!) * slot },
    ]);
    assert.equal(Math.max(...recorder.pieceLengths), RATE_HZ / 10);
    assert.equal(report.sampleCount, recorder.pcm.length);
    await voice.release();
  });

  test("cuts a text that is longer than the network's positions, after a comma", async () => {
    const voice = await open();
    const clause = "this sentence goes on and on about nothing at all, ";
    const long = clause.repeat(14).trim();
    const recorder = new Recorder();
    const report = await voice.speak(request(long), recorder.take);
    const ids = readIds(recorder.pcm, RATE_HZ, ID_COUNT);
    const cuts = ids.flatMap((id, at) => (id === 0 && ids[at + 1] === 0 ? [at] : []));
    assert.equal(cuts.length, 1, "two runs");
    assert.equal(ids[cuts[0]! - 1], idOf(","));
    assert.ok(cuts[0]! + 1 <= 512 && ids.length - cuts[0]! - 1 <= 512);
    assert.equal(report.spans.map((span) => span.text).join(" "), long);
    for (const [at, span] of report.spans.entries())
      assert.ok(span.startSample >= (report.spans[at - 1]?.endSample ?? 0));
    await voice.release();
  });

  test("emits nothing more once a request is stale, and nothing for what cannot be said", async () => {
    const voice = await open();
    let pieces = 0;
    const report = await voice.speak(request(text, { isStale: () => pieces === 2 }), () => {
      pieces += 1;
    });
    assert.equal(pieces, 2);
    assert.deepEqual(report, { sampleCount: 2 * (RATE_HZ / 10), spans: [] });
    const silent = await voice.speak(request("— ☎"), () => assert.fail("there is nothing to say"));
    assert.deepEqual(silent, { sampleCount: 0, spans: [] });
    await rejectsWith(
      "TTS_TEXT_TOO_LONG",
      voice.speak(request("x".repeat(1001)), () => {}),
      /1001/,
    );
    await voice.release();
  });

  test("takes another language's phonemes from the user's module", async () => {
    writeFileSync(join(folder, "phonemes.mjs"), "export const phonemize = () => 'wʊnd';");
    const voice = await open({ language: "de", phonemizer: { module: "./phonemes.mjs" } });
    const recorder = new Recorder();
    await voice.speak(request("wund"), recorder.take);
    assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), [0, ...[..."wʊnd"].map(idOf), 0]);
    await voice.release();
    await rejectsWith("TTS_LANGUAGE_UNKNOWN", open({ language: "de" }), /de/);
  });
});

describe("kokoro's files", () => {
  test("another family's model is refused with the difference", async () => {
    const starter = join(packageRoot(), "models", "starter", "vad.onnx");
    await rejectsWith(
      "MODEL_TENSORS_MISMATCH",
      open({ file: starter }),
      /input input_ids: expected int64\[1, ids\], found none among pcm, state.*output waveform: expected float32/,
    );
  });

  test("a voice of another size is refused with both sizes, and what is missing is named", async () => {
    writeFileSync(join(folder, "short.bin"), bytesOf(styleTable(509)));
    await rejectsWith("MODEL_FILE_INVALID", open({ voices: "short.bin" }), /522240 bytes a voice.*found 521216 bytes/);
    await rejectsWith("MODEL_FILE_MISSING", open({ voices: "none.bin" }), /none\.bin/);
    await rejectsWith("MODEL_FILE_MISSING", open({ tokens: "none.json" }), /none\.json/);
    await rejectsWith("MODEL_FILE_MISSING", open({ file: "none.onnx" }), /none\.onnx/);
    await rejectsWith("TTS_VOICE_UNKNOWN", open({ voice: "none" }), /none/);
    writeFileSync(join(folder, "words.txt"), "no ids here");
    await rejectsWith("MODEL_FILE_INVALID", open({ tokens: "words.txt" }), /lines of a symbol and its id/);
  });

  test("voices may lie alone, several in a file, or in an archive with their names", async () => {
    writeFileSync(
      join(folder, "two.bin"),
      Buffer.concat([bytesOf(styleTable(STYLE_ROWS, 0.1)), bytesOf(styleTable())]),
    );
    const archive = { af: npyFile(styleTable(), [STYLE_ROWS, 1, STYLE_FLOATS]), bm: npyFile(styleTable(1), [1, 256]) };
    writeFileSync(join(folder, "all.bin"), npzFile(archive));
    const names = async (path: string): Promise<readonly string[]> =>
      (await readStyleVectors(join(folder, path), KOKORO_STYLE_ROWS)).names;
    assert.deepEqual(await names("voices/af_low.bin"), ["af_low"]);
    assert.deepEqual(await names("two.bin"), ["0", "1"]);
    assert.deepEqual(await names("all.bin"), ["af", "bm"]);
    const vectors = await readStyleVectors(join(folder, "two.bin"), KOKORO_STYLE_ROWS);
    assert.equal(vectors.style("0", 7)[0], Math.fround(levelOfRow(7, 0.1)));
    assert.equal(vectors.style("1", 9999)[0], Math.fround(levelOfRow(509)));
    writeFileSync(join(folder, "narrow.npz"), npzFile({ a: npyFile(new Float32Array(8), [2, 4]) }));
    await rejectsWith("MODEL_FILE_INVALID", names("narrow.npz"), /256 floats for voice a, found \[2, 4\]/);
  });

  test("a real voice of Kokoro is such a table", async (t) => {
    const path = sharedFile("models", "tts", "kokoro_voice_af_heart.bin");
    if (path === undefined) return t.skip("no ../shared/models/tts/kokoro_voice_af_heart.bin");
    const vectors = await readStyleVectors(path, KOKORO_STYLE_ROWS);
    assert.deepEqual(vectors.names, ["kokoro_voice_af_heart"]);
    const row = vectors.style("kokoro_voice_af_heart", 100);
    assert.equal(row.length, STYLE_FLOATS);
    const norm = Math.hypot(...row);
    assert.ok(norm > 0.5 && norm < 20, `a style vector has a moderate length: ${norm}`);
    assert.notDeepEqual(row, vectors.style("kokoro_voice_af_heart", 300));
  });
});
