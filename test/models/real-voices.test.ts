/** Voices with weights, where a developer keeps them beside the package: does the starter recogniser understand them? */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createResampler } from "../../src/audio/resampler.js";
import { GRAPH_RATE_HZ } from "../../src/base/units.js";
import type { SttModel, TtsModel } from "../../src/models/family.js";
import { kokoroFamily } from "../../src/models/kokoro.js";
import { piperFamily } from "../../src/models/piper.js";
import { starterCtcFamily } from "../../src/models/starter-ctc/index.js";
import { openFamily, sharedFile } from "./family-support.js";
import { Recorder } from "./tts/tone-voice.js";

const TEXTS = [
  "Please call me back at 10:30 tomorrow morning.",
  "The quick brown fox jumps over the lazy dog.",
  "Turn off the lights in the kitchen, and set a timer for 5 minutes.",
];
const HEARD = [
  "please call me back at ten thirty tomorrow morning",
  "the quick brown fox jumps over the lazy dog",
  "turn off the lights in the kitchen and set a timer for five minutes",
];

/** Share of the words that were heard, in order. */
async function understood(voice: TtsModel, ears: SttModel): Promise<number> {
  let [found, all] = [0, 0];
  for (const [index, text] of TEXTS.entries()) {
    const recorder = new Recorder();
    await voice.speak({ text, isStale: () => false }, recorder.take);
    const words = HEARD[index]!.split(" ");
    found += commonWords((await hear(ears, recorder.pcm, voice.rateHz)).split(" "), words);
    all += words.length;
  }
  return found / all;
}

async function hear(ears: SttModel, pcm: Int16Array, rateHz: number): Promise<string> {
  const resampler = createResampler(rateHz, GRAPH_RATE_HZ);
  const silence = new Int16Array(GRAPH_RATE_HZ / 4);
  const heard = new Int16Array(resampler.outputBound(pcm.length) + resampler.outputBound(0));
  let count = resampler.process(pcm, 0, pcm.length, heard);
  count += resampler.flush(heard.subarray(count));
  const stream = ears.createStream({});
  for (const part of [silence, heard.subarray(0, count), silence]) stream.accept(part, 0, part.length);
  stream.finish();
  await ears.advance([stream]);
  return stream.hypothesis().text;
}

/** The longest common subsequence. */
function commonWords(one: readonly string[], two: readonly string[]): number {
  let row = new Array<number>(two.length + 1).fill(0);
  for (const word of one) {
    const next = [0];
    for (const [at, other] of two.entries()) {
      next.push(word === other ? row[at]! + 1 : Math.max(next[at]!, row[at + 1]!));
    }
    row = next;
  }
  return row[two.length]!;
}

test("a real Kokoro reads numbers and words so that they are understood", async (t) => {
  const file = sharedFile("models", "tts", "kokoro-v1.0.int8.onnx");
  const tokens = sharedFile("models", "tts", "kokoro_vocab.json");
  const voices = sharedFile("models", "tts", "kokoro_voice_af_heart.bin");
  if (file === undefined || tokens === undefined || voices === undefined) {
    return t.skip("no ../shared/models/tts/kokoro-v1.0.int8.onnx, kokoro_vocab.json and kokoro_voice_af_heart.bin");
  }
  const ears = await openFamily(starterCtcFamily);
  const voice = await openFamily(kokoroFamily, { file, tokens, voices });
  const share = await understood(voice, ears);
  t.diagnostic(`${(100 * share).toFixed(0)} % of words understood`);
  assert.ok(share > 0.85, `${share}`);
  await Promise.all([voice.release(), ears.release()]);
});

test("a real voice of Piper reads numbers and words so that they are understood", async (t) => {
  const file = sharedFile("models", "tts", "en_US-joe-medium.onnx");
  if (file === undefined) return t.skip("no ../shared/models/tts/en_US-joe-medium.onnx with its .onnx.json");
  const ears = await openFamily(starterCtcFamily);
  const voice = await openFamily(piperFamily, { file });
  const share = await understood(voice, ears);
  t.diagnostic(`${(100 * share).toFixed(0)} % of words understood`);
  // Its noise differs from run to run; 66 to 84 % were measured.
  assert.ok(share > 0.5, `${share}`);
  await Promise.all([voice.release(), ears.release()]);
});
