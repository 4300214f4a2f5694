import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, type TestContext, test } from "node:test";
import { createResampler } from "../../src/audio/resampler.js";
import { isSyrinxError } from "../../src/base/errors.js";
import type { SttModel } from "../../src/models/family.js";
import { moonshineSpellingFamily } from "../../src/models/moonshine-spelling.js";
import { GraphWriter, writeModel } from "../support/onnx-writer.js";
import { openFamily, readWav, sharedFile } from "./family-support.js";
import { hear, hearTogether } from "./stt-support.js";

const DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/** Of the 20 recordings; measured: 20 with digits alone, 16 with all 51 classes. */
const RIGHT_MIN = 19;

const folder = mkdtempSync(join(tmpdir(), "syrinx-spelling-"));
after(() => rmSync(folder, { recursive: true }));

/** The real network, or undefined after the test has been skipped aloud. */
async function openReal(t: TestContext, options: Record<string, unknown> = {}): Promise<SttModel | undefined> {
  const file = sharedFile("models", "stt", "moonshine_spelling_cnn_mel.shrunk.onnx");
  const classes = sharedFile("models", "stt", "moonshine_spelling_cnn_meta.json");
  if (file !== undefined && classes !== undefined)
    return openFamily(moonshineSpellingFamily, { file, meta: classes, ...options });
  t.skip("no ../shared/models/stt/moonshine_spelling_cnn_mel.shrunk.onnx and moonshine_spelling_cnn_meta.json");
  return undefined;
}

interface Clip {
  readonly digit: string;
  readonly pcm: Int16Array;
}

/** The Free Spoken Digit Dataset's recordings at 16 kHz, or undefined after the test has been skipped aloud. */
function spokenDigits(t: TestContext): Clip[] | undefined {
  const path = sharedFile("audio", "fsdd");
  if (path === undefined) {
    t.skip("no ../shared/audio/fsdd");
    return undefined;
  }
  return readdirSync(path)
    .filter((name) => /^fsdd_\d_.*\.wav$/.test(name))
    .map((name) => {
      const raw = readWav(join(path, name));
      const resampler = createResampler(8_000, 16_000);
      const pcm = new Int16Array(resampler.outputBound(raw.length) + resampler.outputBound(0));
      const count = resampler.process(raw, 0, raw.length, pcm);
      const end = count + resampler.flush(pcm.subarray(count));
      return { digit: DIGITS[Number(name.split("_")[1])]!, pcm: pcm.subarray(0, end) };
    });
}

describe("moonshine-spelling, with its real network", () => {
  test(`knows at least ${RIGHT_MIN} of 20 spoken digits, several in a run and each as if alone`, async (t) => {
    const model = await openReal(t, { only: "digits" });
    const clips = spokenDigits(t);
    if (model === undefined || clips === undefined) return;
    assert.equal(clips.length, 20);
    const { hypotheses, report } = await hearTogether(
      model,
      clips.map(({ pcm }) => pcm),
    );
    const right = clips.filter(({ digit }, i) => hypotheses[i]!.text === digit).length;
    t.diagnostic(`${right} of ${clips.length} right`);
    assert.ok(right >= RIGHT_MIN, `${right} right`);
    assert.deepEqual(report, { runs: 3, rows: 20 });
    for (const [i, { pcm }] of clips.entries()) {
      const alone = await hear(model, pcm);
      assert.equal(alone.text, hypotheses[i]!.text);
      assert.ok(Math.abs(alone.confidence - hypotheses[i]!.confidence) < 1e-4);
    }
    await model.release();
  });

  test("finds the word in a longer segment, and says where it listened", async (t) => {
    const model = await openReal(t, { only: "digits" });
    const clips = spokenDigits(t);
    if (model === undefined || clips === undefined) return;
    let right = 0;
    for (const { digit, pcm } of clips) {
      const segment = new Int16Array(40_000);
      segment.set(pcm, 20_000);
      const { text, words } = await hear(model, segment);
      if (text === digit) right += 1;
      assert.equal(words.length, 1);
      assert.equal(words[0]!.endSample - words[0]!.startSample, 16_000);
      assert.ok(words[0]!.startSample <= 20_000 && words[0]!.endSample > 20_000);
    }
    t.diagnostic(`${right} of ${clips.length} right`);
    assert.ok(right >= RIGHT_MIN - 2, `${right} right`);
    await model.release();
  });

  test("takes silence for no word, however long", async (t) => {
    const model = await openReal(t);
    if (model === undefined) return;
    assert.deepEqual(await hear(model, new Int16Array(8_000)), { text: "", words: [], stableChars: 0, confidence: 0 });
    assert.deepEqual(await hear(model, new Int16Array(20_000)), { text: "", words: [], stableChars: 0, confidence: 0 });
    await model.release();
  });
});

/** A network that says class 1 for everything, and class 0 a little less. */
function constantNetwork(classes: number): string {
  const path = join(folder, `constant${classes}.onnx`);
  const graph = new GraphWriter();
  const features = graph.input("log_mel", "float32", ["batch", 1, 64, 128]);
  const none = graph.node("ReduceSum", [graph.node("Mul", [features, graph.scalar(0)]), graph.ints(1, 2, 3)], {
    keepdims: 0,
  });
  const column = graph.node("Unsqueeze", [none, graph.ints(1)]);
  const scores = Float32Array.from({ length: classes }, (_, i) => (i === 1 ? 2 : i === 0 ? 1 : -9));
  graph.output("logits", graph.node("Add", [column, graph.constant("scores", scores, [1, classes])]), "float32", [
    "batch",
    classes,
  ]);
  writeModel(path, graph);
  return path;
}

describe("moonshine-spelling", () => {
  const classes = join(folder, "classes.json");
  writeFileSync(classes, JSON.stringify({ classes: ["seven", "q", "wifi"], mode: "mel" }));
  const loud = new Int16Array(8000).fill(3000);
  const say = async (options: Record<string, unknown>) => {
    const model = await openFamily(moonshineSpellingFamily, { file: constantNetwork(3), meta: classes, ...options });
    const heard = await hear(model, loud);
    await model.release();
    return heard;
  };

  test("says only what may be said, and nothing if it is not certain enough", async () => {
    assert.equal((await say({})).text, "q");
    assert.equal((await say({ only: "letters" })).text, "q");
    assert.equal((await say({ only: "digits" })).text, "seven");
    assert.equal((await say({ only: "commands" })).text, "wifi");
    assert.equal((await say({ only: "digits", confidenceMin: 0.9 })).confidence, 1);
    const likely = (await say({})).confidence;
    assert.ok(Math.abs(likely - 1 / (1 + Math.exp(-1))) < 1e-3, `${likely}`);
    assert.equal((await say({ confidenceMin: 0.9 })).text, "");
  });

  test("refuses a network with other classes than its list", async () => {
    await assert.rejects(openFamily(moonshineSpellingFamily, { file: constantNetwork(4), meta: classes }), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, /output logits: expected float32\[batch, 3\], found float32\[batch, 4\]/);
      return true;
    });
    const bad = join(folder, "bad.json");
    writeFileSync(bad, "[]");
    const file = constantNetwork(3);
    await assert.rejects(openFamily(moonshineSpellingFamily, { file, meta: bad }), /no list of classes/);
    await assert.rejects(
      openFamily(moonshineSpellingFamily, { file, meta: "none.json" }),
      /no model file .*none\.json/,
    );
  });
});
