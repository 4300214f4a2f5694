import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TRANSPORT_LIMITS } from "../../src/transport/limits.js";
import { noMetrics, type TransportMetrics } from "../../src/transport/metrics.js";
import { ramp, type TestSocket, withServer } from "../support/test-socket.js";

describe("clients that are too fast or too slow", () => {
  test("closes a client that never reads as soon as the bound is reached, and serves the others", () =>
    withServer({ transport: { limits: { closeHandshakeMs: 60_000 } } }, async ({ runtime, dial }) => {
      const [slow, other] = [dial(), dial()];
      await slow.next("ready");
      await other.next("ready");
      const call = runtime.calls.find((each) => each.callId === slow.json("ready")[0]?.callId)!;
      slow.ws.pause();
      const pcm = ramp(16_000);
      let offset = 0;
      while (!call.isClosed) {
        call.speak(1, offset, pcm);
        offset += pcm.length;
        // Lets the kernel take what it will.
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.deepEqual(call.inputs.at(-1), { what: "abort", code: "SLOW_CLIENT" });
      // Not more than the bound, and what the kernel holds for both ends.
      assert.ok(offset * 2 < TRANSPORT_LIMITS.waitingBytes + 32 * 1024 * 1024, `${offset} samples`);
      other.ws.send(ramp(10));
      await other.until(() => other.binaryBytes === 20);
      slow.ws.resume();
      assert.deepEqual(await slow.closed, { code: 4008, reason: "SLOW_CLIENT" });
      assert.equal(slow.json("error").at(-1)?.retryable, true);
    }));

  test("closes a client that stops reading with less than the bound waiting, after a while", () => {
    const limits = { slowBytes: 100_000, slowMs: 30, tickMs: 5, waitingBytes: 1e9, closeHandshakeMs: 10 };
    return withServer({ transport: { limits } }, async ({ runtime, dial }) => {
      const slow = dial();
      await slow.next("ready");
      const call = runtime.calls[0]!;
      slow.ws.pause();
      for (let at = 0; at < 12_000_000; at += 16_000) call.speak(1, at, ramp(16_000));
      await call.until(() => call.isClosed);
      assert.deepEqual(call.inputs.at(-1), { what: "abort", code: "SLOW_CLIENT" });
    });
  });

  test("serves a sender at ten times real time by pausing, and loses nothing", () => {
    const paused: string[] = [];
    const metrics: TransportMetrics = { ...noMetrics, fastClient: (action) => paused.push(action) };
    const limits = { paceFactor: 40, paceBurstMs: 200, paceFloodFactor: 1e6, tickMs: 5 };
    return withServer({ transport: { limits, metrics } }, async ({ dial }) => {
      const socket = dial();
      await socket.next("ready");
      for (let index = 0; index < 500; index += 1) socket.ws.send(ramp(320, index * 320));
      await socket.until(() => socket.binaryBytes === 500 * 640);
      assert.ok(paused.includes("pause"));
      assert.ok(!paused.includes("close"));
      assert.equal(socket.json("error").length, 0);
    });
  });

  test("ends a flood of audio, and a flood of messages, with the code for each", () => {
    const limits = { paceBurstMs: 200, paceFloodMs: 10, paceFloodFactor: 0, tickMs: 5 };
    return withServer({ transport: { limits } }, async ({ dial }) => {
      const flood = async (send: (socket: TestSocket) => void): Promise<string> => {
        const socket = dial();
        await socket.next("ready");
        while (!socket.isClosed && socket.json("close").length === 0) {
          for (let index = 0; index < 200; index += 1) send(socket);
          await new Promise((resolve) => setImmediate(resolve));
        }
        const { code, reason } = await socket.closed;
        assert.ok(code === 1008 || code === 1006, String(code));
        return reason === "" ? (socket.json("error")[0]?.code ?? "") : reason;
      };
      assert.equal(await flood((socket) => socket.ws.send(ramp(320))), "CALL_AUDIO_TOO_FAST");
      assert.equal(await flood((socket) => socket.send({ type: "keepalive" })), "PROTOCOL_FLOOD");
    });
  });
});

describe("interruption", () => {
  test("after `interrupted` no audio of the old reply leaves, and what was waiting is dropped, not delayed", () => {
    let discardedBytes = 0;
    const metrics: TransportMetrics = {
      ...noMetrics,
      audioDiscarded: (byteCount) => {
        discardedBytes += byteCount;
      },
    };
    return withServer({ transport: { metrics, limits: { waitingBytes: 1e9 } } }, async ({ runtime, dial }) => {
      const run = async (waitingSamples: number, newSamples: number): Promise<void> => {
        discardedBytes = 0;
        const socket = dial();
        await socket.next("ready");
        const { callId } = socket.json("ready")[0]!;
        const call = runtime.calls.find((each) => each.callId === callId)!;
        socket.ws.pause();
        const old = new Int16Array(8_000).fill(111);
        let oldBytes = 0;
        for (let at = 0; at < waitingSamples; at += old.length) {
          call.speak(1, at, old);
          oldBytes += old.byteLength;
        }
        call.emit({ type: "text", contextId: 1, text: "old" });
        call.emit({ type: "interrupted", reason: "speech", contextId: 1, playedMs: 10, spokenText: "o" });
        call.speak(2, 0, new Int16Array(newSamples).fill(222));
        call.emit({ type: "mark", id: "end" });
        socket.ws.resume();
        await socket.next("mark");
        const at = socket.heard.findIndex((message) => !Buffer.isBuffer(message) && message.type === "interrupted");
        const after = socket.heard.slice(at + 1);
        const audio = Buffer.concat(after.filter((message) => Buffer.isBuffer(message)));
        const samples = new Int16Array(audio.buffer.slice(audio.byteOffset, audio.byteOffset + audio.length));
        assert.equal(samples.length, newSamples);
        assert.ok(samples.every((sample) => sample === 222));
        assert.ok(!after.some((message) => !Buffer.isBuffer(message) && message.type === "text"));
        assert.equal(after[0] && "type" in after[0] && after[0].type, "audio.start");
        assert.equal(socket.binaryBytes - audio.length + discardedBytes, oldBytes);
        // Within one turn of the event loop the kernel takes some MB at most; the rest was still ours to drop.
        if (oldBytes > 16e6) assert.ok(discardedBytes > 0);
        socket.ws.terminate();
      };
      await run(12_000_000, 100);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 3_000_000 }), fc.integer({ min: 1, max: 50_000 }), run),
        { seed: 23, numRuns: 12 },
      );
    });
  });

  test("two calls share nothing: interrupting one leaves the other's audio whole", () =>
    withServer({}, async ({ runtime, dial }) => {
      const [one, two] = [dial(), dial()];
      await one.next("ready");
      await two.next("ready");
      const callOf = (socket: TestSocket) =>
        runtime.calls.find((call) => call.callId === socket.json("ready")[0]?.callId)!;
      const pcm = ramp(400_000);
      callOf(one).speak(1, 0, pcm);
      callOf(two).speak(1, 0, pcm);
      callOf(one).emit({ type: "interrupted", reason: "client", contextId: 1, playedMs: 0, spokenText: "" });
      for (const socket of [one, two]) callOf(socket).emit({ type: "mark", id: "end" });
      await one.next("mark");
      await two.next("mark");
      assert.equal(two.binaryBytes, pcm.byteLength);
      assert.equal(two.json("interrupted").length, 0);
    }));
});
