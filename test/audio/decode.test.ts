import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type DecodedAudio, decodeAudio } from "../../src/audio/decode.js";
import { rmsDbfs } from "../../src/audio/pcm.js";
import { encodeWav } from "../../src/audio/wav.js";
import { isSyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { seeded } from "../../src/base/prng.js";

const fixture = (name: string): Uint8Array => readFileSync(join(packageRoot(), "test/fixtures", name));
const recordings = join(packageRoot(), "../shared/audio");

const prng = seeded(11);
const NOISE = new Int16Array(1_001).map(() => prng.integer(-32768, 32768));

interface WavParts {
  readonly tag?: number;
  readonly channels?: number;
  readonly rateHz?: number;
  readonly bits?: number;
  readonly data: Uint8Array;
  readonly before?: readonly (readonly [string, Uint8Array])[];
  /** What the data chunk claims to hold. */
  readonly claimedBytes?: number;
  readonly isExtensible?: boolean;
}

function chunk(tag: string, body: Uint8Array, claimedBytes = body.length): Buffer {
  const head = Buffer.alloc(8);
  head.write(tag, "latin1");
  head.writeUInt32LE(claimedBytes, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

function wav(parts: WavParts): Uint8Array {
  const { tag = 1, channels = 1, rateHz = 16_000, bits = 16, before = [], isExtensible = false } = parts;
  const format = Buffer.alloc(isExtensible ? 40 : 16);
  const frameBytes = (channels * bits) / 8;
  format.writeUInt16LE(isExtensible ? 0xfffe : tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rateHz, 4);
  format.writeUInt32LE(rateHz * frameBytes, 8);
  format.writeUInt16LE(frameBytes, 12);
  format.writeUInt16LE(bits, 14);
  if (isExtensible) {
    format.writeUInt16LE(22, 16);
    format.writeUInt16LE(bits, 18);
    format.writeUInt16LE(tag, 24);
  }
  const chunks = [...before.map(([name, body]) => chunk(name, body)), chunk("fmt ", format)];
  chunks.push(chunk("data", parts.data, parts.claimedBytes));
  const body = Buffer.concat([Buffer.from("WAVE"), ...chunks]);
  return chunk("RIFF", body);
}

function bytesOf(samples: Int16Array, bits: number): Uint8Array {
  const bytes = Buffer.alloc((samples.length * bits) / 8);
  for (const [index, sample] of samples.entries()) {
    const at = (index * bits) / 8;
    if (bits === 8) bytes.writeUInt8((sample >> 8) + 128, at);
    else bytes.writeIntLE(sample * 2 ** (bits - 16), at, bits / 8);
  }
  return bytes;
}

async function failureOf(bytes: Uint8Array): Promise<string> {
  return decodeAudio(bytes, "x").then(
    () => "no error",
    (error: unknown) => (isSyrinxError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

const decode = (parts: WavParts): Promise<DecodedAudio> => decodeAudio(wav(parts), "x.wav");

describe("a WAV file", () => {
  test("that was written here is read back to the last bit", async () => {
    const { pcm, sourceRateHz, channels, durationMs } = await decodeAudio(encodeWav(NOISE, 16_000), "x.wav");
    assert.deepEqual(pcm, NOISE);
    assert.deepEqual(
      { sourceRateHz, channels, durationMs },
      { sourceRateHz: 16_000, channels: 1, durationMs: 1001 / 16 },
    );
  });

  test("may have integer samples of 8, 16, 24 or 32 bits", async () => {
    for (const bits of [16, 24, 32]) assert.deepEqual((await decode({ bits, data: bytesOf(NOISE, bits) })).pcm, NOISE);
    const { pcm } = await decode({ bits: 8, data: bytesOf(NOISE, 8) });
    assert.deepEqual(
      pcm,
      NOISE.map((sample) => (sample >> 8) << 8),
    );
  });

  test("may have float samples of 32 or 64 bits, NaN among them", async () => {
    const floats = Float32Array.from(NOISE, (sample) => sample / 32768);
    const doubles = Float64Array.from(floats);
    floats[5] = Number.NaN;
    const expected = NOISE.with(5, 0);
    assert.deepEqual((await decode({ tag: 3, bits: 32, data: new Uint8Array(floats.buffer) })).pcm, expected);
    assert.deepEqual((await decode({ tag: 3, bits: 64, data: new Uint8Array(doubles.buffer) })).pcm, NOISE);
  });

  test("may be companded", async () => {
    const data = Uint8Array.of(0x80, 0xff, 0x00);
    assert.deepEqual((await decode({ tag: 7, bits: 8, data })).pcm, Int16Array.of(32124, 0, -32124));
    const alaw = Uint8Array.of(0xaa, 0x2a);
    assert.deepEqual((await decode({ tag: 6, bits: 8, data: alaw })).pcm, Int16Array.of(32256, -32256));
  });

  test("may have the extensible format and chunks of odd length before its samples", async () => {
    const data = bytesOf(NOISE, 16);
    const before = [["LIST", new Uint8Array(7)] as const, ["junk", new Uint8Array(1)] as const];
    assert.deepEqual((await decode({ isExtensible: true, before, data })).pcm, NOISE);
  });

  test("has the samples that are there if it claims more, or an open length", async () => {
    for (const claimedBytes of [0xffffffff, 1 << 20]) {
      assert.deepEqual((await decode({ data: bytesOf(NOISE, 16), claimedBytes })).pcm, NOISE);
    }
    const cut = wav({ data: bytesOf(NOISE, 16) }).subarray(0, 44 + 2 * 500 + 1);
    assert.deepEqual((await decodeAudio(cut, "x")).pcm, NOISE.subarray(0, 500));
  });

  test("is averaged over its channels and converted to 16 kHz", async () => {
    const stereo = new Int16Array(96_000).map((_, index) => (index % 2 ? 1_000 : 3_000));
    const decoded = await decode({ channels: 2, rateHz: 48_000, data: bytesOf(stereo, 16) });
    assert.equal(decoded.pcm.length, 16_000);
    assert.equal(decoded.channels, 2);
    assert.equal(decoded.durationMs, 1_000);
    for (const sample of decoded.pcm.subarray(100, 15_900)) assert.equal(sample, 2_000);
  });

  test("is refused with the reason if it has no format, no samples or nonsense for either", async () => {
    assert.match(await failureOf(wav({ data: new Uint8Array(0) })), /AUDIO_DECODE_FAILED.*no samples/);
    assert.match(await failureOf(wav({ channels: 0, data: bytesOf(NOISE, 16) })), /AUDIO_DECODE_FAILED.*0 channels/);
    assert.match(await failureOf(wav({ bits: 12, data: bytesOf(NOISE, 16) })), /AUDIO_FORMAT_UNSUPPORTED.*12 bits/);
    assert.match(await failureOf(wav({ tag: 2, bits: 4, data: NOISE_BYTES })), /AUDIO_FORMAT_UNSUPPORTED.*tag 2/);
    assert.match(await failureOf(wav({ rateHz: 7, data: NOISE_BYTES })), /AUDIO_FORMAT_UNSUPPORTED.*7 Hz/);
    assert.match(await failureOf(wav({ data: NOISE_BYTES }).subarray(0, 12)), /AUDIO_DECODE_FAILED.*before its format/);
  });

  test("that is damaged anywhere is decoded or refused with a code, never more", async () => {
    const whole = wav({ channels: 2, rateHz: 44_100, data: NOISE_BYTES, before: [["LIST", new Uint8Array(5)]] });
    const damage = fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 4 });
    const property = fc.asyncProperty(damage, fc.nat(whole.length), async (changes, length) => {
      const damaged = Uint8Array.from(whole);
      for (const [at, value] of changes) damaged[at] = value;
      assert.match(await failureOf(damaged.subarray(0, length)), /^(no error|AUDIO_\w+:)/);
    });
    await fc.assert(property, { numRuns: 150, seed: 12 });
  });
});

const NOISE_BYTES = bytesOf(NOISE, 16);

describe("a compressed file", () => {
  test("of FLAC is decoded to the last bit", async () => {
    const bytes = fixture("hello.flac");
    const { pcm, sourceRateHz, channels } = await decodeAudio(bytes, "hello.flac");
    assert.deepEqual({ sourceRateHz, channels }, { sourceRateHz: 16_000, channels: 1 });
    // A FLAC file's header ends with the MD5 of its samples.
    assert.equal(createHash("md5").update(pcm).digest("hex"), Buffer.from(bytes.subarray(26, 42)).toString("hex"));
  });

  test("of MP3 holds the same speech as the FLAC file", async () => {
    const flac = await decodeAudio(fixture("hello.flac"), "hello.flac");
    const mp3 = await decodeAudio(fixture("hello.mp3"), "hello.mp3");
    assert.deepEqual([mp3.channels, mp3.sourceRateHz], [1, 16_000]);
    // The encoder and decoder of MP3 delay by a little more than a thousand samples.
    const best = Math.max(
      ...Array.from({ length: 100 }, (_, lag) =>
        likeness(flac.pcm.subarray(4_000, 8_000), mp3.pcm.subarray(5_050 + lag)),
      ),
    );
    assert.ok(best > 0.98, `${best}`);
  });

  test("may begin with an ID3 tag", async () => {
    const tag = Buffer.concat([Buffer.from("ID3\x04\0\0\0\0\x02\0", "latin1"), Buffer.alloc(256)]);
    const plain = await decodeAudio(fixture("hello.mp3"), "hello.mp3");
    const tagged = await decodeAudio(Buffer.concat([tag, fixture("hello.mp3")]), "hello.mp3");
    assert.deepEqual(tagged, plain);
    const flac = await decodeAudio(Buffer.concat([tag, fixture("hello.flac")]), "hello.flac");
    assert.deepEqual(flac, await decodeAudio(fixture("hello.flac"), "hello.flac"));
  });

  test("that was cut off gives what is there", async () => {
    for (const name of ["hello.flac", "hello.mp3"]) {
      const bytes = fixture(name);
      const whole = await decodeAudio(bytes, name);
      const half = await decodeAudio(bytes.subarray(0, Math.floor(bytes.length * 0.7)), name);
      assert.ok(half.pcm.length > 0 && half.pcm.length < whole.pcm.length, name);
    }
  });

  test("that is damaged is decoded or refused with a code, never more", async (t) => {
    // The MP3 decoder tells the console what it finds.
    t.mock.method(console, "error", () => {});
    const property = fc.asyncProperty(
      fc.constantFrom("hello.flac", "hello.mp3"),
      fc.array(fc.tuple(fc.nat(9_999), fc.nat(255)), { maxLength: 60 }),
      fc.nat(9_999),
      async (name, changes, cut) => {
        const damaged = Uint8Array.from(fixture(name));
        for (const [at, value] of changes) damaged[4 + (at % (damaged.length - 4))] = value;
        assert.match(await failureOf(damaged.subarray(0, 4 + (cut % damaged.length))), /^(no error|AUDIO_\w+:)/);
      },
    );
    await fc.assert(property, { numRuns: 60, seed: 13 });
  });
});

function likeness(left: Int16Array, right: Int16Array): number {
  let product = 0;
  let leftPower = 0;
  let rightPower = 0;
  for (const [index, sample] of left.entries()) {
    product += sample * right[index]!;
    leftPower += sample ** 2;
    rightPower += right[index]! ** 2;
  }
  return product / Math.sqrt(leftPower * rightPower);
}

test("other kinds of file are named in the error", async () => {
  const kinds: readonly (readonly [string, RegExp])[] = [
    ["OggS\0\x02 more", /AUDIO_FORMAT_UNSUPPORTED.*Ogg without/],
    ["\x1aE\xdf\xa3 more", /AUDIO_DECODE_FAILED.*no audio track/],
    ["\0\0\0\x20ftypM4A ", /AUDIO_FORMAT_UNSUPPORTED.*M4A.*AAC/],
    ["FORM....AIFF", /AUDIO_FORMAT_UNSUPPORTED.*AIFF/],
    ["hello, I am a text", /AUDIO_FORMAT_UNSUPPORTED.*unknown/],
    ["", /AUDIO_DECODE_FAILED.*empty/],
    ["RIFF", /AUDIO_FORMAT_UNSUPPORTED/],
    ["fLaC", /AUDIO_DECODE_FAILED/],
    ["ID3", /AUDIO_FORMAT_UNSUPPORTED/],
    ["\xff\xfb\x90\0", /AUDIO_DECODE_FAILED/],
  ];
  for (const [text, expected] of kinds) assert.match(await failureOf(Buffer.from(text, "latin1")), expected);
});

test("every recording beside the checkout is decoded", async (t) => {
  if (!existsSync(recordings)) return t.skip("there is no folder ../shared/audio");
  for (const name of readdirSync(recordings).filter((file) => /\.(wav|flac|mp3)$/.test(file))) {
    const bytes = readFileSync(join(recordings, name));
    const { pcm, durationMs } = await decodeAudio(bytes, name);
    assert.ok(Math.abs(pcm.length / 16 - durationMs) < 1, name);
    assert.ok(rmsDbfs(pcm) > -60 && rmsDbfs(pcm) < -5, name);
  }
});
