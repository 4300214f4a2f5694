import assert from "node:assert/strict";
import { test } from "node:test";
import { OpusDecoder } from "opus-decoder";
import { isOpusPacket } from "../../../src/audio/formats/opus-packet.js";
import { seeded } from "../../../src/base/prng.js";

test("a packet is taken for Opus exactly when libopus takes it", async (t) => {
  t.mock.method(console, "error", () => {});
  const decoder = new OpusDecoder({ channels: 2, sampleRate: 16_000 });
  await decoder.ready;
  const prng = seeded(61);
  let taken = 0;
  for (let run = 0; run < 4_000; run++) {
    const packet = new Uint8Array(prng.integer(1, prng.pick([4, 12, 60, 1_600]))).map(() => prng.integer(0, 256));
    if (prng.next() < 0.5) packet[0] = packet[0]! | 3;
    // Few frames, so that some packets of many are sound.
    if (prng.next() < 0.5 && packet.length > 1) packet[1] = packet[1]! & 0xc7;
    const isTaken = decoder.decodeFrame(packet).errors.length === 0;
    assert.equal(isOpusPacket(packet), isTaken, Buffer.from(packet.subarray(0, 20)).toString("hex"));
    if (isTaken) taken += 1;
  }
  decoder.free();
  assert.ok(taken > 400 && taken < 3_600, `${taken}`);
});
