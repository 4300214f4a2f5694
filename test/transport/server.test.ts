import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, test } from "node:test";
import { SyrinxError } from "../../src/base/errors.js";
import { startServer } from "../../src/transport/server.js";
import { FakeRuntime } from "../support/fake-runtime.js";
import { plainKeys } from "../support/keys.js";
import { ramp, TestSocket, withServer } from "../support/test-socket.js";

async function body(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

function errorOf(answer: Record<string, unknown>): { code: string; hint: string } {
  return answer.error as { code: string; hint: string };
}

describe("HTTP", () => {
  test("answers probes, capacity, metrics and an index of how to talk to it", () =>
    withServer({}, async ({ runtime, server }) => {
      assert.equal((await fetch(`${server.url}/livez`)).status, 200);
      assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
      runtime.ready = { ready: false, reason: "worker ears/0 is restarting" };
      const unready = await fetch(`${server.url}/readyz`);
      assert.equal(unready.status, 503);
      assert.deepEqual(await body(unready), { ready: false, reason: "worker ears/0 is restarting" });
      const capacity = await body(await fetch(`${server.url}/v1/capacity`));
      assert.equal(capacity.maxCalls, 64);
      assert.equal(capacity.connections, 0);
      const metrics = await fetch(`${server.url}/metrics`);
      assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      assert.match(await metrics.text(), /syrinx_up 1/);
      const index = await body(await fetch(server.url));
      assert.equal(index.name, "syrinx");
      assert.deepEqual(index.graphs, ["echo", "assistant"]);
    }));

  test("answers what it cannot serve with a status, a code and what to do", () =>
    withServer({}, async ({ server }) => {
      const missing = await fetch(`${server.url}/nowhere`);
      assert.equal(missing.status, 404);
      assert.equal(errorOf(await body(missing)).code, "HTTP_NOT_FOUND");
      const posted = await fetch(`${server.url}/metrics`, { method: "POST", body: "x".repeat(1000) });
      assert.equal(posted.status, 405);
      assert.equal(posted.headers.get("allow"), "GET, HEAD");
      assert.equal(errorOf(await body(posted)).code, "HTTP_METHOD");
      const plain = await fetch(`${server.url}/v1/call?graph=echo`);
      assert.equal(plain.status, 426);
      assert.match(errorOf(await body(plain)).hint, /ws:\/\/127\.0\.0\.1:\d+\/v1\/call/);
      const socket = new TestSocket(`${server.url}/nowhere`);
      assert.equal((await socket.refusal()).status, 404);
    }));

  test("refuses an upgrade that brings a body, and survives half a handshake", () =>
    withServer({}, async ({ server, dial }) => {
      const request = (lines: string[]): Promise<string> =>
        new Promise((resolve) => {
          const socket = connect(server.port, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
          let answer = "";
          socket.on("data", (chunk) => {
            answer += chunk.toString();
          });
          socket.on("error", () => {});
          socket.on("close", () => resolve(answer));
        });
      const upgrade = ["GET /v1/call?graph=echo HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"];
      const whole = [...upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
      assert.match(await request([...whole, "Content-Length: 3"]), /^HTTP\/1\.1 400 .*HTTP_REQUEST/s);
      assert.match(await request(upgrade), /^HTTP\/1\.1 (400|426)/);
      assert.match(await request(["GET / HTTP/1.1", "Host: x", `X: ${"y".repeat(20_000)}`]), /^HTTP\/1\.1 431/);
      const half = connect(server.port, "127.0.0.1", () => half.write("GET /v1/call HTTP/1.1\r\nHost:"));
      await dial().next("ready");
      half.destroy();
    }));

  test("says which port it cannot have", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    await assert.rejects(startServer(new FakeRuntime(), { port }), (error: SyrinxError) => {
      assert.equal(error.code, "SERVER_LISTEN_FAILED");
      assert.match(error.message, new RegExp(String(port)));
      return true;
    });
    await new Promise((resolve) => other.close(resolve));
  });

  test("refuses to start with a route that it cannot serve", async () => {
    const routes = [{ path: "/x", face: "morse", graph: "echo", options: {} }];
    await assert.rejects(startServer(new FakeRuntime({ routes })), { code: "ROUTE_INVALID" });
    const wrong = [{ path: "/x", face: "native", graph: "echo", options: { rate: 3 } }];
    await assert.rejects(startServer(new FakeRuntime({ routes: wrong })), { code: "ROUTE_INVALID" });
  });
});

describe("room", () => {
  test("a call for which there is none is refused before the upgrade, with when to come again", () =>
    withServer({}, async ({ runtime, dial }) => {
      runtime.refusal = (graph) =>
        graph === "assistant"
          ? new SyrinxError("CAPACITY_EXCEEDED", { graph, reason: "full", retryAfterMs: 2_300 })
          : undefined;
      const { status, headers, body: text } = await dial("graph=assistant").refusal();
      assert.equal(status, 503);
      assert.equal(headers["retry-after"], "3", "whole seconds, not too soon");
      const told = JSON.parse(text) as { error: { code: string; retryable: boolean }; retry_after_ms: number };
      assert.equal(told.error.code, "CAPACITY_EXCEEDED");
      assert.equal(told.error.retryable, true);
      assert.equal(told.retry_after_ms, 2_300);
      await dial("graph=echo").next("ready");
      assert.equal(runtime.openCalls, 1, "nothing was opened for the other");
    }));
});

describe("keys and origins", () => {
  const keys = { server: { apiKeys: plainKeys("alpha-key", "béta") } };

  test("lets a key in from wherever it is given", () =>
    withServer(keys, async ({ dial }) => {
      const ways = [
        dial("graph=echo", [], { headers: { authorization: "Bearer alpha-key" } }),
        dial("graph=echo", [], { headers: { authorization: "token alpha-key" } }),
        dial("graph=echo", [], { headers: { "x-api-key": "alpha-key" } }),
        dial("graph=echo&api_key=alpha-key"),
        dial(`graph=echo&api_key=${encodeURIComponent("béta")}`),
        dial("graph=echo", ["syrinx.v1", "syrinx.key.alpha-key"]),
        dial("graph=echo", ["syrinx.v1", "syrinx.key.alpha-key"], { origin: "https://app.example" }),
      ];
      for (const socket of ways) await socket.next("ready");
      assert.equal(ways.at(-1)?.ws.protocol, "syrinx.v1");
    }));

  test("answers 401 to all others, before any WebSocket exists", () =>
    withServer(keys, async ({ runtime, dial }) => {
      const wrong = ["alpha-ke", "alpha-keyy", "ALPHA-KEY", "", "x".repeat(10_000), "__proto__"];
      for (const key of wrong) {
        const { status, body: text } = await dial("graph=echo", [], { headers: { "x-api-key": key } }).refusal();
        assert.equal(status, 401, key.slice(0, 20));
        assert.match(text, /AUTH_(INVALID|MISSING)/);
        assert.doesNotMatch(text, /alpha/);
      }
      assert.equal((await dial().refusal()).status, 401);
      assert.equal((await dial("graph=echo", ["syrinx.v1", "syrinx.key.no"]).refusal()).status, 401);
      assert.equal(runtime.calls.length, 0);
    }));

  test("trusts, without keys, programs and local pages but no other page", () =>
    withServer({}, async ({ dial }) => {
      for (const origin of [
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://app.localhost",
        "http://[::1]:8080",
      ]) {
        await dial("graph=echo", [], { origin }).next("ready");
      }
      const foreign = [
        "https://example.com",
        "http://localhost.evil.io",
        "http://127.0.0.1.evil.io",
        "null",
        "file://",
      ];
      for (const origin of foreign) {
        const { status, body: text } = await dial("graph=echo", [], { origin }).refusal();
        assert.equal(status, 403, origin);
        assert.match(text, /AUTH_ORIGIN/);
      }
    }));
});

describe("opening a call", () => {
  test("is ready with what was agreed", () =>
    withServer({}, async ({ runtime, dial }) => {
      const socket = dial("graph=echo&rate=8000&format=mulaw");
      const ready = await socket.next("ready");
      assert.equal(ready.protocol, 1);
      assert.equal(ready.callId, runtime.calls[0]?.callId);
      assert.equal(ready.graph, "echo");
      assert.deepEqual(ready.input, { format: "mulaw", rateHz: 8_000 });
      assert.deepEqual(ready.output, { format: "mulaw", rateHz: 8_000 });
      assert.equal(ready.limits.messageBytes, 65_536);
      assert.equal(runtime.calls[0]?.options.inputRateHz, 8_000);
    }));

  test("tells over the socket why a call cannot be, where a browser can read it", () =>
    withServer({}, async ({ runtime, dial }) => {
      const unknown = dial("graph=nope");
      const error = await unknown.next("error");
      assert.equal(error.code, "CALL_GRAPH_UNKNOWN");
      assert.ok(error.fatal);
      assert.match(error.hint, /echo, assistant/);
      assert.equal((await unknown.next("close")).code, "CALL_GRAPH_UNKNOWN");
      assert.deepEqual(await unknown.closed, { code: 4001, reason: "CALL_GRAPH_UNKNOWN" });
      assert.equal((await dial("graph=echo&format=opus").closed).code, 4002);
      assert.equal((await dial("graph=echo&rate=1").closed).code, 4002);
      assert.equal((await dial("graph=echo", ["syrinx.v2"]).refusal()).status, 400);
      assert.equal(runtime.calls.length, 0);
    }));

  test("passes a full runtime's answer on, with the code that says to try again", () =>
    withServer({}, async ({ runtime, dial }) => {
      runtime.openError = new SyrinxError("CALL_LIMIT", { limit: 64, retryAfterMs: 500 });
      const socket = dial();
      const error = await socket.next("error");
      assert.equal(error.retryable, true);
      assert.match(error.hint, /500 ms/);
      assert.equal((await socket.closed).code, 1013);
      runtime.openError = new Error("a defect");
      const failed = dial();
      assert.equal((await failed.next("error")).code, "INTERNAL");
      assert.equal((await failed.closed).code, 1011);
      runtime.openError = undefined;
      await dial().next("ready");
    }));

  test("refuses further sockets by HTTP when as many are open as may be", () =>
    withServer({ server: { maxCalls: 1 }, transport: { limits: { spareConnections: 1 } } }, async ({ dial }) => {
      await dial().next("ready");
      await dial().next("ready");
      const { status, body: text } = await dial().refusal();
      assert.equal(status, 503);
      assert.match(text, /CALL_LIMIT/);
    }));

  test("keeps what is sent before the call is open, in order", () =>
    withServer({}, async ({ runtime, dial }) => {
      let open = (): void => {};
      runtime.gate = new Promise((resolve) => {
        open = resolve;
      });
      const socket = await dial().opened();
      socket.ws.send(ramp(100));
      socket.send({ type: "mark", id: "one" });
      socket.ws.send(ramp(100, 100));
      open();
      await socket.next("mark");
      const call = await runtime.call(0);
      await call.until(() => call.sampleCount === 200);
      assert.deepEqual(
        call.inputs.map((input) => input.what),
        ["audio", "mark", "audio"],
      );
      assert.equal(socket.heard[0] && "type" in socket.heard[0] && socket.heard[0].type, "ready");
    }));

  test("lets the first message choose options of nodes where the query asks for it", () =>
    withServer({}, async ({ runtime, dial }) => {
      const socket = await dial("graph=echo&setup=message").opened();
      socket.ws.send(ramp(10));
      assert.equal((await socket.next("error")).code, "PROTOCOL_MESSAGE_INVALID");
      assert.equal(runtime.calls.length, 0);
      socket.send({ type: "configure", nodes: { stt: { keyterms: ["Syrinx"] } }, partials: false });
      await socket.next("ready");
      assert.deepEqual(runtime.calls[0]?.options.nodes, { stt: { keyterms: ["Syrinx"] } });
      socket.send({ type: "configure", events: ["audio"] });
      assert.deepEqual((await socket.next("configured")).events, ["audio"]);
    }));

  test("gives up a client that never sends its first message", () =>
    withServer({ transport: { limits: { firstMessageMs: 20, tickMs: 5 } } }, async ({ dial }) => {
      const socket = dial("graph=echo&setup=message");
      assert.equal((await socket.next("error")).code, "PROTOCOL_FIRST_MESSAGE");
      assert.equal((await socket.closed).code, 1008);
    }));
});

describe("stopping", () => {
  test("tells every client that the server stops, closes with 1012 and lets the port go", async () => {
    const runtime = new FakeRuntime();
    const server = await startServer(runtime);
    const sockets = [1, 2, 3].map(() => new TestSocket(`${server.url}/v1/call?graph=echo`));
    for (const socket of sockets) await socket.next("ready");
    const closing = server.close();
    for (const socket of sockets) {
      assert.deepEqual(await socket.next("close"), { type: "close", reason: "drain", code: "RUNTIME_CLOSED" });
      assert.equal((await socket.closed).code, 1012);
    }
    await closing;
    assert.equal(runtime.openCalls, 0);
    await assert.rejects(fetch(server.url));
    await server.close();
  });

  test("lets calls end by themselves within the grace, and takes no new ones", async () => {
    const runtime = new FakeRuntime();
    const server = await startServer(runtime);
    const socket = new TestSocket(`${server.url}/v1/call?graph=echo`);
    await socket.next("ready");
    const closing = server.close(60_000);
    const late = new TestSocket(`${server.url}/v1/call?graph=echo`);
    await late.closed;
    assert.equal(runtime.calls.length, 1);
    socket.ws.send(ramp(50));
    await socket.until(() => socket.binaryBytes === 100);
    socket.send({ type: "close" });
    assert.deepEqual(await socket.closed, { code: 1000, reason: "client" });
    await closing;
  });

  test("cuts a client that does not answer the close frame", async () => {
    const runtime = new FakeRuntime();
    const server = await startServer(runtime, { limits: { closeHandshakeMs: 30 } });
    const socket = new TestSocket(`${server.url}/v1/call?graph=echo`);
    await socket.next("ready");
    socket.ws.pause();
    await server.close();
    assert.equal(runtime.openCalls, 0);
    socket.ws.terminate();
  });

  test("lets go of a call that was still opening", async () => {
    const runtime = new FakeRuntime();
    let open = (): void => {};
    runtime.gate = new Promise((resolve) => {
      open = resolve;
    });
    const server = await startServer(runtime);
    const socket = await new TestSocket(`${server.url}/v1/call?graph=echo`).opened();
    await server.close();
    assert.equal((await socket.closed).code, 1012);
    open();
    const call = await runtime.call(0);
    await call.until(() => call.isClosed);
  });

  test("passes on that the runtime itself drains", () =>
    withServer({}, async ({ runtime, dial }) => {
      const socket = dial();
      await socket.next("ready");
      await runtime.drain();
      assert.equal((await socket.next("close")).reason, "drain");
      assert.equal((await socket.closed).code, 1012);
    }));
});
