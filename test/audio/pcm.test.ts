import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeG711, encodeG711, G711_SILENCE } from "../../src/audio/g711.js";
import { f32ToS16, peakDbfs, rmsDbfs, SILENCE_DBFS, s16ToF32 } from "../../src/audio/pcm.js";

const ALL = new Int16Array(65536).map((_, index) => index - 32768);

describe("sample formats", () => {
  test("every s16 sample survives the way to float and back", () => {
    const floats = new Float32Array(ALL.length);
    const back = new Int16Array(ALL.length);
    s16ToF32(ALL, 0, ALL.length, floats, 0);
    f32ToS16(floats, 0, ALL.length, back, 0);
    assert.deepEqual(back, ALL);
  });

  test("floats beyond full scale are clipped and NaN is silence", () => {
    const output = new Int16Array(5);
    f32ToS16(Float32Array.of(1, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e-9), 0, 5, output, 0);
    assert.deepEqual(output, Int16Array.of(32767, -32768, 0, 32767, 0));
  });

  test("only the range asked for is converted", () => {
    const output = new Int16Array(4).fill(9);
    f32ToS16(Float32Array.of(0.5, 0.25, 0.125), 1, 2, output, 1);
    assert.deepEqual(output, Int16Array.of(9, 8192, 4096, 9));
  });
});

describe("levels", () => {
  test("of a full-scale square wave are 0 dBFS, of half of it −6", () => {
    const square = new Int16Array(100).map((_, index) => (index % 2 ? -32768 : 32767));
    assert.ok(Math.abs(rmsDbfs(square)) < 0.001);
    assert.equal(peakDbfs(square), 0);
    assert.ok(Math.abs(rmsDbfs(square.map((sample) => sample / 2)) + 6.02) < 0.01);
  });

  test("of silence and of nothing are the floor", () => {
    assert.equal(rmsDbfs(new Int16Array(10)), SILENCE_DBFS);
    assert.equal(rmsDbfs(new Int16Array(0)), SILENCE_DBFS);
    assert.equal(peakDbfs(Int16Array.of(0, 5, 0), 2, 1), SILENCE_DBFS);
  });
});

describe("G.711", () => {
  const codes = new Uint8Array(256).map((_, code) => code);

  /** Values of ITU-T G.711, tables 1 and 2, scaled to 16 bits. */
  const KNOWN = {
    mulaw: [
      [0x80, 32124],
      [0x00, -32124],
      [0x8f, 16764],
      [0xff, 0],
      [0xfe, 8],
      [0x7e, -8],
      [0xef, 132],
    ],
    alaw: [
      [0xaa, 32256],
      [0x2a, -32256],
      [0xd5, 8],
      [0x55, -8],
      [0xd4, 24],
      [0xc5, 264],
    ],
  } as const;

  for (const law of ["mulaw", "alaw"] as const) {
    test(`${law} decodes the values of the standard`, () => {
      const output = new Int16Array(256);
      decodeG711(law, codes, 0, 256, output, 0);
      for (const [code, value] of KNOWN[law]) assert.equal(output[code], value, `code ${code}`);
    });

    test(`${law} encodes each sample to the nearest value there is`, () => {
      const values = new Int16Array(256);
      decodeG711(law, codes, 0, 256, values, 0);
      const encoded = new Uint8Array(ALL.length);
      encodeG711(law, ALL, 0, ALL.length, encoded, 0);
      const sorted = [...values].sort((left, right) => left - right);
      let at = 0;
      for (const [index, sample] of ALL.entries()) {
        while (at + 1 < 256 && Math.abs(sorted[at + 1]! - sample) <= Math.abs(sorted[at]! - sample)) at++;
        assert.equal(Math.abs(values[encoded[index]!]! - sample), Math.abs(sorted[at]! - sample), `sample ${sample}`);
      }
      assert.equal(encoded[32768], G711_SILENCE[law]);
    });

    test(`${law} codes survive decoding and encoding`, () => {
      const values = new Int16Array(256);
      const again = new Uint8Array(256);
      decodeG711(law, codes, 0, 256, values, 0);
      encodeG711(law, values, 0, 256, again, 0);
      for (const code of codes) {
        // µ-law has two codes for zero.
        if (values[code] !== 0) assert.equal(again[code], code);
      }
    });
  }
});
