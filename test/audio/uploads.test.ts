import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createOggEncoder } from "wasm-media-encoders";
import { decodeAudio, decodeChannels } from "../../src/audio/decode.js";
import { createAudioEncoder } from "../../src/audio/encode.js";
import { OggWriter } from "../../src/audio/formats/ogg-pages.js";
import { encodeG711 } from "../../src/audio/g711.js";
import { seeded } from "../../src/base/prng.js";
import { bestLag, damaged, fixture, likeness, outcomeOf } from "./media-support.js";

const hello = (await decodeAudio(fixture("hello.flac"), "hello.flac")).pcm;
const MIDDLE = hello.subarray(2_000, 12_000);

describe("an upload", () => {
  test("of Opus in Ogg, WebM or Matroska holds the same speech as the FLAC file", async () => {
    for (const name of ["hello.opus", "hello.webm", "hello.mkv"]) {
      const { pcm, channels, sourceRateHz } = await decodeAudio(fixture(name), name);
      assert.deepEqual([channels, sourceRateHz], [1, 16_000], name);
      // These files do not say where in the last packet the speech ends.
      assert.ok(pcm.length >= hello.length && pcm.length < hello.length + 320, `${name}: ${pcm.length}`);
      const { lag, alike } = bestLag(MIDDLE, pcm.subarray(1_990), 20);
      assert.ok(Math.abs(lag - 10) <= 2 && alike > 0.9, `${name}: ${lag} ${alike}`);
    }
  });

  test("of Opus is decoded at 48 kHz for whoever wants more than 16 kHz", async () => {
    const { pcm } = await decodeAudio(fixture("hello.opus"), "hello.opus", 24_000);
    assert.ok(Math.abs(pcm.length / 1.5 - hello.length) < 320, `${pcm.length}`);
  });

  test("of Vorbis in Ogg holds the same speech, to the sample as long", async () => {
    const { pcm } = await decodeAudio(fixture("hello.ogg"), "hello.ogg");
    assert.equal(pcm.length, hello.length);
    assert.ok(likeness(MIDDLE, pcm, 2_000) > 0.99);
  });

  test("is told by its content, not by its name", async () => {
    const { pcm } = await decodeAudio(fixture("hello.webm"), "hello.wav");
    assert.ok(pcm.length > 13_000);
  });

  test("that was cut off anywhere gives the frames that are there", async () => {
    for (const name of ["hello.opus", "hello.webm", "hello.mkv"]) {
      const bytes = fixture(name);
      const whole = (await decodeAudio(bytes, name)).pcm;
      const part = (await decodeAudio(bytes.subarray(0, Math.floor(bytes.length * 0.7)), name)).pcm;
      assert.ok(part.length > 0 && part.length < whole.length, `${name}: ${part.length} of ${whole.length}`);
    }
  });

  test("of AAC is refused with the reason", async () => {
    const m4a = Buffer.from("\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom\0\0\0\0", "latin1");
    assert.match(await outcomeOf(() => decodeAudio(m4a, "a.m4a")), /^AUDIO_FORMAT_UNSUPPORTED.*M4A.*no decoder/);
    const adts = Uint8Array.of(0xff, 0xf1, 0x50, 0x80, 0x02, 0x1f, 0xfc);
    assert.match(await outcomeOf(() => decodeAudio(adts, "a.aac")), /^AUDIO_FORMAT_UNSUPPORTED.*AAC/);
  });
});

describe("PCM without a header", () => {
  const stereo = new Int16Array(3_200).map((_, index) => (index % 2 === 0 ? 1_000 : -3_000));

  test("has the encoding, rate and channels that are declared", async () => {
    const mulaw = new Uint8Array(8_000);
    encodeG711("mulaw", new Int16Array(8_000).fill(4_092), 0, 8_000, mulaw, 0);
    const decoded = await decodeChannels(mulaw, { name: "x", encoding: "mulaw", rateHz: 8_000 });
    assert.equal(decoded.pcm[0]!.length, 16_000);
    assert.equal(decoded.durationMs, 1_000);
    assert.equal(decoded.pcm[0]![8_000], 4_092);
    const linear32 = new Uint8Array(Int32Array.of(65_536, -131_072).buffer);
    const wide = await decodeChannels(linear32, { name: "x", encoding: "linear32" });
    assert.deepEqual(wide.pcm[0], Int16Array.of(1, -2));
  });

  test("is mixed, or kept apart by channel", async () => {
    const options = { name: "x", encoding: "linear16", channels: 2 } as const;
    const bytes = new Uint8Array(stereo.buffer);
    const mixed = await decodeChannels(bytes, options);
    assert.deepEqual(mixed.pcm, [new Int16Array(1_600).fill(-1_000)]);
    const split = await decodeChannels(bytes, { ...options, split: true });
    assert.deepEqual(split.pcm, [new Int16Array(1_600).fill(1_000), new Int16Array(1_600).fill(-3_000)]);
    assert.equal(split.channels, 2);
  });

  test("may have 1 to 8 channels", async () => {
    for (const channels of [0, 9, 1.5, Number.NaN]) {
      const outcome = await outcomeOf(() =>
        decodeChannels(new Uint8Array(64), { name: "x", encoding: "linear16", channels }),
      );
      assert.match(outcome, /^AUDIO_FORMAT_UNSUPPORTED/);
    }
  });

  test("is believed to be a file if it begins as one", async () => {
    const { pcm } = await decodeChannels(fixture("hello.flac"), { name: "x", encoding: "linear16", rateHz: 8_000 });
    assert.deepEqual(pcm[0], hello);
  });

  test("that looks like MP3 in its first bytes is what was declared", async () => {
    const bytes = new Uint8Array(640).fill(0xff);
    bytes.set([0xff, 0xfb, 0x90, 0x00]);
    const { pcm } = await decodeChannels(bytes, { name: "x", encoding: "linear16" });
    assert.equal(pcm[0]!.length, 320);
  });
});

describe("an upload made to harm", () => {
  test("is decoded or refused with a code: every fixture, damaged and cut off", async (t) => {
    // The decoders tell the console what they find.
    t.mock.method(console, "error", () => {});
    const prng = seeded(31);
    const runs = {
      "hello.opus": 40,
      "hello.webm": 40,
      "hello.mkv": 40,
      "hello.ogg": 15,
      "hello.flac": 5,
      "hello.mp3": 5,
    };
    for (const [name, count] of Object.entries(runs)) {
      for (let run = 0; run < count; run++) {
        const bytes = damaged(fixture(name), prng);
        const outcome = await outcomeOf(() => decodeChannels(bytes, { name, split: run % 2 === 0 }));
        assert.match(outcome, /^(no error|AUDIO_(DECODE_FAILED|FORMAT_UNSUPPORTED):)/, `${name}, run ${run}`);
      }
    }
  });

  test("is stopped when its time is up", async () => {
    const outcome = await outcomeOf(() => decodeChannels(fixture("hello.flac"), { name: "x", timeoutMs: -1 }));
    assert.match(outcome, /^AUDIO_DECODE_TIMEOUT/);
  });

  test("with minutes in every kilobyte gives all of them, piece by piece", async () => {
    // Packets of two bytes, each 120 ms of silence: two frames of 60 ms without a byte in them.
    const packet = Uint8Array.of(0x1b, 0x02);
    const encoder = await createAudioEncoder({ format: "opus", rateHz: 16_000 });
    const headers = encoder.encode(new Int16Array(0));
    encoder.free();
    const writer = new OggWriter(1);
    for (let page = 0; page < 2; page++) writer.page({ packets: [], granule: 0 });
    const packets = Array.from({ length: 250 }, () => packet);
    const pages = Array.from({ length: 10 }, () => writer.page({ packets, granule: 0 }));
    const { durationMs } = await decodeAudio(Buffer.concat([headers, ...pages]), "bomb");
    assert.ok(Math.abs(durationMs - 10 * 250 * 120) < 120, `${durationMs}`);
  });

  test("of 255 channels of Vorbis is refused before a decoder is made", async () => {
    const vorbis = await createOggEncoder();
    vorbis.configure({ channels: 1, sampleRate: 16_000, vbrQuality: 0 });
    const bytes = vorbis.encode([new Float32Array(16_000)]).slice();
    const channelsAt = 27 + 1 + 11;
    assert.equal(bytes[channelsAt], 1);
    bytes[channelsAt] = 255;
    assert.match(await outcomeOf(() => decodeAudio(bytes, "x")), /^AUDIO_FORMAT_UNSUPPORTED.*255 channels/);
    bytes[channelsAt] = 0;
    assert.match(await outcomeOf(() => decodeAudio(bytes, "x")), /^AUDIO_DECODE_FAILED.*0 channels/);
  });

  test("that is nothing but page or element beginnings ends soon", async () => {
    const pages = Buffer.from("OggS\0\0".padEnd(26, "\0").concat("\xff").repeat(40_000), "latin1");
    const whole = Buffer.concat([fixture("hello.opus").subarray(0, 200), pages]);
    assert.match(await outcomeOf(() => decodeAudio(whole, "x")), /^AUDIO_DECODE_FAILED.*pages are damaged/);
    const elements = Buffer.concat([Buffer.from("1a45dfa380", "hex"), Buffer.alloc(1_000_000, 0xae80)]);
    assert.match(await outcomeOf(() => decodeAudio(elements, "x")), /^AUDIO_DECODE_FAILED/);
  });
});
