import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { SttModel } from "../../../src/models/family.js";
import { zipformerFamily } from "../../../src/models/zipformer.js";
import { SLOT_SAMPLES, tonesOf } from "../../support/tones.js";
import { openFamily } from "../family-support.js";
import { checkStreaming, cutOff, hear, hearTogether, inSilence, refusal, temporaryFolder } from "./stt-support.js";
import {
  encipheredByTwo,
  type TinyZipformerOptions,
  writeTinyZipformer,
  ZIPFORMER_METADATA,
} from "./tiny-zipformer.js";

const PANGRAM = "the quick brown fox jumps over the lazy dog's aabbcc";
const folderOf = temporaryFolder();

function tiny(name: string, options?: TinyZipformerOptions): string {
  const folder = folderOf(name);
  writeTinyZipformer(folder, options);
  return folder;
}

const callOf = (text: string): Int16Array => inSilence(tonesOf(encipheredByTwo(text)));

describe("zipformer", () => {
  let model: SttModel;
  before(async () => {
    model = await openFamily(zipformerFamily, { folder: tiny("transducer") });
  });
  after(() => model.release());

  test("spells while it hears, and never takes back a letter", () => checkStreaming(model, callOf(PANGRAM), PANGRAM));

  test("gives calls of one batch what it gives them alone, each cache along its own axis", async () => {
    const texts = ["zebra", "a", PANGRAM, "", "the same words the same words", "quartz", "vow", "jinx fog", "m", "end"];
    const { hypotheses, report } = await hearTogether(model, texts.map(callOf));
    assert.deepEqual(
      hypotheses.map(({ text }) => text),
      texts,
    );
    for (const [i, text] of texts.entries()) assert.deepEqual(hypotheses[i], await hear(model, callOf(text)));
    assert.ok(report.rows > 2 * report.runs, `${report.rows} rows in ${report.runs} runs`);
  });

  test("places words where their tones begin", async () => {
    const { words } = await hear(model, inSilence(tonesOf(encipheredByTwo("one two")), 2 * SLOT_SAMPLES));
    assert.deepEqual(
      words.map(({ text, startSample }) => [text, startSample / SLOT_SAMPLES]),
      [
        ["one", 2],
        ["two", 6],
      ],
    );
  });

  test("takes a CTC output as well", async () => {
    const ctc = await openFamily(zipformerFamily, { folder: tiny("ctc", { output: "log_probs" }) });
    await checkStreaming(ctc, inSilence(tonesOf(PANGRAM)), PANGRAM);
    await ctc.release();
  });
});

describe("zipformer's files", () => {
  const open = (folder: string) => openFamily(zipformerFamily, { folder });
  const withMetadata = (name: string, metadata: Record<string, string | number>) => tiny(name, { metadata });

  test("of another kind, with other features, or without windows are invalid", async () => {
    const kind = withMetadata("kind", { ...ZIPFORMER_METADATA, model_type: "conformer" });
    assert.match(
      await refusal(open(kind), "MODEL_FILE_INVALID"),
      /model_type is conformer, this build knows zipformer2/,
    );
    const feature = withMetadata("feature", { ...ZIPFORMER_METADATA, feature: "whisper" });
    assert.match(await refusal(open(feature), "MODEL_FILE_INVALID"), /features of whisper/);
    assert.match(await refusal(open(withMetadata("none", {})), "MODEL_FILE_INVALID"), /T and decode_chunk_len/);
  });

  test("whose window is not the one they declare are refused with the difference", async () => {
    const folder = withMetadata("window", { ...ZIPFORMER_METADATA, T: 77 });
    const message = await refusal(open(folder), "MODEL_TENSORS_MISMATCH");
    assert.match(message, /input x: expected float32\[\?, 77, 80\], found float32\[N, 45, 80\]/);
  });

  test("that are cut off are invalid, each of the three", async () => {
    for (const role of ["encoder", "decoder", "joiner"]) {
      const folder = tiny(`cut-${role}`);
      cutOff(join(folder, readdirSync(folder).find((name) => name.startsWith(role))!));
      assert.match(await refusal(open(folder), "MODEL_FILE_INVALID"), new RegExp(role));
    }
  });
});
