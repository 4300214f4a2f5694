import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { agentActor } from "../../src/actors/agent.js";
import { WAITING_MAX } from "../../src/actors/agent-call.js";
import { AgentHistory } from "../../src/actors/agent-history.js";
import { frame, type MetaOf } from "../../src/frames/kinds.js";
import { ActorRun, type RunOptions, runActor, type Step } from "../support/run-actor.js";
import { close, fence } from "../support/steps.js";

function said(text: string, call = 0): Step {
  const words: MetaOf<"transcript.final">["words"] = [];
  const meta = { segmentId: 0, turnIndex: 0, text, words, stableChars: 0, startSample: 0, endSample: 1, confidence: 1 };
  return { call, frame: frame("transcript.final", meta) };
}

function turnEnd(turnIndex: number, call = 0): Step {
  const meta = { what: "end", turnIndex, atSample: 0, confidence: 1, trigger: "timeout" } as const;
  return { call, frame: frame("turn", meta) };
}

function asks(index: number, text: string, { answer = true, turnIndex = -1 } = {}): Step {
  return { frame: frame("ask", { id: `q${index}`, index, text, wantsAnswer: answer, turnIndex }) };
}

function interrupted(contextId: number, spokenText: string): Step {
  return { frame: frame("interrupt", { reason: "speech", contextId, playedMs: 0, spokenText }) };
}

const bump: Step = { act: (call) => call.interrupt("client") };

/** Texts joined per context, everything else as a line. */
function story(run: ActorRun, call = 0): string[] {
  const lines: string[] = [];
  for (const { kind, meta } of run.emitted.filter((found) => found.call === call)) {
    if (kind === "text") {
      const { contextId, text } = meta as MetaOf<"text">;
      const last = lines.at(-1);
      if (last?.startsWith(`${contextId}: `)) lines[lines.length - 1] = last + text;
      else lines.push(`${contextId}: ${text}`);
    } else if (kind === "reply") {
      const { what, contextId, turnIndex, reason, askId } = meta as MetaOf<"reply">;
      const asked = askId === undefined ? "" : ` for ${askId}`;
      lines.push(`${what} ${contextId} of turn ${turnIndex}${asked}${reason === undefined ? "" : ` ${reason}`}`);
    } else lines.push(kind === "fence" ? `fence ${(meta as MetaOf<"fence">).id}` : kind);
  }
  return lines;
}

const plays = (steps: readonly Step[], options: unknown = {}, run: RunOptions = {}): Promise<ActorRun> =>
  runActor(agentActor, options, steps, run);

describe("agent", () => {
  test("answers a turn with what was said in it, as a reply of its own context", async () => {
    const run = await plays([said("hello"), said("there"), turnEnd(0), said("again"), turnEnd(1), close()]);
    assert.deepEqual(story(run), [
      "start 0 of turn 0",
      "0: You said: hello there.",
      "end 0 of turn 0 completed",
      "start 1 of turn 1",
      "1: You said: again.",
      "end 1 of turn 1 completed",
      "close",
    ]);
    assert.ok(run.of("text").length > 4, "in pieces");
  });

  test("a turn without words has an empty reply, so that nobody waits for one", async () => {
    const run = await plays([turnEnd(0)]);
    assert.deepEqual(story(run), ["start 0 of turn 0", "end 0 of turn 0 empty"]);
  });

  test("fences and the close leave behind the answer that was begun before them", async () => {
    const steps = [fence("a"), said("one"), turnEnd(0), fence("b"), said("two"), turnEnd(1), fence("c"), close()];
    const run = await plays(steps);
    assert.deepEqual(story(run), [
      "fence a",
      "start 0 of turn 0",
      "0: You said: one.",
      "end 0 of turn 0 completed",
      "fence b",
      "start 1 of turn 1",
      "1: You said: two.",
      "end 1 of turn 1 completed",
      "fence c",
      "close",
    ]);
    assert.equal(run.emittedAfterClose, 0);
  });

  test("eager ends and starts of turns are not answered", async () => {
    const meta = { turnIndex: 0, atSample: 0, confidence: 1, trigger: "model" } as const;
    const run = await plays([
      said("hm"),
      { frame: frame("turn", { ...meta, what: "eager_end" }) },
      { frame: frame("turn", { ...meta, what: "start" }) },
    ]);
    assert.deepEqual(story(run), []);
  });

  test("a greeting is context 0 of turn -1, said once, even if the worker dies", async () => {
    const run = await plays([said("hi"), turnEnd(0)], { greeting: "Good day." }, { batchMax: 1, killAfter: 1 });
    assert.deepEqual(story(run), [
      "start 0 of turn -1",
      "0: Good day.",
      "end 0 of turn -1 completed",
      "start 1 of turn 0",
      "1: You said: hi.",
      "end 1 of turn 0 completed",
    ]);
    assert.deepEqual(run.calls[0]!.markedTurns, [-1]);
  });

  test("a turn that was interrupted before it was answered belongs to the next question", async () => {
    const stale: Step = { ...turnEnd(0) };
    const run = new ActorRun(agentActor, {});
    await run.start();
    await run.play([said("I would like"), { act: (call) => call.interrupt("speech") }]);
    // The turn's end was written before the interruption.
    const [call] = run.calls;
    const old = call!.generation() - 1;
    const now = call!.generation.bind(call);
    call!.generation = () => old;
    await run.play([stale]);
    call!.generation = now;
    assert.deepEqual(story(run), []);
    await run.play([said("a pizza"), turnEnd(1)]);
    assert.deepEqual(story(run)[1], "0: You said: I would like a pizza.");
  });

  test("the history keeps of an answer what was heard before it was cut off", () => {
    const history = new AgentHistory(1_000);
    history.asked("one");
    history.answering(0, 5);
    history.answered(0, "A long answer that nobody hears out.");
    history.answering(1, 5);
    history.answered(1, "And another.");
    history.heard(0, "A long", (generation) => generation < 6);
    history.asked("two");
    history.answering(2, 6);
    history.answered(2, "New.");
    history.heard(0, "A long", (generation) => generation < 6);
    assert.deepEqual(history.messages("Be kind."), [
      { role: "system", content: "Be kind." },
      { role: "user", content: "one" },
      { role: "assistant", content: "A long" },
      { role: "user", content: "two" },
      { role: "assistant", content: "New." },
    ]);
    history.heard(-1, "", () => true);
    assert.equal(history.messages(undefined).at(-1)!.content, "New.", "nothing was playing: nothing is taken back");
  });

  test("an answer of which nothing was heard leaves its question open", () => {
    const history = new AgentHistory(1_000);
    history.asked("one");
    history.answering(0, 5);
    history.answered(0, "Nobody hears this.");
    history.heard(0, "", () => true);
    history.asked("two");
    assert.deepEqual(history.messages(undefined), [{ role: "user", content: "one two" }]);
  });

  test("the history forgets its oldest entries first and never its last", () => {
    const history = new AgentHistory(500);
    for (let index = 0; index < 50; index++) history.asked(`question ${index}`);
    assert.ok(history.entries().length < 7);
    assert.equal(history.entries().at(-1)!.content, "question 49");
    history.asked("x".repeat(10_000));
    assert.equal(history.entries().length, 1);
  });

  test("what was heard of an interrupted answer is what the model sees next", async () => {
    const run = await plays([said("one"), turnEnd(0), bump, interrupted(0, "You"), said("two"), turnEnd(1)]);
    assert.deepEqual(story(run).slice(-2), ["1: You said: two.", "end 1 of turn 1 completed"]);
    const silent = await plays([said("one"), turnEnd(0), bump, interrupted(0, ""), said("two"), turnEnd(1)]);
    assert.equal(story(silent).at(-2), "1: You said: one two.");
  });

  test("goes on after the worker's death with the same history, in the next context", async () => {
    const steps = [said("one"), turnEnd(0), bump, interrupted(0, ""), said("two"), turnEnd(1), fence("a"), close()];
    const whole = story(await plays(steps));
    for (let seed = 1; seed <= 6; seed++) {
      const run = await plays(steps, {}, { seed, batchMax: 2, killAfter: 0.5 });
      assert.deepEqual(story(run), whole, `seed ${seed}`);
    }
  });

  test("a question in writing is answered under its own id, in its place in the line", async () => {
    const run = await plays([said("one"), turnEnd(0), asks(0, "Two?", { turnIndex: 0 }), said("three"), turnEnd(1)]);
    assert.deepEqual(story(run), [
      "start 0 of turn 0",
      "0: You said: one.",
      "end 0 of turn 0 completed",
      "start 1 of turn 0 for q0",
      "1: You said: Two?.",
      "end 1 of turn 0 for q0 completed",
      "start 2 of turn 1",
      "2: You said: three.",
      "end 2 of turn 1 completed",
    ]);
  });

  test("a text that wants no answer is part of the next question", async () => {
    const run = await plays([asks(0, "My name is Ada.", { answer: false }), asks(1, "Who am I?")]);
    assert.deepEqual(story(run), [
      "start 0 of turn -1 for q1",
      "0: You said: My name is Ada. Who am I?.",
      "end 0 of turn -1 for q1 completed",
    ]);
  });

  test("a question in writing that comes again is answered once, whenever the worker dies", async () => {
    const steps = [asks(0, "One."), asks(0, "One."), asks(1, "Two."), asks(0, "One."), fence("a"), close()];
    const whole = story(await plays(steps));
    assert.equal(whole.filter((line) => line.startsWith("start")).length, 2);
    for (let seed = 1; seed <= 6; seed++) {
      const run = await plays(steps, {}, { seed, batchMax: 2, killAfter: 0.5 });
      assert.deepEqual(story(run), whole, `seed ${seed}`);
    }
  });

  test("questions in writing that wait are bounded, and those beyond are refused", async () => {
    const steps = Array.from({ length: WAITING_MAX + 3 }, (_, index) => asks(index, "x"));
    const run = await plays(steps);
    // The first is being answered, so it waits no more.
    assert.equal(run.of("error").length, 2);
    assert.equal(run.of("error")[0]!.meta.code, "CALL_ASK_REFUSED");
    assert.equal(story(run).filter((line) => line.startsWith("end")).length, WAITING_MAX + 1);
  });

  test("a call's own system prompt is checked like the node's", () => {
    assert.equal(agentActor.callOptions!.safeParse({ systemPrompt: "Be brief." }).success, true);
    assert.equal(agentActor.callOptions!.safeParse({ model: "other" }).success, false);
    assert.equal(agentActor.options.safeParse({ llm: { kind: "nothing" } }).success, false);
  });
});
