import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../../src/base/errors.js";
import { readHuggingFaceTokenizer } from "../../../src/models/tokenizers/hugging-face.js";
import { readBinTokenizer, readPieceTable } from "../../../src/models/tokenizers/pieces.js";
import { sharedFile } from "../family-support.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-tokens-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const isInvalid = (reason: RegExp) => (error: unknown) => {
  assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_INVALID", String(error));
  assert.match(String(error.detail.reason), reason);
  return true;
};
const isMissing = (error: unknown) => isSyrinxError(error) && error.code === "MODEL_FILE_MISSING";

/** Lengths up to 127 in one byte, else in two. */
function binary(...pieces: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = pieces.map((piece) => {
    const bytes = Buffer.from(piece);
    const length = bytes.length < 128 ? [bytes.length] : [128 + (bytes.length % 128), Math.floor(bytes.length / 128)];
    return Buffer.concat([Buffer.from(length), bytes]);
  });
  return Buffer.concat(parts);
}

describe("Moonshine's tokenizer.bin", () => {
  test("spells with spaces, leaves special tokens out and joins bytes to characters", async () => {
    const long = "x".repeat(300);
    const euro = [...Buffer.from("€")].map((byte) => Uint8Array.of(byte));
    const path = file("a.bin", binary("<unk>", "<s>", "</s>", "▁hello", "▁wor", "ld", "", long, ...euro));
    const tokenizer = await readBinTokenizer(path);
    assert.equal(tokenizer.size, 11);
    assert.equal(tokenizer.decode([1, 3, 4, 5, 6, 2]), "hello world");
    assert.equal(tokenizer.decode([7]), long);
    assert.equal(tokenizer.decode([3, 8, 9, 10]), "hello€");
    assert.equal(tokenizer.decode([8]), "\ufffd");
    assert.equal(tokenizer.decode([999]), "");
    assert.equal(tokenizer.decode([]), "");
    assert.equal(tokenizer.idOf("</s>"), 2);
    assert.equal(tokenizer.idOf("hello"), undefined);
  });

  test("is refused if it is cut off, empty or missing", async () => {
    await assert.rejects(
      readBinTokenizer(file("cut.bin", binary("hello").subarray(0, 3))),
      isInvalid(/within a token/),
    );
    await assert.rejects(readBinTokenizer(file("cut2.bin", Uint8Array.of(200))), isInvalid(/within a token/));
    await assert.rejects(readBinTokenizer(file("empty.bin", "")), isInvalid(/no list/));
    await assert.rejects(readBinTokenizer(join(folder, "none.bin")), isMissing);
  });

  test("of the real English models has 32,768 tokens", async (t) => {
    const path = sharedFile("models", "stt", "moonshine_tokenizer.bin");
    if (path === undefined) return t.skip("no ../shared/models/stt/moonshine_tokenizer.bin");
    const tokenizer = await readBinTokenizer(path);
    assert.equal(tokenizer.size, 32_768);
    assert.deepEqual([tokenizer.idOf("<s>"), tokenizer.idOf("</s>")], [1, 2]);
    const ids = ["▁Hello", ",", "▁how", "▁are", "▁you", "?"].map((piece) => tokenizer.idOf(piece)!);
    assert.equal(tokenizer.decode([1, ...ids, 2, 32_767]), "Hello, how are you?");
  });
});

describe("a table of tokens", () => {
  test("spells; lines may come in any order, and ids may be missing", async () => {
    const table = await readPieceTable(file("tokens.txt", "▁a 1\n<blk> 0\n<0xE2> 4\n<0x82> 5\n<0xAC> 6\nb c 2\n"));
    assert.equal(table.size, 7);
    assert.equal(table.decode([0, 1, 2, 3, 1]), "ab c a");
    assert.equal(table.decode([4, 5, 6]), "€");
    assert.equal(table.idOf("<blk>"), 0);
  });

  test("may have its pieces in base64, and then they are the text as it is", async () => {
    const lines = [" hi", " there"].map((piece, id) => `${Buffer.from(piece).toString("base64")} ${id}`);
    const table = await readPieceTable(file("base64.txt", lines.join("\n")), "base64");
    assert.equal(table.decode([0, 1]), " hi there");
  });

  test("is refused with the line that is wrong", async () => {
    await assert.rejects(readPieceTable(file("bad.txt", "a 0\nb\n")), isInvalid(/line 2 /));
    await assert.rejects(readPieceTable(file("none.txt", "\n")), isInvalid(/no list/));
  });
});

describe("a tokenizer.json", () => {
  const special = (content: string, id: number) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const json = {
    version: "1.0",
    added_tokens: [special("<|endoftext|>", 4), special("<|en|>", 5)],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
    model: { type: "BPE", unk_token: null, vocab: { Ġ: 0, a: 1, Ã: 2, "¤": 3 }, merges: [] },
  };

  test("spells, joins bytes to characters and knows special tokens by name", async () => {
    const tokenizer = await readHuggingFaceTokenizer(file("tokenizer.json", JSON.stringify(json)));
    assert.equal(tokenizer.decode([5, 0, 1, 2, 3, 0, 1, 4]), " aä a");
    assert.equal(tokenizer.decode([]), "");
    assert.equal(tokenizer.decode([99]), "");
    assert.equal(tokenizer.idOf("<|en|>"), 5);
    assert.equal(tokenizer.idOf("<|de|>"), undefined);
    assert.equal(tokenizer.size, 6);
  });

  test("is refused if it is something else", async () => {
    await assert.rejects(readHuggingFaceTokenizer(file("other.json", "{}")), isInvalid(/no tokenizer\.json/));
    await assert.rejects(readHuggingFaceTokenizer(file("text.json", "hello")), isInvalid(/no tokenizer\.json/));
    await assert.rejects(readHuggingFaceTokenizer(join(folder, "none.json")), isMissing);
  });
});
