import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { encodeWav } from "../../../src/audio/wav.js";
import { packageRoot } from "../../../src/base/package-root.js";
import { loadRecordings, makeRecording, SPEECH_MS_MAX, speechBounds } from "../../../src/cli/load/recordings.js";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "syrinx-load-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

/** Faint noise with a tone from `fromMs` to `untilMs`. */
function tone(totalMs: number, fromMs: number, untilMs: number): Int16Array {
  const pcm = new Int16Array(16 * totalMs).map((_, at) => (at % 3) - 1);
  for (let at = 16 * fromMs; at < 16 * untilMs; at++) pcm[at] = at % 2 === 0 ? 6_000 : -6_000;
  return pcm;
}

describe("where speech is", () => {
  test("is found in faint noise within 10 ms, and nowhere in digital silence", () => {
    assert.deepEqual(speechBounds(tone(2_000, 700, 1_500)), { start: 16 * 700, end: 16 * 1_500 });
    assert.equal(speechBounds(new Int16Array(16_000)), undefined);
  });

  test("is found in loud noise, and fills a recording that has no pause", () => {
    const noisy = tone(2_000, 700, 1_500).map((sample, at) =>
      sample > 100 || sample < -100 ? sample : at % 2 === 0 ? 900 : -900,
    );
    assert.deepEqual(speechBounds(noisy), { start: 16 * 700, end: 16 * 1_500 });
    assert.deepEqual(speechBounds(tone(1_000, 0, 1_000)), { start: 0, end: 16_000 });
  });

  test("a recording keeps 200 ms around it, and ends with a whole frame", () => {
    const { pcm, speechStartMs, speechEndMs } = makeRecording("a", tone(3_000, 707, 1_500), undefined)!;
    assert.equal(pcm.length % 320, 0);
    assert.ok(Math.abs(speechStartMs - 200) <= 10);
    assert.ok(Math.abs(speechEndMs - (200 + 793)) <= 10);
    assert.ok(pcm.length / 16 - speechEndMs >= 200 && pcm.length / 16 - speechEndMs < 230);
  });

  test("too much speech for a turn is no recording", () => {
    assert.equal(makeRecording("long", tone(SPEECH_MS_MAX + 2_000, 500, SPEECH_MS_MAX + 1_500), undefined), undefined);
  });
});

describe("a folder of recordings", () => {
  const wav = encodeWav(tone(1_000, 200, 800), 16_000);

  test("gives its files by name, with what is said in the text beside each", async () => {
    const folder = folderWith({ "b.wav": wav, "a.wav": wav, "a.txt": "Good day.\n", "notes.md": "no recording" });
    const found = await loadRecordings(folder);
    assert.deepEqual(
      found.map(({ name, text }) => [name, text]),
      [
        ["a.wav", "Good day."],
        ["b.wav", undefined],
      ],
    );
  });

  test("with a manifest gives the files that have a transcript in it", async () => {
    const manifest = JSON.stringify([
      { path: "a.wav", transcript: "Good day." },
      { path: "noise.wav", note: "noise" },
    ]);
    const folder = folderWith({ "a.wav": wav, "noise.wav": wav, "c.wav": wav, "manifest.json": manifest });
    assert.deepEqual(
      (await loadRecordings(folder)).map(({ name, text }) => [name, text]),
      [["a.wav", "Good day."]],
    );
  });

  test("without any is refused, and so is one that is not there", async () => {
    for (const folder of [folderWith({ "readme.txt": "empty" }), join(tmpdir(), "no-such-folder")]) {
      await assert.rejects(loadRecordings(folder), { code: "LOAD_RECORDINGS_NONE" });
    }
  });

  test("the package's samples all have their texts", async () => {
    const found = await loadRecordings(join(packageRoot(), "samples"));
    assert.ok(found.length >= 4);
    for (const { text } of found) assert.match(text!, /^[A-Z].*[.?]$/);
  });
});
