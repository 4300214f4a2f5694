import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { AssertionFailure } from "../../../src/base/assert.js";
import { isSyrinxError } from "../../../src/base/errors.js";
import { packageRoot } from "../../../src/base/package-root.js";
import { seeded } from "../../../src/base/prng.js";
import { OnnxModel, openOnnxModel } from "../../../src/gpu/onnx-model.js";
import { InferenceSession } from "../../../src/gpu/ort.js";
import {
  AcousticModel,
  type AcousticStream,
  CHUNK_SAMPLES,
  DELAY_SLOTS,
  LEVEL,
  PENDING_SAMPLES_MAX,
  SLOT_SAMPLES,
} from "../../../src/models/starter-ctc/acoustic.js";
import { LABEL_COUNT, PHONES } from "../../../src/models/starter-ctc/decoder/index.js";
import { babble, familyContext } from "../family-support.js";

const BATCH_MAX = 4;
const FOLDER = join(packageRoot(), "models", "starter");
const openFile = (name: string) => openOnnxModel({ path: join(FOLDER, name), device: "cpu", log: () => {} });

let acoustic: AcousticModel;
before(async () => {
  acoustic = new AcousticModel(await openFile("stt-en.onnx"), "starter-ctc", LABEL_COUNT, familyContext(BATCH_MAX));
});
after(() => acoustic.model.release());

interface Listening {
  readonly stream: AcousticStream;
  readonly logp: number[];
}

function listen(): Listening {
  const logp: number[] = [];
  const stream = acoustic.createStream((values, from, slotCount) => {
    for (let i = 0; i < slotCount * LABEL_COUNT; i += 1) logp.push(values[from + i]!);
  });
  return { stream, logp };
}

async function whole(pcm: Int16Array): Promise<number[]> {
  const { stream, logp } = listen();
  stream.accept(pcm, 0, pcm.length);
  stream.finish();
  await acoustic.advance([stream]);
  assert.equal(stream.isDone, true);
  return logp;
}

/** Most likely label of each slot. */
function labels(logp: readonly number[]): number[] {
  return Array.from({ length: logp.length / LABEL_COUNT }, (_, slot) => {
    const row = logp.slice(slot * LABEL_COUNT, (slot + 1) * LABEL_COUNT);
    return row.indexOf(Math.max(...row));
  });
}

function assertClose(one: readonly number[], other: readonly number[], claim: string): void {
  assert.equal(one.length, other.length, claim);
  const worst = one.reduce((largest, value, i) => Math.max(largest, Math.abs(value - other[i]!)), 0);
  assert.ok(worst < 1e-5, `${claim}: differs by ${worst}`);
}

describe("the phone network", () => {
  test("gives streams of any length in a batch what it gives each alone, as they join and leave", async () => {
    const prng = seeded(3);
    const clips = Array.from({ length: 2 * BATCH_MAX + 1 }, (_, i) => babble(i, prng.integer(3_000, 30_000)));
    const together = clips.map(() => listen());
    for (const [i, { stream }] of together.entries()) {
      stream.accept(clips[i]!, 0, clips[i]!.length);
      stream.finish();
    }
    const { runs, rows } = await acoustic.advance(together.map(({ stream }) => stream));
    const chunks = clips.map((clip) => Math.ceil((clip.length + (DELAY_SLOTS + 2) * SLOT_SAMPLES) / CHUNK_SAMPLES));
    assert.equal(
      rows,
      chunks.reduce((total, count) => total + count, 0),
      "each chunk is one row",
    );
    assert.ok(rows / runs > 0.6 * BATCH_MAX, `${rows} rows in ${runs} runs`);
    for (const [i, clip] of clips.entries()) assertClose(together[i]!.logp, await whole(clip), `clip ${i}`);
    assert.notDeepEqual(labels(together[0]!.logp).slice(0, 30), labels(together[1]!.logp).slice(0, 30));
  });

  test("gives the same in steps that are filled up with spare rows, as on an accelerator", async () => {
    const path = join(FOLDER, "stt-en.onnx");
    const padding = new OnnxModel(
      { session: await InferenceSession.create(path), device: { kind: "webgpu", index: 0 }, reason: "" },
      path,
      "",
    );
    const padded = new AcousticModel(padding, "starter-ctc", LABEL_COUNT, familyContext(BATCH_MAX));
    const clips = [babble(21, 30_000), babble(22, 24_000), babble(23, 36_000)];
    const heard: number[][] = clips.map(() => []);
    const streams = clips.map((pcm, clip) => {
      const stream = padded.createStream((values, from, slots) => {
        for (let i = 0; i < slots * LABEL_COUNT; i += 1) heard[clip]!.push(values[from + i]!);
      });
      stream.accept(pcm, 0, pcm.length);
      stream.finish();
      return stream;
    });
    await padded.advance(streams);
    for (const [clip, pcm] of clips.entries()) assertClose(heard[clip]!, await whole(pcm), `clip ${clip}`);
    await padding.release();
  });

  test("gives the same however the samples are cut into writes and runs", async () => {
    const pcm = babble(7, 40_000);
    const expected = await whole(pcm);
    const prng = seeded(11);
    for (let round = 0; round < 3; round += 1) {
      const { stream, logp } = listen();
      for (let at = 0; at < pcm.length; ) {
        const count = Math.min(pcm.length - at, prng.integer(1, 6_000));
        stream.accept(pcm, at, count);
        at += count;
        if (prng.next() < 0.7) await acoustic.advance([stream]);
      }
      stream.finish();
      await acoustic.advance([stream]);
      assertClose(logp, expected, `round ${round}`);
    }
  });

  test("puts out one row of a probability distribution per 20 ms, all samples covered", async () => {
    const pcm = babble(1, 16_123);
    const logp = await whole(pcm);
    const slots = logp.length / LABEL_COUNT;
    assert.ok(slots * SLOT_SAMPLES >= pcm.length && slots * SLOT_SAMPLES < pcm.length + 2 * CHUNK_SAMPLES, `${slots}`);
    for (let slot = 0; slot < slots; slot += 1) {
      const row = logp.slice(slot * LABEL_COUNT, (slot + 1) * LABEL_COUNT);
      const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
      assert.ok(Math.abs(total - 1) < 1e-4, `slot ${slot} sums to ${total}`);
    }
  });

  test("hears a quiet segment as it hears a loud one", async () => {
    const loud = babble(2, 32_000, 30_000);
    const quiet = loud.map((sample) => Math.round(sample / 30));
    const [one, other] = [labels(await whole(loud)), labels(await whole(quiet))];
    const same = one.filter((label, slot) => label === other[slot]).length;
    assert.ok(new Set(one).size > 3, "babble moves the labels");
    assert.ok(same / one.length > 0.9, `${same} of ${one.length} slots`);
  });
});

describe("a stream of the phone network", () => {
  test("waits for the first samples that its level needs, then for whole chunks", async () => {
    const { stream } = listen();
    const pcm = new Int16Array(LEVEL.firstSamples);
    stream.accept(pcm, 0, LEVEL.firstSamples - 1);
    assert.equal(stream.isReady, false);
    stream.accept(pcm, 0, 1);
    assert.equal(stream.isReady, true);
    const chunks = LEVEL.firstSamples / CHUNK_SAMPLES;
    assert.deepEqual(await acoustic.advance([stream]), { runs: chunks, rows: chunks });
    stream.accept(pcm, 0, CHUNK_SAMPLES - 1);
    assert.equal(stream.isReady, false);
    stream.accept(pcm, 0, 1);
    assert.equal(stream.isReady, true);
  });

  test("without samples is done when finished and runs nothing", async () => {
    const { stream, logp } = listen();
    assert.equal(stream.isDone, false);
    stream.finish();
    assert.equal(stream.isDone, true);
    assert.deepEqual(await acoustic.advance([stream]), { runs: 0, rows: 0 });
    assert.equal(logp.length, 0);
  });

  test("that goes stale leaves the batch at the next step, the others go on", async () => {
    const [kept, dropped] = [listen(), listen()];
    const pcm = babble(5, 6 * CHUNK_SAMPLES);
    for (const { stream } of [kept, dropped]) {
      stream.accept(pcm, 0, pcm.length);
      stream.finish();
    }
    let looks = 0;
    await acoustic.advance([kept.stream, dropped.stream], (index) => index === 1 && ++looks > 3);
    assert.equal(kept.stream.isDone, true);
    assert.equal(dropped.stream.isDone, false);
    assertClose(kept.logp, await whole(pcm), "the stream that was kept");
    const early = DELAY_SLOTS * LABEL_COUNT;
    assert.equal(dropped.logp.length, ((3 * CHUNK_SAMPLES) / SLOT_SAMPLES) * LABEL_COUNT - early);
  });

  test("is run before those that are due later, and a chunk at a time while those wait", async () => {
    // One more than a batch, and the last one is the most urgent by less than a chunk: all get their first chunk before
    // it gets its second.
    const count = BATCH_MAX + 1;
    const order: number[] = [];
    const streams = Array.from({ length: count }, (_, index) => acoustic.createStream(() => order.push(index)));
    const pcm = babble(3, 8 * CHUNK_SAMPLES);
    for (const stream of streams) stream.accept(pcm, 0, pcm.length);
    await acoustic.advance(streams, undefined, (index) => 1_000_000 - index);
    // The first chunk's slots lie before the stream's beginning: each stream is heard of from its second chunk on.
    const rounds = [];
    for (let at = 0; at < order.length; at += count) rounds.push(order.slice(at, at + count).sort());
    for (const round of rounds) assert.deepEqual(round, [0, 1, 2, 3, 4]);
    assert.deepEqual(order.slice(0, BATCH_MAX), [4, 3, 2, 1]);
    assert.equal(rounds.length, 7);
  });

  test("holds no more than two of the longest segments, and nothing after its end", () => {
    const { stream } = listen();
    const pcm = new Int16Array(PENDING_SAMPLES_MAX);
    stream.accept(pcm, 0, PENDING_SAMPLES_MAX);
    assert.throws(() => stream.accept(pcm, 0, 1), AssertionFailure);
    stream.finish();
    assert.throws(() => stream.accept(pcm, 0, 0), AssertionFailure);
  });
});

describe("the phone network's file", () => {
  test("has the labels of the decoder", () => {
    const text = readFileSync(join(FOLDER, "manifest.json"), "utf8");
    const { models } = JSON.parse(text) as { models: { family: string; labels?: string; lagSamples?: number }[] };
    const entry = models.find(({ family }) => family === "starter-ctc");
    assert.equal(entry?.labels, `_ ${PHONES.join(" ")}`);
    assert.equal(entry.lagSamples, DELAY_SLOTS * SLOT_SAMPLES);
  });

  test("is refused with the difference if it is another family's", async () => {
    const detector = await openFile("vad.onnx");
    assert.throws(
      () => new AcousticModel(detector, "starter-ctc", LABEL_COUNT, familyContext(1)),
      (error) => {
        assert.ok(isSyrinxError(error) && error.code === "MODEL_TENSORS_MISMATCH");
        assert.match(error.message, /output logp: expected float32\[batch, slots, 41\], found none among prob/);
        return true;
      },
    );
    await detector.release();
  });
});
