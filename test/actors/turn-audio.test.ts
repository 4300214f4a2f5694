import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { StateRow } from "../../src/actors/define.js";
import { TurnAudio } from "../../src/actors/turn-audio.js";

const WINDOW = 50;
/** Where other state stands in the row. */
const AT_BYTE = 48;

function newRow(): StateRow {
  const buffer = new SharedArrayBuffer(AT_BYTE + TurnAudio.rowBytes(WINDOW));
  const row = {
    u8: new Uint8Array(buffer),
    i16: new Int16Array(buffer),
    i32: new Int32Array(buffer),
    f32: new Float32Array(buffer),
  };
  // What a call before left there.
  row.u8.fill(0x5a);
  return row;
}

/** Frames of a stream: what was lost before each, how long it is, and whether the state is saved, or moved, behind it. */
const frames = fc.array(
  fc.record({
    gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 70 }), fc.constant(100_000)),
    count: fc.integer({ min: 0, max: 130 }),
    behind: fc.constantFrom("nothing", "save", "move"),
    back: fc.integer({ min: 0, max: 120 }),
  }),
  { maxLength: 20 },
);

describe("the audio of turns", () => {
  test("is the stream's last window, with silence for what was lost, wherever it is saved and made again", () => {
    fc.assert(
      fc.property(frames, (script) => {
        const row = newRow();
        let audio = new TurnAudio(WINDOW);
        const stream = new Map<number, number>();
        let end = 0;
        for (const { gap, count, behind, back } of script) {
          const position = end + gap;
          const samples = Int16Array.from({ length: count + 3 }, (_, i) => ((position + i) * 7_919) % 30_000);
          audio.hear(position, samples, 3, count);
          for (let i = 0; i < count; i++) stream.set(position + i, samples[3 + i]!);
          end = position + count;
          const known = Math.max(gap >= WINDOW ? position : 0, end - back, end - WINDOW, 0);
          const found = audio.since(end - back);
          // A gap longer than the window is not filled: what came before it is of no use.
          const from = found.length < end - known ? end - found.length : known;
          const expected = Array.from({ length: end - from }, (_, i) => (stream.get(from + i) ?? 0) / 32_768);
          assert.deepEqual([...found], expected);
          assert.ok(found.length <= WINDOW);
          assert.ok(found.length >= Math.min(count, back, WINDOW), "all that was just heard is there");
          if (behind !== "nothing") audio.save(row, AT_BYTE);
          if (behind !== "move") continue;
          audio = new TurnAudio(WINDOW);
          audio.restore(row, AT_BYTE);
        }
      }),
      { seed: 81, numRuns: 300 },
    );
  });

  test("leaves the rest of the row alone", () => {
    const row = newRow();
    const audio = new TurnAudio(WINDOW);
    audio.hear(0, new Int16Array(200).fill(9), 0, 200);
    audio.save(row, AT_BYTE);
    assert.ok(row.u8.subarray(0, AT_BYTE).every((byte) => byte === 0x5a));
    assert.deepEqual([...row.i16.subarray(AT_BYTE / 2 + 4)], new Array(WINDOW).fill(9));
  });

  test("costs nothing for an hour that was lost", () => {
    const audio = new TurnAudio(WINDOW);
    audio.hear(0, new Int16Array(10).fill(5), 0, 10);
    audio.hear(16_000 * 3_600, new Int16Array(10).fill(6), 0, 10);
    assert.deepEqual([...audio.since(0)], new Array(10).fill(6 / 32_768));
  });
});
