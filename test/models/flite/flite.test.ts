import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { SimulatedClock } from "../../../src/base/clock.js";
import { isSyrinxError, type SyrinxError } from "../../../src/base/errors.js";
import type { FamilyContext, SpeakReport, SpeakRequest, TtsModel } from "../../../src/models/family.js";
import { FliteEngine, INSTANCE_BYTES_MAX } from "../../../src/models/flite/engine.js";
import { fliteFamily } from "../../../src/models/flite/index.js";
import { EMIT_SAMPLES } from "../../../src/models/flite/speech.js";
import { TEXT_CHARS_MAX } from "../../../src/models/flite/text.js";
import { TARGET_RMS_DBFS, VOICES } from "../../../src/models/flite/voices.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-flite-"));
after(() => rmSync(folder, { recursive: true }));

function contextOf(device = "auto"): FamilyContext {
  return { clock: new SimulatedClock(), baseFolder: folder, device, batchMax: 1, log: () => {} };
}

function openFlite(given: object = {}): Promise<TtsModel> {
  return fliteFamily.open(fliteFamily.options.parse(given), contextOf());
}

interface Spoken extends SpeakReport {
  readonly pcm: Int16Array;
  readonly frames: readonly number[];
}

async function say(model: TtsModel, text: string, more: Partial<SpeakRequest> = {}): Promise<Spoken> {
  const parts: Int16Array[] = [];
  const report = await model.speak({ text, isStale: () => false, ...more }, (pcm) => parts.push(pcm.slice()));
  const pcm = Int16Array.from(parts.flatMap((part) => [...part]));
  return { ...report, pcm, frames: parts.map((part) => part.length) };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: unknown) => (isSyrinxError(error) ? (error as SyrinxError).code : String(error)),
  );
}

function rmsDbfs(pcm: Int16Array): number {
  let sum = 0;
  for (const sample of pcm) sum += (sample / 32768) ** 2;
  return 10 * Math.log10(sum / pcm.length);
}

describe("the flite family", () => {
  let model: TtsModel;
  before(async () => {
    model = await openFlite();
  });

  test("speaks every voice at 16 kHz and within 1.5 dB of the common level, without clipping", async () => {
    const text = "Hello there, how can I help you today? I am sorry, I did not understand that.";
    for (const voice of VOICES) {
      const { pcm, sampleCount } = await say(model, text, { voice });
      assert.equal(pcm.length, sampleCount);
      assert.ok(Math.abs(rmsDbfs(pcm) - TARGET_RMS_DBFS) < 1.5, `${voice}: ${rmsDbfs(pcm)} dBFS`);
      assert.ok(pcm.every((sample) => Math.abs(sample) < 32767));
      // The same two sentences take each voice five to seven seconds; a wrong rate halves or doubles that.
      assert.ok(sampleCount > 4 * 16_000 && sampleCount < 7 * 16_000, `${voice}: ${sampleCount} samples`);
    }
  });

  test("gives the same samples for the same text, whatever was spoken between", async () => {
    const first = await say(model, "Turn on the kitchen lights.");
    await say(model, "Something else, in another voice.", { voice: "rms" });
    const second = await say(model, "Turn on the kitchen lights.");
    assert.deepEqual(second.pcm, first.pcm);
    assert.deepEqual(second.spans, first.spans);
  });

  test("speaks 60 texts without holding more memory than after the first", async () => {
    const engine = await FliteEngine.load();
    const heldBytes: number[] = [];
    for (let index = 0; index < 60; index++) {
      const text = `Sentence number ${index}.`;
      engine.run({ voice: "kal16", speed: 1, text, onSentence: () => {}, onAudio: () => {} });
      heldBytes.push(engine.heldBytes);
    }
    assert.ok(heldBytes[0]! < 2 * INSTANCE_BYTES_MAX);
    assert.ok(Math.max(...heldBytes) - heldBytes[0]! <= 1 << 20, `${heldBytes[0]} grew to ${Math.max(...heldBytes)}`);
  });

  test("gives no samples and no spans for text without a letter or digit", async () => {
    for (const text of ["", "   ", "\n\t", "...", "?! --", "👍", "\u0000\u0007", "—", "中文"]) {
      const { sampleCount, spans, frames } = await say(model, text);
      assert.deepEqual({ sampleCount, spans, frames }, { sampleCount: 0, spans: [], frames: [] }, JSON.stringify(text));
    }
  });

  test("stops within the sentence under way when its request goes stale, and speaks the next as ever", async () => {
    const sentence = "The quick brown fox jumps over the lazy dog.";
    const alone = await say(model, sentence);
    let frames = 0;
    const stopped = await model.speak({ text: `${sentence} ${sentence}`, isStale: () => frames === 3 }, () => frames++);
    assert.equal(stopped.sampleCount, 3 * EMIT_SAMPLES);
    assert.deepEqual(stopped.spans, []);
    assert.deepEqual((await say(model, sentence)).pcm, alone.pcm);
    const neverBegun = await say(model, sentence, { isStale: () => true });
    assert.equal(neverBegun.sampleCount, 0);
  });

  test("hands out a sentence before it computes the next", async () => {
    const engine = await FliteEngine.load();
    const events: string[] = [];
    const printed = engine.run({
      voice: "kal16",
      speed: 1,
      text: "One is here. Two is here. Three is here",
      onSentence: () => events.push("sentence"),
      onAudio: () => events.push("audio"),
    });
    assert.deepEqual(events, ["sentence", "audio", "sentence", "audio", "sentence", "audio"]);
    assert.equal(printed.trim().split("\n").length, 3);
  });

  test("begins soon: at most a little silence precedes the first sound", async () => {
    const { pcm } = await say(model, "Yes.");
    const firstSound = pcm.findIndex((sample) => Math.abs(sample) > 300);
    assert.ok(firstSound >= 0 && firstSound < 16 * 100, `${firstSound / 16} ms`);
  });

  test("speaks faster and slower", async () => {
    const text = "What is the weather like tomorrow?";
    const { sampleCount } = await say(model, text);
    const fast = await say(model, text, { speed: 2 });
    const slow = await say(model, text, { speed: 0.5 });
    assert.ok(fast.sampleCount / sampleCount > 0.4 && fast.sampleCount / sampleCount < 0.65);
    assert.ok(slow.sampleCount / sampleCount > 1.7 && slow.sampleCount / sampleCount < 2.2);
    assert.equal((await say(model, text, { speed: 99 })).sampleCount, fast.sampleCount);
    assert.equal((await say(model, text, { speed: Number.NaN })).sampleCount, sampleCount);
  });

  test("passes on what its listener throws and speaks the next text unharmed", async () => {
    const expected = await say(model, "Good morning.");
    const failure = new Error("the listener is gone");
    const throwing = model.speak({ text: "Good morning.", isStale: () => false }, () => {
      throw failure;
    });
    await assert.rejects(throwing, failure);
    assert.deepEqual((await say(model, "Good morning.")).pcm, expected.pcm);
  });

  test("refuses unknown voices and texts that are too long with their codes", async () => {
    assert.equal(await codeOf(say(model, "Hello.", { voice: "nobody" })), "TTS_VOICE_UNKNOWN");
    assert.equal(await codeOf(say(model, "a".repeat(TEXT_CHARS_MAX + 1))), "TTS_TEXT_TOO_LONG");
  });

  test("speaks or stays silent, but never fails, for any text", async () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: "binary-ascii", maxLength: 40 }),
      fc.string({ unit: fc.constantFrom(..."abeiot AXR.,;:'\"$%&@#()[]{}<>\\/|~^`*_+=-0123456789"), maxLength: 40 }),
    );
    const property = fc.asyncProperty(anyText, async (text) => {
      const { pcm, sampleCount, spans } = await say(model, text, { voice: "kal16" });
      assert.equal(pcm.length, sampleCount);
      let previousEnd = 0;
      for (const span of spans) {
        assert.ok(span.startSample >= previousEnd && span.endSample >= span.startSample);
        previousEnd = span.endSample;
      }
      assert.ok(previousEnd <= sampleCount);
      const printable = text.replace(/\p{Cf}/gu, "").replace(/\p{C}/gu, " ");
      const words = printable.split(/\s+/u).filter((word) => word !== "");
      if (sampleCount > 0) assert.equal(spans.map((span) => span.text).join(" "), words.join(" "));
    });
    await fc.assert(property, { numRuns: 60, seed: 20 });
  });
});

describe("opening flite", () => {
  test("names a program that is missing, corrupt, or another program", async () => {
    assert.equal(await codeOf(openFlite({ file: "nowhere.wasm" })), "MODEL_FILE_MISSING");
    writeFileSync(join(folder, "text.wasm"), "not WebAssembly at all");
    assert.equal(await codeOf(openFlite({ file: "text.wasm" })), "MODEL_FILE_INVALID");
    writeFileSync(join(folder, "empty.wasm"), Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    assert.equal(await codeOf(openFlite({ file: "empty.wasm" })), "MODEL_FILE_INVALID");
    writeFileSync(join(folder, "trap.wasm"), TRAPS_WHEN_NEW);
    assert.equal(await codeOf(openFlite({ file: "trap.wasm" })), "MODEL_FILE_INVALID");
  });

  test("refuses a device that is not the CPU", async () => {
    const opening = fliteFamily.open(fliteFamily.options.parse({}), contextOf("cuda:0"));
    assert.equal(await codeOf(opening), "DEVICE_UNAVAILABLE");
  });

  test("refuses options it does not know", () => {
    assert.equal(fliteFamily.options.safeParse({ voice: "nobody" }).success, false);
    assert.equal(fliteFamily.options.safeParse({ pitch: 2 }).success, false);
    assert.deepEqual(fliteFamily.options.parse({}), { voice: "slt", speed: 1 });
  });

  test("never uses an instance again in which the program failed", async () => {
    const path = join(folder, "trap-again.wasm");
    writeFileSync(path, TRAPS_WHEN_NEW);
    const engine = await FliteEngine.load(path);
    const run = async () => engine.run({ voice: "slt", speed: 1, text: "a", onSentence: () => {}, onAudio: () => {} });
    assert.equal(await codeOf(run()), "TTS_FAILED");
    // A used instance would return: the trap only happens in a new one.
    assert.equal(await codeOf(run()), "TTS_FAILED");
  });
});

/**
 * A WebAssembly program: `(global $used (mut i32) 0) (func _start: if (!used) { used = 1; unreachable })`, so that its
 * first run in an instance traps and a second would not.
 */
const TRAPS_WHEN_NEW = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[3, 2, 1, 0],
  ...[5, 3, 1, 0, 1],
  ...[6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b],
  ...[7, 19, 2, 6, ...Buffer.from("memory"), 2, 0, 6, ...Buffer.from("_start"), 0, 0],
  ...[10, 15, 1, 13, 0, 0x23, 0, 0x45, 4, 0x40, 0x41, 1, 0x24, 0, 0, 0x0b, 0x0b],
]);
