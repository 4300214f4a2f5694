/** What the connection does for a codec that must be loaded, asks its call for things, and holds something to let go. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { SyrinxError } from "../../src/base/errors.js";
import type { SocketFace } from "../../src/transport/faces/face.js";
import { startServer } from "../../src/transport/server.js";
import { FakeRuntime, Watched } from "../support/fake-runtime.js";

class Loading extends Watched {
  load: () => void = () => {};
  fail: (error: unknown) => void = () => {};
  readonly ready = new Promise<void>((resolve, reject) => {
    this.load = resolve;
    this.fail = reject;
  });
  readonly decoded: string[] = [];
  disposals = 0;

  readonly face: SocketFace = {
    name: "loading",
    parseOptions: (options) => options,
    negotiate: () => ({
      accepted: true,
      createCodec: () => ({
        call: { graph: "echo", options: {} },
        ready: this.ready,
        decode: (data) => {
          const text = Buffer.from(data).toString();
          this.decoded.push(text);
          return text === "close"
            ? [{ type: "close" }]
            : [{ type: "configure", options: { nodes: { vad: { stopMs: 1 } } } }];
        },
        react: (event) => (event.type === "vad" ? [{ type: "mark", id: `after ${event.what}` }] : []),
        encode: (event) => [event.type === "error" ? `error ${event.code}` : event.type],
        end: ({ code, reason }) => ({ messages: [], code: 3_000, reason: code ?? reason }),
        dispose: () => {
          this.disposals += 1;
          this.changed();
        },
      }),
    }),
  };
}

interface Stage {
  readonly loading: Loading;
  readonly runtime: FakeRuntime;
  readonly ws: WebSocket;
  readonly heard: string[];
  readonly closed: Promise<string>;
  hears(text: string): Promise<void>;
}

async function withLoading(act: (stage: Stage) => Promise<void>): Promise<void> {
  const loading = new Loading();
  const runtime = new FakeRuntime({ routes: [{ path: "/load", face: "loading", graph: "echo", options: {} }] });
  const server = await startServer(runtime, { faces: new Map([["loading", loading.face]]) });
  const ws = new WebSocket(`${server.url.replace(/^http/, "ws")}/load`);
  const heard: string[] = [];
  const watched = new Watched();
  ws.on("message", (data) => {
    heard.push(data.toString());
    watched.changed();
  });
  const closed = new Promise<string>((resolve) => ws.on("close", (_code, reason) => resolve(reason.toString())));
  await new Promise((resolve) => ws.on("open", resolve));
  try {
    const hears = (text: string): Promise<void> => watched.until(() => heard.includes(text));
    await act({ loading, runtime, ws, heard, closed, hears });
  } finally {
    ws.terminate();
    await server.close();
  }
}

describe("a codec", () => {
  test("that is still loading is given no message, and no call is opened for it", () =>
    withLoading(async ({ loading, runtime, ws, hears }) => {
      await new Promise<void>((resolve) => ws.send("first", () => resolve()));
      // A round trip through the server's event loop: whatever would come of the message has come.
      const pong = new Promise((resolve) => ws.once("pong", resolve));
      assert.deepEqual([loading.decoded, runtime.calls.length], [[], 0]);
      loading.load();
      ws.ping();
      await pong;
      await hears("configured");
      assert.deepEqual(loading.decoded, ["first"]);
    }));

  test("that cannot be loaded ends the connection with what it says", () =>
    withLoading(async ({ loading, runtime, closed }) => {
      loading.fail(new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format: "x", supported: "y" }));
      assert.equal(await closed, "AUDIO_FORMAT_UNSUPPORTED");
      assert.equal(runtime.calls.length, 0);
      await loading.until(() => loading.disposals === 1);
    }));

  test("whose client goes while it loads opens nothing, and is let go once", () =>
    withLoading(async ({ loading, runtime, ws }) => {
      ws.terminate();
      await loading.until(() => loading.disposals > 0);
      loading.load();
      await loading.ready;
      await new Promise(setImmediate);
      assert.deepEqual([runtime.calls.length, loading.disposals], [0, 1]);
    }));

  test("may ask its call for something because of an event, before it tells of it", () =>
    withLoading(async ({ loading, runtime, hears, heard }) => {
      loading.load();
      await hears("ready");
      const call = runtime.calls[0]!;
      call.emit({ type: "vad", what: "stop", atMs: 5, probability: 0 });
      await hears("mark");
      assert.deepEqual(heard, ["ready", "vad", "mark"]);
      assert.deepEqual(call.inputs, [{ what: "mark", id: "after stop" }]);
    }));

  test("changes options of an open call, and hears whether they were taken", () =>
    withLoading(async ({ loading, runtime, ws, hears, heard }) => {
      loading.load();
      await hears("ready");
      const call = runtime.calls[0]!;
      ws.send("change");
      await hears("configured");
      assert.deepEqual(call.inputs, [{ what: "configure", nodes: { vad: { stopMs: 1 } } }]);
      call.configureError = new SyrinxError("CALL_CONFIGURE_LATE", { node: "vad" });
      ws.send("change");
      await hears("error CALL_CONFIGURE_LATE");
      assert.equal(heard.filter((text) => text === "configured").length, 1);
      ws.send("close");
      await loading.until(() => loading.disposals === 1);
    }));
});
