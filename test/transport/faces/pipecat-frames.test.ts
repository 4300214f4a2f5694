import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError } from "../../../src/base/errors.js";
import {
  decodeFrame,
  encodeAudio,
  encodeInterruption,
  encodeMessage,
} from "../../../src/transport/faces/pipecat-frames.js";
import { audioFrame, unwire, wire } from "../../support/pipecat-wire.js";

describe("pipecat frames", () => {
  test("are read as Pipecat's own schema writes them", () => {
    assert.deepEqual(decodeFrame(wire({ text: { id: 7, name: "t", text: "hé" } })), { kind: "text", text: "hé" });
    const transcription = { id: 1, name: "n", text: "hi", userId: "u", timestamp: "now" };
    assert.deepEqual(decodeFrame(wire({ transcription })), { kind: "transcription", text: "hi" });
    assert.deepEqual(decodeFrame(wire({ message: { data: "{}" } })), { kind: "message", data: "{}" });
    assert.deepEqual(decodeFrame(wire({ interruption: {} })), { kind: "interruption" });
    const audio = decodeFrame(audioFrame(Int16Array.of(1, -2), 48_000, 2));
    assert.ok(audio?.kind === "audio");
    assert.deepEqual([...audio.audio, audio.sampleRate, audio.numChannels], [1, 0, 254, 255, 48_000, 2]);
  });

  test("are written as Pipecat's own schema reads them", () => {
    const pcm = Int16Array.of(0, 1, -1, 300).subarray(1);
    assert.deepEqual(unwire(encodeAudio(3, pcm, 24_000)).audio, {
      id: "3",
      name: "audio",
      audio: Buffer.from([1, 0, 255, 255, 44, 1]),
      sampleRate: 24_000,
      numChannels: 1,
    });
    assert.deepEqual(unwire(encodeMessage({ a: "ü" })), { message: { data: '{"a":"ü"}' } });
    assert.deepEqual(unwire(encodeInterruption(9)).interruption, { id: "9", name: "interruption" });
  });

  test("keep proto3's tolerance: unknown fields, unset ones, ids of all 64 bits, ids below zero", () => {
    assert.equal(decodeFrame(new Uint8Array()), undefined);
    // Field 9, and field 200 as a varint.
    assert.equal(decodeFrame(Uint8Array.of(0x4a, 2, 1, 2)), undefined);
    assert.deepEqual(decodeFrame(Uint8Array.of(0xc0, 0x0c, 5, ...wire({ text: { text: "x" } }))), {
      kind: "text",
      text: "x",
    });
    for (const id of ["18446744073709551615", "-1", "9223372036854775808"]) {
      assert.deepEqual(decodeFrame(wire({ text: { id, text: "x" } })), { kind: "text", text: "x" }, id);
    }
    assert.deepEqual(decodeFrame(wire({ audio: {} })), {
      kind: "audio",
      audio: new Uint8Array(0),
      sampleRate: 0,
      numChannels: 0,
    });
    // The last one on the wire counts.
    const twice = Buffer.concat([wire({ text: { text: "x" } }), wire({ message: { data: "y" } })]);
    assert.deepEqual(decodeFrame(twice), { kind: "message", data: "y" });
  });

  test("cut anywhere are refused, or are a frame without the rest", () => {
    const whole = wire({
      audio: { id: 1, name: "audio", audio: new Uint8Array(8), sampleRate: 16_000, numChannels: 1 },
    });
    for (let length = 0; length < whole.length; length++) {
      let outcome: unknown;
      try {
        outcome = decodeFrame(whole.subarray(0, length));
      } catch (error) {
        assert.ok(isSyrinxError(error) && error.code === "PROTOCOL_PROTOBUF", String(error));
        continue;
      }
      assert.equal(outcome, undefined, `${length} bytes`);
    }
  });

  test("throw nothing but the code for it, whatever the bytes", () => {
    const nearly = fc.record({ at: fc.nat(40), byte: fc.nat(255) }).map(({ at, byte }) => {
      const bytes = wire({ transcription: { id: 5, name: "name", text: "some text", userId: "u", timestamp: "t" } });
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    // Groups within groups, as deep as the bytes go.
    const groups = fc.nat(4_000).map((depth) => new Uint8Array(depth).fill(0x0b));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), nearly, groups), (bytes) => {
        try {
          decodeFrame(bytes);
        } catch (error) {
          assert.ok(isSyrinxError(error) && error.code === "PROTOCOL_PROTOBUF", String(error));
        }
      }),
      { seed: 41, numRuns: 3_000 },
    );
  });
});
