/** What the connection does for any face: several calls, its own answers, its own shape of refusals, its own limits. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { startServer } from "../../src/transport/server.js";
import { FakeRuntime, Watched } from "../support/fake-runtime.js";
import { plainKeys } from "../support/keys.js";
import { stereoFace } from "../support/stereo-face.js";

class Client extends Watched {
  readonly heard: string[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  headers: Readonly<Record<string, unknown>> = {};
  readonly ws: WebSocket;

  constructor(url: string) {
    super();
    this.ws = new WebSocket(url.replace(/^http/, "ws"));
    this.ws.on("upgrade", (response) => {
      this.headers = response.headers;
    });
    this.ws.on("message", (data) => {
      this.heard.push(data.toString());
      this.changed();
    });
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  hears(text: string): Promise<void> {
    return this.until(() => this.heard.includes(text));
  }
}

async function withStereo(
  act: (stage: { runtime: FakeRuntime; client: Client; url: string }) => Promise<void>,
  keys?: readonly string[],
): Promise<void> {
  const routes = [{ path: "/stereo", face: "stereo", graph: "echo", options: {} }];
  const runtime = new FakeRuntime({ routes, server: { apiKeys: keys && plainKeys(...keys) } });
  const faces = new Map([["stereo", stereoFace]]);
  const server = await startServer(runtime, { faces, limits: { tickMs: 20 } });
  const client = new Client(`${server.url}/stereo`);
  client.ws.on("error", () => {});
  try {
    await act({ runtime, client, url: server.url });
  } finally {
    client.ws.terminate();
    await server.close();
  }
}

describe("a face with two channels", () => {
  test("has a call for each, hears each by its number, and is ready once", () =>
    withStereo(async ({ runtime, client }) => {
      await client.hears("ready 0");
      for (const call of runtime.calls) call.isEchoing = false;
      client.ws.send(Uint8Array.from([1, 2, 1, 2, 1, 2]));
      client.ws.send("1");
      await client.hears("finalized 1");
      client.ws.send("all");
      await client.hears("finalized 0");
      assert.deepEqual(
        runtime.calls.map(({ inputs }) =>
          inputs.map((input) => (input.what === "audio" ? [...input.pcm] : input.what)),
        ),
        [
          [[1, 1, 1], "finalize"],
          [[2, 2, 2], "finalize", "finalize"],
        ],
      );
      assert.equal(client.heard.filter((text) => text.startsWith("ready")).length, 1);
    }));

  test("ends when both calls have closed, with the face's own close code", () =>
    withStereo(async ({ runtime, client }) => {
      await client.hears("ready 0");
      for (const call of runtime.calls) call.closesByItself = false;
      client.ws.send("close");
      await runtime.calls[1]!.until(() => runtime.calls[1]!.inputs.some(({ what }) => what === "close"));
      runtime.calls[0]!.end({ type: "close", reason: "client" });
      runtime.calls[1]!.emit({ type: "mark", id: "still here" });
      await client.hears("mark 1");
      runtime.calls[1]!.end({ type: "close", reason: "client" });
      assert.deepEqual(await client.closed, { code: 3_000, reason: "client undefined" });
      assert.equal(client.heard.at(-1), "bye");
    }));

  test("ends as a whole when one call fails", () =>
    withStereo(async ({ runtime, client }) => {
      await client.hears("ready 0");
      runtime.calls[1]!.end({ type: "close", reason: "error", code: "CALL_POISON" });
      assert.deepEqual(await client.closed, { code: 3_000, reason: "error CALL_POISON" });
      assert.equal(runtime.openCalls, 0);
    }));

  test("leaves no call behind if the second cannot be opened", () =>
    withStereo(async ({ runtime, client }) => {
      runtime.onCall = () => {
        runtime.openError = new Error("no more");
      };
      assert.deepEqual(await client.closed, { code: 3_000, reason: "error INTERNAL" });
      assert.equal(runtime.calls.length, 1);
      assert.equal(runtime.openCalls, 0);
    }));
});

describe("a face's own ways", () => {
  test("its answers come at once, and it may end the connection", () =>
    withStereo(async ({ runtime, client }) => {
      await client.hears("ready 0");
      client.ws.send("fail");
      assert.deepEqual(await client.closed, { code: 3_000, reason: "error PROTOCOL_BAD_JSON" });
      assert.deepEqual(client.heard.slice(-2), ["first", "bye"]);
      assert.equal(runtime.openCalls, 0);
    }));

  test("its message may be longer than the transport's, and its patience shorter", () =>
    withStereo(async ({ runtime, client }) => {
      await client.hears("ready 0");
      client.ws.send(new Uint8Array(90_000));
      await runtime.calls[1]!.until(() => runtime.calls[1]!.sampleCount === 45_000);
      assert.deepEqual(await client.closed, { code: 3_000, reason: "idle CALL_IDLE" });
    }));

  test("it refuses in its own shape, and its request id is that of the handshake", () =>
    withStereo(
      async ({ client, url }) => {
        await client.closed;
        const refused = await new Promise<{ status: number; teapot: unknown; body: string }>((resolve) => {
          const ws = new WebSocket(`${url.replace(/^http/, "ws")}/stereo`);
          ws.on("unexpected-response", (_request, response) => {
            let body = "";
            response.on("data", (chunk) => {
              body += String(chunk);
            });
            response.on("end", () => {
              resolve({ status: response.statusCode ?? 0, teapot: response.headers["x-teapot"], body });
            });
          });
          ws.on("error", () => {});
        });
        assert.deepEqual(refused, { status: 418, teapot: "yes", body: "AUTH_MISSING 36" });
      },
      ["a-key-of-a-good-length"],
    ));

  test("headers of the handshake are the face's", () =>
    withStereo(async ({ client }) => {
      await client.hears("ready 0");
      assert.match(String(client.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    }));
});
