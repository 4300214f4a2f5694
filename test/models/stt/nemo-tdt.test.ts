import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SttModel } from "../../../src/models/family.js";
import { nemoTdtFamily } from "../../../src/models/nemo-tdt.js";
import { GraphWriter, writeModel } from "../../support/onnx-writer.js";
import { SLOT_SAMPLES, tonesOf } from "../../support/tones.js";
import { openFamily } from "../family-support.js";
import { cutOff, hear, hearTogether, inSilence, refusal, temporaryFolder } from "./stt-support.js";
import { writeTinyCtc } from "./tiny-ctc.js";
import { enciphered, type TinyTransducerOptions, writeTinyTransducer } from "./tiny-transducer.js";

const PANGRAM = "the quick brown fox jumps over the lazy dog's aabbcc";
const folderOf = temporaryFolder();

function tiny(name: string, options: TinyTransducerOptions): string {
  const folder = folderOf(name);
  writeTinyTransducer(folder, options);
  return folder;
}

const callOf = (text: string): Int16Array => inSilence(tonesOf(enciphered(text)));

const LAYOUTS: readonly [name: string, options: TinyTransducerOptions][] = [
  ["with durations, predictor and joiner in one file", { layout: "fused", durations: 5 }],
  ["with durations, in two files", { layout: "split", durations: 5 }],
  ["without durations, in one file", { layout: "fused" }],
  ["without durations, in two files", { layout: "split" }],
];

for (const [name, options] of LAYOUTS) {
  describe(`nemo-tdt ${name}`, () => {
    let model: SttModel;
    before(async () => {
      model = await openFamily(nemoTdtFamily, { folder: tiny(name.replaceAll(" ", "-"), options) });
    });
    after(() => model.release());

    test("spells what the tones say, by a state that counts and sums the tokens", async () => {
      const { text, stableChars, confidence } = await hear(model, callOf(PANGRAM));
      assert.equal(text, PANGRAM);
      assert.equal(stableChars, PANGRAM.length);
      assert.ok(confidence > 0.9 && confidence <= 1, String(confidence));
    });

    test("places each word where its tones are", async () => {
      const { words } = await hear(model, inSilence(tonesOf(enciphered("one two")), 2 * SLOT_SAMPLES));
      assert.deepEqual(
        words.map(({ text, startSample }) => [text, startSample / SLOT_SAMPLES]),
        [
          ["one", 2],
          ["two", 6],
        ],
      );
      for (const { endSample } of words) assert.ok([4.5, 5, 8.5, 9].includes(endSample / SLOT_SAMPLES), `${endSample}`);
    });

    test("lets each call of a batch go on at its own pace, and gives it what it gives it alone", async () => {
      const texts = [
        "zebra",
        "a",
        PANGRAM,
        "",
        "the same words the same words",
        "quartz",
        "vow",
        "jinx fog",
        "m",
        "end",
      ];
      const { hypotheses, report } = await hearTogether(model, texts.map(callOf));
      assert.deepEqual(
        hypotheses.map(({ text }) => text),
        texts,
      );
      let longest = 0;
      for (const [i, text] of texts.entries()) {
        const single = await hearTogether(model, [callOf(text)]);
        assert.deepEqual(single.hypotheses[0], hypotheses[i]);
        longest = Math.max(longest, single.report.runs);
      }
      // Ten calls in rows of eight: the longest decides, not the sum.
      assert.ok(report.runs < 1.4 * longest, `${report.runs} runs together, ${longest} for the longest alone`);
    });

    test("gives partials that do not know what is to come", async () => {
      const texts: string[] = [];
      await hear(model, callOf(PANGRAM), 1600, ({ text, stableChars }) => {
        assert.equal(stableChars, 0);
        texts.push(text);
      });
      assert.ok(new Set(texts).size > 6);
      for (const text of texts) assert.ok(PANGRAM.startsWith(text), text);
    });
  });
}

describe("nemo-tdt", () => {
  let model: SttModel;
  before(async () => {
    model = await openFamily(nemoTdtFamily, { folder: tiny("own", { layout: "split", durations: 5 }) });
  });
  after(() => model.release());

  test("stops within one step of a call that has become stale; the others and its own tokens stay right", async () => {
    const streams = ["a stale one", "the other one"].map((text) => {
      const stream = model.createStream({});
      const pcm = callOf(text);
      stream.accept(pcm, 0, pcm.length);
      stream.finish();
      return stream;
    });
    let looks = 0;
    // Both are heard by the encoder, then there are a few steps of both.
    const isStale = (index: number) => index === 0 && ++looks > 6;
    const { runs, rows } = await model.advance(streams, isStale);
    assert.equal(2 * 6 + (runs - 6), rows, "six runs with both, the others with one");
    assert.ok(!streams[0]!.isDone && streams[1]!.isDone);
    assert.equal(streams[0]!.hypothesis().text, "");
    assert.equal(streams[1]!.hypothesis().text, "the other one");
    await model.advance(streams);
    assert.equal(streams[0]!.hypothesis().text, "a stale one");
  });

  test("refuses a stream that another model made", async () => {
    const other = await openFamily(nemoTdtFamily, { folder: folderOf("own") });
    await assert.rejects(model.advance([other.createStream({})]), /advanced by the model that made it/);
    await other.release();
  });
});

describe("nemo-tdt's files", () => {
  const open = (folder: string, more: Record<string, unknown> = {}) => openFamily(nemoTdtFamily, { folder, ...more });

  test("may be int8 beside fp32, and have 64-bit tokens", async () => {
    const folder = tiny("both", { layout: "fused", durations: 5, suffix: ".int8" });
    writeTinyTransducer(folder, { layout: "fused", durations: 5, integers: "int64" });
    const automatic = await open(folder);
    assert.match(automatic.description, /encoder-model\.int8\.onnx, .*decoder_joint-model\.int8\.onnx, /);
    await automatic.release();
    const full = await open(folder, { precision: "fp32" });
    assert.match(full.description, /encoder-model\.onnx, .*decoder_joint-model\.onnx, /);
    assert.equal((await hear(full, callOf(PANGRAM))).text, PANGRAM);
    await full.release();
  });

  test("of a CTC model are refused with the difference, and so are too few logits", async () => {
    const folder = folderOf("ctc");
    writeTinyCtc(folder, { file: "encoder-model.onnx" });
    const message = await refusal(open(folder), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /output outputs: expected float32\[\?, \?, \?\], found none among logprobs/);
    assert.match(message, /output encoded_lengths: expected int64\[\?\], found none/);
    const few = await refusal(open(tiny("few", { layout: "split", missing: 3 })), "MODEL_TENSORS_MISMATCH");
    assert.match(few, /expected logits of 29 symbols as in .*tokens\.txt, and of durations, found 26/);
  });

  test("whose predictor has no state are refused with its names", async () => {
    const folder = tiny("stateless", { layout: "fused" });
    const graph = new GraphWriter();
    graph.input("encoder_outputs", "float32", ["batch", 29, "frames"]);
    const targets = graph.input("targets", "int32", ["batch", "tokens"]);
    graph.output("outputs", targets, "int32", ["batch", "tokens"]);
    writeModel(join(folder, "decoder_joint-model.onnx"), graph);
    const message = await refusal(open(folder), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /input input_states_1: expected float32\[\?, \?, \?\], found none/);
    assert.match(message, /output output_states_2: expected float32\[\?, \?, \?\], found none/);
    assert.match(message, /output outputs: expected float32\[\?, \?, \?, \?\], found int32\[batch, tokens\]/);
  });

  test("that are cut off are invalid, one that is missing is named", async () => {
    for (const name of ["encoder", "decoder", "joiner"]) {
      const folder = tiny(`cut-${name}`, { layout: "split" });
      cutOff(join(folder, `${name}.onnx`));
      assert.match(await refusal(open(folder), "MODEL_FILE_INVALID"), new RegExp(`${name}\\.onnx`));
      rmSync(join(folder, `${name}.onnx`));
      assert.match(await refusal(open(folder), "MODEL_FILE_MISSING"), new RegExp(`${name}\\.onnx`));
    }
  });
});
