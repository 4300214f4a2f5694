/** A caller against a scripted server, on a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { type Answer, Caller, type CallerSpec } from "../../../src/cli/load/caller.js";
import type { LoadListener } from "../../../src/cli/load/driver.js";
import { FrameSchedule } from "../../../src/cli/load/frame-schedule.js";
import { measuresOf } from "../../../src/cli/load/measures.js";
import type { TurnTrace } from "../../../src/cli/load/trace.js";
import {
  FakeClock,
  type FakeScript,
  type FakeServer,
  fakeServer,
  reply,
  toneRecording,
} from "../../support/load-stage.js";

interface Stage {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly caller: Caller;
  readonly turns: TurnTrace[];
  readonly startMs: number;
  isDone: boolean;
}

const SPEECH_MS = 600;

async function stage(script: FakeScript, answer: Answer, more: Partial<CallerSpec> = {}): Promise<Stage> {
  const clock = new FakeClock();
  const server = fakeServer(clock, script);
  const schedule = new FrameSchedule(clock);
  const turns: TurnTrace[] = [];
  let hear: LoadListener = () => {};
  const call = await server.driver.open({ url: "" }, (event, atMs) => hear(event, atMs));
  let caller: Caller | undefined;
  const startMs = schedule.add({ sendFrame: (frame, dueMs) => caller!.sendFrame(frame, dueMs) });
  const recording = toneRecording("tone", SPEECH_MS);
  const spec: CallerSpec = {
    call: 3,
    prng: seeded(1),
    answer,
    pauseMs: () => 500,
    nextRecording: () => recording,
    bargeIn: 0,
    finalize: 0,
    answerMs: 4_000,
    onTurn: (turn) => turns.push(turn),
    onDone: () => {
      made.isDone = true;
    },
    ...more,
  };
  caller = new Caller(spec, call, startMs);
  hear = caller.onEvent;
  const made: Stage = { clock, server, caller, turns, startMs, isDone: false };
  return made;
}

/** Hangs up after the turn under way, and waits for that. */
async function finish({ clock, caller }: Stage): Promise<void> {
  caller.finish();
  await clock.run(20_000);
}

/** Answers each utterance `delayMs` after it was noticed to be over. */
function replying(delayMs: number, chunks: number): FakeScript {
  const counts = new Map<number, number>();
  return {
    onSpeechEnd: (call, endMs) => {
      const turnIndex = counts.get(call.number) ?? 0;
      counts.set(call.number, turnIndex + 1);
      call.tell({ type: "endpoint", streamMs: endMs });
      call.tell({ type: "final", text: "beep", streamEndMs: endMs });
      call.tell({ type: "turn_end", turnIndex, streamMs: endMs });
      call.clock.after(delayMs, () => reply(call, turnIndex, chunks));
    },
  };
}

describe("a caller who waits for replies", () => {
  test("speaks after its pause, waits for the reply, lets it be played, and begins again", async () => {
    const made = await stage(replying(200, 10), "reply");
    await made.clock.run(12_000);
    await finish(made);
    assert.ok(made.turns.length >= 3);
    const [first, second] = made.turns;
    assert.deepEqual(
      made.turns.map(({ outcome }) => outcome),
      made.turns.map(() => "answered"),
    );
    // The pause of 500 ms, then the next multiple of 160 ms.
    assert.equal(first!.beganMs - made.startMs, 640);
    assert.deepEqual(measuresOf(first!).ttfs, [300]);
    assert.deepEqual(measuresOf(first!).e2e_turn, [500]);
    // Speech, 300 + 200 ms until the reply, its 1 000 ms, and the pause; then up to 160 ms for the grid.
    const { endMs } = first!.speech!;
    assert.ok(second!.beganMs >= endMs + 500 + 1_000 + 500, `${second!.beganMs - endMs}`);
    assert.ok(second!.beganMs < endMs + 500 + 1_000 + 500 + 180, `${second!.beganMs - endMs}`);
    assert.equal(made.isDone, true);
  });

  test("sends a frame every 20 ms, whatever the server does: also when it says nothing at all", async () => {
    const made = await stage({}, "reply");
    await made.clock.run(10_000);
    const frames = made.server.frames[0]!;
    assert.equal(frames.length, 500);
    for (const [index, sentMs] of frames.entries()) assert.equal(sentMs - made.startMs, 20 * (index + 1));
    await finish(made);
    assert.deepEqual(
      made.turns.map(({ outcome }) => outcome),
      ["unanswered", "unanswered"],
    );
  });

  test("begins every utterance at a multiple of 160 ms of its stream", async () => {
    const made = await stage(replying(33, 3), "reply", { pauseMs: () => 137 });
    await made.clock.run(15_000);
    await finish(made);
    assert.ok(made.turns.length > 5);
    for (const { beganMs } of made.turns) assert.equal((beganMs - made.startMs) % 160, 0);
  });

  test("with barge-ins it speaks into replies at all points, and hears when each was over", async () => {
    const script = replying(100, 20);
    const onSpeechStart: FakeScript["onSpeechStart"] = (call) => {
      call.clock.after(80, () => call.tell({ type: "interrupted", contextId: made.turns.length + 1 }));
    };
    const made: Stage = await stage({ ...script, onSpeechStart }, "reply", { bargeIn: 1 });
    await made.clock.run(60_000);
    await finish(made);
    const barged = made.turns.flatMap(({ reply: of }) => (of?.bargeIn === undefined ? [] : [of]));
    assert.ok(barged.length >= 15, `${barged.length}`);
    const shares = barged.map(({ bargeIn, chunks }) => (bargeIn!.speechMs - chunks[0]!.atMs) / 2_000).sort();
    assert.ok(shares[0]! < 0.3 && shares.at(-1)! > 0.8, shares.join(" "));
    assert.ok(made.turns.every(({ outcome }) => outcome === "answered"));
    assert.ok(made.turns.filter(({ speech }) => speech!.isBargeIn).length >= barged.length - 1);
    for (const turn of made.turns.filter(({ reply: of }) => of?.bargeIn !== undefined)) {
      // Noticed with the first frame of speech (20 ms of it), and told 80 ms later.
      assert.deepEqual(measuresOf(turn).bargein, [100]);
    }
  });

  test("a reply cut off by the server in the middle of the speech is an early cut; the one after it counts", async () => {
    let frames = 0;
    const script: FakeScript = {
      onSpeechStart: (call) => {
        if (frames++ > 0) return;
        call.clock.after(250, () => {
          call.tell({ type: "turn_end", turnIndex: 0, streamMs: call.streamMs - 100 });
          call.tell({ type: "reply_start", contextId: 1, turnIndex: 0 });
          call.tell({ type: "audio", contextId: 1, rateHz: 16_000, pcm: new Int16Array(1_600).fill(5_000) });
          call.tell({ type: "interrupted", contextId: 1 });
          call.tell({ type: "reply_end", contextId: 1, reason: "interrupted" });
        });
      },
      onSpeechEnd: (call, endMs) => {
        call.tell({ type: "turn_end", turnIndex: 1, streamMs: endMs });
        call.clock.after(150, () => reply(call, 1, 2));
      },
    };
    const made = await stage(script, "reply");
    await made.clock.run(2_000);
    await finish(made);
    assert.equal(made.turns.length, 1);
    assert.equal(made.turns[0]!.outcome, "answered");
    assert.equal(made.turns[0]!.speech!.earlyCutCount, 1);
    assert.deepEqual(measuresOf(made.turns[0]!).e2e_turn, [450]);
  });

  test("an empty or failed reply is told apart, and waited for no longer", async () => {
    for (const reason of ["empty", "failed"] as const) {
      const made = await stage(
        {
          onSpeechEnd: (call) => {
            call.tell({ type: "reply_start", contextId: 1, turnIndex: 0 });
            call.tell({ type: "reply_end", contextId: 1, reason });
          },
        },
        "reply",
      );
      await made.clock.run(2_000);
      await finish(made);
      assert.equal(made.turns[0]!.outcome, reason);
    }
  });

  test("a connection that goes away loses the turn, and ends the caller at once", async () => {
    const made = await stage({ onSpeechEnd: (call) => call.tell({ type: "close", code: 1011 }) }, "reply");
    await made.clock.run(3_000);
    assert.equal(made.isDone, true);
    assert.deepEqual(
      made.turns.map(({ outcome }) => outcome),
      ["lost"],
    );
    const sent = made.server.frames[0]!.length;
    await made.clock.run(1_000);
    assert.equal(made.server.frames[0]!.length, sent);
  });
});

describe("a caller who waits for transcripts", () => {
  test("goes on when the final has come after the speech", async () => {
    const made = await stage(
      { onSpeechEnd: (call, endMs) => void call.tell({ type: "final", text: "beep", streamEndMs: endMs }) },
      "transcript",
    );
    await made.clock.run(8_000);
    await finish(made);
    assert.ok(made.turns.length >= 3);
    for (const turn of made.turns) assert.deepEqual(measuresOf(turn).ttfs, [300]);
  });

  test("a late final belongs to the utterance that it is of, even when the next has begun", async () => {
    const ends: number[] = [];
    const made = await stage(
      {
        onSpeechEnd: (call, endMs) => {
          ends.push(endMs);
          if (ends.length === 1)
            call.clock.after(5_000, () => call.tell({ type: "final", text: "late", streamEndMs: endMs }));
          else call.tell({ type: "final", text: "prompt", streamEndMs: endMs });
        },
      },
      "transcript",
      { pauseMs: () => 100, answerMs: 4_000 },
    );
    await made.clock.run(9_000);
    await finish(made);
    assert.deepEqual(
      made.turns.slice(0, 2).map(({ outcome, speech }) => [outcome, speech!.finals.map(({ text }) => text)]),
      [
        ["unanswered", ["late"]],
        ["answered", ["prompt"]],
      ],
    );
  });

  test("finalizes right behind its last frame of speech, when it does", async () => {
    const finalized: number[] = [];
    const made = await stage(
      {
        onFinalize: (call) => {
          finalized.push(call.clock.nowMs());
          call.clock.after(70, () => {
            call.tell({ type: "final", text: "beep", streamEndMs: call.streamMs });
            call.tell({ type: "finalized" });
          });
        },
      },
      "transcript",
      { finalize: 1 },
    );
    await made.clock.run(3_000);
    await finish(made);
    const [first] = made.turns;
    const { endMs } = first!.speech!;
    assert.ok(finalized[0]! >= endMs && finalized[0]! - endMs < 20);
    assert.deepEqual(measuresOf(first!).final_after_finalize, [70]);
  });
});

test("a caller of an echo measures how late its own audio is", async () => {
  const clock = new FakeClock();
  const server = fakeServer(clock, {});
  const { open } = server.driver;
  const turns: TurnTrace[] = [];
  const schedule = new FrameSchedule(clock);
  let caller: Caller | undefined;
  const call = await open({ url: "" }, () => {});
  const startMs = schedule.add({ sendFrame: (frame, dueMs) => caller!.sendFrame(frame, dueMs) });
  const recording = toneRecording("tone", SPEECH_MS);
  caller = new Caller(
    {
      call: 0,
      prng: seeded(1),
      answer: "echo",
      pauseMs: () => 100,
      nextRecording: () => recording,
      bargeIn: 0,
      finalize: 0,
      answerMs: 4_000,
      onTurn: (turn) => turns.push(turn),
      onDone: () => {},
    },
    {
      ...call,
      send: (pcm) => {
        clock.after(12, () => caller!.onEvent({ type: "audio", contextId: 0, rateHz: 16_000, pcm }, clock.nowMs()));
      },
    },
    startMs,
  );
  await clock.run(4_000);
  caller.finish();
  await clock.run(4_000);
  assert.ok(turns.length >= 2);
  for (const { echoMs, outcome } of turns) {
    assert.equal(outcome, "answered");
    assert.ok(echoMs.length > 10 && echoMs.every((lag) => Math.abs(lag - 12) < 1e-6));
  }
});
