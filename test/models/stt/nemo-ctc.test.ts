import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SttModel } from "../../../src/models/family.js";
import { nemoCtcFamily } from "../../../src/models/nemo-ctc.js";
import { GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { SLOT_SAMPLES, tonesOf } from "../../support/tones.js";
import { openFamily } from "../family-support.js";
import { cutOff, finish, hear, hearTogether, inSilence, refusal, temporaryFolder } from "./stt-support.js";
import { writeTinyCtc } from "./tiny-ctc.js";

const PANGRAM = "the quick brown fox jumps over the lazy dog's aabbcc";
const folderOf = temporaryFolder();

function tiny(name: string, options?: Parameters<typeof writeTinyCtc>[1]): string {
  const folder = folderOf(name);
  writeTinyCtc(folder, options);
  return folder;
}

describe("nemo-ctc", () => {
  let model: SttModel;
  before(async () => {
    model = await openFamily(nemoCtcFamily, { folder: tiny("plain") });
  });
  after(() => model.release());

  test("spells what the tones say, doubled letters too, and calls it stable and sure", async () => {
    const { text, stableChars, confidence } = await hear(model, inSilence(tonesOf(PANGRAM)));
    assert.equal(text, PANGRAM);
    assert.equal(stableChars, PANGRAM.length);
    assert.ok(confidence > 0.9 && confidence <= 1, String(confidence));
  });

  test("places each word where its tones are", async () => {
    const { words } = await hear(model, inSilence(tonesOf("one two"), 2 * SLOT_SAMPLES));
    const places = words.map(({ text, startSample, endSample }) => [
      text,
      startSample / SLOT_SAMPLES,
      endSample / SLOT_SAMPLES,
    ]);
    assert.deepEqual(places, [
      ["one", 2, 4.5],
      ["two", 6, 8.5],
    ]);
    assert.ok(words.every(({ confidence }) => confidence > 0.9 && confidence <= 1));
  });

  test("gives calls of different lengths in one batch what it gives them alone", async () => {
    const texts = ["zebra", "a", PANGRAM, "", "the same words the same words", "quartz", "vow", "jinx fog", "m"];
    const calls = texts.map((text, i) => inSilence(tonesOf(text), 2560, 7680 + 333 * i));
    const { hypotheses, report } = await hearTogether(model, calls);
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      texts,
    );
    for (const [i, call] of calls.entries()) {
      const alone = await hear(model, call);
      assert.deepEqual(alone.words.map(place), hypotheses[i]!.words.map(place));
    }
    assert.equal(report.rows, texts.length);
    assert.ok(report.runs < texts.length, `${report.runs} runs`);
  });

  test("hears a second call as if there had been no first", async () => {
    const fresh = await hear(model, inSilence(tonesOf("second")));
    await hear(model, inSilence(tonesOf(PANGRAM)));
    assert.deepEqual(await hear(model, inSilence(tonesOf("second"))), fresh);
  });

  test("gives partials on the way, at the same samples however the audio comes", async () => {
    const pcm = inSilence(tonesOf(PANGRAM));
    const seen = async (pieceSamples: number) => {
      const texts = new Map<number, string>();
      let at = 0;
      await hear(model, pcm, pieceSamples, ({ text, stableChars }) => {
        assert.equal(stableChars, 0);
        at = Math.min(at + pieceSamples, pcm.length);
        texts.set(at, text);
      });
      return texts;
    };
    const often = await seen(320);
    const seldom = await seen(9600);
    for (const [at, text] of seldom) assert.equal(text, often.get(at), `after ${at} samples`);
    const different = new Set(often.values());
    assert.ok(different.size > 6, `${different.size} different partials`);
    for (const text of different) assert.ok(PANGRAM.startsWith(text), text);
  });

  test("asks for no more than five times the work for partials, and none if told so", async () => {
    const pcm = inSilence(tonesOf(PANGRAM.repeat(3)));
    const runsOf = async (ears: SttModel) => {
      const stream = ears.createStream({});
      let runs = 0;
      for (let at = 0; at < pcm.length; at += 1600) {
        stream.accept(pcm, at, Math.min(1600, pcm.length - at));
        runs += (await ears.advance([stream])).runs;
      }
      assert.equal((await finish(ears, stream)).text, PANGRAM.repeat(3));
      return runs;
    };
    const seconds = pcm.length / 16_000;
    const runs = await runsOf(model);
    assert.ok(runs > 8 && runs < seconds, `${runs} runs in ${seconds} s`);
    const patient = await openFamily(nemoCtcFamily, { folder: folderOf("plain"), partialMs: 0 });
    assert.equal(await runsOf(patient), 0);
    await patient.release();
  });

  test("leaves a stale call where it is, and says nothing of one too short to hear", async () => {
    const stale = model.createStream({});
    const short = model.createStream({});
    const whole = model.createStream({});
    stale.accept(inSilence(tonesOf("stale")), 0, 12_800);
    short.accept(new Int16Array(319), 0, 319);
    const pcm = inSilence(tonesOf("whole"));
    whole.accept(pcm, 0, pcm.length);
    for (const stream of [stale, short, whole]) stream.finish();
    const { rows } = await model.advance([stale, short, whole], (index) => index === 0);
    assert.equal(rows, 1);
    assert.ok(!stale.isDone && short.isDone && whole.isDone);
    assert.equal(stale.hypothesis().text, "");
    assert.equal(short.hypothesis().text, "");
    assert.equal(whole.hypothesis().text, "whole");
  });
});

const place = ({ text, startSample, endSample }: { text: string; startSample: number; endSample: number }) => [
  text,
  startSample,
  endSample,
];

describe("nemo-ctc's files", () => {
  const open = (folder: string, more: Record<string, unknown> = {}) => openFamily(nemoCtcFamily, { folder, ...more });

  test("may have 128 bands, an int8 file, and vocab.txt with config.json instead of metadata", async () => {
    const folder = tiny("int8", { bins: 128, file: "model.int8.onnx", metadata: {} });
    writeFileSync(join(folder, "config.json"), '{ "features_size": 128, "subsampling_factor": 8 }');
    const model = await open(folder);
    assert.match(model.description, /^model\.int8\.onnx, /);
    await model.release();
    assert.match(await refusal(open(folder, { precision: "fp32" }), "MODEL_FILE_MISSING"), /model\.onnx/);
  });

  test("are normalised band by band if nothing else is said", async () => {
    // With every symbol's tone in the text each band has its own to rise for, by more than a deviation.
    const text = "sphinx of black quartz judge my vow' ";
    const pcm = inSilence(tonesOf(text));
    const layouts: Record<string, string>[] = [{}, { normalize_type: "per_feature" }];
    for (const metadata of layouts) {
      const model = await open(tiny("normalised", { metadata, threshold: 1 }));
      assert.equal((await hear(model, pcm)).text, text.trim());
      await model.release();
    }
    const plain = await open(tiny("plain energies", { threshold: 1 }));
    assert.notEqual((await hear(plain, pcm)).text, text.trim());
    await plain.release();
  });

  test("of another family are refused with the difference", async () => {
    const folder = folderOf("other");
    const graph = new GraphWriter();
    const x = graph.input("audio_signal", "float32", ["batch", 80]);
    graph.input("speaker", "int64", ["batch"]);
    graph.output("probs", x, "float32", ["batch", 80]);
    writeModel(join(folder, "model.onnx"), graph);
    writeTinyCtc(folder, { file: "unused.onnx" });
    const message = await refusal(open(folder), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /input audio_signal: expected float32\[\?, 80, frames\], found float32\[batch, 80\]/);
    assert.match(message, /input length: expected int64\[\?\], found none among audio_signal, speaker/);
    assert.match(message, /output logprobs: expected float32\[\?, \?, \?\], found none among probs/);
    assert.match(message, /input speaker: expected none, found int64\[batch\]/);
  });

  test("whose symbols are not those of the table are refused", async () => {
    const message = await refusal(open(tiny("symbols", { symbolCount: 20 })), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /expected 29 symbols as in .*tokens\.txt, found 20/);
  });

  test("cut off, without a blank, with other features or another normalisation are invalid", async () => {
    const cut = tiny("cut");
    cutOff(join(cut, "model.onnx"));
    await refusal(open(cut), "MODEL_FILE_INVALID");
    const blankless = tiny("blankless");
    writeFileSync(join(blankless, "tokens.txt"), "a 0\nb 1\n");
    assert.match(await refusal(open(blankless), "MODEL_FILE_INVALID"), /none of <blk>, <blank>, <eps>/);
    writeFileSync(join(blankless, "tokens.txt"), "a 0\nb\n");
    assert.match(await refusal(open(blankless), "MODEL_FILE_INVALID"), /line 2 is not a symbol/);
    const whole = await refusal(
      open(tiny("all", { metadata: { normalize_type: "all_features" } })),
      "MODEL_FILE_INVALID",
    );
    assert.match(whole, /normalised by all_features/);
    const odd = tiny("odd");
    writeFileSync(join(odd, "config.json"), '{ "subsampling_factor": "eight" }');
    assert.match(await refusal(open(odd), "MODEL_FILE_INVALID"), /config\.json .*subsampling_factor/);
  });

  test("that are missing, or there twice, are named", async () => {
    assert.match(await refusal(open("no/such/folder"), "MODEL_FILE_MISSING"), /no\/such\/folder/);
    const folder = tiny("twice");
    writeTinyCtc(folder, { file: "model-2.onnx" });
    assert.match(await refusal(open(folder), "MODEL_FILE_INVALID"), /model-2\.onnx, model\.onnx/);
    rmSync(join(folder, "tokens.txt"));
    assert.match(await refusal(open(folder), "MODEL_FILE_MISSING"), /tokens\.txt or vocab\.txt/);
  });

  test("are options of a folder and nothing unknown", () => {
    const { options } = nemoCtcFamily;
    assert.equal(options.safeParse({}).success, false);
    assert.equal(options.safeParse({ folder: "a", partialMs: 100 }).success, false);
    assert.equal(options.safeParse({ folder: "a", beam: 4 }).success, false);
    assert.equal(options.safeParse({ folder: "a", precision: "int8", partialMs: 500 }).success, true);
  });
});
