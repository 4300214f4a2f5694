import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { SttModel } from "../../../src/models/family.js";
import { nemoStreamingFamily } from "../../../src/models/nemo-streaming.js";
import { SLOT_SAMPLES, TONE_FRAME_SAMPLES, tonesOf } from "../../support/tones.js";
import { openFamily } from "../family-support.js";
import { checkStreaming, cutOff, hear, hearTogether, inSilence, refusal, temporaryFolder } from "./stt-support.js";
import {
  DELAY_FRAMES,
  STREAMING_METADATA,
  type TinyStreamingOptions,
  writeTinyStreaming,
  writeTinyStreamingCtc,
} from "./tiny-streaming.js";
import { enciphered, writeTinyTransducer } from "./tiny-transducer.js";

const PANGRAM = "the quick brown fox jumps over the lazy dog's aabbcc";
const folderOf = temporaryFolder();

function tiny(name: string, options: TinyStreamingOptions): string {
  const folder = folderOf(name);
  writeTinyStreaming(folder, options);
  return folder;
}

const callOf = (text: string): Int16Array => inSilence(tonesOf(enciphered(text)));

for (const layout of ["split", "fused"] as const) {
  describe(`nemo-streaming, predictor and joiner ${layout}`, () => {
    let model: SttModel;
    before(async () => {
      model = await openFamily(nemoStreamingFamily, { folder: tiny(layout, { layout }) });
    });
    after(() => model.release());

    test("spells while it hears, and never takes back a letter", () => checkStreaming(model, callOf(PANGRAM), PANGRAM));

    test("gives calls that come at their own times what it gives them alone", async () => {
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
      for (const [i, text] of texts.entries()) assert.deepEqual(hypotheses[i], await hear(model, callOf(text)));
      assert.ok(report.rows > 2 * report.runs, `${report.rows} rows in ${report.runs} runs`);
    });

    test("places words in the stream, as late as the model is", async () => {
      const { words } = await hear(model, inSilence(tonesOf(enciphered("one two")), 2 * SLOT_SAMPLES));
      const delay = DELAY_FRAMES * TONE_FRAME_SAMPLES;
      assert.deepEqual(
        words.map(({ text, startSample }) => [text, (startSample - delay) / SLOT_SAMPLES]),
        [
          ["one", 2],
          ["two", 6],
        ],
      );
    });
  });
}

describe("nemo-streaming", () => {
  test("takes a CTC output as well", async () => {
    const folder = folderOf("ctc");
    writeTinyStreamingCtc(folder);
    const model = await openFamily(nemoStreamingFamily, { folder });
    await checkStreaming(model, inSilence(tonesOf(PANGRAM)), PANGRAM);
    await model.release();
  });

  test("runs a file of fixed batch one call after another", async () => {
    const folder = tiny("single", { layout: "split", batch: 1 });
    const model = await openFamily(nemoStreamingFamily, { folder });
    const texts = ["first", "second", "third"];
    const { hypotheses } = await hearTogether(model, texts.map(callOf));
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      texts,
    );
    await model.release();
  });

  test("lets a stale call go between two windows, and a fresh one join", async () => {
    const model = await openFamily(nemoStreamingFamily, { folder: folderOf("split") });
    const [one, two] = ["gone by then", "still here"].map((text) => {
      const stream = model.createStream({});
      const pcm = callOf(text);
      stream.accept(pcm, 0, pcm.length);
      return stream;
    });
    let looks = 0;
    await model.advance([one!, two!], (index) => index === 0 && ++looks > 10);
    const heard = one!.hypothesis().text;
    assert.ok(heard.length < 4 && "gone by then".startsWith(heard), heard);
    two!.finish();
    one!.finish();
    await model.advance([two!, one!]);
    assert.equal(one!.hypothesis().text, "gone by then");
    assert.equal(two!.hypothesis().text, "still here");
    await model.release();
  });
});

describe("nemo-streaming's files", () => {
  const open = (folder: string) => openFamily(nemoStreamingFamily, { folder });
  const withMetadata = (name: string, metadata: Record<string, string | number>) =>
    tiny(name, { layout: "split", metadata });

  test("without windows in their metadata, or with normalised features, are invalid", async () => {
    const { window_size: _, ...rest } = STREAMING_METADATA;
    assert.match(await refusal(open(withMetadata("none", rest)), "MODEL_FILE_INVALID"), /window_size and chunk_shift/);
    const normalised = withMetadata("normalised", { ...STREAMING_METADATA, normalize_type: "per_feature" });
    assert.match(await refusal(open(normalised), "MODEL_FILE_INVALID"), /normalised over the whole stream/);
    const { cache_last_channel_dim2: __, ...unknown } = STREAMING_METADATA;
    const message = await refusal(open(withMetadata("cache", unknown)), "MODEL_FILE_INVALID");
    assert.match(message, /cache_last_channel nor its metadata gives the size of dimension 2/);
  });

  test("whose caches are not as their metadata says are refused with the difference", async () => {
    const folder = withMetadata("five", { ...STREAMING_METADATA, cache_last_channel_dim2: 5 });
    const message = await refusal(open(folder), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /cache_last_channel_next: expected float32\[\?, 2, 5, 4\], found float32\[batch, 2, 3, 4\]/);
  });

  test("of a model without streaming, or with another output, are refused", async () => {
    const offline = folderOf("offline");
    writeTinyTransducer(offline, { layout: "split" });
    assert.match(await refusal(open(offline), "MODEL_FILE_INVALID"), /is it a streaming export\?/);
    const other = tiny("other", { layout: "split" });
    writeTinyStreamingCtc(other, "encoder.onnx");
    const message = await refusal(open(other), "MODEL_TENSORS_MISMATCH");
    assert.match(
      message,
      /output outputs: expected float32\[\?, \?, \?\], found none among encoded_lengths, .*logprobs/,
    );
  });

  test("that are cut off are invalid", async () => {
    const folder = tiny("cut", { layout: "split" });
    cutOff(`${folder}/encoder.onnx`);
    await refusal(open(folder), "MODEL_FILE_INVALID");
  });
});
