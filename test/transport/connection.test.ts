import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimulatedClock } from "../../src/base/clock.js";
import { SyrinxError } from "../../src/base/errors.js";
import { noMetrics } from "../../src/transport/metrics.js";
import { Watched } from "../support/fake-runtime.js";
import { ramp, type TestSocket, withServer } from "../support/test-socket.js";

/** The socket under a WebSocket, to write what no library would. */
function rawOf(socket: TestSocket): { write(data: Uint8Array): void; destroy(): void } {
  return (socket.ws as unknown as { _socket: { write(data: Uint8Array): void; destroy(): void } })._socket;
}

/** A masked frame with a mask of zeros. */
function frame(opcode: number, payload: Uint8Array, isFinal = true): Buffer {
  const head = Buffer.alloc(8);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 126;
  head.writeUInt16BE(payload.byteLength, 2);
  return Buffer.concat([head, payload]);
}

describe("a call over a socket", () => {
  test("carries audio both ways, and every control message to the call", () =>
    withServer({}, async ({ runtime, dial }) => {
      const socket = dial();
      await socket.next("ready");
      const pcm = ramp(3_200);
      for (let at = 0; at < pcm.length; at += 320) socket.ws.send(pcm.subarray(at, at + 320));
      socket.send({ type: "playback", contextId: 1, playedMs: 12.5 });
      socket.send({ type: "say", text: "hello", end: true });
      socket.send({ type: "ask", text: "why?", id: "q1", answer: false });
      socket.send({ type: "keepalive" });
      socket.send({ type: "finalize", id: "f1" });
      socket.send({ type: "interrupt" });
      socket.send({ type: "mark", id: "m1" });
      await socket.next("mark");
      assert.deepEqual(await socket.next("audio.start"), {
        type: "audio.start",
        contextId: 1,
        format: "s16le",
        rateHz: 16_000,
        offsetSamples: 0,
      });
      const echoed = Buffer.concat(socket.heard.filter((message) => Buffer.isBuffer(message)));
      assert.deepEqual(new Int16Array(echoed.buffer, echoed.byteOffset, echoed.length / 2), pcm);
      assert.equal(socket.json("pong").length, 1);
      assert.equal((await socket.next("finalized")).id, "f1");
      assert.deepEqual(
        runtime.calls[0]?.inputs.filter((input) => input.what !== "audio").map((input) => input.what),
        ["playback", "say", "ask", "finalize", "interrupt", "mark"],
      );
      assert.deepEqual(
        runtime.calls[0]?.inputs.find((input) => input.what === "ask"),
        {
          what: "ask",
          text: "why?",
          id: "q1",
          answer: false,
        },
      );
      socket.send({ type: "close" });
      assert.deepEqual(await socket.next("close"), { type: "close", reason: "client" });
      assert.deepEqual(await socket.closed, { code: 1000, reason: "client" });
    }));

  test("answers what breaks the protocol with a code, goes on, and ends the call only when it does not stop", () =>
    withServer({ transport: { limits: { protocolErrors: 6 } } }, async ({ runtime, dial }) => {
      const other = dial();
      await other.next("ready");
      const socket = dial();
      await socket.next("ready");
      runtime.calls[1]!.sayError = new SyrinxError("CALL_CLOSED", { callId: "x" });
      socket.send({ type: "say", text: "after the end" });
      socket.ws.send(Uint8Array.of(1, 2, 3));
      socket.ws.send("not json");
      socket.send({ type: "dance" });
      socket.ws.send(Buffer.from('{"type":"interrupt"}'));
      socket.ws.send('{"type":"mark","id":"x","__proto__":{}}');
      socket.send({ type: "mark", id: "alive" });
      await socket.next("mark");
      assert.deepEqual(
        socket.json("error").map((error) => [error.code, error.fatal]),
        [
          ["CALL_AUDIO_ODD_BYTES", false],
          ["PROTOCOL_BAD_JSON", false],
          ["PROTOCOL_TYPE_UNKNOWN", false],
          ["PROTOCOL_BINARY_JSON", false],
          ["PROTOCOL_KEY_FORBIDDEN", false],
        ],
      );
      socket.ws.send("{");
      assert.deepEqual(await socket.closed, { code: 1008, reason: "PROTOCOL_ERRORS" });
      assert.equal(runtime.calls[1]?.isClosed, true);
      other.send({ type: "mark", id: "unharmed" });
      await other.next("mark");
      assert.equal(other.json("error").length, 0);
    }));

  test("tells a client why before closing for a message that is too big, in too many pieces, or no UTF-8", () =>
    withServer({}, async ({ runtime, dial }) => {
      const offend = async (act: (socket: TestSocket) => void): Promise<[string, number]> => {
        const socket = dial();
        await socket.next("ready");
        act(socket);
        const error = await socket.next("error");
        assert.ok(error.fatal);
        assert.equal((await socket.next("close")).code, error.code);
        return [error.code, (await socket.closed).code];
      };
      const tooBig: [string, number] = ["PROTOCOL_TOO_BIG", 1009];
      assert.deepEqual(await offend((socket) => socket.ws.send(new Uint8Array(65 * 1024))), tooBig);
      assert.deepEqual(await offend((socket) => socket.ws.send(new Uint8Array(65_537))), tooBig);
      assert.deepEqual(await offend((socket) => socket.ws.send(new Uint8Array(3_000_000))), tooBig);
      const pieces = (socket: TestSocket): void => {
        for (let index = 0; index < 17; index += 1) {
          rawOf(socket).write(frame(index === 0 ? 2 : 0, new Uint8Array(200), false));
        }
      };
      assert.deepEqual(await offend(pieces), ["PROTOCOL_FRAGMENTS", 1008]);
      const latin1 = (socket: TestSocket): void => rawOf(socket).write(frame(1, Buffer.alloc(200, 0xe9)));
      assert.deepEqual(await offend(latin1), ["PROTOCOL_UTF8", 1007]);
      const opcode = (socket: TestSocket): void => rawOf(socket).write(frame(5, new Uint8Array(200)));
      assert.deepEqual(await offend(opcode), ["PROTOCOL_FRAME", 1002]);
      assert.equal(runtime.openCalls, 0);
      const whole = dial();
      await whole.next("ready");
      whole.ws.send(new Uint8Array(65_536));
      await whole.until(() => whole.binaryBytes === 65_536);
    }));

  test("keeps what came in one breath with the message that opens the call", () =>
    withServer({}, async ({ runtime, dial }) => {
      let open = (): void => {};
      runtime.gate = new Promise((resolve) => {
        open = resolve;
      });
      const socket = await dial("graph=echo&setup=message").opened();
      const json = (message: object): Buffer => frame(1, Buffer.from(JSON.stringify(message).padEnd(200)));
      const pcm = ramp(200);
      const audio = frame(2, new Uint8Array(pcm.buffer));
      rawOf(socket).write(Buffer.concat([json({ type: "configure" }), audio, json({ type: "keepalive" })]));
      // The answer to the last one: the others have been read.
      await socket.next("pong");
      open();
      const call = await runtime.call(0);
      await call.until(() => call.sampleCount === 200);
      assert.deepEqual(call.inputs, [{ what: "audio", pcm }]);
    }));

  test("does not negotiate compression", () =>
    withServer({}, async ({ dial }) => {
      const socket = dial("graph=echo", [], { perMessageDeflate: true });
      await socket.next("ready");
      assert.equal(socket.ws.extensions, "");
    }));

  test("delivers what a call says before it closes, and an error only once", () =>
    withServer({}, async ({ runtime, dial }) => {
      const socket = dial();
      await socket.next("ready");
      const call = runtime.calls[0]!;
      socket.ws.pause();
      const pcm = ramp(4_000_000);
      call.speak(1, 0, pcm);
      const detail = { code: "CALL_POISON", message: "m", hint: "h" };
      call.emit({ type: "error", ...detail, fatal: true });
      call.end({ type: "close", reason: "error", code: "CALL_POISON" });
      socket.ws.resume();
      assert.deepEqual(await socket.closed, { code: 1011, reason: "CALL_POISON" });
      assert.equal(socket.binaryBytes, pcm.byteLength);
      assert.equal(socket.json("error").length, 1);
      assert.equal(socket.json("close").length, 1);
    }));

  test("contains a defect of one call: that one fails, the others go on", () =>
    withServer({}, async ({ runtime, dial }) => {
      const [broken, healthy] = [dial(), dial()];
      await broken.next("ready");
      await healthy.next("ready");
      const first = runtime.calls.find((call) => call.callId === broken.json("ready")[0]?.callId)!;
      first.write = () => {
        throw new TypeError("a defect");
      };
      broken.ws.send(ramp(10));
      assert.equal((await broken.closed).code, 1011);
      assert.equal(broken.json("error")[0]?.code, "INTERNAL");
      healthy.ws.send(ramp(10));
      await healthy.until(() => healthy.binaryBytes === 20);
    }));
});

describe("clients that come and go", () => {
  test("frees the call of a client that vanishes, while it speaks, opens or closes", () =>
    withServer({}, async ({ runtime, dial }) => {
      const speaking = dial();
      await speaking.next("ready");
      const call = runtime.calls[0]!;
      rawOf(speaking).destroy();
      await call.until(() => call.isClosed);
      assert.deepEqual(call.inputs.at(-1), { what: "abort", code: "CALL_CLIENT_GONE" });

      const closing = dial();
      await closing.next("ready");
      runtime.calls[1]!.closesByItself = false;
      closing.send({ type: "close" });
      await runtime.calls[1]!.until(() => runtime.calls[1]!.inputs.some((input) => input.what === "close"));
      closing.ws.terminate();
      await runtime.calls[1]!.until(() => runtime.calls[1]!.isClosed);

      const leaving = dial();
      await leaving.next("ready");
      leaving.ws.close(1000);
      await runtime.calls[2]!.until(() => runtime.calls[2]!.isClosed);
      assert.equal((await leaving.closed).code, 1000);
      assert.deepEqual(
        leaving.heard.map((message) => "type" in message && message.type),
        ["ready"],
      );
    }));

  test("cuts a client that answers no pings, and ends one that says nothing for too long", () =>
    withServer({ transport: { limits: { pingMs: 20, tickMs: 5 } } }, async ({ runtime, dial }) => {
      const mute = dial("graph=echo", [], { autoPong: false });
      await mute.next("ready");
      assert.equal((await mute.closed).code, 1006);
      await runtime.calls[0]!.until(() => runtime.calls[0]!.isClosed);
    }).then(() =>
      withServer(
        { server: { idleTimeoutMs: 60 }, transport: { limits: { pingMs: 10, tickMs: 5 } } },
        async ({ dial }) => {
          const idle = dial();
          assert.equal((await idle.next("error")).code, "CALL_IDLE");
          assert.equal((await idle.next("close")).reason, "idle");
          assert.equal((await idle.closed).code, 4000);
        },
      ),
    ));

  test("aborts a call whose graceful end takes too long", () =>
    withServer({ transport: { limits: { callCloseMs: 20, tickMs: 5 } } }, async ({ runtime, dial }) => {
      const socket = dial();
      await socket.next("ready");
      runtime.calls[0]!.closesByItself = false;
      socket.send({ type: "close" });
      await socket.next("close");
      assert.equal(runtime.calls[0]!.inputs.at(-1)?.what, "abort");
    }));

  test("but not while the call still has something to say", async () => {
    const clock = new SimulatedClock();
    const ticked = new Watched();
    let ticks = 0;
    const bufferedBytes = (): void => {
      ticks += 1;
      ticked.changed();
    };
    const limits = { callCloseMs: 1_000, tickMs: 5 };
    const transport = { limits, clock, metrics: { ...noMetrics, bufferedBytes } };
    await withServer({ transport }, async ({ runtime, dial }) => {
      const later = async (ms: number): Promise<void> => {
        clock.advance(ms * 1_000);
        const seen = ticks;
        await ticked.until(() => ticks > seen + 1);
      };
      const socket = dial();
      await socket.next("ready");
      const call = runtime.calls[0]!;
      call.closesByItself = false;
      socket.send({ type: "close" });
      await call.until(() => call.inputs.at(-1)?.what === "close");
      for (let round = 0; round < 3; round++) {
        await later(900);
        assert.equal(call.isClosed, false);
        call.speak(1, round * 10, new Int16Array(10));
      }
      await later(1_100);
      assert.equal(call.isClosed, true);
    });
  });
});

test("leaves nothing open behind some hundred calls that end in every way", () =>
  withServer({ server: { maxCalls: 4 } }, async ({ runtime, server, dial }) => {
    for (let round = 0; round < 60; round += 1) {
      const sockets = [dial(), dial(), dial(), dial("graph=nope")];
      for (const socket of sockets.slice(0, 3)) await socket.next("ready");
      sockets[0]?.send({ type: "close" });
      sockets[1]?.ws.close(1000);
      sockets[2]?.ws.terminate();
      for (const socket of sockets) await socket.closed;
    }
    for (const call of runtime.calls) await call.until(() => call.isClosed);
    const answer = await fetch(`${server.url}/v1/capacity`);
    assert.equal(((await answer.json()) as { connections: number }).connections, 0);
    assert.equal(runtime.calls.length, 180);
  }));
