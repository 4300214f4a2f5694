import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { encodeWav } from "../../../src/audio/wav.js";
import { SyrinxError } from "../../../src/base/errors.js";
import { noMetrics } from "../../../src/transport/metrics.js";
import { type FakeCall, Watched } from "../../support/fake-runtime.js";
import { plainKeys } from "../../support/keys.js";
import {
  errorOf,
  RawHttp,
  speech,
  talkative,
  transcription,
  uploadsLeft,
  withRest,
} from "../../support/rest-server.js";
import { ownTempFolder } from "../../support/temp-folder.js";
import { TestSocket } from "../../support/test-socket.js";

const SECOND = encodeWav(new Int16Array(16_000).fill(50), 16_000);
const FORM = "Content-Type: multipart/form-data; boundary=xx";
const FILE_HEAD = '--xx\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n';

let removeFolder: () => Promise<void>;

before(async () => {
  removeFolder = await ownTempFolder();
});

after(async () => {
  assert.deepEqual(await readdir(tmpdir()), []);
  await removeFolder();
});

describe("bodies", () => {
  test("a body that announces too much is refused before it is read", () =>
    withRest({ limits: { restBodyBytes: 1_000, restJsonBytes: 100 } }, async ({ server }) => {
      const large = await errorOf(await transcription(server.url, new Uint8Array(2_000)));
      assert.deepEqual([large.status, large.code], [413, "HTTP_BODY_SIZE"]);
      assert.equal((await errorOf(await speech(server.url, { input: "x".repeat(200) }))).status, 413);
      const asking = ["POST /v1/audio/transcriptions HTTP/1.1", FORM, "Content-Length: 5000", "Expect: 100-continue"];
      const raw = new RawHttp(server.url, asking);
      await raw.closed;
      assert.match(raw.answer, /^HTTP\/1\.1 413 /);
    }));

  test("a body without end is cut off at the limit, and none of it is kept", () =>
    withRest(
      { limits: { restBodyBytes: 300_000, restMemoryBytes: 1_000, restLingerMs: 50 } },
      async ({ server, runtime }) => {
        const head = ["POST /v1/audio/transcriptions HTTP/1.1", FORM, "Transfer-Encoding: chunked"];
        const raw = new RawHttp(server.url, head);
        const chunk = "y".repeat(10_000);
        raw.socket.write(`${FILE_HEAD.length.toString(16)}\r\n${FILE_HEAD}\r\n`);
        let sent = 0;
        while (!raw.socket.destroyed && raw.answer === "" && sent < 20_000_000) {
          sent += chunk.length;
          if (!raw.socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)) {
            await Promise.race([new Promise((resolve) => raw.socket.once("drain", resolve)), raw.closed]);
          }
          await turn();
        }
        await raw.closed;
        assert.match(raw.answer, /^HTTP\/1\.1 413 .*HTTP_BODY_SIZE/s);
        assert.deepEqual(await uploadsLeft(), []);
        assert.equal(runtime.calls.length, 0);
      },
    ));

  const UPLOADING = ["POST /v1/audio/transcriptions HTTP/1.1", FORM, "Content-Length: 5000"];

  test("a body that stops coming is given up", () =>
    withRest({ limits: { restStallMs: 50, restMemoryBytes: 100 } }, async ({ server, runtime }) => {
      const slow = new RawHttp(server.url, UPLOADING);
      slow.socket.write(`${FILE_HEAD}${"z".repeat(1_000)}`);
      await slow.until(/^HTTP\/1\.1 408 .*HTTP_BODY_TIMEOUT/s);
      assert.deepEqual(await uploadsLeft(), []);
      assert.equal(runtime.calls.length, 0);
      assert.equal((await speech(server.url)).status, 200);
    }));

  test("an upload that its client breaks off leaves no file and no call", () =>
    withRest({ limits: { restMemoryBytes: 100 } }, async ({ server, runtime }) => {
      const broken = new RawHttp(server.url, UPLOADING);
      broken.socket.write(`${FILE_HEAD}${"z".repeat(1_000)}`);
      while ((await uploadsLeft()).length === 0) await turn();
      broken.socket.destroy();
      while ((await uploadsLeft()).length > 0) await turn();
      assert.equal(runtime.calls.length, 0);
    }));

  test("a length that is not the body's ends the connection, and nothing but the connection", () =>
    withRest({ limits: { restMemoryBytes: 100 } }, async ({ server, runtime }) => {
      const form = `${FILE_HEAD}${"z".repeat(1_000)}\r\n--xx--\r\n`;
      const post = (length: number): RawHttp =>
        new RawHttp(server.url, ["POST /v1/audio/transcriptions HTTP/1.1", FORM, `Content-Length: ${length}`]);
      const longer = post(form.length + 10);
      longer.socket.end(form);
      await longer.closed;
      const shorter = post(form.length - 500);
      shorter.socket.write(form);
      await shorter.closed;
      assert.match(shorter.answer, /^HTTP\/1\.1 400 /);
      const both = new RawHttp(server.url, [
        "POST /v1/audio/transcriptions HTTP/1.1",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
      ]);
      await both.closed;
      assert.match(both.answer, /^HTTP\/1\.1 400 /);
      assert.equal(runtime.calls.length, 0);
      assert.equal((await speech(server.url)).status, 200);
    }));

  test("what is no JSON, no form or not complete is said to be so", () =>
    withRest({}, async ({ server }) => {
      const post = (path: string, type: string, body: string): Promise<Response> =>
        fetch(`${server.url}${path}`, { method: "POST", headers: { "content-type": type }, body });
      const cases = [
        [await post("/v1/audio/speech", "application/json", "{"), "HTTP_BODY_INVALID", null],
        [await post("/v1/audio/speech", "text/plain", "hello"), "HTTP_BODY_TYPE", null],
        [await post("/v1/audio/speech", "application/json", "[]"), "HTTP_FIELD", "body"],
        [await post("/v1/audio/speech", "application/json", '{"input":""}'), "HTTP_FIELD", "input"],
        [await post("/v1/audio/speech", "application/json", '{"input":7}'), "HTTP_FIELD", "input"],
        [await post("/v1/audio/transcriptions", "application/json", "{}"), "HTTP_BODY_TYPE", null],
        [await post("/v1/audio/transcriptions", "multipart/form-data", "x"), "HTTP_BODY_INVALID", null],
        [
          await post("/v1/audio/transcriptions", "multipart/form-data; boundary=xx", "--xx--\r\n"),
          "HTTP_FIELD",
          "file",
        ],
        [await transcription(server.url, new Uint8Array(0)), "HTTP_FIELD", "file"],
        [
          await transcription(server.url, SECOND, { response_format: "diarized_json" }),
          "HTTP_FIELD",
          "response_format",
        ],
        [await speech(server.url, { response_format: "aac" }), "HTTP_FIELD", "response_format"],
        [await speech(server.url, { input: "x".repeat(4_097) }), "HTTP_FIELD", "input"],
        [await speech(server.url, { speed: 5 }), "HTTP_FIELD", "speed"],
      ] as const;
      for (const [answer, code, param] of cases) {
        assert.deepEqual(await errorOf(answer), { status: 400, type: "invalid_request_error", code, param });
      }
    }));
});

describe("who is served", () => {
  test("refusals have the shape of the protocol: key, calls of a key, calls of the server, requests, methods", async () => {
    await withRest({ server: { apiKeys: plainKeys("alpha-key") } }, async ({ server, runtime }) => {
      assert.deepEqual(await errorOf(await speech(server.url)), {
        status: 401,
        type: "invalid_request_error",
        code: "invalid_api_key",
        param: null,
      });
      const keyed = { headers: { authorization: "Bearer alpha-key" } };
      assert.equal((await speech(server.url, {}, keyed)).status, 200);
      runtime.openError = new SyrinxError("CALL_LIMIT", { limit: 1, retryAfterMs: 1_000 });
      const full = await speech(server.url, {}, keyed);
      assert.equal(full.headers.get("retry-after"), "1");
      assert.deepEqual(await errorOf(full), { status: 503, type: "server_error", code: "CALL_LIMIT", param: null });
      const deepgram = await fetch(`${server.url}/v1/speak`, { method: "POST", body: "{}" });
      assert.equal(deepgram.status, 401);
      const { err_code, request_id } = (await deepgram.json()) as Record<string, string>;
      assert.equal(err_code, "INVALID_AUTH");
      assert.equal(deepgram.headers.get("dg-request-id"), request_id);
    });
    await withRest({ limits: { restRequests: 0 } }, async ({ server }) => {
      const busy = await speech(server.url);
      assert.equal(busy.headers.get("retry-after"), "1");
      assert.deepEqual([busy.status, (await errorOf(busy)).code], [503, "HTTP_BUSY"]);
      assert.equal((await fetch(`${server.url}/v1/audio/speech`, { method: "DELETE" })).status, 400);
      assert.equal((await fetch(`${server.url}/v1/speak`)).status, 426);
      assert.equal((await fetch(`${server.url}/v1/speak/more`)).status, 404);
    });
  });

  test("a socket of another protocol is refused before the upgrade when all calls are taken", () =>
    withRest({ server: { maxCalls: 1 } }, async ({ server, runtime }) => {
      const url = `${server.url}/v1/speak`;
      const first = new TestSocket(url);
      await runtime.call(0);
      const { status, body } = await new TestSocket(url).refusal();
      assert.deepEqual([status, (JSON.parse(body) as { err_code: string }).err_code], [503, "SERVICE_UNAVAILABLE"]);
      first.ws.terminate();
    }));

  test("a stopping server waits for the requests under way, then tells them so", async () => {
    const marks: (() => void)[] = [];
    const slowly = (call: FakeCall): void => {
      talkative(100)(call);
      call.mark = (id) => {
        marks.push(() => call.emit({ type: "mark", id }));
        call.changed();
      };
    };
    const never = (call: FakeCall): void => {
      call.mark = () => {};
    };
    await withRest({ onCall: slowly }, async ({ server, runtime }) => {
      const answer = speech(server.url);
      const call = await runtime.call(0);
      await call.until(() => marks.length > 0);
      const closing = server.close(60_000);
      for (const mark of marks) mark();
      assert.equal((await (await answer).arrayBuffer()).byteLength, 200);
      await closing;
    });
    await withRest({ onCall: never }, async ({ server, runtime }) => {
      const answer = speech(server.url);
      await runtime.call(0);
      await server.close();
      assert.deepEqual([(await answer).status, runtime.openCalls], [503, 0]);
    });
  });
});

describe("jobs", () => {
  test("a voice is given the next piece of a text when the client has taken the last one's audio", () =>
    withRest({ onCall: talkative(2_000_000) }, async ({ server, runtime }) => {
      const input = Array.from({ length: 100 }, (_, index) => `This is sentence number ${index + 1}.`).join(" ");
      const body = JSON.stringify({ input, response_format: "pcm" });
      const head = [
        "POST /v1/audio/speech HTTP/1.1",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
      ];
      const raw = new RawHttp(server.url, head);
      raw.socket.pause();
      raw.socket.write(body);
      const call = await runtime.call(0);
      await call.until(() => call.inputs.some(({ what }) => what === "mark"));
      const said = (): string[] => call.inputs.flatMap((input) => (input.what === "say" ? [input.text] : []));
      const early = said().length;
      // 4 MB wait, and nobody takes them.
      for (let turns = 0; turns < 20; turns++) await turn();
      assert.equal(said().length, early);
      raw.socket.resume();
      await call.until(() => call.isClosed);
      assert.ok(said().length > early);
      assert.equal(said().join(" "), input);
      raw.socket.destroy();
    }));

  test("a client that takes its answer slower than in the time allowed for nothing gets all of it", () =>
    withRest({ limits: { restWriteMs: 300 }, onCall: talkative(4_000_000) }, async ({ server }) => {
      const body = JSON.stringify({ input: "Hello.", response_format: "pcm" });
      const head = [
        "POST /v1/audio/speech HTTP/1.1",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
      ];
      const raw = new RawHttp(server.url, [...head, "Connection: close"]);
      let byteCount = 0;
      const startMs = performance.now();
      raw.socket.on("data", (data: Buffer) => {
        byteCount += data.byteLength;
        raw.socket.pause();
        setTimeout(() => raw.socket.resume(), 10);
      });
      raw.socket.write(body);
      await raw.closed;
      assert.ok(byteCount > 8_000_000, `${byteCount} bytes`);
      assert.ok(performance.now() - startMs > 600);
    }));

  test("a client that takes nothing of its answer is cut off, and its call with it", () =>
    withRest({ limits: { restWriteMs: 50 }, onCall: talkative(4_000_000) }, async ({ server, runtime }) => {
      const body = JSON.stringify({ input: "Hello.", response_format: "pcm" });
      const head = [
        "POST /v1/audio/speech HTTP/1.1",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
      ];
      const raw = new RawHttp(server.url, head);
      raw.socket.pause();
      raw.socket.write(body);
      const call = await runtime.call(0);
      await call.until(() => call.isClosed);
      raw.socket.resume();
      await raw.closed;
      assert.ok(raw.answer.length < 8_000_000, "the answer is not whole");
    }));

  test("requests are counted by face and status, those whose client went as 499", async () => {
    const counted: string[] = [];
    const watched = new Watched();
    const request = (face: string, status: number): void => {
      counted.push(`${face} ${status}`);
      watched.changed();
    };
    await withRest({ metrics: { ...noMetrics, request } }, async ({ server, runtime }) => {
      await speech(server.url);
      await speech(server.url, { input: "" });
      runtime.onCall = (call) => {
        call.mark = () => {};
      };
      const abort = new AbortController();
      const gone = speech(server.url, {}, { signal: abort.signal });
      await runtime.call(1);
      abort.abort();
      await assert.rejects(gone);
      await watched.until(() => counted.length === 3);
      assert.deepEqual(counted, ["openai-speech 200", "openai-speech 400", "openai-speech 499"]);
    });
  });

  test("an error before the first audio is told, and after it the answer is cut off", () =>
    withRest({}, async ({ server, runtime }) => {
      const failure = { type: "error", code: "TTS_VOICE_UNKNOWN", message: "no", hint: "", fatal: false } as const;
      runtime.onCall = (call) => {
        call.onSay = () => call.emit(failure);
      };
      assert.deepEqual(await errorOf(await speech(server.url)), {
        status: 400,
        type: "invalid_request_error",
        code: "TTS_VOICE_UNKNOWN",
        param: "voice",
      });
      runtime.onCall = (call) => {
        call.onSay = () => {
          call.speak(0, 0, new Int16Array(1_000), 24_000);
          call.emit(failure);
        };
      };
      const cut = await speech(server.url);
      assert.equal(cut.status, 200);
      await assert.rejects(cut.arrayBuffer());
      assert.equal(runtime.openCalls, 0);
    }));

  test("a client that goes while its call works ends the call", () =>
    withRest({}, async ({ server, runtime }) => {
      runtime.onCall = (call) => {
        call.mark = () => {};
      };
      const abort = new AbortController();
      const answer = transcription(server.url, SECOND);
      const other = speech(server.url, {}, { signal: abort.signal });
      await runtime.until(() => runtime.calls.length === 2);
      abort.abort();
      await assert.rejects(other);
      const gone = runtime.calls.find(({ graph }) => graph === "speak")!;
      await gone.until(() => gone.isClosed);
      const still = runtime.calls.find(({ graph }) => graph === "listen")!;
      assert.equal(still.isClosed, false);
      still.end({ type: "close", reason: "error", code: "CALL_WORKER_FAILED" });
      assert.deepEqual((await errorOf(await answer)).status, 503);
    }));

  test("a call that answers nothing is given up", () =>
    withRest({ limits: { restAnswerMs: 50 } }, async ({ server, runtime }) => {
      runtime.onCall = (call) => {
        call.mark = () => {};
      };
      assert.deepEqual([(await errorOf(await speech(server.url))).code, runtime.openCalls], ["CALL_NO_ANSWER", 0]);
    }));

  test("a recording is given to its call in steps, each after the answer to the last", () =>
    withRest({ limits: { restAheadMs: 250, restMemoryBytes: 1_000 } }, async ({ server, runtime }) => {
      const answer = await transcription(server.url, SECOND);
      assert.deepEqual(await answer.json(), { text: "", usage: { type: "duration", seconds: 1 } });
      const whats = (await runtime.call(0)).inputs.map(({ what }) => what);
      assert.deepEqual(whats, [...Array(4).fill(["audio", "mark"]).flat(), "finalize", "close"]);
      assert.equal((await runtime.call(0)).sampleCount, 16_000);
      assert.deepEqual(await uploadsLeft(), []);
    }));

  test("what a recording is decoded to counts, so that a small file of long silence fills no memory", () =>
    withRest({ limits: { restBodyBytesTotal: SECOND.byteLength + 32_000 } }, async ({ server, runtime }) => {
      const long = encodeWav(new Int16Array(8_000), 8_000);
      assert.equal((await transcription(server.url, long)).status, 200);
      // Twice as many bytes as it has itself, because it is decoded to twice its rate.
      const longer = await errorOf(await transcription(server.url, encodeWav(new Int16Array(13_000), 8_000)));
      assert.deepEqual([longer.status, longer.code, runtime.openCalls], [503, "HTTP_BUSY", 0]);
      assert.equal((await transcription(server.url, long)).status, 200);
    }));

  test("lost audio fails the request instead of the transcript", () =>
    withRest({}, async ({ server, runtime }) => {
      runtime.onCall = (call) => {
        call.mark = () => call.emit({ type: "gap", durationMs: 20 });
      };
      const lost = await errorOf(await transcription(server.url, SECOND));
      assert.deepEqual([lost.status, lost.code], [503, "CALL_OVERLOADED"]);
    }));
});
