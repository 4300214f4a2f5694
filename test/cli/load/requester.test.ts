/** Callers of faces that are asked, and the call alone that comes before every load. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import type { CallerSpec } from "../../../src/cli/load/caller.js";
import type { LoadCall, LoadInput, LoadListener } from "../../../src/cli/load/driver.js";
import { FrameSchedule } from "../../../src/cli/load/frame-schedule.js";
import { measuresOf } from "../../../src/cli/load/measures.js";
import { Requester } from "../../../src/cli/load/requester.js";
import { soloOf } from "../../../src/cli/load/solo.js";
import type { TurnTrace } from "../../../src/cli/load/trace.js";
import { FakeClock, type FakeScript, fakeServer, reply, toneRecording } from "../../support/load-stage.js";

const recording = toneRecording("tone", 500, "Hello.");

function asking(input: LoadInput, callOf: (clock: FakeClock, hear: LoadListener) => Partial<LoadCall>) {
  const clock = new FakeClock();
  const schedule = new FrameSchedule(clock);
  const turns: TurnTrace[] = [];
  const state = { isDone: false };
  const spec: CallerSpec = {
    call: 0,
    prng: seeded(1),
    answer: "reply",
    pauseMs: () => 500,
    nextRecording: () => recording,
    bargeIn: 0,
    finalize: 0,
    answerMs: 2_000,
    onTurn: (turn) => turns.push(turn),
    onDone: () => {
      state.isDone = true;
    },
  };
  let hear: LoadListener = () => {};
  const call = callOf(clock, (event, atMs) => hear(event, atMs));
  const startMs = clock.nowMs();
  const requester = new Requester(spec, { close: async () => {}, abort: () => {}, ...call }, input, schedule, clock);
  hear = requester.onEvent;
  return { clock, schedule, turns, requester, state, startMs };
}

const sound = (ms: number): Int16Array => new Int16Array(16 * ms).fill(5_000);

describe("a caller who asks for speech", () => {
  test("asks when it meant to, waits until the answer has been played, and asks again", async () => {
    let replies = 0;
    const { clock, turns, requester, state, startMs } = asking("text", (at, hear) => ({
      say(text) {
        assert.equal(text, "Hello.");
        const contextId = ++replies;
        at.after(80, () => hear({ type: "audio", contextId, rateHz: 16_000, pcm: sound(400) }, at.nowMs()));
        at.after(120, () => {
          hear({ type: "audio", contextId, rateHz: 16_000, pcm: sound(600) }, at.nowMs());
          hear({ type: "reply_end", contextId, reason: "completed" }, at.nowMs());
        });
      },
    }));
    await clock.run(7_000);
    requester.finish();
    assert.equal(state.isDone, true);
    // 500 ms of pause, 80 until the first sound, 1 000 of playback.
    assert.deepEqual(
      turns.slice(0, 3).map(({ beganMs }) => beganMs - startMs),
      [500, 2_080, 3_660],
    );
    for (const turn of turns.slice(0, 3)) {
      assert.equal(turn.outcome, "answered");
      assert.deepEqual([measuresOf(turn).ttfa, measuresOf(turn).rtf_stream], [[80], [0.12]]);
      assert.equal(measuresOf(turn).ttfs, undefined);
    }
  });

  test("counts from the instant that it meant, and records how late it was", async () => {
    const { clock, turns, schedule, requester } = asking("text", (at, hear) => ({
      say: () => {
        hear({ type: "audio", contextId: 1, rateHz: 16_000, pcm: sound(100) }, at.nowMs() + 30);
        hear({ type: "reply_end", contextId: 1, reason: "completed" }, at.nowMs() + 30);
      },
    }));
    clock.stall(540);
    await clock.run(10);
    requester.end();
    assert.deepEqual(measuresOf(turns[0]!).ttfa, [70]);
    assert.equal(schedule.latenessMs.summary().max, 40);
  });

  test("gives up what does not come, and is not misled by its late end", async () => {
    let asked = 0;
    const { clock, turns, requester } = asking("text", (at, hear) => ({
      say: () => {
        asked += 1;
        if (asked === 1)
          at.after(2_600, () => hear({ type: "reply_end", contextId: 1, reason: "completed" }, at.nowMs()));
      },
    }));
    await clock.run(6_000);
    requester.end();
    assert.deepEqual(
      turns.map(({ outcome }) => outcome),
      ["unanswered", "unanswered", "lost"],
    );
  });
});

test("a caller who uploads recordings measures from the upload to the text", async () => {
  let failures = 0;
  const { clock, turns, requester } = asking("file", (at, hear) => ({
    upload: () => {
      at.after(150, () => {
        if (failures++ === 1) return hear({ type: "error", code: "HTTP_500", message: "" }, at.nowMs());
        hear({ type: "final", text: "hello", streamEndMs: 0 }, at.nowMs());
        return hear({ type: "finalized" }, at.nowMs());
      });
    },
  }));
  await clock.run(2_000);
  requester.finish();
  await clock.run(3_000);
  assert.deepEqual(turns.map(({ outcome }) => outcome).slice(0, 3), ["answered", "failed", "answered"]);
  assert.deepEqual(measuresOf(turns[0]!).final_after_finalize, [150]);
  assert.equal(turns[0]!.speech!.finals[0]!.text, "hello");
});

describe("the call alone", () => {
  const alone = async (script: FakeScript, echo = false) => {
    const clock = new FakeClock();
    const { driver, openCount } = fakeServer(clock, script);
    const recordings = [recording, toneRecording("other", 700)];
    const echoing: typeof driver = {
      ...driver,
      open: async (options, listener) => {
        const call = await driver.open(options, listener);
        const back = (pcm: Int16Array): void =>
          listener({ type: "audio", contextId: 0, rateHz: 16_000, pcm }, clock.nowMs());
        return { ...call, send: (pcm) => void clock.after(5, () => back(pcm)) };
      },
    };
    const spec = { driver: echo ? echoing : driver, dial: { url: "ws://x" }, recordings, clock, answerMs: 4_000 };
    const solo = await clock.runUntil(soloOf(spec));
    assert.equal(openCount(), 0);
    return solo;
  };

  test("finds out that a server replies, and keeps what it understood of each recording", async () => {
    const turns = new Map<number, number>();
    const { answer, texts } = await alone({
      onSpeechEnd: (call, endMs) => {
        const turnIndex = turns.get(call.number) ?? 0;
        turns.set(call.number, turnIndex + 1);
        call.tell({ type: "turn_end", turnIndex, streamMs: endMs });
        call.tell({ type: "final", text: `heard ${turnIndex}`, streamEndMs: endMs });
        // The reply takes longer than a server that only listens is waited for.
        call.clock.after(3_400, () => reply(call, turnIndex, 2));
      },
    });
    assert.equal(answer, "reply");
    assert.deepEqual(Object.fromEntries(texts), { tone: "heard 0", other: "heard 1" });
  });

  test("finds out that a server transcribes, or echoes", async () => {
    const transcribes = await alone({
      onSpeechEnd: (call, streamEndMs) => void call.tell({ type: "final", text: "beep", streamEndMs }),
    });
    assert.deepEqual([transcribes.answer, transcribes.texts.size], ["transcript", 2]);
    assert.equal((await alone({}, true)).answer, "echo");
  });

  test("refuses a server that says nothing, before any load, and repeats what it does say", async () => {
    await assert.rejects(alone({}), { code: "LOAD_NO_ANSWER" });
    const says: FakeScript = {
      onSpeechEnd: (call) => void call.tell({ type: "error", code: "OUT_OF_ORDER", message: "broken" }),
    };
    await assert.rejects(alone(says), (error: Error & { code?: string }) => {
      assert.equal(error.code, "LOAD_CALL_REFUSED");
      assert.match(error.message, /OUT_OF_ORDER: broken/);
      return true;
    });
  });
});
