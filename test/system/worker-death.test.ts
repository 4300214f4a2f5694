import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { loadConfig } from "../../src/config/load.js";
import type { CallEvent } from "../../src/frames/events.js";
import { importNamed } from "../../src/runtime/import-named.js";
import type { RuntimeImpl } from "../../src/runtime/runtime.js";
import { FAULTY_MODULE, type Sabotage, sabotaged } from "../support/faulty.js";
import { eventsUntil, startPlan } from "../support/runtimes.js";
import { finalsOf, joined, readSample, silence, TIMER_TEXT } from "../support/system.js";

const CONFIG = {
  version: 1,
  server: { log: { level: "silent" } },
  models: {
    vad: { family: "starter-vad" },
    ears: { family: "starter-ctc", device: "cpu" },
    voice: { family: "flite" },
  },
  graphs: {
    assistant: [
      { vad: { model: "vad" } },
      { turn: { endMs: 400 } },
      { stt: { model: "ears" } },
      {
        agent: { llm: { kind: "echo", template: "I heard this: {text}. Is that right? Then I shall do it at once." } },
      },
      "test-fuse",
      { tts: { model: "voice" } },
    ],
  },
};
const REPLY = `I heard this: ${TIMER_TEXT}. Is that right? Then I shall do it at once.`;

/** What a worker's death must not change: everything but wall time, kind by kind, as each comes from one node. */
interface Told {
  readonly transcripts: readonly CallEvent[];
  readonly speech: readonly CallEvent[];
  readonly turns: readonly CallEvent[];
  readonly text: string;
  readonly alignment: readonly unknown[];
  readonly audio: string;
}

function told(events: readonly CallEvent[]): Told {
  return {
    transcripts: events.filter(({ type }) => type === "transcript"),
    speech: events.filter(({ type }) => type === "vad"),
    turns: events.filter(({ type }) => type === "turn"),
    text: events.map((event) => (event.type === "text" ? event.text : "")).join(""),
    alignment: events.flatMap((event) => (event.type === "alignment" ? event.spans : [])),
    audio: Buffer.concat(
      events.flatMap((event) => (event.type === "audio" ? [Buffer.from(event.pcm.buffer.slice(0))] : [])),
    ).toString("base64"),
  };
}

describe("a worker with a real model that dies", { timeout: 90_000 }, () => {
  let runtime: RuntimeImpl;
  let sabotage: ReadonlyMap<string, Sabotage>;
  let question: Int16Array;
  let undisturbed: Told;

  before(async () => {
    await importNamed(CONFIG, {}, [FAULTY_MODULE]);
    const faulty = sabotaged(loadConfig(CONFIG, {}).plan, ["vad", "ears", "voice", "test-fuse"]);
    sabotage = faulty.sabotage;
    question = joined(await readSample("timer.wav"), silence(500));
    runtime = await startPlan(faulty.plan);
    undisturbed = told(await turn());
    assert.equal(undisturbed.text, REPLY);
    assert.equal(finalsOf(undisturbed.transcripts), TIMER_TEXT);
    assert.ok(undisturbed.transcripts.length >= 5, "partials were told too");
    assert.equal(restartCount(), 0);
  });
  after(() => runtime.drain());

  const restartCount = (): number => runtime.status().reduce((sum, { restarts }) => sum + restarts, 0);

  async function turn(): Promise<CallEvent[]> {
    const call = await runtime.open("assistant");
    for (let at = 0; at < question.length; at += 320) call.write(question.subarray(at, at + 320));
    const isLast = (event: CallEvent): boolean =>
      event.type === "reply" && event.what === "end" && event.reason !== "interrupted";
    const events = await eventsUntil(call, isLast);
    await call.close();
    return events;
  }

  async function disturbed(target: string, at: readonly number[]): Promise<CallEvent[]> {
    const restartsBefore = restartCount();
    const sabotaged = sabotage.get(target)!;
    sabotaged.arm(at);
    const events = await turn();
    assert.equal(sabotaged.faultCount, at.length, "it died as often as planned");
    assert.equal(restartCount() - restartsBefore, at.length);
    assert.deepEqual(
      events.filter(({ type }) => type === "error" || type === "gap"),
      [],
    );
    assert.equal(runtime.readiness().ready, true);
    return events;
  }

  const cases: readonly (readonly [what: string, target: string, at: readonly number[]])[] = [
    ["VAD at its first window", "vad", [1]],
    ["VAD in the middle of speech", "vad", [60]],
    ["VAD three times in one utterance", "vad", [40, 70, 100]],
    ["recogniser as the segment opens", "ears", [320]],
    ["recogniser in the middle of a word", "ears", [20_000]],
    ["recogniser three times in one utterance", "ears", [8_000, 16_000, 27_000]],
    ["voice at its first clause", "voice", [1]],
    ["voice between its clauses", "voice", [2]],
    ["voice twice in one reply", "voice", [1, 3]],
  ];
  for (const [what, target, at] of cases) {
    test(`${what} changes nothing of what is told: transcripts, partials, turns, text, word times and audio`, async () => {
      assert.deepEqual(told(await disturbed(target, at)), undisturbed);
    });
  }

  test("agent in the middle of an answer takes back what it said, says so and answers anew", async () => {
    const events = await disturbed("test-fuse", [4]);
    const at = events.findIndex((event) => event.type === "interrupted");
    assert.ok(at >= 0, "the restart is told");
    const interrupted = events[at]!;
    assert.equal(interrupted.type === "interrupted" && interrupted.reason, "restart");
    const { text, audio } = told(events.slice(at));
    assert.equal(text, REPLY);
    assert.ok(audio === undisturbed.audio, "the same samples");
    const { transcripts, speech, turns } = told(events);
    assert.deepEqual([transcripts, speech, turns], [undisturbed.transcripts, undisturbed.speech, undisturbed.turns]);
    const last = events.at(-1)!;
    assert.equal(last.type === "reply" && last.reason, "completed");
  });
});
