import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeChannels, type UploadEncoding } from "../../src/audio/decode.js";
import { createAudioEncoder, type EncoderOptions, SPEECH_FORMATS } from "../../src/audio/encode.js";
import { RESAMPLER_RATES_HZ } from "../../src/audio/resampler.js";
import { encodeWav } from "../../src/audio/wav.js";
import { seeded } from "../../src/base/prng.js";
import { readSample } from "../support/system.js";
import { bestLag, likeness, outcomeOf } from "./media-support.js";

const speech = await readSample("timer.wav");
const prng = seeded(51);
const NOISE = new Int16Array(5_000).map(() => prng.integer(-32768, 32768));

/** In chunks of 1 to 3000 samples. */
async function encodeAll(options: EncoderOptions, pcm: Int16Array): Promise<Buffer> {
  const encoder = await createAudioEncoder(options);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < pcm.length; ) {
    const count = prng.integer(1, 3_000);
    parts.push(encoder.encode(pcm.subarray(at, at + count)));
    at += count;
  }
  parts.push(encoder.finish());
  return Buffer.concat(parts);
}

/** At the rate it was given with. */
async function decodeAgain(bytes: Uint8Array, rateHz: number, encoding?: UploadEncoding): Promise<Int16Array> {
  return (await decodeChannels(bytes, { name: "x", encoding, rateHz, toRateHz: rateHz })).pcm[0]!;
}

describe("speech that is encoded and decoded again", () => {
  test("is the same to the last bit as PCM, WAV and FLAC, at each rate", async () => {
    for (const rateHz of RESAMPLER_RATES_HZ) {
      for (const pcm of [speech, NOISE]) {
        const plain = await encodeAll({ format: "pcm", rateHz }, pcm);
        assert.deepEqual(await decodeAgain(plain, rateHz, "linear16"), pcm);
        assert.deepEqual(await decodeAgain(await encodeAll({ format: "wav", rateHz }, pcm), rateHz), pcm);
        assert.deepEqual(await decodeAgain(await encodeAll({ format: "flac", rateHz }, pcm), rateHz), pcm);
      }
    }
  });

  test("is as long and nearly the same in µ-law and A-law, with a header or without", async () => {
    for (const format of ["mulaw", "alaw"] as const) {
      const bare = await decodeAgain(await encodeAll({ format, rateHz: 8_000 }, speech), 8_000, format);
      const headed = await encodeAll({ format, rateHz: 8_000, hasWavHeader: true }, speech);
      assert.equal(bare.length, speech.length);
      assert.ok(likeness(speech, bare, 0) > 0.999);
      assert.deepEqual(await decodeAgain(headed, 8_000), bare);
    }
  });

  test("is as long and much the same in Opus, without delay, at each rate", async () => {
    for (const rateHz of RESAMPLER_RATES_HZ) {
      const pcm = await decodeAgain(await encodeAll({ format: "opus", rateHz }, speech), rateHz);
      // Rates that Opus has not are brought to 48 kHz and back, which may round up twice.
      assert.ok(pcm.length >= speech.length && pcm.length <= speech.length + 2, `${rateHz}: ${pcm.length}`);
      assert.ok(likeness(speech, pcm, 0) > 0.97, `${rateHz}: ${likeness(speech, pcm, 0)}`);
    }
  });

  test("is much the same in MP3, 1105 samples late", async () => {
    for (const rateHz of RESAMPLER_RATES_HZ) {
      const pcm = await decodeAgain(await encodeAll({ format: "mp3", rateHz }, speech), rateHz);
      const { lag, alike } = bestLag(speech.subarray(4_000, 9_000), pcm.subarray(4_000), 1_200);
      assert.equal(lag, 1_105, `${rateHz}`);
      assert.ok(alike > 0.98, `${rateHz}: ${alike}`);
      assert.ok(pcm.length >= speech.length && pcm.length < speech.length + 3_000, `${rateHz}: ${pcm.length}`);
    }
  });

  test("is smaller in FLAC than in WAV, and noise not larger by more than its frames' headers", async () => {
    const flac = await encodeAll({ format: "flac", rateHz: 16_000 }, speech);
    assert.ok(flac.length < 0.6 * 2 * speech.length, `${flac.length}`);
    assert.ok((await encodeAll({ format: "flac", rateHz: 16_000 }, NOISE)).length < 2 * NOISE.length + 42 + 5 * 16);
  });

  test("may be nothing, or shorter than any frame", async () => {
    for (const format of SPEECH_FORMATS) {
      for (const count of [0, 1, 7]) {
        const bytes = await encodeAll({ format, rateHz: 24_000 }, speech.subarray(0, count));
        if (count > 0) assert.ok(bytes.length > 0, `${format} ${count}`);
      }
    }
    const one = await encodeAll({ format: "flac", rateHz: 24_000 }, Int16Array.of(-5));
    assert.deepEqual(await decodeAgain(one, 24_000), Int16Array.of(-5));
  });

  test("may be of the loudest kind: FLAC has room for every difference", async () => {
    const square = new Int16Array(4_000).map((_, index) => (index % 2 === 0 ? 32_767 : -32_768));
    assert.deepEqual(await decodeAgain(await encodeAll({ format: "flac", rateHz: 48_000 }, square), 48_000), square);
    const steps = new Int16Array(4_000).map((_, index) => (index % 1_000 === 0 ? 32_767 : 0));
    assert.deepEqual(await decodeAgain(await encodeAll({ format: "flac", rateHz: 11_025 }, steps), 11_025), steps);
  });

  test("may have more frames than FLAC's short numbers count", async () => {
    const long = new Int16Array(1_024 * 2_100).map((_, index) => index & 0x3ff);
    assert.deepEqual(await decodeAgain(await encodeAll({ format: "flac", rateHz: 16_000 }, long), 16_000), long);
  });
});

describe("an encoder", () => {
  test("of WAV that knows the length writes the file that encodeWav writes", async () => {
    const bytes = await encodeAll({ format: "wav", rateHz: 24_000, sampleCount: NOISE.length }, NOISE);
    assert.deepEqual(new Uint8Array(bytes), encodeWav(NOISE, 24_000));
  });

  test("of WAV that does not leaves it open", async () => {
    const bytes = await encodeAll({ format: "wav", rateHz: 24_000 }, NOISE);
    assert.deepEqual([bytes.readUInt32LE(4), bytes.readUInt32LE(40)], [0xffffffff, 0xffffffff]);
  });

  test("of FLAC that knows the length says it in the header", async () => {
    const bytes = await encodeAll({ format: "flac", rateHz: 24_000, sampleCount: NOISE.length }, NOISE);
    assert.equal(bytes.readUInt32BE(22), NOISE.length);
    assert.equal(bytes.readUIntBE(18, 3) >> 4, 24_000);
  });

  test("gives the first bytes of a stream with its first chunk", async () => {
    const beginnings = { wav: "RIFF", opus: "OggS", flac: "fLaC" } as const;
    for (const [format, magic] of Object.entries(beginnings)) {
      const encoder = await createAudioEncoder({ format: format as keyof typeof beginnings, rateHz: 24_000 });
      assert.equal(Buffer.from(encoder.encode(new Int16Array(10))).toString("latin1", 0, 4), magic);
      encoder.free();
      encoder.free();
    }
  });

  test("says its content type", async () => {
    const types: string[] = [];
    for (const format of SPEECH_FORMATS) types.push((await createAudioEncoder({ format, rateHz: 8_000 })).contentType);
    const expected = [
      "audio/pcm",
      "audio/wav",
      "audio/basic",
      "audio/x-alaw-basic",
      "audio/mpeg",
      "audio/ogg",
      "audio/flac",
    ];
    assert.deepEqual(types, expected);
  });

  test("takes the bit rate that is asked for", async () => {
    for (const format of ["mp3", "opus"] as const) {
      const low = await encodeAll({ format, rateHz: 24_000, bitRateKbps: 24 }, speech);
      const high = await encodeAll({ format, rateHz: 24_000, bitRateKbps: 128 }, speech);
      assert.ok(high.length > 3 * low.length, `${format}: ${low.length} ${high.length}`);
    }
  });

  test("is refused for a format, a rate or a bit rate that is not there", async () => {
    const refused: readonly (readonly [object, RegExp])[] = [
      [{ format: "aac", rateHz: 24_000 }, /aac/],
      [{ format: "wav", rateHz: 23_000 }, /23000 Hz/],
      [{ format: "mp3", rateHz: 24_000, bitRateKbps: 65 }, /65 kbit/],
      [{ format: "opus", rateHz: 24_000, bitRateKbps: 0 }, /0 kbit/],
      [{ format: "opus", rateHz: 24_000, bitRateKbps: Number.NaN }, /NaN kbit/],
    ];
    for (const [options, expected] of refused) {
      const outcome = await outcomeOf(() => createAudioEncoder(options as EncoderOptions));
      assert.match(outcome, /^AUDIO_FORMAT_UNSUPPORTED/);
      assert.match(outcome, expected);
    }
  });
});
