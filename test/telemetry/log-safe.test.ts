import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SyrinxError } from "../../src/base/errors.js";
import { LOG_BOUNDS, logSafe } from "../../src/telemetry/log-safe.js";

describe("fields of a log line", () => {
  test("secrets are censored under any spelling and at any depth, also when content is shown", () => {
    const headers = {
      Authorization: "Bearer hunter2",
      cookie: "sid=hunter2",
      "sec-websocket-protocol": "token, hunter2",
    };
    const fields = {
      apiKey: "hunter2",
      "x-api-key": "hunter2",
      XI_API_KEY: "hunter2",
      key: "hunter2",
      apiKeys: ["hunter2"],
      request: { headers, deep: { deeper: { password: "hunter2", clientSecret: "hunter2", access_token: 12_345 } } },
    };
    for (const showContent of [false, true]) {
      const text = JSON.stringify(logSafe(fields, showContent));
      assert.doesNotMatch(text, /hunter2|12345/);
      assert.match(text, /"x-api-key":"\[redacted\]"/);
    }
  });

  test("keys in a URL's query or user part do not get out", () => {
    const url = "wss://bob:hunter2@example.org/v1/listen?token=hunter2";
    const safe = logSafe({ url, baseUrl: new URL(url), requestUri: "/v1?key=hunter2" }, true);
    assert.doesNotMatch(JSON.stringify(safe), /hunter2/);
    assert.equal(safe.url, "wss://…@example.org/v1/listen?…");
  });

  test("what was said is censored unless content is shown; counts of it are not", () => {
    const fields = {
      text: "canary",
      finalText: "canary",
      transcript: { words: [{ text: "canary" }] },
      messages: [{ role: "user", content: "canary" }],
      words: 3,
      audio: true,
      contextId: 7,
      context: "assistant",
    };
    const hidden = logSafe(fields, false);
    assert.doesNotMatch(JSON.stringify(hidden), /canary/);
    assert.deepEqual(
      { words: hidden.words, audio: hidden.audio, contextId: hidden.contextId, context: hidden.context },
      { words: 3, audio: true, contextId: 7, context: "assistant" },
    );
    assert.equal(JSON.stringify(logSafe(fields, true)).match(/canary/g)?.length, 4);
  });

  test("binary data becomes its size, also when content is shown", () => {
    const pcm = new Int16Array(320);
    const fields = { pcm, bytes: Buffer.from("canary"), shared: new SharedArrayBuffer(8), list: [new Float32Array(2)] };
    assert.deepEqual(logSafe(fields, true), {
      pcm: { byteCount: 640 },
      bytes: { byteCount: 6 },
      shared: { byteCount: 8 },
      list: [{ byteCount: 8 }],
    });
  });

  test("an operating error says code, hint and cause; any other error its stack", () => {
    const cause = new TypeError("below");
    const operating = logSafe(
      new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: "x", known: "y", text: "canary" }, cause),
      false,
    );
    const err = operating.err as { code: string; hint: string; detail: object; cause: { type: string; stack: string } };
    assert.equal(err.code, "CALL_GRAPH_UNKNOWN");
    assert.equal(err.hint, "Use one of: y.");
    assert.deepEqual(err.detail, { graph: "x", known: "y", text: "[redacted]" });
    assert.equal(err.cause.type, "TypeError");
    assert.match(err.cause.stack, /below[\s\S]*log-safe\.test/);
  });

  test("cycles, BigInts, throwing getters, functions and odd numbers neither throw nor get lost silently", () => {
    const cycle: Record<string, unknown> = { count: 10n, nan: Number.NaN, run: () => 1, when: new Date(0), none: null };
    cycle.self = { again: cycle };
    Object.defineProperty(cycle, "bad", { enumerable: true, get: () => assert.fail("read") });
    const same = { twice: 1 };
    const safe = logSafe({ cycle, left: same, right: same, map: new Map([["a", 1]]) }, false);
    assert.deepEqual(safe, {
      cycle: {
        count: "10",
        nan: "NaN",
        when: "1970-01-01T00:00:00.000Z",
        none: null,
        self: { again: "[circular]" },
        bad: "[unreadable]",
      },
      left: { twice: 1 },
      right: { twice: 1 },
      map: { entryCount: 1 },
    });
  });

  test("fields cannot pass for the line's own level, time or message", () => {
    assert.deepEqual(logSafe({ level: "error", msg: "forged", time: 1 }, false), {
      level_: "error",
      msg_: "forged",
      time_: 1,
    });
  });

  test("whatever the fields are, the copy is bounded, and JSON holds it", () => {
    const anything = fc.dictionary(
      fc.string(),
      fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }),
    );
    fc.assert(
      fc.property(anything, (fields) => {
        const safe = logSafe(fields, false);
        assert.deepEqual(JSON.parse(JSON.stringify(safe)), JSON.parse(JSON.stringify(safe)));
        assert.ok(Object.keys(safe).length <= LOG_BOUNDS.entries + 1);
      }),
      { seed: 7, numRuns: 300 },
    );
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, "x".repeat(5000)]));
    const list = Array.from({ length: 1000 }, () => ({ wide: [[[[[[[["deep"]]]]]]]] }));
    const text = JSON.stringify(logSafe({ wide, list }, false));
    assert.ok(text.length < 2 * LOG_BOUNDS.entries * (LOG_BOUNDS.stringChars + 100), `${text.length} characters`);
    assert.match(text, /936 more/);
    assert.match(text, /\[deeper\]/);
  });
});
