/** Who may come in, over real sockets: keys, their limits, tokens, first messages, web pages. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { WebSocket } from "ws";
import { type ApiKey, digestOf } from "../../src/config/api-keys.js";
import type { PlanServer } from "../../src/config/plan.js";
import type { LogFields } from "../../src/telemetry/logger.js";
import { type RunningServer, type ServerOptions, startServer } from "../../src/transport/server.js";
import { FakeRuntime, Watched } from "../support/fake-runtime.js";
import { plainKeys } from "../support/keys.js";
import { lateFace } from "../support/late-face.js";
import { LogLines } from "../support/log-lines.js";
import { ramp, TestSocket, withServer } from "../support/test-socket.js";

const KEY = "syx_alpha-0123456789";
const bearer = { authorization: `Bearer ${KEY}` };

function limited(settings: Partial<ApiKey>): { server: Partial<PlanServer> } {
  return { server: { apiKeys: { keys: [{ name: "acme", digest: digestOf(KEY).toString("hex"), ...settings }] } } };
}

async function post(url: string, body?: unknown, headers: Record<string, string> = bearer): Promise<Response> {
  return fetch(url, { method: "POST", headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

async function codeOf(response: Response): Promise<string> {
  return ((await json(response)).error as { code: string }).code;
}

/** Asks until the server holds so many sockets: a client hears of an end sooner than the server has cleared up. */
async function untilConnected(server: RunningServer, count: number): Promise<void> {
  while ((await json(await fetch(`${server.url}/v1/capacity`))).connections !== count);
}

describe("a key", () => {
  const keys = { server: { apiKeys: plainKeys(KEY, "schlüssel-0123456789") } };

  test("lets in from every vendor's place, and the answer repeats none", () =>
    withServer(keys, async ({ dial }) => {
      const ways = [
        dial("graph=echo", [], { headers: { authorization: `Token ${KEY}` } }),
        dial("graph=echo", [], { headers: { "xi-api-key": KEY } }),
        dial(`graph=echo&token=${KEY}`),
        dial(`graph=echo&access_token=${KEY}`),
        dial(`graph=echo&key=${KEY}`),
        dial("graph=echo", ["syrinx.v1", "token", KEY]),
        dial("graph=echo", ["syrinx.v1", "bearer", KEY]),
        dial("graph=echo", ["syrinx.v1", `openai-insecure-api-key.${KEY}`]),
        dial("graph=echo", [], { headers: { "x-api-key": Buffer.from("schlüssel-0123456789").toString("latin1") } }),
      ];
      for (const socket of ways) await socket.next("ready");
      for (const socket of ways.slice(5, 8)) assert.equal(socket.ws.protocol, "syrinx.v1");
      const alone = dial("graph=echo", ["token", KEY]);
      assert.doesNotMatch((await alone.refusal()).body, new RegExp(KEY));
    }));

  test("that is huge, strange or there many times is refused, and nobody else notices", () =>
    withServer(keys, async ({ server, dial }) => {
      const ask = (lines: readonly string[]): Promise<string> =>
        new Promise((resolve) => {
          const socket = connect(server.port, "127.0.0.1", () => {
            const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
            const head = ["GET /v1/call?graph=echo HTTP/1.1", "Host: x", ...upgrade];
            socket.write([...head, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...lines, "", ""].join("\r\n"));
          });
          let answer = "";
          socket.on("data", (chunk) => {
            answer += chunk.toString();
            if (answer.startsWith("HTTP/1.1 101")) socket.destroy();
          });
          socket.on("error", () => {});
          socket.on("close", () => resolve(answer));
        });
      assert.match(await ask([`Authorization: Bearer ${"x".repeat(14_000)}`]), /^HTTP\/1\.1 401 .*AUTH_INVALID/s);
      assert.match(await ask([`Authorization: Bearer ${"x".repeat(20_000)}`]), /^HTTP\/1\.1 431/);
      const many = Array.from({ length: 200 }, (_, at) => `Authorization: Bearer wrong-${at}`);
      assert.match(await ask([...many, `Authorization: Bearer ${KEY}`]), /^HTTP\/1\.1 401/, "the first counts");
      assert.match(await ask([`Authorization: Bearer ${KEY}`, ...many]), /^HTTP\/1\.1 101/, "the first counts");
      assert.match(await ask(["Authorization: Bearer \u0007\u0001"]), /^HTTP\/1\.1 400/);
      assert.match(await ask([`X-API-Key: ${"\u00ff".repeat(100)}`]), /^HTTP\/1\.1 401/);
      assert.match(await ask([`Sec-WebSocket-Protocol: ${"token, ".repeat(500)}${KEY}`]), /^HTTP\/1\.1 4/);
      await dial(`graph=echo&key=${KEY}`).next("ready");
    }));
});

describe("the calls of a key", () => {
  test("are refused by HTTP 429 beyond its limit, and let in again when one has gone", () =>
    withServer(limited({ maxCalls: 2 }), async ({ dial, server }) => {
      const query = `graph=echo&key=${KEY}`;
      const [one, two] = [dial(query), dial(query)];
      for (const socket of [one, two]) await socket.next("ready");
      const { status, body } = await dial(query).refusal();
      assert.equal(status, 429);
      assert.match(body, /KEY_CALLS_LIMIT/);
      one.send({ type: "close" });
      await one.closed;
      await untilConnected(server, 1);
      await dial(query).next("ready");
    }));

  test("leave nothing behind, however they end", () =>
    withServer(
      { ...limited({ maxCalls: 1 }), transport: { limits: { tickMs: 10 } } },
      async ({ dial, runtime, server }) => {
        const query = `graph=echo&key=${KEY}`;
        const ends: ((socket: TestSocket) => void)[] = [
          (socket) => socket.send({ type: "close" }),
          (socket) => socket.ws.close(),
          (socket) => socket.ws.terminate(),
          (socket) => socket.ws.send("x".repeat(100_000)),
          () => runtime.calls.at(-1)?.end({ type: "close", reason: "error", code: "CALL_POISON" }),
        ];
        for (const end of ends) {
          const socket = dial(query);
          await socket.next("ready");
          end(socket);
          await socket.closed;
          await untilConnected(server, 0);
        }
        runtime.openError = new Error("a defect");
        assert.equal((await dial(query).closed).code, 1011);
        await untilConnected(server, 0);
        runtime.openError = undefined;
        assert.equal((await dial(`${query}&rate=1`).closed).code, 4002);
        await untilConnected(server, 0);
        assert.equal((await dial(query, ["syrinx.v9"]).refusal()).status, 400);
        const last = dial(query);
        await last.next("ready");
      },
    ));

  test("send no more audio a second than the key may, all together, and lose none of it", () =>
    withServer(
      { ...limited({ audioRate: 20 }), transport: { limits: { tickMs: 5, paceBurstMs: 100, paceFactor: 1_000 } } },
      async ({ dial, runtime }) => {
        const sockets = [dial(`graph=echo&key=${KEY}`), dial(`graph=echo&key=${KEY}`)];
        for (const socket of sockets) await socket.next("ready");
        for (const call of runtime.calls) call.isEchoing = false;
        const startMs = performance.now();
        // 2 s of the 20 s may come at once, and what each socket had read when it paused is at most 64 KiB, again 2 s.
        for (let count = 0; count < 100; count++) for (const socket of sockets) socket.ws.send(ramp(1_600));
        for (const call of runtime.calls) await call.until(() => call.sampleCount === 160_000);
        const tookMs = performance.now() - startMs;
        assert.ok(tookMs > (20_000 - 3 * 2_000) / 20 - 50, `20 s of audio within ${tookMs} ms`);
      },
    ));
});

describe("POST /v1/tokens", () => {
  const keys = { server: { apiKeys: plainKeys(KEY) } };

  test("gives a token that lets one connection in, wherever a key may stand", () =>
    withServer(keys, async ({ server, dial }) => {
      const issue = async (): Promise<string> => {
        const answer = await post(`${server.url}/v1/tokens`);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("cache-control"), "no-store");
        const { token, expiresInSeconds } = await json(answer);
        assert.equal(expiresInSeconds, 60);
        return token as string;
      };
      const ways = [
        (token: string) => dial(`graph=echo&token=${token}`),
        (token: string) => dial("graph=echo", ["syrinx.v1", `syrinx.key.${token}`], { origin: "https://app.example" }),
        (token: string) => dial("graph=echo", [], { headers: { authorization: `Bearer ${token}` } }),
      ];
      for (const way of ways) {
        const token = await issue();
        await way(token).next("ready");
        const again = await way(token).refusal();
        assert.equal(again.status, 401);
        assert.match(again.body, /AUTH_TOKEN/);
      }
    }));

  test("counts its tokens for the key, and holds them to their graph", () =>
    withServer(limited({ maxCalls: 1 }), async ({ server, dial }) => {
      const { token } = await json(await post(`${server.url}/v1/tokens`, { graph: "assistant", expiresInSeconds: 5 }));
      const { token: other } = await json(await post(`${server.url}/v1/tokens`, { graph: "assistant" }));
      const { token: third } = await json(await post(`${server.url}/v1/tokens`));
      const wrong = dial(`graph=echo&token=${token}`);
      assert.equal((await wrong.next("error")).code, "CALL_GRAPH_UNKNOWN");
      await wrong.closed;
      await untilConnected(server, 0);
      const right = dial(`token=${other}`);
      assert.equal((await right.next("ready")).graph, "assistant");
      assert.equal((await dial(`graph=echo&token=${third}`).refusal()).status, 429);
    }));

  test("answers what it cannot do with a status, a code and what to do", () =>
    withServer(keys, async ({ server }) => {
      const url = `${server.url}/v1/tokens`;
      assert.equal((await post(url, {}, {})).status, 401);
      assert.equal((await post(url, {}, { authorization: "Bearer wrong" })).status, 401);
      const { token } = await json(await post(url));
      const ofToken = await post(url, {}, { authorization: `Bearer ${token}` });
      assert.equal(await codeOf(ofToken), "AUTH_INVALID");
      const got = await fetch(url, { headers: bearer });
      assert.equal(got.status, 405);
      assert.equal(got.headers.get("allow"), "POST");
      for (const body of [[], "x", 3, { expiresInSeconds: 0 }, { expiresInSeconds: 3_601 }, { graf: "echo" }, null]) {
        const answer = await post(url, body);
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.equal(await codeOf(answer), "TOKEN_REQUEST");
      }
      assert.equal((await post(url, { graph: "nope" })).status, 404);
      const huge = await fetch(url, { method: "POST", headers: bearer, body: "x".repeat(1_000_000) });
      assert.equal(await codeOf(huge), "TOKEN_REQUEST");
      const broken = await fetch(url, { method: "POST", headers: bearer, body: `{"a": "${KEY}` });
      assert.doesNotMatch(await broken.text(), new RegExp(KEY));
    }));

  test("has Deepgram's form at /v1/auth/grant", () =>
    withServer(keys, async ({ server, dial }) => {
      const headers = { authorization: `Token ${KEY}` };
      const plain = await json(await post(`${server.url}/v1/auth/grant`, undefined, headers));
      assert.equal(plain.expires_in, 30);
      const { access_token } = await json(await post(`${server.url}/v1/auth/grant`, { ttl_seconds: 5, x: 1 }, headers));
      await dial("graph=echo", ["syrinx.v1", "bearer", access_token as string]).next("ready");
    }));
});

/** A client of {@link lateFace}. */
class LateClient extends Watched {
  readonly ws: WebSocket;
  readonly heard: string[] = [];
  readonly closed: Promise<string>;

  constructor(url: string) {
    super();
    this.ws = new WebSocket(url.replace(/^http/, "ws"));
    this.ws.on("error", () => {});
    this.ws.on("message", (data: Buffer) => {
      this.heard.push(data.toString());
      this.changed();
    });
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (_code, reason) => resolve(reason.toString()));
    });
  }

  async says(text: string): Promise<this> {
    if (this.ws.readyState === WebSocket.CONNECTING) await new Promise((resolve) => this.ws.once("open", resolve));
    this.ws.send(text);
    return this;
  }
}

async function withLate(
  server: Partial<PlanServer>,
  limits: ServerOptions["limits"],
  act: (stage: { dial: (query?: string) => LateClient; runtime: FakeRuntime; server: RunningServer }) => Promise<void>,
): Promise<void> {
  const routes = [{ path: "/late", face: "late", graph: "echo", options: {} }];
  const runtime = new FakeRuntime({ routes, server });
  const running = await startServer(runtime, {
    faces: new Map([["late", lateFace]]),
    limits: { tickMs: 5, ...limits },
  });
  const clients: LateClient[] = [];
  const dial = (query = ""): LateClient => {
    const client = new LateClient(`${running.url}/late?${query}`);
    clients.push(client);
    return client;
  };
  try {
    await act({ dial, runtime, server: running });
  } finally {
    for (const { ws } of clients) ws.terminate();
    await running.close();
  }
}

describe("a key in the first message", () => {
  const apiKeys = plainKeys(KEY);

  test("opens the call; one in the handshake goes before it", () =>
    withLate({ apiKeys }, {}, async ({ dial, runtime }) => {
      const client = await dial().says(`key ${KEY}\nopen echo`);
      await client.until(() => client.heard.includes("ready echo"));
      const early = await dial(`key=${KEY}`).says("key nonsense\nopen echo");
      await early.until(() => early.heard.includes("ready echo"));
      assert.equal(runtime.openCalls, 2);
    }));

  test("that is wrong, late, missing or enormous ends the connection, and nothing was opened for it", () =>
    withLate({ apiKeys }, { firstMessageMs: 60 }, async ({ dial, runtime }) => {
      const said = async (text: string): Promise<string> => (await dial().says(text)).closed;
      assert.equal(await said("key wrong\nopen echo"), "AUTH_INVALID");
      assert.equal(await said("key \nopen echo"), "AUTH_MISSING");
      assert.equal(await said("open echo"), "AUTH_MISSING");
      assert.equal(await said("key syxt_forged\nopen echo"), "AUTH_TOKEN");
      assert.equal(await said(`key ${"x".repeat(50_000)}\nopen echo`), "AUTH_INVALID");
      for (const charCount of [70_000, 10_000_000]) {
        const client = await dial().says(`key ${"x".repeat(charCount)}`);
        await client.closed;
        if (charCount < 1e6) assert.deepEqual(client.heard, ["PROTOCOL_TOO_BIG"]);
      }
      assert.equal(await dial().closed, "PROTOCOL_FIRST_MESSAGE");
      assert.equal(runtime.calls.length, 0);
    }));

  test("is waited for by so many, and then by the next", () =>
    withLate({ apiKeys }, { strangers: 2 }, async ({ dial, server }) => {
      const [one, two] = [dial(), dial()];
      for (const { ws } of [one, two]) await new Promise((resolve) => ws.once("open", resolve));
      const third = await new TestSocket(`${server.url}/late`).refusal();
      assert.equal(third.status, 503);
      assert.match(third.body, /AUTH_CROWDED/);
      await one.says(`key ${KEY}\nopen echo`);
      await one.until(() => one.heard.includes("ready echo"));
      const fourth = await dial().says(`key ${KEY}\nopen echo`);
      await fourth.until(() => fourth.heard.includes("ready echo"));
      await two.says("open echo");
      await two.closed;
    }));

  test("is neither wanted nor minded where there are no keys", () =>
    withLate({ apiKeys: undefined }, {}, async ({ dial }) => {
      for (const text of ["key anything\nopen echo", "open echo"]) {
        const client = await dial().says(text);
        await client.until(() => client.heard.includes("ready echo"));
      }
    }));
});

describe("web pages", () => {
  const APP = "https://app.example.com";
  const ORIGINS = ["https://app.example.com.evil.io", "http://app.example.com", "https://app.example.com:8443", "null"];

  test("of named origins may connect, with a key or without keys, and no others", async () => {
    for (const apiKeys of [plainKeys(KEY), undefined]) {
      await withServer({ server: { apiKeys, origins: [APP] } }, async ({ dial }) => {
        const query = `graph=echo&key=${KEY}`;
        await dial(query, [], { origin: APP }).next("ready");
        await dial(query, [], { origin: "http://localhost:3000" }).next("ready");
        await dial(query).next("ready");
        for (const origin of ORIGINS) {
          const { status, body } = await dial(query, [], { origin }).refusal();
          assert.equal(status, 403, origin);
          assert.match(body, /AUTH_ORIGIN/);
        }
      });
    }
  });

  test("read the answers of routes and tokens, errors too, and of nothing else", () =>
    withServer({ server: { apiKeys: plainKeys(KEY), origins: [APP] } }, async ({ server }) => {
      const allowed = async (path: string, origin: string): Promise<string | null> => {
        const answer = await fetch(`${server.url}${path}`, { method: "POST", headers: { ...bearer, origin } });
        assert.match(answer.headers.get("vary") ?? "Origin", /Origin/);
        return answer.headers.get("access-control-allow-origin");
      };
      assert.equal(await allowed("/v1/tokens", APP), APP);
      assert.equal(await allowed("/v1/call", APP), APP);
      assert.equal(await allowed("/v1/tokens", "http://127.0.0.1:5173"), "http://127.0.0.1:5173");
      assert.equal(await allowed("/metrics", APP), null);
      for (const origin of ORIGINS) assert.equal(await allowed("/v1/tokens", origin), null);
      const refused = await post(`${server.url}/v1/tokens`, {}, { ...bearer, origin: ORIGINS[0]! });
      assert.equal(refused.status, 403);
    }));

  test("ask first by OPTIONS, and may send the headers of vendors' clients", () =>
    withServer({ server: { apiKeys: plainKeys(KEY), origins: "*" } }, async ({ server }) => {
      const asked = "authorization,content-type,openai-beta,x-api-key,x-stainless-os,xi-api-key";
      const headers = {
        origin: "https://anywhere.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": `${asked}, b\u00e4d, ${"y".repeat(100)}`,
      };
      const answer = await fetch(`${server.url}/v1/tokens`, { method: "OPTIONS", headers });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.get("access-control-allow-origin"), "https://anywhere.example");
      assert.match(answer.headers.get("access-control-allow-methods") ?? "", /POST/);
      assert.deepEqual(answer.headers.get("access-control-allow-headers")?.split(", "), asked.split(","));
      assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    }));

  test("are only local ones by default", () =>
    withServer({ server: { apiKeys: plainKeys(KEY) } }, async ({ server }) => {
      for (const [origin, isAllowed] of [
        [APP, false],
        ["http://localhost:3000", true],
      ] as const) {
        const answer = await fetch(`${server.url}/v1/tokens`, { method: "OPTIONS", headers: { origin } });
        assert.equal(answer.headers.get("access-control-allow-origin"), isAllowed ? origin : null);
      }
    }));
});

describe("the key file", () => {
  const folder = mkdtempSync(join(tmpdir(), "syrinx-keys-"));
  after(() => rmSync(folder, { recursive: true }));

  test("is taken over when it changes; one with a fault changes nothing, and the log names the line", async () => {
    const file = join(folder, "keys.txt");
    writeFileSync(file, `${KEY} name=acme\n`);
    const log = new LogLines();
    const apiKeys = { ...plainKeys(KEY), file };
    await withServer(
      { server: { apiKeys }, transport: { logger: log, limits: { filePollMs: 5 } } },
      async ({ dial }) => {
        const open = dial(`graph=echo&key=${KEY}`);
        await open.next("ready");
        const read = (): number => log.lines.filter(({ message }) => message === "API keys read").length;
        await log.until(() => read() === 1);
        writeFileSync(file, `other-key-0123456789 name=new\n`);
        await log.until(() => read() === 2);
        assert.equal((await dial(`graph=echo&key=${KEY}`).refusal()).status, 401);
        await dial("graph=echo&key=other-key-0123456789").next("ready");
        open.send({ type: "mark", id: "still here" });
        await open.next("mark");
        writeFileSync(file, `third-key-0123456789\n${KEY} calls=none\n`);
        await log.until(() => log.lines.some(({ level }) => level === "error"));
        const told = log.lines.find(({ level }) => level === "error")!;
        assert.match(String(told.fields.reason), /line 2/);
        await dial("graph=echo&key=other-key-0123456789").next("ready");
        rmSync(file);
        await log.until(() => log.lines.filter(({ level }) => level === "error").length === 2);
        await dial("graph=echo&key=other-key-0123456789").next("ready");
      },
    );
    assert.doesNotMatch(JSON.stringify(log.lines), /0123456789/);
  });
});

describe("the log at the start", () => {
  test("says whether keys are needed, how many there are, and who can come without", async () => {
    const first = async (
      server: Partial<PlanServer>,
    ): Promise<{ level: string; message: string; fields: LogFields }> => {
      const logger = new LogLines();
      await withServer({ server, transport: { logger } }, async () => {});
      return logger.lines[0]!;
    };
    const local = await first({});
    assert.match(local.message, /loopback only, without API keys/);
    assert.equal(local.level, "info");
    const keyed = await first({ apiKeys: plainKeys(KEY, "other-key-0123456789") });
    assert.match(keyed.message, /clients need an API key/);
    assert.equal(keyed.fields.keyCount, 2);
    assert.equal(keyed.fields.tls, false);
    const open = await first({ host: "0.0.0.0", allowAnonymous: true });
    assert.equal(open.level, "warn");
    assert.match(open.message, /everybody/);
  });

  test("is not written where others could come in without a key and nobody has allowed that", async () => {
    await assert.rejects(startServer(new FakeRuntime(), { host: "0.0.0.0", port: 0 }), { code: "SERVER_ANONYMOUS" });
    const keyed = await startServer(new FakeRuntime({ server: { apiKeys: plainKeys(KEY) } }), {
      host: "0.0.0.0",
      port: 0,
    });
    await keyed.close();
  });
});
