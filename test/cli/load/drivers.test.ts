/** Each driver against a small server that speaks its protocol as the vendor documents it. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { decodeAudio } from "../../../src/audio/decode.js";
import { LOAD_FACES, type LoadCall, type LoadEvent, type LoadFace } from "../../../src/cli/load/driver.js";
import { toneRecording } from "../../support/load-stage.js";
import { withServer } from "../../support/test-socket.js";

/** What a driver said, and a way to wait for it. */
class Heard {
  readonly events: LoadEvent[] = [];
  #changed = (): void => {};

  readonly listener = (event: LoadEvent): void => {
    this.events.push(event);
    this.#changed();
  };

  async until(type: LoadEvent["type"]): Promise<LoadEvent> {
    for (;;) {
      const found = this.events.find((event) => event.type === type);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

interface Vendor {
  readonly url: string;
  readonly upgrades: IncomingMessage[];
}

/** A server of WebSockets, for the time of `act`. */
async function withVendor(
  onSocket: (socket: WebSocket) => void,
  act: (vendor: Vendor) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await new Promise((resolve) => server.once("listening", resolve));
  const upgrades: IncomingMessage[] = [];
  server.on("connection", (socket, request) => {
    upgrades.push(request);
    onSocket(socket);
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await act({ url, upgrades }).finally(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
}

async function withHttp(
  answer: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void,
  act: (url: string) => Promise<void>,
): Promise<void> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, Buffer.concat(chunks), response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).finally(() => {
    server.closeAllConnections();
    server.close();
  });
}

async function open(face: LoadFace, url: string, heard: Heard, more: object = {}): Promise<LoadCall> {
  return (await LOAD_FACES[face].load()).open({ url, ...more }, heard.listener);
}

const TONE = new Int16Array(320).fill(7_000);

describe("the native driver", () => {
  test("streams to the server's own face, hears its audio, and closes in good order", async () => {
    await withServer({}, async ({ server, runtime }) => {
      const heard = new Heard();
      const call = await open("native", server.url, heard, { graph: "echo" });
      assert.equal(runtime.calls.length, 1);
      call.send!(TONE);
      const audio = await heard.until("audio");
      assert.ok(audio.type === "audio" && audio.pcm.every((sample) => sample === 7_000) && audio.rateHz === 16_000);
      call.finalize!();
      await heard.until("finalized");
      await call.close();
      assert.deepEqual(heard.events.at(-1), { type: "close", code: 1000 });
    });
  });

  test("is told why a call is refused", async () => {
    await withServer({}, async ({ server }) => {
      await assert.rejects(open("native", server.url, new Heard(), { graph: "nope" }), (error: Error) => {
        assert.match(error.message, /CALL_GRAPH_UNKNOWN/);
        assert.equal((error as { code?: string }).code, "LOAD_CALL_REFUSED");
        return true;
      });
      await assert.rejects(open("native", `${server.url}/nowhere`, new Heard()), /404/);
    });
    await assert.rejects(open("native", "ws://127.0.0.1:9", new Heard()), { code: "LOAD_CALL_REFUSED" });
  });
});

describe("the driver of Deepgram's listen", () => {
  const results = (more: object, text: string, words: readonly object[]): string =>
    JSON.stringify({
      type: "Results",
      channel_index: [0, 1],
      start: 1,
      duration: 2,
      is_final: false,
      channel: { alternatives: [{ transcript: text, confidence: 0.9, words }] },
      metadata: { request_id: "r" },
      ...more,
    });

  test("sends raw samples with their format in the query, and places words in milliseconds of the stream", async () => {
    const received: Buffer[] = [];
    const onSocket = (socket: WebSocket): void => {
      socket.on("message", (data: Buffer, isBinary) => {
        if (isBinary) {
          received.push(data);
          socket.send(results({}, "hello", [{ word: "hello", start: 1.1, end: 1.45 }]));
          socket.send(
            results({ is_final: true, speech_final: true }, "hello you", [{ word: "you", start: 1.5, end: 1.75 }]),
          );
          return;
        }
        const { type } = JSON.parse(data.toString()) as { type: string };
        if (type === "Finalize") socket.send(results({ is_final: true, from_finalize: true }, "", []));
        if (type !== "CloseStream") return;
        socket.send(JSON.stringify({ type: "Metadata", request_id: "r", duration: 0.02, channels: 1 }));
        socket.close(1000);
      });
    };
    await withVendor(onSocket, async ({ url, upgrades }) => {
      const heard = new Heard();
      const call = await open("deepgram-listen", url, heard, { apiKey: "k", model: "nova-9" });
      call.send!(TONE);
      assert.deepEqual(await heard.until("partial"), {
        type: "partial",
        text: "hello",
        streamEndMs: 1_450,
        lastWordEndMs: 1_450,
      });
      assert.deepEqual(await heard.until("final"), { type: "final", text: "hello you", streamEndMs: 1_750 });
      call.finalize!();
      await heard.until("finalized");
      // A segment without words ends where it ends.
      assert.deepEqual(heard.events.filter(({ type }) => type === "final")[1], {
        type: "final",
        text: "",
        streamEndMs: 3_000,
      });
      await call.close();
      assert.deepEqual(heard.events.at(-1), { type: "close", code: 1000 });
      const { pathname, searchParams } = new URL(upgrades[0]!.url!, url);
      assert.equal(pathname, "/v1/listen");
      assert.deepEqual(Object.fromEntries(searchParams), {
        model: "nova-9",
        encoding: "linear16",
        sample_rate: "16000",
        channels: "1",
        interim_results: "true",
      });
      assert.equal(upgrades[0]!.headers.authorization, "Token k");
      assert.deepEqual(new Int16Array(Uint8Array.from(received[0]!).buffer), TONE);
    });
  });
});

describe("the driver of Deepgram's speak", () => {
  test("flushes each text, gives the audio to its own reply, and ends the reply with `Flushed`", async () => {
    const asked: string[] = [];
    const onSocket = (socket: WebSocket): void => {
      socket.send(JSON.stringify({ type: "Metadata", request_id: "r" }));
      let flushes = 0;
      socket.on("message", (data: Buffer) => {
        const message = JSON.parse(data.toString()) as { type: string; text?: string };
        asked.push(message.text ?? message.type);
        if (message.type === "Close") socket.close(1000);
        if (message.type !== "Flush") return;
        socket.send(new Uint8Array(new Int16Array(240).fill(3_000 + flushes).buffer));
        socket.send(JSON.stringify({ type: "Flushed", sequence_id: flushes++ }));
      });
    };
    await withVendor(onSocket, async ({ url, upgrades }) => {
      const heard = new Heard();
      const call = await open("deepgram-speak", url, heard);
      call.say!("One.");
      call.say!("Two.");
      await call.close();
      assert.deepEqual(asked, ["One.", "Flush", "Two.", "Flush", "Close"]);
      assert.deepEqual(
        heard.events.map((event) => (event.type === "audio" ? [event.contextId, event.rateHz, event.pcm[0]] : event)),
        [
          [1, 24_000, 3_000],
          { type: "reply_end", contextId: 1, reason: "completed" },
          [2, 24_000, 3_001],
          { type: "reply_end", contextId: 2, reason: "completed" },
          { type: "close", code: 1000 },
        ],
      );
      assert.equal(new URL(upgrades[0]!.url!, url).searchParams.get("sample_rate"), "24000");
    });
  });
});

describe("the drivers of OpenAI's endpoints", () => {
  test("a recording is uploaded as a WAV file in a form, and its text is final", async () => {
    const recording = toneRecording("tone", 300);
    let uploaded: Int16Array | undefined;
    const answer = async (request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> => {
      assert.equal(request.url, "/v1/audio/transcriptions");
      assert.equal(request.headers.authorization, "Bearer k");
      const form = await new Response(body, {
        headers: { "content-type": request.headers["content-type"]! },
      }).formData();
      assert.equal(form.get("model"), "whisper-1");
      uploaded = (await decodeAudio(new Uint8Array(await (form.get("file") as Blob).arrayBuffer()), "upload")).pcm;
      response.setHeader("content-type", "application/json").end(JSON.stringify({ text: "beep" }));
    };
    await withHttp(
      (...all) => void answer(...all),
      async (url) => {
        const heard = new Heard();
        const call = await open("openai-transcriptions", url, heard, { apiKey: "k" });
        call.upload!(recording);
        await heard.until("finalized");
        assert.deepEqual(heard.events[0], { type: "final", text: "beep", streamEndMs: 0 });
        assert.deepEqual(uploaded, recording.pcm);
        await call.close();
      },
    );
  });

  test("a text is answered by chunks of samples, also where a chunk ends in the middle of one", async () => {
    const pcm = new Int16Array(100).map((_, at) => 1_000 + at);
    const bytes = Buffer.from(pcm.buffer);
    const answer = (_request: IncomingMessage, body: Buffer, response: ServerResponse): void => {
      const { input, response_format } = JSON.parse(body.toString()) as Record<string, string>;
      assert.deepEqual([input, response_format], ["Hello.", "pcm"]);
      response.write(bytes.subarray(0, 51), () => response.end(bytes.subarray(51)));
    };
    await withHttp(answer, async (url) => {
      const heard = new Heard();
      const call = await open("openai-speech", url, heard);
      call.say!("Hello.");
      await heard.until("reply_end");
      const audio = heard.events.flatMap((event) => (event.type === "audio" ? [...event.pcm] : []));
      assert.deepEqual(audio, [...pcm]);
    });
  });

  test("an answer that is an error is one, with its status", async () => {
    await withHttp(
      (_request, _body, response) => response.writeHead(429).end('{"error":{"message":"slow down"}}'),
      async (url) => {
        const heard = new Heard();
        const call = await open("openai-speech", url, heard);
        call.say!("Hello.");
        const error = await heard.until("error");
        assert.ok(error.type === "error" && error.code === "HTTP_429" && /slow down/.test(error.message));
      },
    );
  });
});
