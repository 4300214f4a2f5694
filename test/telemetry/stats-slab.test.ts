import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { createStatsBuffer, type StatsLayout, StatsReader, StatsWriter } from "../../src/telemetry/stats-slab.js";
import {
  NODE_STATS,
  nodeSection,
  WORKER_SECTION,
  WORKER_STATS,
  workerSections,
} from "../../src/telemetry/worker-stats.js";

const LAYOUT = {
  frames: { kind: "counter" },
  level: { kind: "gauge" },
  size: { kind: "histogram", bounds: [1, 2, 4] },
  bytes: { kind: "counter" },
} as const satisfies StatsLayout;

function slab(sections: readonly StatsLayout[] = [LAYOUT, LAYOUT]) {
  const buffer = createStatsBuffer(sections);
  const writer = new StatsWriter(buffer, sections);
  return { buffer, writer, reader: new StatsReader(buffer, sections) };
}

describe("statistics slab", () => {
  test("the reader sees what the writer added, per section and field", () => {
    const { writer, reader } = slab();
    const first = writer.handles(0, LAYOUT);
    const second = writer.handles(1, LAYOUT);
    writer.add(first.frames, 3);
    writer.add(first.frames, 2);
    writer.add(second.bytes, 0.5);
    assert.equal(reader.counter(0, LAYOUT, "frames"), 5);
    assert.equal(reader.counter(0, LAYOUT, "bytes"), 0);
    assert.equal(reader.counter(1, LAYOUT, "frames"), 0);
    assert.equal(reader.counter(1, LAYOUT, "bytes"), 0.5);
  });

  test("a histogram puts each value into the first bucket whose bound is not below it", () => {
    const { writer, reader } = slab();
    const { size } = writer.handles(0, LAYOUT);
    for (const value of [0, 1, 1.5, 2, 4, 4.1, 1000]) writer.observe(size, value);
    const reading = reader.histogram(0, LAYOUT, "size");
    assert.deepEqual(reading.counts, [2, 2, 1, 2]);
    assert.equal(reading.count, 7);
    assert.equal(reading.sum, 0 + 1 + 1.5 + 2 + 4 + 4.1 + 1000);
  });

  test("NaN and infinities do not spoil a histogram's sum", () => {
    const { writer, reader } = slab();
    const { size } = writer.handles(0, LAYOUT);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2])
      writer.observe(size, value);
    const { count, sum } = reader.histogram(0, LAYOUT, "size");
    assert.deepEqual({ count, sum }, { count: 1, sum: 2 });
  });

  test("no field's writes touch another field, whatever is written in whatever order", () => {
    const operations = fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 3 }), fc.integer({ min: 0, max: 9 })));
    fc.assert(
      fc.property(operations, (steps) => {
        const { writer, reader } = slab();
        const handles = [writer.handles(0, LAYOUT), writer.handles(1, LAYOUT)];
        const model = [0, 1].map(() => ({ frames: 0, bytes: 0, level: 0, peak: 0, values: [] as number[] }));
        for (const [section, field, value] of steps) {
          const expected = model[section]!;
          const { frames, bytes, level, size } = handles[section]!;
          if (field === 0) writer.add(frames, value);
          else if (field === 1) writer.add(bytes, value);
          else if (field === 2) writer.set(level, value);
          else writer.observe(size, value);
          if (field === 0) expected.frames += value;
          else if (field === 1) expected.bytes += value;
          else if (field === 2) Object.assign(expected, { level: value, peak: Math.max(expected.peak, value) });
          else expected.values.push(value);
        }
        for (const [section, expected] of model.entries()) {
          assert.equal(reader.counter(section, LAYOUT, "frames"), expected.frames);
          assert.equal(reader.counter(section, LAYOUT, "bytes"), expected.bytes);
          assert.deepEqual(reader.gauge(section, LAYOUT, "level"), { value: expected.level, peak: expected.peak });
          const { counts, sum } = reader.histogram(section, LAYOUT, "size");
          const below = (bound: number) => expected.values.filter((value) => value <= bound).length;
          assert.deepEqual(counts, [below(1), below(2) - below(1), below(4) - below(2), below(9) - below(4)]);
          assert.equal(
            sum,
            expected.values.reduce((total, value) => total + value, 0),
          );
        }
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  test("a gauge's peak covers the window and includes the level it began with", () => {
    const { writer, reader } = slab();
    const { level } = writer.handles(0, LAYOUT);
    writer.set(level, 7);
    writer.set(level, 2);
    assert.deepEqual(reader.gauge(0, LAYOUT, "level"), { value: 2, peak: 7 });
    reader.nextWindow();
    assert.deepEqual(reader.gauge(0, LAYOUT, "level"), { value: 2, peak: 2 });
    writer.set(level, 1);
    assert.deepEqual(reader.gauge(0, LAYOUT, "level"), { value: 1, peak: 2 });
    reader.nextWindow();
    writer.max(level, 5);
    writer.max(level, 3);
    assert.deepEqual(reader.gauge(0, LAYOUT, "level"), { value: 1, peak: 5 });
  });

  test("a buffer of another layout is refused by both ends", () => {
    const sections = [LAYOUT];
    const buffer = createStatsBuffer(sections);
    const other = [{ ...LAYOUT, size: { kind: "histogram", bounds: [1, 2, 5] } }] as const;
    assert.throws(() => new StatsWriter(buffer, other), /same layout/);
    assert.throws(() => new StatsReader(buffer, other), /same layout/);
    assert.throws(() => new StatsReader(new SharedArrayBuffer(256), sections), /is a statistics slab/);
  });

  test("observing does not allocate", () => {
    const { writer } = slab();
    const { frames, level, size } = writer.handles(0, LAYOUT);
    const rounds = 10_000;
    const heapGrowth = (): number => {
      const before = process.memoryUsage().heapUsed;
      for (let round = 0; round < rounds; round += 1) {
        writer.add(frames, 1);
        writer.set(level, round & 7);
        writer.observe(size, round & 7);
      }
      return process.memoryUsage().heapUsed - before;
    };
    for (let warmUp = 0; warmUp < 50; warmUp += 1) heapGrowth();
    // One boxed number per round would be 120 kB. The compiler and the collector work beside us: the least disturbed counts.
    const growths = Array.from({ length: 20 }, heapGrowth).filter((byteCount) => byteCount >= 0);
    assert.ok(Math.min(...growths) < 3 * rounds, `${growths}`);
  });
});

describe("a worker's slab", () => {
  test("the sections of worker and nodes do not overlap", () => {
    const { writer, reader } = slab(workerSections(3));
    const own = writer.handles(WORKER_SECTION, WORKER_STATS);
    writer.add(own.steps, 1);
    for (const position of [0, 1, 2]) {
      const node = writer.handles(nodeSection(position), NODE_STATS);
      writer.add(node.framesIn, 10 + position);
      writer.observe(node.processSeconds, 999);
    }
    assert.equal(reader.counter(WORKER_SECTION, WORKER_STATS, "steps"), 1);
    for (const position of [0, 1, 2]) {
      assert.equal(reader.counter(nodeSection(position), NODE_STATS, "framesIn"), 10 + position);
      assert.equal(reader.histogram(nodeSection(position), NODE_STATS, "processSeconds").count, 1);
    }
  });

  test("the figures of a worker that died are there, and its successor goes on from them", async () => {
    const sections = workerSections(1);
    const buffer = createStatsBuffer(sections);
    const reader = new StatsReader(buffer, sections);
    for (const deaths of [1, 2]) {
      const worker = new Worker(new URL("./stats-thread.js", import.meta.url), { workerData: buffer });
      const [error] = (await once(worker, "error")) as [Error];
      assert.equal(error.message, "the fault of this test");
      assert.equal(reader.counter(nodeSection(0), NODE_STATS, "framesIn"), deaths * 1000);
      assert.equal(reader.histogram(nodeSection(0), NODE_STATS, "batchSize").sum, deaths * 2500);
    }
  });
});
