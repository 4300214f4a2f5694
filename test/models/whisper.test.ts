import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { SttModel } from "../../src/models/family.js";
import { whisperFamily } from "../../src/models/whisper/index.js";
import { GraphWriter, writeModel } from "../support/onnx-writer.js";
import { writeTinyMoonshine } from "../support/tiny-moonshine.js";
import { type TinySherpaWhisperOptions, writeTinySherpaWhisper } from "../support/tiny-sherpa-whisper.js";
import { type TinyWhisperOptions, writeTinyWhisper } from "../support/tiny-whisper.js";
import { SLOT_SAMPLES, tonesOf } from "../support/tones.js";
import { openFamily } from "./family-support.js";
import { finished, hear, hearTogether } from "./stt-support.js";

const PANGRAM = "the five boxing wizards jump quickly don't they";
const TEXTS = ["hello world", "a", PANGRAM, "one two three", "zebra", "nobody", "k", "quite so", "and again", "end"];

const root = mkdtempSync(join(tmpdir(), "syrinx-whisper-"));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
function tiny(options: TinyWhisperOptions = {}): string {
  folders += 1;
  const folder = join(root, String(folders));
  writeTinyWhisper(folder, options);
  return folder;
}

function sherpa(options: TinySherpaWhisperOptions = {}): string {
  folders += 1;
  const folder = join(root, String(folders));
  writeTinySherpaWhisper(folder, options);
  return folder;
}

const open = (folder: string, options: Record<string, unknown> = {}): Promise<SttModel> =>
  openFamily(whisperFamily, { folder, ...options });

async function textOf(folder: string, options: Record<string, unknown>, text: string): Promise<string> {
  const model = await open(folder, options);
  const heard = await hear(model, tonesOf(text));
  await model.release();
  return heard.text;
}

describe("whisper, in each form that is published", () => {
  const forms: readonly (TinyWhisperOptions & { name: string; isSherpa?: boolean })[] = [
    { name: "merged" },
    { name: "merged, with halves", dtype: "float16" },
    { name: "merged, 128 bands, as large-v3", bins: 128 },
    { name: "two files", form: "two-files" },
    { name: "two files, with halves", form: "two-files", dtype: "float16" },
    { name: "English only", isMultilingual: false },
    { name: "quantised", suffix: "_quantized" },
    { name: "sherpa-onnx", isSherpa: true },
    { name: "sherpa-onnx, quantised", isSherpa: true, suffix: ".int8" },
    { name: "sherpa-onnx, English only", isSherpa: true, isMultilingual: false },
  ];
  for (const { name, isSherpa = false, ...options } of forms) {
    test(`${name}: writes what was said, alone and in a batch`, async () => {
      const model = await open(isSherpa ? sherpa(options) : tiny(options));
      const alone = await hear(model, tonesOf(PANGRAM));
      assert.equal(alone.text, PANGRAM);
      assert.equal(alone.stableChars, PANGRAM.length);
      assert.ok(alone.confidence > 0.9 && alone.confidence <= 1);
      const { hypotheses } = await hearTogether(model, [tonesOf("zebra"), tonesOf(PANGRAM), tonesOf("a")]);
      assert.deepEqual(
        hypotheses.map(({ text }) => text),
        ["zebra", PANGRAM, "a"],
      );
      await model.release();
    });
  }
});

for (const [name, write] of [
  ["whisper", tiny],
  ["whisper for sherpa-onnx", sherpa],
] as const)
  describe(name, () => {
    let folder: string;
    let model: SttModel;
    before(async () => {
      folder = write();
      model = await open(folder, { language: "en" });
    });
    after(() => model.release());

    test("gives a call in a batch of ten what it gives it alone, and the batch shrinks as calls end", async () => {
      const pcms = TEXTS.map((text) => tonesOf(text));
      const { hypotheses, report } = await hearTogether(model, pcms);
      assert.deepEqual(
        hypotheses.map(({ text }) => text),
        TEXTS,
      );
      for (const [i, pcm] of pcms.entries()) {
        const alone = await hear(model, pcm);
        assert.equal(alone.text, hypotheses[i]!.text);
        assert.ok(Math.abs(alone.confidence - hypotheses[i]!.confidence) < 1e-4);
      }
      // Two batches, of 8 and of 2: an encoder run each, then a step for each symbol of the longest text and one for its end.
      const steps = PANGRAM.length + 1 + "and again".length + 1;
      assert.equal(report.runs, 2 + steps);
      const symbols = TEXTS.reduce((total, text) => total + text.length + 1, 0);
      assert.equal(report.rows, TEXTS.length + symbols);
    });

    test("keeps nothing of one segment for the next", async () => {
      const first = await hear(model, tonesOf("hello world"));
      await hear(model, tonesOf(PANGRAM));
      assert.deepEqual(await hear(model, tonesOf("hello world")), first);
      assert.equal((await hear(model, new Int16Array(16_000))).text, "");
      assert.equal((await hear(model, new Int16Array(0))).text, "");
    });

    test("stops within a step of a call's end, and the others go on", async () => {
      const streams = [PANGRAM, "hello world", PANGRAM].map((text) => finished(model, tonesOf(text)));
      let looks = 0;
      const report = await model.advance(streams, (index) => index !== 1 && ++looks > 6);
      assert.deepEqual(
        streams.map((stream) => stream.isDone),
        [false, true, false],
      );
      assert.equal(streams[1]!.hypothesis().text, "hello world");
      assert.equal(streams[0]!.hypothesis().text, "");
      // Looked at before the first step, then behind each: the two are in the encoder's run and three steps.
      assert.equal(report.runs, 1 + "hello world".length + 1);
      assert.equal(report.rows, 3 + "hello world".length + 1 + 2 * 3);
      await model.advance(streams);
      assert.equal(streams[0]!.hypothesis().text, PANGRAM);
    });

    test("looks no further at a segment that was stale from the beginning", async () => {
      const stream = finished(model, tonesOf("hello"));
      assert.deepEqual(await model.advance([stream], () => true), { runs: 0, rows: 0 });
      assert.equal(stream.isDone, false);
    });

    test("gets out of a loop, and keeps its first round", async () => {
      const said = `go ${"on and ".repeat(6)}`.trim();
      assert.equal((await hear(model, tonesOf(said))).text, "go on and");
      assert.equal((await hear(model, tonesOf("n".repeat(40)))).text, "n");
      const often = "no no no no";
      assert.equal((await hear(model, tonesOf(often))).text, often);
    });

    test("has no partials unless asked, and then the same ones however samples come", async () => {
      assert.equal(model.lagSamples, 0);
      const quiet = model.createStream({});
      quiet.accept(tonesOf("hello"), 0, 5 * SLOT_SAMPLES);
      assert.equal(quiet.isReady, false);
      const eager = await open(folder, { language: "en", partialMs: 480 });
      const pcm = tonesOf("hello world");
      for (const step of [320, 1000, 3 * SLOT_SAMPLES]) {
        const stream = eager.createStream({});
        const seen = new Set<string>();
        for (let at = 0; at < pcm.length; at += step) {
          stream.accept(pcm, at, Math.min(step, pcm.length - at));
          if (stream.isReady) await eager.advance([stream]);
          const { text, stableChars } = stream.hypothesis();
          assert.equal(stableChars, 0);
          seen.add(text);
        }
        stream.finish();
        await eager.advance([stream]);
        assert.deepEqual(
          [...seen],
          step === 3 * SLOT_SAMPLES ? ["hel", "hello", "hello wor"] : ["", "hel", "hello", "hello wor"],
        );
        assert.equal(stream.hypothesis().text, "hello world");
        assert.equal(stream.hypothesis().stableChars, "hello world".length);
      }
      await eager.release();
    });

    test("writes nothing where it hears no speech and is not sure", async () => {
      assert.equal((await hear(model, tonesOf("xylophone"))).text, "");
      assert.equal((await hear(model, tonesOf("a xylophone"))).text, "a xylophone");
    });
  });

describe("whisper's languages", () => {
  test("are told by the model for each segment of a batch, or configured", async () => {
    const folder = tiny();
    const model = await open(folder);
    const { hypotheses } = await hearTogether(model, [tonesOf("'zwy"), tonesOf("zwy"), tonesOf("'yz")]);
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      ["'ywz", "zwy", "'zy"],
    );
    await model.release();
    assert.equal(await textOf(folder, { language: "de" }, "zwy"), "ywz");
    assert.equal(await textOf(folder, { language: "en" }, "'zwy"), "'zwy");
  });

  test("and tasks are the same ones in files for sherpa-onnx", async () => {
    const folder = sherpa();
    assert.equal(await textOf(folder, {}, "'zwy"), "'ywz");
    assert.equal(await textOf(folder, { language: "en" }, "'zwy"), "'zwy");
    assert.equal(await textOf(folder, { task: "translate", language: "de" }, "cabyz"), "cbazy");
    await assert.rejects(open(folder, { language: "fr" }), /does not know the language fr, only en, de/);
  });

  test("may be translated", async () => {
    const folder = tiny();
    assert.equal(await textOf(folder, { task: "translate" }, "cab"), "cba");
    assert.equal(await textOf(folder, { task: "translate", language: "de" }, "cabyz"), "cbazy");
  });

  test("are refused if the model does not have them", async () => {
    const refused = (options: Record<string, unknown>, isMultilingual: boolean, reason: RegExp) =>
      assert.rejects(open(tiny({ isMultilingual }), options), (error) => {
        assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_INVALID");
        assert.match(error.message, reason);
        return true;
      });
    await refused({ language: "fr" }, true, /does not know the language fr, only en, de/);
    await refused({ language: "de" }, false, /does not know the language de, only en/);
    await refused({ task: "translate" }, false, /nothing to translate/);
  });
});

describe("whisper's timestamps", () => {
  test("give phrases, and words within them, times of the segment", async () => {
    const model = await open(tiny(), { timestamps: true, language: "en" });
    const { text, words } = await hear(model, tonesOf("one three  five"));
    assert.equal(text, "one three  five");
    assert.deepEqual(
      words.map((word) => [word.text, word.startSample / SLOT_SAMPLES, word.endSample / SLOT_SAMPLES]),
      [
        ["one", 0, 3],
        ["three", 3, 9],
        ["five", 10, 15],
      ],
    );
    for (const { confidence } of words) assert.ok(confidence > 0.5 && confidence <= 1);
    await model.release();
  });

  test("are not written without being asked for", async () => {
    const model = await open(tiny(), { language: "en" });
    assert.deepEqual((await hear(model, tonesOf("one two"))).words, []);
    await model.release();
  });
});

describe("whisper's word times", () => {
  const folders = {
    merged: () => tiny({ hasAttention: true }),
    "two files": () => tiny({ form: "two-files", hasAttention: true }),
    "sherpa-onnx": () => sherpa({ hasAttention: true }),
  };
  for (const [form, write] of Object.entries(folders)) {
    test(`are where the decoder looked while it wrote, ${form}, each call's own in a batch`, async () => {
      const model = await open(write(), { wordTimes: true });
      const texts = ["one three", "a", "hello there  world"];
      const pcms = texts.map((text) => {
        const tones = tonesOf(text);
        const pcm = new Int16Array(tones.length + SLOT_SAMPLES);
        pcm.set(tones);
        return pcm;
      });
      const { hypotheses } = await hearTogether(model, pcms);
      for (const [i, { text, words }] of hypotheses.entries()) {
        assert.equal(text, texts[i]);
        assert.deepEqual(
          words.map((word) => word.text),
          text.split(/ +/),
        );
        // The tiny vocabulary has the space as a token of its own, with which the next word begins.
        for (const [at, word] of words.entries()) {
          const where = text.lastIndexOf(word.text);
          const from = where === 0 ? 0 : where - 1;
          assert.ok(
            Math.abs(word.startSample - from * SLOT_SAMPLES) <= 960,
            `${word.text} begins at ${word.startSample}`,
          );
          const end = (where + word.text.length) * SLOT_SAMPLES;
          const isBeforeGap = words[at + 1] !== undefined && text[where + word.text.length + 1] === " ";
          if (!isBeforeGap) assert.ok(Math.abs(word.endSample - end) <= 960, `${word.text} ends at ${word.endSample}`);
        }
      }
      await model.release();
    });
  }

  test("are refused with what is missing if the files do not say them", async () => {
    await assert.rejects(
      open(tiny(), { wordTimes: true }),
      /expected alignment_heads in generation_config\.json.*found none/,
    );
    const folder = tiny({ hasAttention: true });
    const other = tiny();
    copyFileSync(join(other, "onnx", "decoder_model_merged.onnx"), join(folder, "onnx", "decoder_model_merged.onnx"));
    await assert.rejects(open(folder, { wordTimes: true }), /output cross_attentions\.1: expected float32\[batch/);
  });
});

describe("whisper's files", () => {
  const refused = (folder: string, code: string, message: RegExp, options: Record<string, unknown> = {}) =>
    assert.rejects(open(folder, options), (error) => {
      assert.ok(isSyrinxError(error), String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });

  test("that are missing are named", async () => {
    await refused(join(root, "nowhere"), "MODEL_FILE_MISSING", /nowhere.tokenizer\.json/);
    const folder = tiny({ suffix: "_quantized" });
    await refused(folder, "MODEL_FILE_MISSING", /onnx.encoder_model_fp16\.onnx/, { precision: "fp16" });
    rmSync(join(folder, "onnx", "decoder_model_merged_quantized.onnx"));
    await refused(folder, "MODEL_FILE_MISSING", /onnx.decoder_model_merged\.onnx/);
  });

  test("of another family are refused with what was expected and what was found", async () => {
    const folder = tiny();
    writeTinyMoonshine(folder);
    await refused(
      folder,
      "MODEL_TENSORS_MISMATCH",
      /input input_features: expected float32\[batch, 80, 3000\], found none among input_values/,
    );
  });

  test("that have other tensors are refused with every difference", async () => {
    const folder = tiny();
    const graph = new GraphWriter();
    const ids = graph.input("input_ids", "float32", ["batch", "tokens"]);
    graph.input("encoder_hidden_states", "float32", ["batch", 1500, 8]);
    graph.input("speed", "float32", [1]);
    graph.output("logits", ids, "float32", ["batch", "tokens"]);
    writeModel(join(folder, "onnx", "decoder_model_merged.onnx"), graph);
    const differences = [
      /input input_ids: expected int64\[batch, tokens\], found float32\[batch, tokens\]/,
      /input past_key_values\.0\.decoder\.key: expected float32\[batch, \?, past, \?\], found none among/,
      /output logits: expected float32\[batch, \?, \?\], found float32\[batch, tokens\]/,
      /input speed: expected none, found float32\[1\]/,
    ];
    for (const difference of differences) await refused(folder, "MODEL_TENSORS_MISMATCH", difference);
  });

  test("for sherpa-onnx are refused with what is missing and with every difference", async () => {
    const folder = sherpa();
    copyFileSync(join(folder, "tiny-encoder.onnx"), join(folder, "tiny-decoder.onnx"));
    await refused(folder, "MODEL_TENSORS_MISMATCH", /input tokens: expected int64\[batch, \?\], found none among mel/);
    await refused(folder, "MODEL_TENSORS_MISMATCH", /output n_layer_cross_k: expected none|output logits: expected/);
    writeModel(join(folder, "tiny-encoder.onnx"), new GraphWriter());
    await refused(folder, "MODEL_FILE_INVALID", /metadata does not give is_multilingual/);
    rmSync(join(folder, "tiny-decoder.onnx"));
    await refused(folder, "MODEL_FILE_MISSING", /tiny-decoder\.onnx/);
    await assert.rejects(open(sherpa(), { wordTimes: true }), /words have no times/);
  });

  test("in JSON are checked", async () => {
    const folder = tiny();
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ max_length: "long" }));
    await refused(folder, "MODEL_FILE_INVALID", /generation_config\.json .*max_length/);
    writeFileSync(join(folder, "generation_config.json"), "{");
    await refused(folder, "MODEL_FILE_INVALID", /not JSON/);
  });

  test("are found by precision; on the CPU int8 comes first", async () => {
    const folder = tiny();
    writeTinyWhisper(folder, { suffix: "_quantized" });
    const chosen = await open(folder);
    assert.match(chosen.description, /encoder_model_quantized\.onnx.*; decoder_model_merged_quantized\.onnx/);
    const full = await open(folder, { precision: "fp32" });
    assert.match(full.description, /encoder_model\.onnx.*; decoder_model_merged\.onnx/);
    await Promise.all([chosen.release(), full.release()]);
  });

  test("and options: a folder is wanted, unknown keys are refused", () => {
    const { options } = whisperFamily;
    assert.equal(options.safeParse({}).success, false);
    assert.equal(options.safeParse({ folder: "a", beam: 3 }).success, false);
    assert.equal(options.safeParse({ folder: "a", language: "English" }).success, false);
    assert.equal(options.safeParse({ folder: "a" }).success, true);
  });
});
