import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isSyrinxError } from "../../src/base/errors.js";
import type { SttModel } from "../../src/models/family.js";
import { moonshineStreamingFamily } from "../../src/models/moonshine-streaming/index.js";
import { writeTinyMoonshineStreaming } from "../support/tiny-moonshine-streaming.js";
import { tonesOf } from "../support/tones.js";
import { openFamily } from "./family-support.js";
import { finished, hear, hearTogether } from "./stt-support.js";

const PANGRAM = "the five boxing wizards jump quickly don't they";

const root = mkdtempSync(join(tmpdir(), "syrinx-moonshine-streaming-"));
after(() => rmSync(root, { recursive: true }));

let folders = 0;
function tiny(): string {
  folders += 1;
  const folder = join(root, String(folders));
  writeTinyMoonshineStreaming(folder);
  return folder;
}

const open = (folder: string, options: Record<string, unknown> = {}): Promise<SttModel> =>
  openFamily(moonshineStreamingFamily, { folder, ...options });

/** Tones, and behind them the silence that the encoder looks ahead into. */
function spoken(text: string): Int16Array {
  const tones = tonesOf(text);
  const pcm = new Int16Array(tones.length + 6_400);
  pcm.set(tones);
  return pcm;
}

describe("moonshine-streaming", () => {
  let model: SttModel;
  before(async () => {
    model = await open(tiny());
  });
  after(() => model.release());

  test("writes what was said, alone and beside others", async () => {
    const heard = await hear(model, spoken(PANGRAM));
    assert.equal(heard.text, PANGRAM);
    assert.equal(heard.stableChars, PANGRAM.length);
    assert.ok(heard.confidence > 0.9 && heard.confidence <= 1);
    const texts = ["hello world", "a", "one two three", PANGRAM];
    const { hypotheses } = await hearTogether(model, texts.map(spoken));
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      texts,
    );
  });

  test("gives the same however samples come, and listens while they do", async () => {
    const pcm = spoken("hello world");
    const atOnce = await hear(model, pcm);
    for (const step of [320, 1_000, 8_000, 20_000]) {
      const stream = model.createStream({});
      let early = 0;
      for (let at = 0; at < pcm.length; at += step) {
        stream.accept(pcm, at, Math.min(step, pcm.length - at));
        early += (await model.advance([stream])).runs;
      }
      assert.ok(early > 5, "networks ran before the end");
      assert.equal(stream.hypothesis().text, "");
      stream.finish();
      await model.advance([stream]);
      assert.ok(stream.isDone);
      assert.deepEqual(stream.hypothesis(), atOnce);
    }
  });

  test("keeps nothing of one segment for the next, and has no words for silence", async () => {
    const first = await hear(model, spoken("zebra"));
    await hear(model, spoken(PANGRAM));
    assert.deepEqual(await hear(model, spoken("zebra")), first);
    for (const sampleCount of [0, 1, 400, 16_000])
      assert.equal((await hear(model, new Int16Array(sampleCount))).text, "");
  });

  test("stops within a step of a call's end, while listening and while writing, and the others go on", async () => {
    const total = (await model.advance([finished(model, spoken(PANGRAM))])).runs;
    for (const stopAfter of [1, 4, 40]) {
      const streams = [finished(model, spoken(PANGRAM)), finished(model, spoken("hello"))];
      let looks = 0;
      await model.advance(streams, (index) => index === 0 && ++looks > stopAfter);
      assert.equal(streams[0]!.isDone, false);
      assert.equal(streams[1]!.hypothesis().text, "hello");
      const { runs } = await model.advance(streams);
      assert.ok(runs > 0 && runs <= total, `${runs} of ${total}`);
      assert.equal(streams[0]!.hypothesis().text, PANGRAM);
    }
  });

  test("writes partials at whole intervals if asked, the same ones however samples come", async () => {
    const eager = await open(tiny(), { partialMs: 1_000 });
    const pcm = spoken("hello world");
    const seenWith = async (step: number): Promise<string[]> => {
      const stream = eager.createStream({});
      const seen: string[] = [];
      for (let at = 0; at < pcm.length; at += step) {
        stream.accept(pcm, at, Math.min(step, pcm.length - at));
        if (!stream.isReady) continue;
        await eager.advance([stream]);
        const { text, stableChars } = stream.hypothesis();
        assert.equal(stableChars, 0);
        if (text !== seen.at(-1)) seen.push(text);
      }
      stream.finish();
      await eager.advance([stream]);
      return [...seen, stream.hypothesis().text];
    };
    // Behind a second, 0.66 s are known to the encoder: four slots and a little.
    const fine = await seenWith(320);
    assert.deepEqual(fine, ["", "hell", "hello worl", "hello world"]);
    assert.deepEqual(await seenWith(16_000), fine.slice(1));
    assert.deepEqual(await seenWith(pcm.length), ["hello worl", "hello world"]);
    await eager.release();
  });
});

describe("moonshine-streaming's files", () => {
  const refused = (folder: string, code: string, message: RegExp) =>
    assert.rejects(open(folder), (error) => {
      assert.ok(isSyrinxError(error), String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });

  test("that are missing are named", async () => {
    for (const name of ["frontend.onnx", "decoder_kv.onnx", "streaming_config.json"]) {
      const folder = tiny();
      rmSync(join(folder, name));
      await refused(folder, "MODEL_FILE_MISSING", new RegExp(name.replace(".", "\\.")));
    }
  });

  test("are refused if they are not what the configuration says, with every difference", async () => {
    const folder = tiny();
    const path = join(folder, "streaming_config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, number>;
    writeFileSync(path, JSON.stringify({ ...config, c1: 33, encoder_dim: 288 }));
    await refused(
      folder,
      "MODEL_TENSORS_MISMATCH",
      /input conv2_buffer: expected float32\[1, 33, 4\], found float32\[1, 80, 4\]/,
    );
    await refused(
      folder,
      "MODEL_TENSORS_MISMATCH",
      /output features: expected float32\[1, \?, 288\], found float32\[1, num_features, 320\]/,
    );
    writeFileSync(path, JSON.stringify({ ...config, depth: "six" }));
    await refused(folder, "MODEL_FILE_INVALID", /streaming_config\.json .*depth/);
  });

  test("may not change places", async () => {
    const folder = tiny();
    renameSync(join(folder, "encoder.onnx"), join(folder, "other.onnx"));
    renameSync(join(folder, "adapter.onnx"), join(folder, "encoder.onnx"));
    renameSync(join(folder, "other.onnx"), join(folder, "adapter.onnx"));
    await refused(
      folder,
      "MODEL_TENSORS_MISMATCH",
      /input features: expected float32\[1, \?, 320\], found none among encoded, pos_offset/,
    );
  });
});
