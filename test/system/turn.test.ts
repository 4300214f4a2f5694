import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { rmsDbfs } from "../../src/audio/pcm.js";
import { packageRoot } from "../../src/base/package-root.js";
import { joinAudio } from "../../src/cli/collect.js";
import type { AudioEvent, CallEvent, InterruptedEvent, ReceiptEvent, ReplyEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { startServer } from "../../src/transport/server.js";
import { LlmStub, says } from "../support/llm-stub.js";
import { eventsUntil } from "../support/runtimes.js";
import { finalsOf, hear, joined, RawClient, readSample, silence, TIMER_TEXT } from "../support/system.js";

const SAMPLES: Readonly<Record<string, string>> = {
  "question.wav": "what is the weather like tomorrow",
  "time.wav": "what time is it",
  "timer.wav": TIMER_TEXT,
  "lights.wav": "turn on the kitchen lights",
};

const isReplyEnd = (event: CallEvent): boolean => event.type === "reply" && event.what === "end";
const textOf = (events: readonly CallEvent[]): string =>
  events.map((event) => (event.type === "text" ? event.text : "")).join("");
const audioOf = (events: readonly CallEvent[]): AudioEvent[] => events.filter((event) => event.type === "audio");
const receiptsOf = (events: readonly CallEvent[]): ReceiptEvent[] => events.filter((event) => event.type === "receipt");

const sounds = new Map<string, Int16Array>();

before(async () => {
  for (const name of Object.keys(SAMPLES)) sounds.set(name, await readSample(name));
});

async function turn(call: Call, name: string): Promise<CallEvent[]> {
  call.write(sounds.get(name)!);
  return eventsUntil(call, isReplyEnd);
}

/** The stages sum to the whole, nothing is negative, and what follows from something does not come before it. */
function assertReceipt({ totalMs, stages, milestones }: ReceiptEvent): void {
  let sumMs = 0;
  for (const { stage, queueMs, batchWaitMs, computeMs, waitMs } of stages) {
    for (const partMs of [queueMs, batchWaitMs, computeMs, waitMs]) assert.ok(partMs >= 0, `${stage}: ${partMs}`);
    sumMs += queueMs + batchWaitMs + computeMs + waitMs;
  }
  assert.ok(Math.abs(sumMs - totalMs) < 1, `stages sum to ${sumMs}, the whole is ${totalMs}`);
  const { vadStopMs, turnEndMs, sttFinalMs, firstTokenMs, firstTextMs, firstPcmMs, firstByteSentMs } = milestones;
  // A reply that was heard has had every milestone.
  if (firstByteSentMs !== undefined) assert.equal(Object.keys(milestones).length, 7, JSON.stringify(milestones));
  const chains = [
    [0, vadStopMs, turnEndMs, firstTokenMs, firstTextMs, firstPcmMs, firstByteSentMs, totalMs],
    [vadStopMs, sttFinalMs, firstTokenMs],
  ];
  for (const chain of chains) {
    const known = chain.filter((ms) => ms !== undefined);
    for (let i = 1; i < known.length; i++) assert.ok(known[i]! >= known[i - 1]!, JSON.stringify(milestones));
  }
}

describe("a spoken turn through configs/assistant.yaml", { timeout: 60_000 }, () => {
  let runtime: RuntimeImpl;
  let ears: RuntimeImpl;

  before(async () => {
    const configs = join(packageRoot(), "configs");
    runtime = await createRuntime(join(configs, "assistant.yaml"), { logLevel: "silent", admission: "off" });
    ears = await createRuntime(join(configs, "transcribe.yaml"), { logLevel: "silent", admission: "off" });
  });
  after(() => Promise.all([runtime.drain(), ears.drain()]));

  for (const [name, said] of Object.entries(SAMPLES)) {
    test(`${name} is understood, answered in text and sound, and accounted for`, async () => {
      const call = await runtime.open("assistant", { outputRateHz: 16_000 });
      const events = await turn(call, name);
      await call.close();
      assert.equal(finalsOf(events), said);
      assert.equal(textOf(events), `You said: ${said}.`);
      const audio = audioOf(events);
      const { pcm, rateHz } = joinAudio(audio);
      assert.equal(rateHz, 16_000);
      assert.ok(pcm.length > rateHz / 2, `${pcm.length} samples`);
      const level = rmsDbfs(pcm);
      assert.ok(level > -35 && level < -8, `${level} dB`);
      let at = 0;
      for (const { contextId, offsetSamples, pcm: piece } of audio) {
        assert.equal(contextId, 0);
        assert.equal(offsetSamples, at, "audio is contiguous");
        at += piece.length;
      }
      const receipts = receiptsOf(events);
      assert.equal(receipts.length, 1);
      assertReceipt(receipts[0]!);
      assert.deepEqual(
        receipts[0]!.stages.map(({ stage }) => stage),
        ["endpointing", "vad", "turn", "stt", "agent", "tts", "egress"],
      );
      const heard = finalsOf(await hear(await ears.open("transcribe"), joined(pcm, silence(500))));
      assert.match(heard, new RegExp(said.split(" ").slice(-2).join(" ")), `the answer sounds like: ${heard}`);
    });
  }

  test("events come in the order in which a turn happens", async () => {
    const call = await runtime.open("assistant");
    const events = await turn(call, "time.wav");
    await call.close();
    const firsts = new Map<string, number>();
    events.forEach((event, index) => {
      const detail =
        "what" in event ? ` ${event.what}` : event.type === "transcript" ? (event.final ? " final" : " partial") : "";
      const key = `${event.type}${detail}`;
      if (!firsts.has(key)) firsts.set(key, index);
    });
    // Each chain is the work of one worker after another; between chains, the faster one is told first.
    const chains = [
      ["vad start", "vad stop", "turn end", "reply start"],
      ["turn start", "turn end"],
      ["transcript partial", "transcript final", "reply start"],
      ["reply start", "text", "audio", "receipt", "reply end"],
      ["alignment", "audio"],
    ];
    for (const chain of chains) {
      assert.deepEqual(
        chain.filter((key) => !firsts.has(key)),
        [],
      );
      const sorted = [...chain].sort((a, b) => firsts.get(a)! - firsts.get(b)!);
      assert.deepEqual(sorted, chain);
    }
  });

  test("every receipt of many turns of many calls at once adds up", async () => {
    const names = Object.keys(SAMPLES);
    const turnsPerCall = 4;
    const receipts: ReceiptEvent[] = [];
    const talk = async (index: number): Promise<void> => {
      const call = await runtime.open("assistant");
      for (let count = 0; count < turnsPerCall; count++) {
        const name = names[(index + count) % names.length]!;
        const events = await turn(call, name);
        assert.equal(textOf(events), `You said: ${SAMPLES[name]}.`, "calls do not mix");
        assert.equal(finalsOf(events), SAMPLES[name]);
        receipts.push(...receiptsOf(events));
        assert.equal(receipts.at(-1)!.turnIndex, count);
        // Heard to the end: the next question interrupts nothing.
        call.playback(count, 60_000);
      }
      await call.close();
    };
    await Promise.all(Array.from({ length: 6 }, (_, index) => talk(index)));
    assert.equal(receipts.length, 6 * turnsPerCall);
    for (const receipt of receipts) assertReceipt(receipt);
  });

  test("the same words are answered with the same samples, alone or beside others", async () => {
    const sound = async (name: string): Promise<string> => {
      const call = await runtime.open("assistant");
      const { pcm } = joinAudio(audioOf(await turn(call, name)));
      await call.close();
      return Buffer.from(pcm.buffer).toString("base64");
    };
    const names = Object.keys(SAMPLES);
    const together = await Promise.all([...names, ...names].map(sound));
    for (const [index, name] of names.entries()) {
      const alone = await sound(name);
      assert.ok(alone === together[index] && alone === together[index + names.length], name);
    }
    assert.equal(new Set(together).size, names.length);
  });

  test("over the socket, no audio of a reply comes after `interrupted`", async () => {
    const server = await startServer(runtime, { port: 0, limits: { paceBurstMs: 60_000 } });
    const client = await RawClient.connect(server.url, "graph=assistant");
    client.pcm(sounds.get("question.wav")!);
    await client.untilType("audio.start");
    client.json({ type: "interrupt" });
    const interrupted = await client.untilType("interrupted");
    const at = client.messages.indexOf(interrupted);
    const bytesThen = client.audioBytes;
    client.pcm(sounds.get("time.wav")!);
    await client.until(() => client.messages.slice(at).some(({ type }) => type === "audio.start"));
    const later = client.messages.slice(at + 1);
    const start = later.findIndex(({ type }) => type === "audio.start");
    assert.equal(later[start]!.contextId, 1);
    assert.deepEqual(
      later.slice(0, start).filter(({ type, contextId }) => ["text", "alignment"].includes(type) && contextId === 0),
      [],
    );
    assert.equal(interrupted.reason, "client");
    // What is counted from here on belongs to the second reply, which was announced before its first byte.
    assert.ok(client.audioBytes >= bytesThen);
    await client.close();
    await server.close();
  });
});

const LONG_ANSWER = Array.from(
  { length: 12 },
  (_, index) => `Here comes sentence number ${index} of a long story.`,
).join(" ");

describe("barge-in", { timeout: 60_000 }, () => {
  let stub: LlmStub;
  let runtime: RuntimeImpl;

  before(async () => {
    stub = await LlmStub.start(says(LONG_ANSWER));
    const llm = { kind: "openai", baseUrl: stub.baseUrl, model: "stub" };
    runtime = await createRuntime(
      {
        version: 1,
        models: {
          vad: { family: "starter-vad" },
          ears: { family: "starter-ctc", device: "cpu" },
          voice: { family: "flite" },
        },
        graphs: {
          assistant: [
            { vad: { model: "vad" } },
            { turn: { endMs: 600 } },
            { stt: { model: "ears" } },
            { agent: { llm } },
            { tts: { model: "voice" } },
          ],
        },
      },
      { logLevel: "silent" },
    );
  });

  after(async () => {
    await runtime.drain();
    await stub.stop();
  });

  interface CutOff {
    readonly call: Call;
    /** Up to and including `interrupted`; and up to the end of the second reply. */
    readonly before: readonly CallEvent[];
    readonly later: readonly CallEvent[];
  }

  /** Asks, waits until two seconds of the answer were heard, cuts it off and asks again. */
  async function cutOff(cut: (call: Call) => void): Promise<CutOff> {
    stub.answer = says(LONG_ANSWER);
    const call = await runtime.open("assistant");
    call.write(sounds.get("question.wav")!);
    const before = await eventsUntil(call, (event) => event.type === "audio");
    call.playback(0, 2_000);
    stub.answer = says("Good.");
    cut(call);
    before.push(...(await eventsUntil(call, (event) => event.type === "interrupted")));
    const later = await eventsUntil(call, (event) => isReplyEnd(event) && (event as ReplyEvent).contextId === 1);
    return { call, before, later };
  }

  function assertCutOff({ before, later }: CutOff, reason: string): void {
    const interrupted = before.at(-1) as InterruptedEvent;
    assert.equal(interrupted.reason, reason);
    assert.equal(interrupted.contextId, 0);
    const stale = later.filter(
      (event) => ["audio", "text", "alignment"].includes(event.type) && (event as AudioEvent).contextId === 0,
    );
    assert.deepEqual(stale, []);
    // The voice may have been done long before its words were heard; the reply ends once all the same.
    const endsBefore = before.filter(isReplyEnd) as ReplyEvent[];
    const ends = [...endsBefore, ...later.filter(isReplyEnd)] as ReplyEvent[];
    const how = endsBefore.length === 1 ? "completed" : "interrupted";
    assert.deepEqual(
      ends.map(({ contextId, reason: why }) => [contextId, why]),
      [
        [0, how],
        [1, "completed"],
      ],
    );
    assert.equal(textOf(later), "Good.");
    const spoken = interrupted.spokenText;
    assert.ok(spoken.length > 10 && spoken.length < LONG_ANSWER.length / 2, spoken);
    assert.ok(LONG_ANSWER.startsWith(spoken), spoken);
    for (const receipt of receiptsOf(later)) assertReceipt(receipt);
    const { messages } = stub.requests.at(-1)!;
    assert.deepEqual(messages, [
      { role: "user", content: SAMPLES["question.wav"] },
      { role: "assistant", content: spoken },
      { role: "user", content: SAMPLES["time.wav"] },
    ]);
  }

  test("speech during the reply cuts it off, and the agent remembers only what was heard", async () => {
    const cut = await cutOff((open) => void open.write(sounds.get("time.wav")!));
    assertCutOff(cut, "speech");
    await cut.call.close();
  });

  test("`interrupt` by the client cuts it off the same way", async () => {
    const cut = await cutOff((open) => {
      open.interrupt();
      open.write(sounds.get("time.wav")!);
    });
    assertCutOff(cut, "client");
    await cut.call.close();
  });

  test("`interrupt` when nothing is said is acknowledged and harms nothing", async () => {
    stub.answer = says("Good.");
    const call = await runtime.open("assistant");
    call.interrupt();
    const events = await turn(call, "time.wav");
    assert.equal(events[0]!.type, "interrupted");
    assert.equal(textOf(events), "Good.");
    await call.close();
  });

  test("speech after the reply was heard interrupts nothing", async () => {
    stub.answer = says("Good.");
    const call = await runtime.open("assistant");
    await turn(call, "question.wav");
    call.playback(0, 60_000);
    const events = await turn(call, "time.wav");
    assert.ok(!events.some((event) => event.type === "interrupted"));
    await call.close();
  });

  test("a hundred interruptions in one call leave it whole", async () => {
    stub.answer = says("Good.");
    const call = await runtime.open("assistant");
    const question = sounds.get("time.wav")!;
    for (let count = 0; count < 100; count++) {
      call.write(question.subarray(count * 100, count * 100 + 100));
      call.interrupt();
    }
    call.write(silence(1_000));
    const events = await turn(call, "timer.wav");
    assert.ok(textOf(events).endsWith("Good."), textOf(events));
    await call.close();
  });

  test("leaves no slot taken", () => assert.equal(runtime.capacity().activeCalls, 0));
});
