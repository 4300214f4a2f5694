import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { CallSocket } from "../../src/transport/call-socket.js";
import type { FaceCodec, ServerEvent } from "../../src/transport/faces/face.js";
import { TRANSPORT_LIMITS } from "../../src/transport/limits.js";
import { noMetrics } from "../../src/transport/metrics.js";
import { OutQueue } from "../../src/transport/out-queue.js";
import { Outlet } from "../../src/transport/outlet.js";

const event = fc.oneof(
  fc.nat(1_000).map(
    (count): ServerEvent => ({
      type: "audio",
      contextId: 1,
      rateHz: 1,
      offsetSamples: 0,
      pcm: new Int16Array(count),
    }),
  ),
  fc.string().map((text): ServerEvent => ({ type: "text", contextId: 1, text })),
  fc.string().map((id): ServerEvent => ({ type: "mark", id })),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ event, channel: fc.nat(1) }) },
  { weight: 5, arbitrary: fc.constant("shift" as const) },
  { weight: 1, arbitrary: fc.constant("discard" as const) },
);

test("behaves like an array from which interruptions take a channel's audio and text, and counts its bytes to zero", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new OutQueue();
      let model: { readonly event: ServerEvent; readonly channel: number }[] = [];
      const audioOf = (of: typeof model): number =>
        of.reduce((sum, { event: one }) => sum + (one.type === "audio" ? one.pcm.byteLength : 0), 0);
      for (const each of steps) {
        if (each === "shift") {
          const first = model.shift();
          if (first !== undefined) assert.equal(queue.channel, first.channel);
          assert.equal(queue.shift(), first?.event);
        } else if (each === "discard") {
          assert.equal(queue.discardReply(1), audioOf(model.filter(({ channel }) => channel === 1)));
          model = model.filter((one) => one.channel === 0 || one.event.type === "mark");
        } else {
          queue.push(each.event, each.channel);
          model.push(each);
        }
        assert.equal(queue.isEmpty, model.length === 0);
        const audio = audioOf(model);
        assert.ok(queue.byteCount >= audio);
      }
      while (!queue.isEmpty) queue.shift();
      assert.equal(queue.byteCount, 0);
    }),
    { seed: 22 },
  );
});

/** A socket whose client takes `bytesPerSecond`. */
class Link {
  bufferedAmount = 0;
  #onSent: (() => void)[] = [];

  send(message: Uint8Array, _options: object, onSent: () => void): void {
    this.bufferedAmount += message.byteLength;
    this.#onSent.push(onSent);
  }

  take(byteCount: number): void {
    this.bufferedAmount = Math.max(0, this.bufferedAmount - byteCount);
    const told = this.#onSent;
    this.#onSent = [];
    for (const onSent of told) onSent();
  }
}

/** @returns after how many ms the outlet calls the client stuck, within a minute; and what still waits. */
function stuckAfterMs(bytesPerSecond: number, waitingBytes: number): { stuckMs: number | undefined; waiting: number } {
  const link = new Link();
  const codec: Pick<FaceCodec, "encode"> = {
    encode: (event) => (event.type === "audio" ? [new Uint8Array(event.pcm.buffer)] : []),
  };
  const socket = link as unknown as CallSocket;
  const outlet = new Outlet(socket, codec as FaceCodec, TRANSPORT_LIMITS, noMetrics);
  outlet.open({ type: "pong" });
  const pcm = new Int16Array(10_000);
  for (let at = 0; at < waitingBytes; at += pcm.byteLength) {
    assert.ok(outlet.push({ type: "audio", contextId: 1, rateHz: 1, offsetSamples: at / 2, pcm }));
  }
  for (let nowMs = 0; nowMs <= 60_000; nowMs += 500) {
    link.take(bytesPerSecond / 2);
    if (outlet.isStuck(nowMs)) return { stuckMs: nowMs, waiting: outlet.waitingBytes };
  }
  return { stuckMs: undefined, waiting: outlet.waitingBytes };
}

test("calls a client stuck that takes less than real time while much waits, and no other", () => {
  const seconds = TRANSPORT_LIMITS.slowMs / 1000;
  const enough = TRANSPORT_LIMITS.slowProgressBytes / seconds;
  assert.equal(stuckAfterMs(0, 2_000_000).stuckMs, 5_000);
  assert.equal(stuckAfterMs(enough / 4, 2_000_000).stuckMs, 5_000);
  assert.equal(stuckAfterMs(0, 1_000_000).stuckMs, undefined);
  assert.deepEqual(stuckAfterMs(enough * 2, 3_000_000), { stuckMs: undefined, waiting: 0 });
});

test("hands the socket no more than it can soon send, so that the rest can be recalled", () => {
  const link = new Link();
  const codec: Pick<FaceCodec, "encode"> = {
    encode: (event) => (event.type === "audio" ? [new Uint8Array(event.pcm.buffer)] : []),
  };
  const outlet = new Outlet(link as unknown as CallSocket, codec as FaceCodec, TRANSPORT_LIMITS, noMetrics);
  outlet.open({ type: "pong" });
  const pcm = new Int16Array(5_000);
  for (let index = 0; index < 100; index += 1) {
    outlet.push({ type: "audio", contextId: 1, rateHz: 1, offsetSamples: index * 5_000, pcm });
    assert.ok(link.bufferedAmount < TRANSPORT_LIMITS.socketBytes + pcm.byteLength);
  }
  const handed = link.bufferedAmount;
  outlet.discardReply();
  assert.equal(outlet.waitingBytes, handed);
});
