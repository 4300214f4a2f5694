import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { framesOf, trackOf } from "../../../src/audio/formats/matroska-block.js";

const FRAMES = [[1, 2, 3], Array.from({ length: 300 }, (_, index) => index % 256), [4, 5]];

/** Track 1, time 0, flags, then the body. */
function block(flags: number, ...body: readonly number[]): Uint8Array {
  return Uint8Array.of(0x81, 0, 0, flags, ...body);
}

function assertFrames(found: readonly Uint8Array[], expected: readonly (readonly number[])[]): void {
  assert.deepEqual(
    found.map((frame) => [...frame]),
    expected,
  );
}

describe("a Matroska block", () => {
  test("without lacing is one frame", () => {
    assert.equal(trackOf(block(0x80, 7, 8)), 1);
    assertFrames(framesOf(block(0x80, 7, 8)), [[7, 8]]);
  });

  test("with Xiph lacing has sizes in steps of 255", () => {
    assertFrames(framesOf(block(0x02, 2, 3, 255, 45, ...FRAMES.flat())), FRAMES);
  });

  test("with EBML lacing has a size and differences", () => {
    // 3 in one byte; 300 - 3 = 297 in two, offset by 2^13 - 1.
    const difference = 0x4000 + 297 + 0x1fff;
    assertFrames(framesOf(block(0x06, 2, 0x83, difference >> 8, difference & 0xff, ...FRAMES.flat())), FRAMES);
  });

  test("with fixed lacing has frames of one size", () => {
    assertFrames(framesOf(block(0x04, 1, 1, 2, 3, 4)), [
      [1, 2],
      [3, 4],
    ]);
  });

  test("with sizes beyond its end has no frames", () => {
    assertFrames(framesOf(block(0x02, 2, 200, 200, 1, 2)), []);
    assertFrames(framesOf(block(0x06, 2, 0xff, 0x80)), []);
    assertFrames(framesOf(block(0x06, 255)), []);
  });
});
