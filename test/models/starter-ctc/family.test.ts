import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assert as claim } from "../../../src/base/assert.js";
import { listFamilies } from "../../../src/models/all-families.js";
import type { Hypothesis, SttModel, TtsModel } from "../../../src/models/family.js";
import { fliteFamily } from "../../../src/models/flite/index.js";
import { findFamily, registerFamily } from "../../../src/models/registry.js";
import { starterCtcFamily } from "../../../src/models/starter-ctc/index.js";
import { openFamily } from "../family-support.js";

/** What the actor gives before and after a segment's speech. */
const BEFORE_SAMPLES = 3_200;
const AFTER_SAMPLES = 4_800;
const SENTENCE = "what is the weather like in boston tomorrow";

let ears: SttModel;
let voice: TtsModel;
before(async () => {
  ears = await openFamily(starterCtcFamily);
  voice = await openFamily(fliteFamily);
});
after(() => Promise.all([ears.release(), voice.release()]));

async function speak(text: string) {
  const pcm: number[] = new Array<number>(BEFORE_SAMPLES).fill(0);
  const report = await voice.speak({ text, isStale: () => false }, (part) => pcm.push(...part));
  const silence = new Array<number>(AFTER_SAMPLES).fill(0);
  return { pcm: Int16Array.from([...pcm, ...silence]), spans: report.spans };
}

async function hear(pcm: Int16Array, stepSamples: number, look: (partial: Hypothesis) => void): Promise<Hypothesis> {
  const stream = ears.createStream({});
  for (let at = 0; at < pcm.length; at += stepSamples) {
    stream.accept(pcm, at, Math.min(stepSamples, pcm.length - at));
    await ears.advance([stream]);
    look(stream.hypothesis());
  }
  stream.finish();
  await ears.advance([stream]);
  claim(stream.isDone, "a finished stream is done after an advance");
  return stream.hypothesis();
}

describe("starter-ctc", () => {
  test("writes down what the starter voice says, and what it called stable stays", async () => {
    const { pcm } = await speak(SENTENCE);
    const stable: string[] = [];
    const last = await hear(pcm, 320, ({ text, stableChars }) => stable.push(text.slice(0, stableChars)));
    assert.equal(last.text, SENTENCE);
    assert.equal(last.stableChars, SENTENCE.length);
    for (const [i, text] of stable.entries()) {
      assert.ok(SENTENCE.startsWith(text), `stable was ${text}`);
      if (i > 0) assert.ok(text.length >= stable[i - 1]!.length, "what is stable grows");
    }
    assert.ok(stable.at(-1)!.length > 10, "something is stable before the end");
    assert.ok(last.confidence > 0.5 && last.confidence <= 1);
  });

  test("gives the same hypothesis for a segment at once as for one in 20 ms pieces", async () => {
    const { pcm } = await speak(SENTENCE);
    const pieces = await hear(pcm, 320, () => {});
    const atOnce = await hear(pcm, pcm.length, () => {});
    assert.deepEqual(atOnce, pieces);
  });

  test("places words within 100 ms of where they were said, in order and not overlapping", async () => {
    const { pcm, spans } = await speak(SENTENCE);
    const { words } = await hear(pcm, pcm.length, () => {});
    assert.deepEqual(
      words.map(({ text }) => text),
      spans.map(({ text }) => text),
    );
    let end = 0;
    for (const [i, word] of words.entries()) {
      assert.ok(word.startSample >= end && word.endSample >= word.startSample, word.text);
      end = word.endSample;
      const early = BEFORE_SAMPLES + spans[i]!.startSample - word.startSample;
      assert.ok(Math.abs(early) < 1_600, `${word.text} begins ${early} samples early`);
    }
    assert.ok(end <= pcm.length);
  });

  test("knows several segments apart that it hears in one batch", async () => {
    const texts = ["turn on the lights in the kitchen", "set a timer for ten minutes", SENTENCE];
    const spoken = await Promise.all(texts.map((text) => speak(text)));
    const streams = spoken.map(() => ears.createStream({}));
    for (const [i, stream] of streams.entries()) {
      stream.accept(spoken[i]!.pcm, 0, spoken[i]!.pcm.length);
      stream.finish();
    }
    const { runs, rows } = await ears.advance(streams);
    assert.ok(rows > 2 * runs, `${rows} rows in ${runs} runs`);
    for (const [i, stream] of streams.entries()) {
      assert.deepEqual(stream.hypothesis(), await hear(spoken[i]!.pcm, 4_000, () => {}), texts[i]!);
    }
  });

  test("has no words for a segment without samples or without sound", async () => {
    for (const sampleCount of [0, 1, 32_000]) {
      const { text, words, confidence } = await hear(new Int16Array(sampleCount), 4_000, () => {});
      assert.deepEqual({ text, words, confidence }, { text: "", words: [], confidence: 0 });
    }
  });
});

describe("the families' registry", () => {
  test("finds each family by its name and knows no other", () => {
    for (const family of listFamilies()) assert.equal(findFamily(family.name), family);
    assert.equal(findFamily("starter-ctc")?.task, "stt");
    assert.equal(findFamily("constructor"), undefined);
  });

  test("takes a user's family once and keeps names unique", () => {
    const own = { ...findFamily("starter-vad")!, name: "own-vad" };
    registerFamily(own);
    registerFamily(own);
    assert.equal(findFamily("own-vad"), own);
    assert.throws(() => registerFamily({ ...own }), /own-vad is free/);
  });
});
