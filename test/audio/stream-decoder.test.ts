import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeAudio } from "../../src/audio/decode.js";
import { OggReader } from "../../src/audio/formats/ogg-pages.js";
import { encodeG711 } from "../../src/audio/g711.js";
import {
  createStreamDecoder,
  LIVE_ENCODINGS,
  type LiveFormat,
  MESSAGE_MS_MAX,
  type StreamDecoder,
} from "../../src/audio/stream-decoder.js";
import { encodeWav, wavHeader } from "../../src/audio/wav.js";
import { seeded } from "../../src/base/prng.js";
import { cut, damaged, fixture, joinPcm, outcomeOf } from "./media-support.js";

const prng = seeded(41);
const NOISE = new Int16Array(4_801).map(() => prng.integer(-32768, 32768));
const NOISE_BYTES = new Uint8Array(NOISE.buffer);

/** Everything a stream gives, per channel. */
async function decodeAll(format: LiveFormat, messages: readonly Uint8Array[]): Promise<Int16Array[]> {
  const decoder = await createStreamDecoder(format);
  try {
    const parts: Int16Array[][] = [];
    const keep = (channels: readonly Int16Array[]): void => {
      for (const [index, pcm] of channels.entries()) {
        parts[index] ??= [];
        parts[index].push(pcm.slice());
      }
    };
    for (const message of messages) keep(decoder.decode(message));
    keep(decoder.end());
    return parts.map(joinPcm);
  } finally {
    decoder.free();
  }
}

function g711(law: "mulaw" | "alaw"): Uint8Array {
  const bytes = new Uint8Array(NOISE.length);
  encodeG711(law, NOISE, 0, NOISE.length, bytes, 0);
  return bytes;
}

/** The Opus packets of hello.opus behind its two headers: with one message each, what `encoding=opus` is. */
function opusPackets(): Uint8Array[] {
  const packets: Uint8Array[] = [];
  new OggReader("x", () => true).push(fixture("hello.opus"), ({ data }) => packets.push(data.slice()));
  return packets.slice(2);
}

describe("a live stream", () => {
  test("of linear16 at 16 kHz is what was sent, to the last bit", async () => {
    assert.deepEqual(await decodeAll({ encoding: "linear16", rateHz: 16_000 }, cut(NOISE_BYTES, prng, 700)), [NOISE]);
  });

  const streams: readonly (readonly [string, LiveFormat, Uint8Array])[] = [
    ["linear16 at 48 kHz", { encoding: "linear16", rateHz: 48_000 }, NOISE_BYTES],
    ["linear32 at 8 kHz", { encoding: "linear32", rateHz: 8_000 }, NOISE_BYTES.subarray(0, 9_600)],
    ["µ-law at 8 kHz", { encoding: "mulaw", rateHz: 8_000 }, g711("mulaw")],
    ["A-law at 11.025 kHz", { encoding: "alaw", rateHz: 11_025 }, g711("alaw")],
    ["three channels kept apart", { encoding: "linear16", rateHz: 16_000, channels: 3, split: true }, NOISE_BYTES],
    ["two channels mixed", { encoding: "linear16", rateHz: 16_000, channels: 2 }, NOISE_BYTES],
    ["a WAV stream", {}, encodeWav(NOISE, 44_100)],
    ["Ogg with Opus", { encoding: "ogg-opus" }, fixture("hello.opus")],
    ["Ogg with Opus, not named", {}, fixture("hello.opus")],
    ["WebM with Opus", {}, fixture("hello.webm")],
    ["Matroska with Opus", {}, fixture("hello.mkv")],
  ];
  for (const [name, format, bytes] of streams) {
    test(`gives the same samples however it is cut: ${name}`, async () => {
      const whole = await decodeAll(format, [bytes]);
      assert.ok(whole[0]!.length > 1_000);
      for (const longest of [1, 40, 3_000]) assert.deepEqual(await decodeAll(format, cut(bytes, prng, longest)), whole);
    });
  }

  test("of containers has the samples of the same file uploaded", async () => {
    for (const name of ["hello.opus", "hello.webm", "hello.mkv"]) {
      const { pcm } = await decodeAudio(fixture(name), name);
      assert.deepEqual(await decodeAll({}, [fixture(name)]), [pcm]);
    }
  });

  test("of Opus packets, one a message, has the samples of the same packets in Ogg", async () => {
    const packets = opusPackets();
    assert.ok(packets.length > 40, `${packets.length}`);
    const [pcm] = await decodeAll({ encoding: "opus", channels: 1 }, packets);
    const [expected] = await decodeAll({}, [fixture("hello.opus")]);
    // The container says what to drop of the beginning: 104 samples.
    assert.deepEqual(pcm!.subarray(pcm!.length - expected!.length), expected);
    assert.equal(pcm!.length - expected!.length, 104);
  });

  test("of WAV whose header leaves the length open goes on until its end", async () => {
    const open = Buffer.concat([wavHeader("mulaw", 16_000), g711("mulaw")]);
    const [pcm] = await decodeAll({}, cut(open, prng, 500));
    assert.equal(pcm!.length, NOISE.length);
  });

  test("of several channels has an array for each, from the first message on", async () => {
    const decoder = await createStreamDecoder({ encoding: "linear16", rateHz: 16_000, channels: 2, split: true });
    assert.equal(decoder.sourceChannels, 2);
    assert.deepEqual(decoder.decode(Uint8Array.of(1, 0)), [new Int16Array(0), new Int16Array(0)]);
    assert.deepEqual(decoder.decode(Uint8Array.of(2, 0)), [Int16Array.of(1), Int16Array.of(2)]);
    assert.deepEqual(decoder.decode(new Uint8Array(0)), [new Int16Array(0), new Int16Array(0)]);
  });
});

describe("a live stream that cannot be", () => {
  const refused: readonly (readonly [LiveFormat, RegExp])[] = [
    [{ encoding: "linear16" }, /without a sample rate/],
    [{ encoding: "mulaw", rateHz: 8_000, channels: 9 }, /9 channels/],
    [{ encoding: "linear16", rateHz: 8_000, channels: 0 }, /0 channels/],
    [{ encoding: "opus", channels: 3 }, /3 channels/],
  ];
  for (const [format, expected] of refused) {
    test(`is refused when it is opened: ${JSON.stringify(format)}`, async () => {
      const outcome = await outcomeOf(() => createStreamDecoder(format));
      assert.match(outcome, /^AUDIO_FORMAT_UNSUPPORTED/);
      assert.match(outcome, expected);
    });
  }

  test("is refused at its first sample if its rate is none", async () => {
    for (const rateHz of [0, -1, 7, 16_000.5, Number.NaN, 1e9]) {
      const outcome = await outcomeOf(() => decodeAll({ encoding: "linear16", rateHz }, [NOISE_BYTES]));
      assert.match(outcome, /^AUDIO_FORMAT_UNSUPPORTED/, `${rateHz}`);
    }
  });

  test("is named in the error if it is another format", async () => {
    const kinds: readonly (readonly [Uint8Array, RegExp])[] = [
      [fixture("hello.flac"), /flac/],
      [fixture("hello.mp3"), /mp3/],
      [fixture("hello.ogg"), /vorbis/],
      [Buffer.alloc(100, "\0\0\0\x20ftypM4A "), /M4A/],
      [Buffer.alloc(100, "hello"), /unknown kind/],
    ];
    for (const [bytes, expected] of kinds) {
      const outcome = await outcomeOf(() => decodeAll({}, [bytes]));
      assert.match(outcome, /^AUDIO_FORMAT_UNSUPPORTED/);
      assert.match(outcome, expected);
    }
  });

  test("ends with a code if it ends before its audio", async () => {
    assert.match(await outcomeOf(() => decodeAll({}, [])), /^AUDIO_DECODE_FAILED.*empty/);
    assert.match(await outcomeOf(() => decodeAll({}, [fixture("hello.webm").subarray(0, 70)])), /^AUDIO_DECODE_FAILED/);
    assert.match(
      await outcomeOf(() => decodeAll({}, [wavHeader("alaw", 8_000).subarray(0, 30)])),
      /^AUDIO_DECODE_FAILED/,
    );
    assert.match(await outcomeOf(() => decodeAll({ encoding: "ogg-opus" }, [NOISE_BYTES])), /^AUDIO_DECODE_FAILED/);
  });

  test("ends at the first packet that is no Opus, without a container", async (t) => {
    const complaints = t.mock.method(console, "error", () => {});
    const bad = [Uint8Array.of(3), Uint8Array.of(3, 0), Uint8Array.of(1, 2), new Uint8Array(5_000)];
    for (const packet of bad) {
      assert.match(
        await outcomeOf(() => decodeAll({ encoding: "opus" }, [packet])),
        /^AUDIO_DECODE_FAILED.*Opus packet/,
      );
    }
    assert.equal(complaints.mock.callCount(), 0);
  });

  test(`ends if one message holds more than ${MESSAGE_MS_MAX / 1000} s`, async () => {
    const message = new Uint8Array(8 * MESSAGE_MS_MAX + 8_000);
    const outcome = await outcomeOf(() => decodeAll({ encoding: "mulaw", rateHz: 8_000 }, [message]));
    assert.match(outcome, /^AUDIO_DECODE_FAILED.*60 s/);
    const halves = [message.subarray(0, 240_000), message.subarray(240_000)];
    assert.equal(await outcomeOf(() => decodeAll({ encoding: "mulaw", rateHz: 8_000 }, halves)), "no error");
  });
});

describe("garbage", () => {
  async function feed(decoder: StreamDecoder, messages: readonly Uint8Array[]): Promise<string> {
    const outcome = await outcomeOf(() => {
      for (const message of messages) decoder.decode(message);
      decoder.end();
    });
    decoder.free();
    return outcome;
  }

  test("in any encoding gives samples or a code", async (t) => {
    const complaints = t.mock.method(console, "error", () => {});
    for (const encoding of [...LIVE_ENCODINGS, undefined]) {
      for (let run = 0; run < 30; run++) {
        const bytes = new Uint8Array(prng.integer(1, 4_000)).map(() => prng.integer(0, 256));
        const decoder = await createStreamDecoder({ encoding, rateHz: 8_000 });
        const outcome = await feed(decoder, cut(bytes, prng, 500));
        assert.match(outcome, /^(no error|AUDIO_(DECODE_FAILED|FORMAT_UNSUPPORTED):)/, `${encoding}, run ${run}`);
      }
    }
    assert.equal(complaints.mock.callCount(), 0, "no packet reaches libopus that it would complain about");
  });

  test("in a good stream gives samples or a code", async () => {
    for (const name of ["hello.opus", "hello.webm", "hello.mkv"]) {
      for (let run = 0; run < 60; run++) {
        const decoder = await createStreamDecoder({});
        const outcome = await feed(decoder, cut(damaged(fixture(name), prng), prng, 300));
        assert.match(outcome, /^(no error|AUDIO_(DECODE_FAILED|FORMAT_UNSUPPORTED):)/, `${name}, run ${run}`);
      }
    }
  });
});
