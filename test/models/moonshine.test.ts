import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { SttModel } from "../../src/models/family.js";
import { moonshineFamily } from "../../src/models/moonshine/index.js";
import { type TinyMoonshineOptions, writeTinyMoonshine } from "../support/tiny-moonshine.js";
import { type TinyFourFilesOptions, writeTinyFourFiles } from "../support/tiny-moonshine-files.js";
import { writeTinyWhisper } from "../support/tiny-whisper.js";
import { tonesOf } from "../support/tones.js";
import { openFamily } from "./family-support.js";
import { finished, hear, hearTogether } from "./stt-support.js";

const PANGRAM = "the five boxing wizards jump quickly don't they";
const TEXTS = ["hello world", "ab", PANGRAM, "one two three", "zebra", "nobody", "quiz", "quite so"];

const root = mkdtempSync(join(tmpdir(), "syrinx-moonshine-"));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
function tiny(options: TinyMoonshineOptions = {}): string {
  folders += 1;
  const folder = join(root, String(folders));
  writeTinyMoonshine(folder, options);
  return folder;
}

function four(options: TinyFourFilesOptions = {}): string {
  folders += 1;
  const folder = join(root, String(folders));
  writeTinyFourFiles(folder, options);
  return folder;
}

const LAYOUTS = {
  "with masks": () => tiny({ hasMasks: true }),
  "without masks": () => tiny({ hasMasks: false }),
  "in four files": () => four(),
};

const open = (folder: string, options: Record<string, unknown> = {}): Promise<SttModel> =>
  openFamily(moonshineFamily, { folder, ...options });

describe("moonshine", () => {
  for (const [name, write] of Object.entries(LAYOUTS)) {
    test(`${name}: writes what was said, and in a batch the same as alone`, async () => {
      const model = await open(write());
      const pcms = TEXTS.map((text) => tonesOf(text));
      const { hypotheses, report } = await hearTogether(model, pcms);
      assert.deepEqual(
        hypotheses.map(({ text }) => text),
        TEXTS,
      );
      for (const [i, pcm] of pcms.entries()) {
        const alone = await hear(model, pcm);
        assert.equal(alone.text, TEXTS[i]);
        assert.ok(Math.abs(alone.confidence - hypotheses[i]!.confidence) < 1e-4);
      }
      // With masks, segments of eight lengths are one batch; without, each length has its own.
      const steps = (length: number) => 1 + length + 1;
      const apart = TEXTS.reduce((total, { length }) => total + steps(length), 0);
      if (name === "with masks") assert.equal(report.runs, steps(PANGRAM.length));
      else assert.ok(report.runs < apart && report.runs > steps(PANGRAM.length), `${report.runs} runs`);
      await model.release();
    });

    test(`${name}: keeps nothing of one segment for the next, nor of one that was left`, async () => {
      const model = await open(write());
      const pcm = tonesOf("hello world");
      const first = await hear(model, pcm);
      const streams = [finished(model, tonesOf(PANGRAM.slice(0, 11))), finished(model, pcm)];
      let looks = 0;
      await model.advance(streams, (index) => index === 0 && ++looks > 4);
      assert.deepEqual(
        streams.map((stream) => stream.isDone),
        [false, true],
      );
      assert.deepEqual(streams[1]!.hypothesis().text, first.text);
      await model.advance(streams);
      assert.equal(streams[0]!.hypothesis().text, PANGRAM.slice(0, 11).trim());
      assert.deepEqual(await hear(model, pcm), first);
      assert.equal((await hear(model, new Int16Array(16_000))).text, "");
      assert.equal((await hear(model, new Int16Array(1))).text, "");
      await model.release();
    });
  }

  test("in four files that mix the rows of a batch takes one segment at a time", async () => {
    const model = await open(four({ mixesRows: true }));
    const { hypotheses, report } = await hearTogether(model, [tonesOf("abc"), tonesOf("xyz")]);
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      ["abc", "xyz"],
    );
    assert.equal(report.runs, 2 * (1 + 3 + 1));
    await model.release();
  });

  test("in four files is found by precision, with sherpa-onnx's table of tokens", async () => {
    const model = await open(four({ suffix: ".int8", hasTokenTable: true }));
    assert.match(
      model.description,
      /preprocess\.onnx.*encode\.int8\.onnx.*uncached_decode\.int8.*; cached_decode\.int8/,
    );
    assert.equal((await hear(model, tonesOf("hello world"))).text, "hello world");
    await model.release();
  });

  test("in four files refuses what is missing, and a file in another's place with what differs", async () => {
    const folder = four();
    copyFileSync(join(folder, "uncached_decode.onnx"), join(folder, "cached_decode.onnx"));
    await assert.rejects(open(folder), /cached_decode\.onnx .*input number 4: expected/);
    copyFileSync(join(folder, "preprocess.onnx"), join(folder, "encode.onnx"));
    await assert.rejects(open(folder), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(error.message, /input args_0: expected float32\[\?, \?, \?\], found float32\[batch, samples\]/);
      assert.match(error.message, /input length: expected int64\[\?\], found none/);
      return true;
    });
    rmSync(join(folder, "cached_decode.onnx"));
    await assert.rejects(open(folder), /cached_decode\.onnx/);
  });

  test("writes no more than 6.5 tokens for a second of audio, however long it would go on", async () => {
    const model = await open(tiny({ isEndless: true }));
    const pcm = new Int16Array(16_000);
    pcm.set(tonesOf("ab"));
    const { hypotheses, report } = await hearTogether(model, [pcm, pcm]);
    assert.equal(hypotheses[0]!.text, "ab");
    assert.equal(report.runs, 1 + Math.ceil(6.5));
    await model.release();
  });

  test("has partials at intervals of stream time if asked", async () => {
    const model = await open(tiny(), { partialMs: 800 });
    const stream = model.createStream({});
    const pcm = tonesOf("hello world");
    stream.accept(pcm, 0, 13_000);
    assert.equal(stream.isReady, true);
    await model.advance([stream]);
    assert.deepEqual(stream.hypothesis().text, "hello");
    assert.equal(stream.isReady, false);
    await model.release();
  });

  test("reads either vocabulary that is published", async () => {
    const folder = tiny();
    rmSync(join(folder, "tokenizer.bin"));
    await assert.rejects(open(folder), /tokenizer\.json/);
    writeFileSync(join(folder, "tokenizer.json"), "{}");
    await assert.rejects(open(folder), /no tokenizer\.json/);
  });

  test("refuses files of another family with what was expected and what was found", async () => {
    const folder = tiny();
    writeTinyWhisper(folder);
    await assert.rejects(open(folder), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
      assert.match(
        error.message,
        /input input_values: expected float32\[batch, samples\], found none among input_features/,
      );
      assert.match(error.message, /input input_features: expected none, found float32\[batch_size, 80, 3000\]/);
      return true;
    });
  });
});
