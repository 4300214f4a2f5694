/** The published Deepgram SDK, with nothing changed but its base URL. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DeepgramClient } from "@deepgram/sdk";
import {
  chunksOf,
  expectedText,
  interleaved,
  rms,
  type Sample,
  sampleFile,
  samplePcm,
  toTelephone,
} from "./support/audio.js";
import { countConnections } from "./support/counting-proxy.js";
import { startServer, type TestServer } from "./support/server.js";

/** Longer than the SDK waits before it comes back after a close that it takes for a fault. */
const RECONNECT_MS = 6_000;

type Message = Record<string, unknown> & { readonly type: string };
interface Results extends Message {
  readonly is_final: boolean;
  readonly speech_final: boolean;
  readonly from_finalize?: boolean;
  readonly start: number;
  readonly duration: number;
  readonly channel_index: readonly number[];
  readonly channel: {
    readonly alternatives: readonly {
      transcript: string;
      words: readonly { word: string; start: number; end: number }[];
    }[];
  };
}

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());

function clientOf(url = server.url, apiKey = "any"): DeepgramClient {
  return new DeepgramClient({ apiKey, baseUrl: url });
}

interface Listening {
  readonly messages: Message[];
  readonly closed: Promise<number>;
  send(pcm: ArrayBufferView): void;
  finalize(): void;
  closeStream(): void;
  until(isThere: (messages: readonly Message[]) => boolean): Promise<void>;
}

async function listen(query: Record<string, unknown>, client = clientOf()): Promise<Listening> {
  const socket = await client.listen.v1.connect({ model: "nova-3", ...query } as never);
  const messages: Message[] = [];
  let wake = (): void => {};
  socket.on("message", (message) => {
    messages.push(message as unknown as Message);
    wake();
  });
  const closed = new Promise<number>((resolve) => socket.on("close", (event) => resolve(event.code)));
  socket.connect();
  await socket.waitForOpen();
  return {
    messages,
    closed,
    send: (pcm) => socket.sendMedia(pcm),
    finalize: () => socket.sendFinalize({ type: "Finalize" }),
    closeStream: () => socket.sendCloseStream({ type: "CloseStream" }),
    async until(isThere) {
      while (!isThere(messages)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

const resultsOf = (messages: readonly Message[]): Results[] =>
  messages.filter((one): one is Results => one.type === "Results");
const textOf = (messages: readonly Message[], channel = 0): string =>
  resultsOf(messages)
    .filter((one) => one.is_final && one.channel_index[0] === channel)
    .map((one) => one.channel.alternatives[0]!.transcript)
    .filter((text) => text !== "")
    .join(" ")
    .toLowerCase()
    .replace(/[.,?!]/g, "");

/** The whole of a recording through a stream of its own. */
async function hear(
  name: Sample,
  query: Record<string, unknown>,
  audio: readonly ArrayBufferView[],
  // What is unheard at CloseStream becomes one last result; a test that wants more waits for it.
  isHeard: (messages: readonly Message[]) => boolean = () => true,
): Promise<Listening> {
  const listening = await listen({ interim_results: "true", ...query });
  for (const chunk of audio) listening.send(chunk);
  await listening.until(isHeard);
  listening.closeStream();
  assert.equal(await listening.closed, 1000, name);
  return listening;
}

const LINEAR = { encoding: "linear16", sample_rate: 16_000 };
const chunks = (name: Sample, ms = 100): Int16Array[] => [...chunksOf(samplePcm(name), ms)];

describe("listen v1", { concurrency: true }, () => {
  test("hears what the command line hears, with words in order, and finals tile the timeline", async () => {
    const pcm = samplePcm("question");
    const query = { ...LINEAR, punctuate: "true", vad_events: "true" };
    const { messages } = await hear("question", query, chunks("question"), (heard) => textOf(heard) !== "");
    assert.equal(textOf(messages), expectedText("question"));
    assert.ok(messages.some(({ type }) => type === "SpeechStarted"));
    const all = resultsOf(messages);
    assert.ok(
      all.some((one) => !one.is_final && one.channel.alternatives[0]!.transcript !== ""),
      "interim results came",
    );
    const finals = all.filter((one) => one.is_final);
    let at = 0;
    for (const final of finals) {
      assert.ok(Math.abs(final.start - at) < 0.002, `a final starts at ${final.start}, the one before ended at ${at}`);
      at = final.start + final.duration;
    }
    assert.ok(Math.abs(at - pcm.length / 16_000) < 0.03);
    const words = finals.flatMap((one) => one.channel.alternatives[0]!.words);
    assert.equal(words.map(({ word }) => word).join(" "), expectedText("question"));
    assert.ok(words.every(({ start, end }, index) => end >= start && start >= (words[index - 1]?.end ?? 0) - 0.001));
    assert.equal(messages.at(-1)!.type, "Metadata");
    assert.ok(Math.abs(Number(messages.at(-1)!.duration) - pcm.length / 16_000) < 0.001);
  });

  test("without interim_results only finals come", async () => {
    const { messages } = await hear("time", { ...LINEAR, interim_results: "false" }, chunks("time"));
    assert.ok(resultsOf(messages).every((one) => one.is_final));
    assert.equal(textOf(messages), expectedText("time"));
  });

  test("each Finalize has exactly one from_finalize, said something or not", async () => {
    const listening = await listen({ ...LINEAR, interim_results: "true" });
    const acknowledged = (): number => resultsOf(listening.messages).filter((one) => one.from_finalize === true).length;
    listening.finalize();
    await listening.until(() => acknowledged() === 1);
    for (const chunk of chunks("timer")) listening.send(chunk);
    listening.finalize();
    await listening.until(() => acknowledged() === 2);
    assert.equal(textOf(listening.messages), expectedText("timer"));
    listening.closeStream();
    assert.equal(await listening.closed, 1000);
    assert.equal(acknowledged(), 2);
  });

  test("a telephone's µ-law at 8 kHz gives the text of 16 kHz", async () => {
    const bytes = toTelephone(samplePcm("timer"));
    const pieces = Array.from({ length: Math.ceil(bytes.length / 160) }, (_, at) =>
      bytes.slice(at * 160, at * 160 + 160),
    );
    const { messages } = await hear("timer", { encoding: "mulaw", sample_rate: 8_000 }, pieces);
    assert.equal(textOf(messages), expectedText("timer"));
  });

  test("a file with a header needs no encoding", async () => {
    const { messages } = await hear("lights", {}, [sampleFile("lights")]);
    assert.equal(textOf(messages), expectedText("lights"));
  });

  test("each channel of multichannel audio is its own transcript", async () => {
    const both = interleaved(samplePcm("question"), samplePcm("timer"));
    const pieces = Array.from({ length: Math.ceil(both.length / 3_200) }, (_, at) =>
      both.slice(at * 3_200, at * 3_200 + 3_200),
    );
    const { messages } = await hear("question", { ...LINEAR, channels: 2, multichannel: "true" }, pieces);
    assert.equal(textOf(messages, 0), expectedText("question"));
    assert.equal(textOf(messages, 1), expectedText("timer"));
  });

  test("utterance_end_ms ends an utterance once, at its last word", async () => {
    const query = { ...LINEAR, utterance_end_ms: 1_000, vad_events: "true" };
    const { messages } = await hear("question", query, [...chunks("question"), new Int16Array(16_000)], (heard) =>
      heard.some(({ type }) => type === "UtteranceEnd"),
    );
    const ends = messages.filter(({ type }) => type === "UtteranceEnd");
    assert.equal(ends.length, 1);
    const words = resultsOf(messages).flatMap((one) => (one.is_final ? one.channel.alternatives[0]!.words : []));
    assert.ok(Math.abs(Number(ends[0]!.last_word_end) - words.at(-1)!.end) < 0.011);
  });

  test("after CloseStream the SDK does not come back", async () => {
    await using proxy = await countConnections(server.url);
    const listening = await listen(LINEAR, clientOf(proxy.url));
    listening.closeStream();
    assert.equal(await listening.closed, 1000);
    await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    assert.equal(proxy.connections, 1);
  });
});

describe("listen v1 by REST", () => {
  test("transcribes a file", async () => {
    const answer = (await clientOf().listen.v1.media.transcribeFile(sampleFile("question"), {
      model: "nova-3",
      smart_format: true,
    } as never)) as unknown as {
      metadata: { duration: number; channels: number; sha256: string };
      results: { channels: readonly { alternatives: readonly { transcript: string; words: readonly unknown[] }[] }[] };
    };
    const said = answer.results.channels[0]!.alternatives[0]!;
    assert.equal(said.transcript.toLowerCase().replace(/[.,?!]/g, ""), expectedText("question"));
    assert.equal(said.words.length, expectedText("question").split(" ").length);
    assert.equal(answer.metadata.channels, 1);
    assert.ok(Math.abs(answer.metadata.duration - samplePcm("question").length / 16_000) < 0.01);
    assert.match(answer.metadata.sha256, /^[0-9a-f]{64}$/);
  });
});

describe("listen v2", { concurrency: true }, () => {
  interface Turn extends Message {
    readonly event: string;
    readonly turn_index: number;
    readonly transcript: string;
    readonly sequence_id: number;
  }

  async function flux(
    query: Record<string, unknown>,
    audio: readonly Int16Array[],
  ): Promise<{ messages: Message[]; turns: Turn[] }> {
    const socket = await clientOf().listen.v2.connect({ model: "flux-general-en", ...LINEAR, ...query } as never);
    const messages: Message[] = [];
    socket.on("message", (message) => messages.push(message as unknown as Message));
    const closed = new Promise<number>((resolve) => socket.on("close", (event) => resolve(event.code)));
    socket.connect();
    await socket.waitForOpen();
    for (const chunk of audio) socket.sendMedia(chunk);
    socket.sendCloseStream({ type: "CloseStream" });
    assert.equal(await closed, 1000);
    return { messages, turns: messages.filter((one): one is Turn => one.type === "TurnInfo") };
  }

  /** Rules 1 to 6 of the protocol's state machine. */
  function check(messages: readonly Message[], turns: readonly Turn[]): void {
    assert.deepEqual(messages[0]!.type, "Connected");
    assert.deepEqual(
      messages.map((one) => one.sequence_id),
      messages.map((_, at) => at),
    );
    let open: number | undefined;
    let eager: string | undefined;
    let next = 0;
    for (const { event, turn_index, transcript } of turns) {
      assert.equal(turn_index, next, event);
      if (event === "StartOfTurn") {
        assert.equal(open, undefined, "a turn starts once");
        open = turn_index;
      } else if (event === "EagerEndOfTurn") {
        assert.equal(open, turn_index);
        assert.notEqual(transcript, "");
        eager = transcript;
      } else if (event === "TurnResumed") {
        assert.notEqual(eager, undefined, "only an eager end is taken back");
        eager = undefined;
      } else if (event === "EndOfTurn") {
        assert.equal(open, turn_index);
        if (eager !== undefined) assert.equal(transcript, eager);
        open = undefined;
        eager = undefined;
        next += 1;
      }
    }
    assert.equal(open, undefined, "every turn ended");
  }

  const two = [...chunks("question", 80), ...chunks("timer", 80)];

  test("two requests are two turns", async () => {
    const { messages, turns } = await flux({}, two);
    check(messages, turns);
    const ends = turns
      .filter(({ event }) => event === "EndOfTurn")
      .map(({ transcript }) => transcript.toLowerCase().replace(/[.,?!]/g, ""));
    assert.deepEqual(ends, [expectedText("question"), expectedText("timer")]);
    assert.ok(!turns.some(({ event }) => event === "EagerEndOfTurn"), "no threshold, no eager end");
  });

  test("with eager_eot_threshold each end is announced", async () => {
    const { messages, turns } = await flux(
      { eager_eot_threshold: 0.4, eot_threshold: 0.8, eot_timeout_ms: 3_000 },
      two,
    );
    check(messages, turns);
    assert.ok(turns.filter(({ event }) => event === "EagerEndOfTurn").length >= 2);
  });
});

describe("speak", { concurrency: true }, () => {
  const TEXT = "The kitchen lights are on.";

  async function bytesOf(blob: unknown): Promise<Uint8Array> {
    return blob instanceof Blob ? new Uint8Array(await blob.arrayBuffer()) : new Uint8Array(blob as ArrayBuffer);
  }

  for (const [encoding, rate, width] of [
    ["linear16", 24_000, 2],
    ["linear16", 8_000, 2],
    ["mulaw", 8_000, 1],
  ] as const) {
    test(`${encoding} at ${rate} Hz by socket is as long as by REST, one Flushed at its end, closed with 1000`, async () => {
      const socket = await clientOf().speak.v1.connect({
        model: "aura-2-thalia-en",
        encoding,
        sample_rate: rate,
      } as never);
      const heard: (string | Uint8Array | Promise<Uint8Array>)[] = [];
      let onFlushed = (): void => {};
      const flushed = new Promise<void>((resolve) => (onFlushed = resolve));
      socket.on("message", (message) => {
        const { type } = message as unknown as Message;
        if (typeof type === "string" && !(message instanceof Blob)) {
          heard.push(type);
          if (type === "Flushed") onFlushed();
        } else heard.push(bytesOf(message));
      });
      const closed = new Promise<number>((resolve) => socket.on("close", (event) => resolve(event.code)));
      socket.connect();
      await socket.waitForOpen();
      socket.sendText({ type: "Speak", text: TEXT });
      socket.sendFlush({ type: "Flush" });
      await flushed;
      socket.sendClose({ type: "Close" });
      assert.equal(await closed, 1000);
      const all = await Promise.all(heard);
      assert.equal(all[0], "Metadata");
      assert.deepEqual(
        all.filter((one) => typeof one === "string"),
        ["Metadata", "Flushed"],
      );
      assert.equal(all.at(-1), "Flushed");
      const byteCount = all.reduce((sum, one) => sum + (typeof one === "string" ? 0 : one.byteLength), 0);
      const answer = await clientOf().speak.v1.audio.generate({
        text: TEXT,
        model: "aura-2-thalia-en",
        encoding,
        sample_rate: rate,
        container: "none",
      } as never);
      const whole = new Uint8Array(await new Response(answer.stream() as ReadableStream).arrayBuffer());
      assert.equal(byteCount, whole.byteLength);
      assert.ok(byteCount > rate * width, "more than a second of speech");
      if (encoding === "linear16") assert.ok(rms(new Int16Array(whole.buffer)) > 300);
    });
  }

  test("after Cleared no byte of the old text comes", async () => {
    const socket = await clientOf().speak.v1.connect({
      model: "aura-2-thalia-en",
      encoding: "linear16",
      sample_rate: 24_000,
    } as never);
    const order: string[] = [];
    let onChange = (): void => {};
    socket.on("message", (message) => {
      const { type } = message as unknown as Message;
      order.push(message instanceof Blob || typeof type !== "string" ? "audio" : type);
      onChange();
    });
    const until = async (word: string): Promise<void> => {
      while (!order.includes(word)) await new Promise<void>((resolve) => (onChange = resolve));
    };
    const closed = new Promise<number>((resolve) => socket.on("close", (event) => resolve(event.code)));
    socket.connect();
    await socket.waitForOpen();
    socket.sendText({ type: "Speak", text: `${TEXT} `.repeat(20) });
    socket.sendFlush({ type: "Flush" });
    await until("audio");
    socket.sendClear({ type: "Clear" });
    await until("Cleared");
    socket.sendClose({ type: "Close" });
    assert.equal(await closed, 1000);
    assert.ok(!order.slice(order.indexOf("Cleared")).includes("audio"), order.join(" "));
  });
});

describe("who may not", () => {
  test("a wrong key is refused with 401, by socket and by REST", async () => {
    await using guarded = await startServer({ keys: ["a-key-that-is-long-enough"] });
    const wrong = clientOf(guarded.url, "another-key-long-enough");
    await assert.rejects(
      listen(LINEAR, wrong).then((one) => one.closed),
      (error: { readonly message?: string }) => /401/.test(error.message ?? ""),
    );
    await assert.rejects(
      wrong.listen.v1.media.transcribeFile(sampleFile("time"), { model: "nova-3" } as never),
      (error: { statusCode?: number; body?: { err_code?: string } }) => {
        assert.equal(error.statusCode, 401);
        assert.ok(error.body?.err_code);
        return true;
      },
    );
    const right = clientOf(guarded.url, "a-key-that-is-long-enough");
    const listening = await listen(LINEAR, right);
    listening.closeStream();
    assert.equal(await listening.closed, 1000);
  });

  test("a call too many is refused with 503", async () => {
    await using small = await startServer({ maxCalls: 1 });
    const first = await listen(LINEAR, clientOf(small.url));
    await assert.rejects(
      clientOf(small.url).listen.v1.media.transcribeFile(
        sampleFile("time"),
        { model: "nova-3" } as never,
        { maxRetries: 0 } as never,
      ),
      (error: { statusCode?: number }) => error.statusCode === 503,
    );
    first.closeStream();
    await first.closed;
  });
});
