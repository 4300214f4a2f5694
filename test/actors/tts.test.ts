import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ttsActor } from "../../src/actors/tts.js";
import { seeded } from "../../src/base/prng.js";
import { frame, type MetaOf } from "../../src/frames/kinds.js";
import { type FakeTts, fakeTts } from "../support/fake-models.js";
import { type ActorRun, type RunOptions, runActor, type Step } from "../support/run-actor.js";
import { close, fence, interleave } from "../support/steps.js";

const REPLY = "Good day to you, my friend. This is the second sentence. And here comes the third one of them.";

function text(piece: string, contextId = 0, call = 0): Step {
  return { call, frame: frame("text", { contextId, text: piece }) };
}

function reply(what: "start" | "end", contextId = 0, call = 0): Step {
  const meta = { what, contextId, turnIndex: contextId };
  return { call, frame: frame("reply", what === "end" ? { ...meta, reason: "completed" } : meta) };
}

/** A reply in pieces of at most `size` characters. */
function spoken(whole: string, contextId = 0, call = 0, size = 7): Step[] {
  const pieces = whole.match(new RegExp(`.{1,${size}}`, "gs")) ?? [];
  return [
    reply("start", contextId, call),
    ...pieces.map((piece) => text(piece, contextId, call)),
    reply("end", contextId, call),
  ];
}

function say(steps: readonly Step[], run: RunOptions = {}, options = {}): Promise<ActorRun> {
  return runActor(ttsActor, options, steps, { model: fakeTts(), ...run });
}

/** Kinds in order, runs of audio as one. */
function kinds(run: ActorRun, call = 0): string[] {
  const found: string[] = [];
  for (const { kind, meta } of run.emitted.filter((emitted) => emitted.call === call)) {
    const line = kind === "reply" ? `reply ${(meta as MetaOf<"reply">).what}` : kind;
    if (line !== "audio.out" || found.at(-1) !== line) found.push(line);
  }
  return found;
}

function samples(run: ActorRun, contextId: number, call = 0): number[] {
  return run
    .of("audio.out", call)
    .filter(({ meta }) => meta.contextId === contextId)
    .flatMap(({ pcm }) => pcm);
}

describe("tts", () => {
  test("speaks clause by clause, each behind its alignment, and ends the reply behind the last sample", async () => {
    const run = await say([...spoken(REPLY), close()]);
    assert.deepEqual(kinds(run), [
      "reply start",
      ...["alignment", "audio.out", "alignment", "audio.out", "alignment", "audio.out", "alignment", "audio.out"],
      "reply end",
      "close",
    ]);
  });

  test("audio of a context is contiguous, in frames of at most 100 ms, and words lie inside of it", async () => {
    for (const rateHz of [16_000, 22_050]) {
      const run = await say([...spoken(REPLY), ...spoken("Something else entirely.", 1)], {
        model: fakeTts({ rateHz }),
      });
      for (const contextId of [0, 1]) {
        let position = 0;
        for (const found of run.of("audio.out").filter(({ meta }) => meta.contextId === contextId)) {
          assert.equal(found.position, position);
          assert.equal(found.meta.rateHz, rateHz);
          assert.ok(found.pcm.length <= rateHz / 10 && found.pcm.length >= rateHz / 50);
          position += found.pcm.length;
        }
        const spans = run
          .of("alignment")
          .filter(({ meta }) => meta.contextId === contextId)
          .flatMap(({ meta }) => meta.spans);
        assert.ok(spans.every((span) => span.startSample < span.endSample && span.endSample <= position));
        const starts = spans.map((span) => span.startSample);
        assert.deepEqual(
          starts,
          starts.toSorted((a, b) => a - b),
        );
      }
      const words = run
        .of("alignment")
        .filter(({ meta }) => meta.contextId === 0)
        .flatMap(({ meta }) => meta.spans);
      assert.equal(words.map((span) => span.text).join(" "), REPLY);
    }
  });

  test("a model that does not know its words has each clause aligned as a whole", async () => {
    const run = await say(spoken(REPLY), { model: fakeTts({ words: false }) });
    const [first] = run.of("alignment");
    assert.equal(first!.meta.unit, "clause");
    assert.equal(first!.meta.spans.length, 1);
    assert.equal(first!.meta.spans[0]!.endSample, first!.meta.spans[0]!.text.length * 160);
  });

  test("the first clause is spoken before the reply is complete", async () => {
    const model = fakeTts();
    await say([reply("start"), text("Good day to you, my friend. And")], { model });
    assert.deepEqual(model.spoken, ["Good day to you,", "my friend."]);
  });

  test("opening clauses of all calls come first, then the calls take turns", async () => {
    const model = fakeTts();
    const texts = ["a", "b", "c"].map(
      (name) => `Opening ${name} is this. Second ${name} is this. Third ${name} is this.`,
    );
    await say(
      texts.flatMap((whole, call) => spoken(whole, 0, call, 1_000)),
      { model, calls: 3 },
    );
    assert.deepEqual(
      model.spoken.map((clause) => clause.split(" ").slice(0, 2).join(" ")),
      ["Opening", "Second", "Third"].flatMap((which) => ["a", "b", "c"].map((name) => `${which} ${name}`)),
    );
  });

  test("a clause's audio is published before the next clause is spoken", async () => {
    const run = await say([...spoken(REPLY, 0, 0, 1_000), close()]);
    const ends = run.emitted.flatMap(({ kind }, index) => {
      return kind === "audio.out" && run.emitted[index + 1]?.kind !== "audio.out" ? [index + 1] : [];
    });
    assert.equal(ends.length, 4);
    assert.deepEqual(run.published, ends);
  });

  test("a voice that streams is heard while it speaks, the same samples, and its alignment comes behind them", async () => {
    const steps = [...spoken(REPLY, 0, 0, 1_000), close()];
    const run = await say(steps, { model: fakeTts({ isStreaming: true }) });
    const whole = await say(steps);
    assert.deepEqual(samples(run, 0), samples(whole, 0));
    assert.deepEqual(run.of("alignment"), whole.of("alignment"));
    assert.deepEqual(kinds(run).slice(1, 5), ["audio.out", "alignment", "audio.out", "alignment"]);
    const positions = run.of("audio.out").map(({ position, pcm }) => [position, position + pcm.length] as const);
    for (const [at, [start]] of positions.entries()) assert.equal(start, at === 0 ? 0 : positions[at - 1]![1]);
    assert.equal(run.published[0], 2, "the reply's start and the first piece");
    const broken = await say(spoken("It works. FAIL now. It goes on."), { model: fakeTts({ isStreaming: true }) });
    assert.equal(broken.of("error").length, 1);
  });

  test("clauses of one turn are spoken together where the model takes a batch, and sound as one by one", async () => {
    const parts = [0, 1, 2, 3, 4].map((call) => [...spoken(REPLY, 0, call, 500), close(call)]);
    const [begin, end] = [parts.map((steps) => steps.slice(0, -1)), parts.map((steps) => steps.slice(-1))];
    const steps = [...begin.flat(), ...end.flat()];
    const model = fakeTts({ batchMax: 3 });
    const together = await say(steps, { model, calls: 5 });
    assert.deepEqual(new Set(model.batchSizes), new Set([2, 3]), "five calls in turns of three and two");
    const alone = await say(steps, { calls: 5 });
    for (let call = 0; call < 5; call++) {
      assert.deepEqual(samples(together, 0, call), samples(alone, 0, call));
      assert.deepEqual(kinds(together, call), kinds(alone, call));
      assert.deepEqual(together.of("alignment", call), alone.of("alignment", call));
    }
  });

  test("a clause that fails in a batch is its own call's error", async () => {
    const model = fakeTts({ batchMax: 4 });
    const texts = ["It works.", "FAIL, it does.", "This too."];
    const parts = texts.map((whole, call) => spoken(whole, 0, call, 500));
    const run = await say([...parts.flat(), ...texts.map((_, call) => close(call))], { model, calls: 3 });
    assert.ok(model.batchSizes.includes(3));
    assert.deepEqual(
      texts.map((_, call) => run.of("error", call).map(({ meta }) => meta.code)),
      [[], ["TTS_FAILED"], []],
    );
    assert.ok(samples(run, 0, 0).length > 0 && samples(run, 0, 1).length === 0 && samples(run, 0, 2).length > 0);
  });

  test("an opening clause overtakes the later clauses of replies that are being heard", async () => {
    const model = fakeTts();
    const steps = [
      ...spoken("Opening a is this. Second a is this. Third a is this.", 0, 0, 1_000).slice(0, 2),
      { act: () => {} },
      text(" Fourth a is this. Fifth a is this.", 0, 0),
      ...spoken("Opening b is this. Second b is this.", 0, 1, 1_000),
    ];
    await say(steps, { model, calls: 2 });
    assert.deepEqual(
      model.spoken.map((clause) => clause.split(" ").slice(0, 2).join(" ")),
      ["Opening a", "Second a", "Opening b", "Third a", "Second b", "Fourth a"],
    );
  });

  test("text without a reply around it is spoken up to a fence, or to the close", async () => {
    const run = await say([text("Mind the gap"), fence("a"), text(" and the doors"), close()]);
    assert.deepEqual(kinds(run), ["alignment", "audio.out", "fence", "alignment", "audio.out", "close"]);
    assert.equal(samples(run, 0).length, ("Mind the gap".length + "and the doors".length) * 160, "one context goes on");
  });

  test("an interruption drops what was not spoken, and the next reply begins at position 0", async () => {
    const model = fakeTts();
    const run = await say(
      [
        reply("start"),
        text("Good day to you, my friend. And this is never"),
        { act: (call) => call.interrupt("client") },
        ...spoken("New words.", 1),
      ],
      { model },
    );
    assert.deepEqual(model.spoken, ["Good day to you,", "my friend.", "New words."]);
    assert.equal(run.of("audio.out").find(({ meta }) => meta.contextId === 1)!.position, 0);
  });

  test("an interruption in the middle of a batch stops the speaking after the present step", async () => {
    const inner = fakeTts();
    let run: ActorRun | undefined;
    const model: FakeTts = {
      ...inner,
      async speak(request, emit) {
        if (inner.spoken.length === 1) run!.calls[0]!.interrupt("client");
        return inner.speak(request, emit);
      },
    };
    const { ActorRun: Run } = await import("../support/run-actor.js");
    run = new Run(ttsActor, {}, { model });
    await run.start();
    await run.play(spoken(REPLY, 0, 0, 1_000));
    assert.equal(inner.spoken.length, 2, "the second clause was under way, no third began");
    assert.equal(run.of("alignment").length, 1);
  });

  test("a clause that cannot be spoken is an error, and the reply goes on", async () => {
    const run = await say(spoken("Good morning to you all. FAIL this one. But this is fine."));
    assert.equal(run.of("error")[0]!.meta.code, "TTS_FAILED");
    assert.equal(run.of("error")[0]!.meta.fatal, false);
    assert.equal(run.of("alignment").length, 2);
    assert.equal(run.of("reply").at(-1)!.meta.reason, "completed");
  });

  test("a reply of which nothing could be spoken has failed", async () => {
    const run = await say([...spoken("FAIL."), ...spoken("Fine again.", 1)]);
    assert.deepEqual(
      run.of("reply").map(({ meta }) => meta.reason),
      [undefined, "failed", undefined, "completed"],
    );
  });

  test("sounds the same however text is cut into pieces and batches, wherever the worker dies", async () => {
    const scripts = [0, 1].map((call) => [
      ...spoken(REPLY, 0, call),
      ...spoken(`Call ${call} speaks once more.`, 1, call),
    ]);
    const whole = await say(scripts.flat(), { calls: 2 });
    for (let seed = 1; seed <= 8; seed++) {
      const size = 1 + (seed % 5) * 3;
      const cut = [0, 1].map((call) => [
        ...spoken(REPLY, 0, call, size),
        ...spoken(`Call ${call} speaks once more.`, 1, call, size),
        close(call),
      ]);
      const run = await say(interleave(seeded(seed), cut), {
        calls: 2,
        seed,
        batchMax: 5,
        killAfter: 0.2,
        killDuring: 0.2,
      });
      for (const call of [0, 1]) {
        for (const contextId of [0, 1])
          assert.deepEqual(samples(run, contextId, call), samples(whole, contextId, call));
        assert.deepEqual(kinds(run, call), [...kinds(whole, call), "close"]);
      }
    }
  });

  test("voice and speed come from the call before the node", async () => {
    const low = await say(spoken("Hello there."), {}, { voice: "low" });
    const high = await say(spoken("Hello there."), { callOptions: { voice: "high" } }, { voice: "low" });
    assert.notDeepEqual(samples(high, 0), samples(low, 0));
  });
});
