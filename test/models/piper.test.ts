import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { SpeakRequest, TtsModel } from "../../src/models/family.js";
import { piperFamily } from "../../src/models/piper.js";
import { phonemizeEnglish } from "../../src/models/pronunciation/phonemizer.js";
import { familyContext, openFamily } from "./family-support.js";
import { HOP_SAMPLES, ID_COUNT, idOf, NOISE, RATE_HZ, voiceFile, writePiper } from "./tts/piper-support.js";
import { levelOf, Recorder, readIds, slotSamplesOf } from "./tts/tone-voice.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-piper-"));
after(() => rmSync(folder, { recursive: true, force: true }));
writePiper(folder, "plain", { batch: 1 });
writePiper(folder, "old", { batch: "batch_size", rank: 3 });
writePiper(folder, "aligned", { batch: "batch_size", hasFrames: true });
writePiper(
  folder,
  "crowd",
  { batch: "batch_size", hasFrames: true, hasSpeakers: true },
  { num_speakers: 2, speaker_id_map: { anna: 0, otto: 1 } },
);
writePiper(folder, "letters", { batch: 1 }, { phoneme_type: "text" });

const open = (name: string, options: Record<string, unknown> = {}): Promise<TtsModel> =>
  openFamily(piperFamily, { file: `${name}.onnx`, ...options }, { ...familyContext(), baseFolder: folder });

const request = (text: string, more: Partial<SpeakRequest> = {}): SpeakRequest => ({
  text,
  isStale: () => false,
  ...more,
});

/** `^ _ p _ … $` */
function idsOf(text: string): number[] {
  const phonemes = phonemizeEnglish(text, "espeak").map((word) => word.phonemes);
  return [1, 0, ...[...phonemes.join(" ")].flatMap((symbol) => [idOf(symbol), 0]), 2];
}

async function rejectsWith(code: string, opening: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(isSyrinxError(error) && error.code === code, String(error));
    assert.match(error.message, message);
    return true;
  });
}

describe("piper", () => {
  const text = "Hello there, how are you?";

  test("is fed phonemes with pads between, in each published layout", async () => {
    for (const name of ["plain", "old", "aligned"]) {
      const voice = await open(name);
      assert.equal(voice.rateHz, RATE_HZ);
      assert.deepEqual(voice.voices, [name]);
      const recorder = new Recorder();
      await voice.speak(request(text), recorder.take);
      assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf(text), name);
      await voice.release();
    }
  });

  test("is given the scales of its file, and its peak is brought to full scale", async () => {
    const voice = await open("plain");
    const recorder = new Recorder();
    await voice.speak(request(text), recorder.take);
    const slot = slotSamplesOf(RATE_HZ);
    const level = (at: number): number => levelOf(recorder.pcm.subarray(at * slot, (at + 1) * slot));
    assert.ok(Math.abs(level(0) - NOISE.noise_scale) < 0.01, `^ at ${level(0)}`);
    assert.ok(Math.abs(level(2) - 1) < 0.01, `a phoneme at ${level(2)}`);
    assert.ok(Math.abs(level(recorder.pcm.length / slot - 1) - NOISE.noise_w) < 0.01);
    await voice.release();
  });

  test("speaks faster and slower by its length scale", async () => {
    const voice = await open("plain");
    for (const speed of [0.5, 2]) {
      const recorder = new Recorder();
      await voice.speak(request("Go on.", { speed }), recorder.take);
      assert.equal(recorder.pcm.length, idsOf("Go on.").length * slotSamplesOf(RATE_HZ, speed));
    }
    await voice.release();
  });

  test("gives calls in a batch what it gives them one by one, whatever their speakers and speeds", async () => {
    const voice = await open("crowd", { voice: "otto" });
    assert.deepEqual(voice.voices, ["anna", "otto"]);
    assert.equal(voice.batchMax, familyContext().batchMax);
    const requests = [
      request(text),
      request("No.", { voice: "anna" }),
      request("Nine, ten, eleven, and then twelve.", { speed: 2 }),
      request("Yes.", { voice: "nobody" }),
      request("Maybe later.", { voice: "anna", speed: 2 }),
    ];
    const together = requests.map(() => new Recorder());
    const reports = await voice.speakAll!(requests, (index, pcm) => together[index]!.take(pcm));
    for (const [index, each] of requests.entries()) {
      const report = reports[index]!;
      if (each.voice === "nobody") {
        assert.ok(isSyrinxError(report) && report.code === "TTS_VOICE_UNKNOWN");
        continue;
      }
      const alone = new Recorder();
      assert.deepEqual(await voice.speak(each, alone.take), report);
      assert.deepEqual(together[index]!.pcm, alone.pcm, each.text);
      const ids = idsOf(each.text).map((id) => (each.voice === "anna" ? id : ID_COUNT - 1 - id));
      if (each.speed === undefined) assert.deepEqual(readIds(alone.pcm, RATE_HZ, ID_COUNT), ids, each.text);
    }
    await voice.release();
  });

  test("lets a call that goes stale leave, and the others go on", async () => {
    const voice = await open("crowd");
    let pieces = 0;
    const requests = [request("One, two, three.", { isStale: () => pieces === 1 }), request(text)];
    const recorder = new Recorder();
    const reports = await voice.speakAll!(requests, (index, pcm) => {
      if (index === 0) pieces += 1;
      else recorder.take(pcm);
    });
    assert.equal(pieces, 1);
    assert.ok(!isSyrinxError(reports[0]!) && reports[0]!.spans.length === 0);
    assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), idsOf(text));
    await voice.release();
  });

  test("measures word times where the file has the frames of each id, and estimates them where not", async () => {
    const spansOf = async (name: string): Promise<unknown> => {
      const voice = await open(name);
      const { spans, isEstimated } = await voice.speak(request("Go on."), () => {});
      await voice.release();
      return { spans, isEstimated: isEstimated === true };
    };
    const slot = 3 * HOP_SAMPLES;
    const [go, on] = phonemizeEnglish("Go on.", "espeak").map(({ phonemes }) => 2 * [...phonemes].length);
    const spans = [
      { text: "Go", startSample: 2 * slot, endSample: (2 + go!) * slot },
      { text: "on.", startSample: (4 + go!) * slot, endSample: (4 + go! + on!) * slot },
    ];
    assert.deepEqual(await spansOf("aligned"), { spans, isEstimated: false });
    assert.deepEqual(await spansOf("plain"), { spans, isEstimated: true });
  });

  test("of letters is fed letters", async () => {
    const voice = await open("letters");
    const recorder = new Recorder();
    await voice.speak(request("so far"), recorder.take);
    const ids = [1, 0, ...[..."so far"].flatMap((letter) => [idOf(letter), 0]), 2];
    assert.deepEqual(readIds(recorder.pcm, RATE_HZ, ID_COUNT), ids);
    await voice.release();
  });
});

describe("piper's files", () => {
  test("another family's model is refused with the difference", async () => {
    writeFileSync(join(folder, "plain.json"), JSON.stringify(voiceFile()));
    const starter = join(packageRoot(), "models", "starter", "vad.onnx");
    await rejectsWith(
      "MODEL_TENSORS_MISMATCH",
      open("plain", { file: starter, config: "plain.json" }),
      /input input: expected int64\[batch, phonemes\], found none among pcm, state.*input scales: expected float32\[3\]/,
    );
  });

  test("a file of settings that is missing or lacks something is named with what it lacks", async () => {
    await rejectsWith("MODEL_FILE_MISSING", open("plain", { config: "none.json" }), /none\.json/);
    writeFileSync(join(folder, "bare.json"), JSON.stringify({ ...voiceFile(), audio: {} }));
    await rejectsWith("MODEL_FILE_INVALID", open("plain", { config: "bare.json" }), /audio\.sample_rate/);
    writeFileSync(join(folder, "mapless.json"), JSON.stringify({ ...voiceFile(), phoneme_id_map: { a: [1] } }));
    await rejectsWith("MODEL_FILE_INVALID", open("plain", { config: "mapless.json" }), /has no _ and no \^ and no \$/);
    writeFileSync(join(folder, "german.json"), JSON.stringify({ ...voiceFile(), espeak: { voice: "de" } }));
    await rejectsWith("TTS_LANGUAGE_UNKNOWN", open("plain", { config: "german.json" }), /de/);
  });
});
