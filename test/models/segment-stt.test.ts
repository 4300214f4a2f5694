import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING_HEARD, type SegmentRecogniser, segmentModel } from "../../src/models/segment-stt.js";

test("segments are recognised in the order in which they are due, and stale ones not at all", async () => {
  const heard: number[][] = [];
  const recogniser: SegmentRecogniser = {
    device: "cpu",
    description: "none",
    batchMax: 2,
    batchKey: () => 0,
    recognise: async (segments) => {
      heard.push(segments.map(({ pcm }) => pcm.length));
      return { runs: 1, rows: segments.length, hypotheses: segments.map(() => NOTHING_HEARD) };
    },
    release: async () => {},
  };
  const model = segmentModel(recogniser, 0);
  const streams = [10, 20, 30, 40, 50].map((count) => {
    const stream = model.createStream({});
    stream.accept(new Int16Array(count), 0, count);
    stream.finish();
    return stream;
  });
  const dueUs = [500, 400, 100, 200, 300];
  const report = await model.advance(
    streams,
    (index) => index === 3,
    (index) => dueUs[index]!,
  );
  assert.deepEqual(heard, [
    [30, 50],
    [20, 10],
  ]);
  assert.deepEqual(report, { runs: 2, rows: 4 });
});
