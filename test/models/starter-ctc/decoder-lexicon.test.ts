import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { packageRoot } from "../../../src/base/package-root.js";
import { LABEL_COUNT, LEXICON_FILE, loadLexicon, PHONES } from "../../../src/models/starter-ctc/decoder/index.js";
import { buildTrie, HOMOPHONES_MAX } from "../../../src/models/starter-ctc/decoder/phone-trie.js";
import { arpabetLabels } from "../../../src/models/starter-ctc/decoder/phones.js";
import { lexicon } from "./decoder-support.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-lexicon-"));
after(() => rmSync(folder, { recursive: true }));
const packed = readFileSync(join(packageRoot(), "models", "starter", LEXICON_FILE));

function loadBytes(bytes: Uint8Array): unknown {
  writeFileSync(join(folder, LEXICON_FILE), bytes);
  return loadLexicon(folder);
}

describe("the lexicon file", () => {
  test("that is missing is a coded error", () => {
    assert.throws(() => loadLexicon(join(folder, "nowhere")), { code: "MODEL_FILE_MISSING" });
  });

  test("that is cut short, changed, empty or not compressed is a coded error", () => {
    const changed = Buffer.from(packed);
    changed[packed.length >> 1] = changed[packed.length >> 1]! ^ 0x55;
    const plain = gunzipSync(packed);
    for (const bytes of [packed.subarray(0, packed.length - 100), changed, Buffer.alloc(0), plain]) {
      assert.throws(() => loadBytes(bytes), { code: "MODEL_FILE_INVALID" });
    }
  });

  test("with a wrong header, count or body is a coded error that says what is wrong", () => {
    const plain = gunzipSync(packed);
    const edited = (edit: (bytes: Buffer) => Buffer): Buffer => gzipSync(edit(Buffer.from(plain)), { level: 1 });
    const field = (at: number, value: number) => (bytes: Buffer) => {
      bytes.writeUInt32LE(value, 8 + 4 * at);
      return bytes;
    };
    const cases: readonly (readonly [Buffer, RegExp])[] = [
      [edited((bytes) => bytes.fill(0x41, 0, 8)), /begin with/],
      [edited((bytes) => bytes.subarray(0, bytes.length - 1)), /its header asks for/],
      [edited(field(0, 0xffffffff)), /claims/],
      [edited(field(3, 0xffffffff)), /bigrams/],
      [edited(field(3, 5)), /more bigrams/],
      [edited((bytes) => bytes.fill(0xff, bytes.length - 64)), /bigram|number/],
      [edited((bytes) => bytes.fill(0x0a, 100, 110)), /lists/],
    ];
    for (const [bytes, reason] of cases) {
      assert.throws(
        () => loadBytes(bytes),
        (error: Error & { code: string }) => error.code === "MODEL_FILE_INVALID" && reason.test(error.message),
      );
    }
  });

  test("that expands beyond the limit is refused before it is expanded", () => {
    assert.throws(() => loadBytes(gzipSync(Buffer.alloc(40 * 1024 * 1024), { level: 1 })), {
      code: "MODEL_FILE_INVALID",
    });
  });
});

describe("the lexicon", () => {
  test("has the acoustic model's forty phones in its order behind the blank", () => {
    assert.equal(LABEL_COUNT, 41);
    assert.deepEqual([...PHONES].sort(), PHONES);
    assert.deepEqual(arpabetLabels("AH0 AH1 ZH"), [PHONES.indexOf("ax") + 1, PHONES.indexOf("ah") + 1, 40]);
  });

  test("knows everyday words by plausible pronunciations", () => {
    for (const word of ["the", "timer", "weather", "tomorrow", "o'clock", "i'm", "kitchen", "zero"]) {
      assert.ok(lexicon.pronunciationsOf(lexicon.find(word)).length > 0, word);
    }
    const forms = lexicon.pronunciationsOf(lexicon.find("timer")).map((labels) => labels.map((at) => PHONES[at - 1]));
    assert.ok(forms.some((form) => form.join(" ") === "t ay m er"));
    assert.equal(lexicon.find("qwzx"), -1);
  });

  test("has a bigram whose probabilities sum to one for any history", () => {
    for (const history of [lexicon.sentenceStart, lexicon.find("the"), lexicon.find("kitchen")]) {
      let sum = 0;
      for (let word = 0; word < lexicon.wordCount; word += 1) sum += Math.exp(lexicon.bigram(history, word));
      // Stored in steps of 1/12 nat, hence a few per cent of rounding.
      assert.ok(Math.abs(sum - 1) < 0.06, `${sum}`);
    }
  });

  test("expects likely successors, and backs off for words that it does not know", () => {
    const [kitchen, lights, law] = ["kitchen", "lights", "law"].map((word) => lexicon.find(word));
    assert.ok(lexicon.bigram(kitchen!, lights!) > lexicon.bigram(kitchen!, law!) + 2);
    const unknown = lexicon.sentenceStart + 1;
    assert.equal(lexicon.bigram(unknown, lights!), lexicon.unigram(lights!));
    assert.ok(lexicon.bigram(lights!, unknown) < lexicon.unigram(lights!));
  });
});

describe("the pronunciation trie", () => {
  const entries = (pronunciations: readonly (readonly number[])[]) => ({
    words: Int32Array.from(pronunciations.keys()),
    starts: Int32Array.from([0, ...pronunciations.map((_, at) => pronunciations.slice(0, at + 1).flat().length)]),
    labels: Uint8Array.from(pronunciations.flat()),
  });

  test("shares beginnings, numbers children together and keeps the best score below each node", () => {
    const trie = buildTrie(entries([[2, 3], [2, 1], [4]]), (word) => -word - 1);
    assert.equal(trie.nodeCount, 5);
    assert.deepEqual(Array.from(trie.labelOf), [0, 2, 4, 1, 3]);
    assert.deepEqual(Array.from(trie.firstChild), [1, 3, 5, 5, 5, 5]);
    assert.deepEqual(Array.from(trie.depthOf), [0, 1, 1, 2, 2]);
    assert.deepEqual(Array.from(trie.lookahead), [0, -1, -3, -2, -1]);
    assert.deepEqual(Array.from(trie.wordIds), [2, 1, 0]);
  });

  test("keeps only the likeliest homophones of a pronunciation", () => {
    const trie = buildTrie(entries(Array.from({ length: 7 }, () => [5])), (word) => word - 10);
    assert.deepEqual(Array.from(trie.wordIds), [6, 5, 4, 3]);
    assert.equal(trie.wordIds.length, HOMOPHONES_MAX);
  });
});
