/** The published OpenAI SDK, with nothing changed but its base URL. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import OpenAI, { APIError, toFile } from "openai";
import { expectedText, rms, sampleFile, samplePath, samplePcm } from "./support/audio.js";
import { ROOT, startServer, type TestServer } from "./support/server.js";

const KEY = "a-key-that-is-long-enough";

let server: TestServer;
before(async () => {
  server = await startServer({ keys: [KEY] });
});
after(() => server[Symbol.asyncDispose]());

const clientOf = (apiKey = KEY, url = server.url): OpenAI =>
  new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[.,?!]/g, "")
    .trim();

describe("models", () => {
  test("are listed, and each can be asked for by its id", async () => {
    const ids: string[] = [];
    for await (const model of clientOf().models.list()) ids.push(model.id);
    assert.ok(ids.includes("whisper-1") && ids.includes("gpt-4o-mini-tts"), ids.join(", "));
    const one = await clientOf().models.retrieve(ids[0]!);
    assert.equal(one.id, ids[0]);
    await assert.rejects(
      clientOf().models.retrieve("no-such-model"),
      (error) => error instanceof APIError && error.status === 404,
    );
  });
});

describe("transcriptions", { concurrency: true }, () => {
  test("json: the text that the command line hears", async () => {
    const { text } = await clientOf().audio.transcriptions.create({
      file: createReadStream(samplePath("question")),
      model: "whisper-1",
    });
    assert.equal(plain(text), expectedText("question"));
  });

  test("verbose_json: words and segments with times inside the recording", async () => {
    const answer = await clientOf().audio.transcriptions.create({
      file: await toFile(sampleFile("timer"), "timer.wav"),
      model: "whisper-1",
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    const durationS = samplePcm("timer").length / 16_000;
    assert.equal(plain(answer.text), expectedText("timer"));
    assert.ok(Math.abs(answer.duration - durationS) < 0.01);
    assert.equal(plain(answer.words!.map(({ word }) => word).join(" ")), expectedText("timer"));
    for (const { start, end } of [...answer.words!, ...answer.segments!])
      assert.ok(0 <= start && start <= end && end <= durationS);
    assert.equal(answer.language, "english");
  });

  test("text, srt and vtt are strings of their kind", async () => {
    const ask = async (format: "text" | "srt" | "vtt"): Promise<string> =>
      (await clientOf().audio.transcriptions.create({
        file: await toFile(sampleFile("time"), "time.wav"),
        model: "whisper-1",
        response_format: format,
      })) as unknown as string;
    assert.equal(plain(await ask("text")), expectedText("time"));
    assert.match(await ask("srt"), /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/);
    assert.match(await ask("vtt"), /^WEBVTT\n\n(\d+\n)?00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n/);
  });

  test("stream: the deltas make the text of the end", async () => {
    const stream = await clientOf().audio.transcriptions.create({
      file: await toFile(sampleFile("lights"), "lights.wav"),
      model: "gpt-4o-transcribe",
      stream: true,
    });
    let deltas = "";
    let done: string | undefined;
    for await (const event of stream) {
      if (event.type === "transcript.text.delta") deltas += event.delta;
      if (event.type === "transcript.text.done") done = event.text;
    }
    assert.equal(plain(done ?? ""), expectedText("lights"));
    assert.equal(deltas, done);
  });
});

describe("speech", { concurrency: true }, () => {
  const input = "Set a timer for ten minutes.";

  test("pcm is 24 kHz, wav has the same samples, and what is said is heard", async () => {
    const say = async (format: "pcm" | "wav"): Promise<Buffer> =>
      Buffer.from(
        await (
          await clientOf().audio.speech.create({
            model: "gpt-4o-mini-tts",
            voice: "alloy",
            input,
            response_format: format,
          })
        ).arrayBuffer(),
      );
    const [pcm, wav] = await Promise.all([say("pcm"), say("wav")]);
    const samples = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.byteLength));
    assert.ok(samples.length > 24_000 && rms(samples) > 300);
    assert.equal(wav.toString("latin1", 0, 4), "RIFF");
    assert.equal(wav.readUInt32LE(24), 24_000);
    assert.ok(wav.subarray(44).equals(pcm));
    const { text } = await clientOf().audio.transcriptions.create({
      file: await toFile(wav, "said.wav"),
      model: "whisper-1",
    });
    assert.equal(plain(text), "set a timer for ten minutes");
  });

  for (const format of ["mp3", "opus", "flac"] as const) {
    test(`${format} can be transcribed again`, async () => {
      const answer = await clientOf().audio.speech.create({
        model: "tts-1",
        voice: "nova",
        input,
        response_format: format,
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const { text } = await clientOf().audio.transcriptions.create({
        file: await toFile(bytes, `said.${format === "opus" ? "ogg" : format}`),
        model: "whisper-1",
      });
      assert.match(plain(text), /timer for ten minutes/);
    });
  }

  test("sse: the deltas are the audio", async () => {
    const answer = await clientOf().audio.speech.create({
      model: "tts-1",
      voice: "alloy",
      input,
      response_format: "pcm",
      stream_format: "sse",
    });
    const events = (await answer.text())
      .split("\n\n")
      .filter((block) => block.startsWith("data: {"))
      .map((block) => JSON.parse(block.slice(6)) as { type: string; audio?: string });
    assert.equal(events.at(-1)!.type, "speech.audio.done");
    const bytes = Buffer.concat(
      events.flatMap(({ audio }) => (audio === undefined ? [] : [Buffer.from(audio, "base64")])),
    );
    const whole = Buffer.from(
      await (
        await clientOf().audio.speech.create({ model: "tts-1", voice: "alloy", input, response_format: "pcm" })
      ).arrayBuffer(),
    );
    assert.ok(bytes.equals(whole));
  });
});

describe("errors", { concurrency: true }, () => {
  const refusal =
    (status: number) =>
    (error: unknown): boolean => {
      assert.ok(error instanceof APIError, String(error));
      assert.equal(error.status, status);
      // The SDK prints the body as it is unless it has the vendor's shape.
      assert.doesNotMatch(error.message, /[{}]/);
      return true;
    };

  test("a wrong key is 401", async () => {
    await assert.rejects(clientOf("wrong-key-that-is-long").models.list(), refusal(401));
    await assert.rejects(
      clientOf("wrong-key-that-is-long").audio.speech.create({ model: "tts-1", voice: "alloy", input: "x" }),
      refusal(401),
    );
  });

  test("what is no audio, an unknown voice and too long a text are 400", async () => {
    await assert.rejects(
      clientOf().audio.transcriptions.create({
        file: await toFile(Buffer.from("no audio at all"), "a.wav"),
        model: "whisper-1",
      }),
      refusal(400),
    );
    await assert.rejects(
      clientOf().audio.speech.create({ model: "tts-1", voice: "nobody" as never, input: "x" }),
      refusal(400),
    );
    await assert.rejects(
      clientOf().audio.speech.create({ model: "tts-1", voice: "alloy", input: "x".repeat(5_000) }),
      refusal(400),
    );
    await assert.rejects(
      clientOf().audio.translations.create({ file: await toFile(sampleFile("time"), "a.wav"), model: "whisper-1" }),
      refusal(400),
    );
  });

  test("a call too many is 503 or 429, and the SDK may try again", async () => {
    await using small = await startServer({ maxCalls: 1 });
    const client = clientOf("any", small.url);
    const long = client.audio.speech.create({
      model: "tts-1",
      voice: "alloy",
      input: "word ".repeat(700),
      response_format: "pcm",
    });
    const body = (await long).body!;
    await assert.rejects(
      client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "x" }),
      (error) => error instanceof APIError && (error.status === 503 || error.status === 429),
    );
    await body.cancel();
    while ((await small.activeCalls()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  });
});

test("over TLS with a certificate of its own, trusted by its file as the log says", async () => {
  await using secure = await startServer({ tls: true });
  assert.match(secure.url, /^https:/);
  const script = `
    import OpenAI from "openai";
    const client = new OpenAI({ apiKey: "any", baseURL: process.argv[1] + "/v1", maxRetries: 0 });
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    console.log(ids.join(" "));
  `;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: secure.certificateFile };
  const args = ["--input-type=module", "--eval", script, secure.url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: join(ROOT, "test/clients") });
  assert.match(stdout, /whisper-1/);
});
