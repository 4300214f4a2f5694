import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isSyrinxError } from "../../../src/base/errors.js";
import { readKaldiCmvn } from "../../../src/models/front-ends/kaldi-cmvn.js";
import { binaryMatrix } from "./kaldi-support.js";

const folder = mkdtempSync(join(tmpdir(), "syrinx-cmvn-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function written(content: string | Buffer): string {
  const path = join(folder, "cmvn.ark");
  writeFileSync(path, content);
  return path;
}

/** Four frames of three features: means 1, -2, 5; variances 4, 0.25 and none. */
const STATS = [4, -8, 20, 4, 20, 17, 100, 0];
const key = Buffer.from("global ");

const FORMS: Readonly<Record<string, string | Buffer>> = {
  doubles: binaryMatrix("DM ", STATS),
  "floats behind an archive's key": Buffer.concat([key, binaryMatrix("FM ", STATS)]),
  text: " [\n  4 -8 20 4\n  20 17 100 0 ]\n",
  "text behind an archive's key": "global  [\n  4 -8 20 4 \n  20 17 100 0 ]\n",
};

describe("Kaldi's statistics", () => {
  for (const [name, content] of Object.entries(FORMS)) {
    test(`are read as ${name}`, async () => {
      const cmvn = await readKaldiCmvn(written(content), 3);
      const features = Float32Array.of(3, -2, 5, 1, -1, 5, 9, 9, 9);
      cmvn.apply(features, 2);
      assert.deepEqual([...features], [1, 0, 0, 0, 2, 0, 9, 9, 9]);
    });
  }

  const refused: Readonly<Record<string, readonly [string | Buffer, RegExp]>> = {
    "of other features": [binaryMatrix("DM ", STATS), /statistics of 80 features, 2 × 81 numbers, found 8 numbers/],
    "cut off": [binaryMatrix("DM ", STATS).subarray(0, 60), /no matrix as Kaldi writes it/],
    "of another kind": [Buffer.from("\0BCM2 and so on, for a while"), /no matrix as Kaldi writes it/],
    "of no frames": [binaryMatrix("FM ", new Array<number>(162).fill(0)), /count no frames/],
    "of something else": ["version: 1", /no matrix as Kaldi writes it/],
  };
  for (const [name, [content, reason]] of Object.entries(refused)) {
    test(`are refused if they are ${name}`, async () => {
      await assert.rejects(readKaldiCmvn(written(content), 80), (error) => {
        assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_INVALID");
        assert.match(error.message, reason);
        return true;
      });
    });
  }

  test("are missed by name", async () => {
    await assert.rejects(readKaldiCmvn(join(folder, "none.ark"), 80), (error) => {
      assert.ok(isSyrinxError(error) && error.code === "MODEL_FILE_MISSING");
      assert.match(error.message, /none\.ark/);
      return true;
    });
  });
});
