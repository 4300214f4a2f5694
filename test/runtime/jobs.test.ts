import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { decodeChannels } from "../../src/audio/decode.js";
import { isSyrinxError } from "../../src/base/errors.js";
import { LIMITS } from "../../src/base/limits.js";
import { Jobs } from "../../src/runtime/jobs.js";
import { fixture, outcomeOf } from "../audio/media-support.js";

describe("jobs", () => {
  const jobs = new Jobs();
  after(() => jobs.close());

  test("decode what the decoder decodes, and take the bytes with them", async () => {
    const bytes = fixture("hello.opus");
    const expected = await decodeChannels(bytes, { name: "x" });
    assert.deepEqual(await jobs.decodeUpload({ bytes, name: "x" }), expected);
    assert.equal(bytes.length, 0);
  });

  test("leave memory alone that the bytes share with others", async () => {
    const shared = Buffer.concat([fixture("hello.flac"), Buffer.from("more")]);
    const bytes = shared.subarray(0, -4);
    const { pcm } = await jobs.decodeUpload({ bytes, name: "x" });
    assert.ok(pcm[0]!.length > 0);
    assert.equal(shared.toString("latin1", shared.length - 4), "more");
  });

  test("decode PCM channel by channel", async () => {
    const bytes = new Uint8Array(Int16Array.of(1, -2, 3, -4).buffer);
    const { pcm } = await jobs.decodeUpload({ bytes, name: "x", encoding: "linear16", channels: 2, split: true });
    assert.deepEqual(pcm, [Int16Array.of(1, 3), Int16Array.of(-2, -4)]);
  });

  test("keep the code of what went wrong", async () => {
    assert.match(await outcomeOf(() => jobs.decodeFile("/nowhere/x.wav")), /^AUDIO_FILE_MISSING.*x\.wav/);
    const garbage = { bytes: Buffer.from("garbage"), name: "a.mp3" };
    assert.match(await outcomeOf(() => jobs.decodeUpload(garbage)), /^AUDIO_FORMAT_UNSUPPORTED.*a\.mp3/);
  });

  test(`are refused with a hint when ${LIMITS.jobsQueued} wait, and taken again afterwards`, async () => {
    const job = (): Promise<unknown> =>
      jobs.decodeUpload({ bytes: new Uint8Array(320), name: "x", encoding: "linear16" });
    const results = await Promise.allSettled(Array.from({ length: LIMITS.jobsQueued + 3 }, job));
    const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason as unknown);
    assert.equal(refused.length, 3);
    for (const error of refused) {
      assert.ok(isSyrinxError(error) && error.code === "AUDIO_JOBS_BUSY" && error.retryable);
      assert.equal(typeof error.detail.retryAfterMs, "number");
    }
    await job();
  });

  test("are refused when more bytes wait than memory is meant for", async () => {
    const tooMuch = new Uint8Array(new ArrayBuffer(LIMITS.jobBytesQueued + 1));
    assert.match(await outcomeOf(() => jobs.decodeUpload({ bytes: tooMuch, name: "x" })), /^AUDIO_JOBS_BUSY/);
  });
});
