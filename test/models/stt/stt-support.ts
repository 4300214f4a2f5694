/** Hearing tones through recognisers, for their tests. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type ErrorCode, isSyrinxError } from "../../../src/base/errors.js";
import type { Hypothesis, SttModel, SttStream } from "../../../src/models/family.js";

/** A folder for one test file's models, removed after its tests. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "syrinx-stt-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
}

/** Tones with silence around them; a whole number of slots, so that frames of 80 ms stand where the tones do. */
export function inSilence(pcm: Int16Array, before = 2560, after = 7680): Int16Array {
  const padded = new Int16Array(before + pcm.length + after);
  padded.set(pcm, before);
  return padded;
}

/** One stream alone, `pieceSamples` at a time. */
export async function hear(
  model: SttModel,
  pcm: Int16Array,
  pieceSamples = pcm.length,
  look: (partial: Hypothesis) => void = () => {},
): Promise<Hypothesis> {
  const stream = model.createStream({});
  for (let at = 0; at < pcm.length; at += pieceSamples) {
    stream.accept(pcm, at, Math.min(pieceSamples, pcm.length - at));
    await model.advance([stream]);
    look(stream.hypothesis());
  }
  return finish(model, stream);
}

export async function finish(model: SttModel, stream: SttStream): Promise<Hypothesis> {
  stream.finish();
  await model.advance([stream]);
  assert.ok(stream.isDone && !stream.isReady, "a finished stream is done after an advance");
  return stream.hypothesis();
}

/** All at once in one batch. */
export async function hearTogether(model: SttModel, calls: readonly Int16Array[]) {
  const streams = calls.map((pcm) => {
    const stream = model.createStream({});
    stream.accept(pcm, 0, pcm.length);
    stream.finish();
    return stream;
  });
  const report = await model.advance(streams);
  assert.ok(streams.every(({ isDone }) => isDone));
  return { hypotheses: streams.map((stream) => stream.hypothesis()), report };
}

/** The error with which opening fails, of this code. */
export async function refusal(opening: Promise<SttModel>, code: ErrorCode): Promise<string> {
  let message = "";
  await assert.rejects(opening, (error) => {
    assert.ok(isSyrinxError(error), String(error));
    assert.equal(error.code, code, error.message);
    message = error.message;
    return true;
  });
  return message;
}

/** Leaves the first half of a file. */
export function cutOff(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
}

/** The text, whether the audio comes at once or in pieces; what was said on the way is its beginning, and is stable. */
export async function checkStreaming(model: SttModel, pcm: Int16Array, text: string): Promise<void> {
  const atOnce = await hear(model, pcm);
  assert.equal(atOnce.text, text);
  assert.equal(atOnce.stableChars, text.length);
  for (const pieceSamples of [320, 1111, 4000]) {
    const partials: string[] = [];
    const last = await hear(model, pcm, pieceSamples, (partial) => {
      assert.equal(partial.stableChars, partial.text.length);
      partials.push(partial.text);
    });
    assert.deepEqual(last, atOnce);
    for (const [i, partial] of partials.entries()) {
      assert.ok(text.startsWith(partial) && partial.length >= (partials[i - 1]?.length ?? 0), partial);
    }
    assert.ok(new Set(partials).size > text.length / 3, "it grows as the audio comes");
  }
}
