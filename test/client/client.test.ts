import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { EventQueue } from "../../src/client/event-queue.js";
import {
  type ClientEvent,
  connect,
  type SyrinxClient,
  SyrinxClientError,
  type WebSocketConstructor,
} from "../../src/client/index.js";
import { plainKeys } from "../support/keys.js";
import { ramp, withServer } from "../support/test-socket.js";

const injected = WebSocket as unknown as WebSocketConstructor;
const own = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;

/** Reads events until one of this type has come. */
async function readUntil(client: SyrinxClient, type: ClientEvent["type"]): Promise<ClientEvent[]> {
  const events: ClientEvent[] = [];
  for await (const event of client) {
    events.push(event);
    if (event.type === type) return events;
  }
  throw new Error(`the call ended without ${type}`);
}

for (const [name, WebSocketClass] of [
  ["an injected WebSocket", injected],
  ["the platform's own WebSocket", own],
  ["the WebSocket that it finds by itself", undefined],
] as const) {
  test(`carries a call both ways over ${name}`, async (t) => {
    if (name.startsWith("the platform") && own === undefined) {
      t.skip("this Node has none");
      return;
    }
    const chosen = WebSocketClass === undefined ? {} : { WebSocket: WebSocketClass };
    await withServer({}, async ({ runtime, server }) => {
      const client = await connect(server.url, { graph: "echo", rate: 8_000, ...chosen });
      assert.equal(client.ready.input.rateHz, 8_000);
      assert.equal(client.callId, runtime.calls[0]?.callId);
      const pcm = ramp(4_000);
      // A view that does not begin where its memory does.
      assert.equal(client.send(ramp(4_010, -10).subarray(10)), true);
      client.playback(1, 100);
      client.say("hello");
      const askId = client.ask("why?");
      const finalizeId = client.finalize();
      const markId = client.mark();
      const events = await readUntil(client, "mark");
      const audio = events.filter((event) => event.type === "audio");
      assert.deepEqual(
        audio.flatMap((event) => [...event.pcm]),
        [...pcm],
      );
      let offset = 0;
      for (const event of audio) {
        assert.equal(event.offsetSamples, offset);
        assert.equal(event.rateHz, 8_000);
        offset += event.pcm.length;
      }
      assert.deepEqual(events.at(-1), { type: "mark", id: markId });
      assert.ok(events.some((event) => event.type === "finalized" && event.id === finalizeId));
      assert.deepEqual(
        runtime.calls[0]?.inputs.find((input) => input.what === "ask"),
        { what: "ask", text: "why?", id: askId, answer: true },
      );
      client.interrupt();
      await readUntil(client, "interrupted");
      await client.close();
      assert.deepEqual(await readUntil(client, "close"), [{ type: "close", reason: "client" }]);
      assert.equal(client.closeCode, 1000);
      assert.equal(client.send(pcm), false);
      assert.equal(runtime.openCalls, 0);
    });
  });
}

describe("connect", () => {
  test("gives the key without putting it into the address, if it can", () =>
    withServer({ server: { apiKeys: plainKeys("plain-key", "odd key, ü") } }, async ({ server }) => {
      for (const apiKey of ["plain-key", "odd key, ü"]) {
        const client = await connect(server.url, { graph: "echo", apiKey, WebSocket: injected });
        await client.close();
      }
      await assert.rejects(connect(server.url, { graph: "echo", apiKey: "wrong", WebSocket: injected }), (error) => {
        assert.ok(error instanceof SyrinxClientError);
        assert.equal(error.code, "CLIENT_CONNECT");
        return true;
      });
    }));

  test("rejects with the server's own code, hint and close code", () =>
    withServer({}, async ({ server }) => {
      await assert.rejects(connect(server.url, { graph: "nope", WebSocket: injected }), (error) => {
        assert.ok(error instanceof SyrinxClientError);
        assert.equal(error.code, "CALL_GRAPH_UNKNOWN");
        assert.equal(error.closeCode, 4001);
        assert.match(error.hint, /echo/);
        return true;
      });
      await assert.rejects(connect("http://127.0.0.1:1", { WebSocket: injected }), { code: "CLIENT_CONNECT" });
    }));

  test("rejects soon with the address when the WebSocket only says `error`, as Node 22's does, and never `close`", async () => {
    class Mute extends EventTarget {
      binaryType = "";
      readonly readyState = 3;
      readonly bufferedAmount = 0;
      constructor() {
        super();
        queueMicrotask(() => this.dispatchEvent(new Event("error")));
      }
      send(): void {}
      close(): void {}
    }
    const WebSocket = Mute as unknown as WebSocketConstructor;
    await assert.rejects(connect("ws://127.0.0.1:1?api_key=secret", { WebSocket, timeoutMs: 3_600_000 }), (error) => {
      assert.ok(error instanceof SyrinxClientError);
      assert.equal(error.code, "CLIENT_CONNECT");
      assert.match(error.message, /127\.0\.0\.1:1\/v1\/call/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  test("gives up a server that is never ready", () =>
    withServer({}, async ({ runtime, server }) => {
      let open = (): void => {};
      runtime.gate = new Promise((resolve) => {
        open = resolve;
      });
      const connecting = connect(server.url, { graph: "echo", WebSocket: injected, timeoutMs: 20 });
      await assert.rejects(connecting, { code: "CLIENT_TIMEOUT" });
      open();
      const call = await runtime.call(0);
      await call.until(() => call.isClosed);
    }));

  test("opens the call with options of nodes and a choice of events", () =>
    withServer({}, async ({ runtime, server }) => {
      const nodes = { stt: { keyterms: ["Syrinx"] } };
      const client = await connect(server.url, { graph: "echo", nodes, events: ["transcript"], WebSocket: injected });
      assert.deepEqual(runtime.calls[0]?.options.nodes, nodes);
      client.send(ramp(100));
      client.mark("m");
      assert.deepEqual(
        (await readUntil(client, "mark")).map((event) => event.type),
        ["mark"],
      );
      await client.close();
    }));

  test("ends the iteration when the server goes, after its last word", () =>
    withServer({}, async ({ runtime, server }) => {
      const client = await connect(server.url, { graph: "echo", WebSocket: injected });
      runtime.calls[0]!.end({ type: "close", reason: "drain" });
      const events: ClientEvent[] = [];
      for await (const event of client) events.push(event);
      assert.deepEqual(events, [{ type: "close", reason: "drain" }]);
      assert.equal(client.closeCode, 1012);
      assert.equal(client.isClosed, true);
    }));
});

describe("event queue", () => {
  test("drops the oldest of what may be dropped when nobody reads, and counts it", async () => {
    const queue = new EventQueue<string>(3, (event) => event.startsWith("a"));
    for (const event of ["a1", "t1", "a2", "a3", "t2"]) queue.push(event);
    assert.equal(queue.droppedCount, 2);
    queue.end();
    const left: string[] = [];
    for (let next = await queue.next(); next.done !== true; next = await queue.next()) left.push(next.value);
    assert.deepEqual(left, ["t1", "a3", "t2"]);
  });

  test("hands an event to a waiting reader, and refuses a second one", async () => {
    const queue = new EventQueue<number>(3, () => true);
    const first = queue.next();
    await assert.rejects(queue.next());
    queue.push(1);
    assert.deepEqual(await first, { done: false, value: 1 });
    const last = queue.next();
    queue.end();
    assert.deepEqual(await last, { done: true, value: undefined });
  });
});
