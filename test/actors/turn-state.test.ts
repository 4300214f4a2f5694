import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TURN_POLICIES } from "../../src/actors/turn-policy.js";
import { TURN_STATE_WORDS, type TurnChange, TurnState } from "../../src/actors/turn-state.js";

const MS = 16;

function timing(over: { endMs?: number; eagerMs?: number; maxMs?: number; interruptMs?: number } = {}) {
  return {
    policy: TURN_POLICIES.silence.create(
      TURN_POLICIES.silence.options.parse({ endMs: over.endMs ?? 600, eagerMs: over.eagerMs }),
    ),
    turnSamplesMax: (over.maxMs ?? 60_000) * MS,
    interruptSamples: (over.interruptMs ?? 0) * MS,
  };
}

class Recorder {
  readonly lines: string[] = [];
  turn({ what, turnIndex, atSample, trigger }: TurnChange): void {
    this.lines.push(`${what} ${turnIndex} at ${atSample / MS} (${trigger})`);
  }
  speaking(): void {
    this.lines.push("speaking");
  }
  /** What was told, without who speaks. */
  get turns(): string[] {
    return this.lines.filter((line) => line !== "speaking");
  }
}

/** Steps of 20 ms up to `toMs`. */
function advance(state: TurnState, fromMs: number, toMs: number, sink: Recorder): void {
  for (let ms = fromMs + 20; ms <= toMs; ms += 20) state.advance(ms * MS, sink);
}

describe("turn state", () => {
  test("a turn ends when the silence after speech has lasted endMs, and says where speech ended", () => {
    const state = new TurnState(timing());
    const sink = new Recorder();
    advance(state, 0, 300, sink);
    state.speechBegan(200 * MS, 0.9, sink);
    advance(state, 300, 1_300, sink);
    state.speechEnded(1_000 * MS, 0.1, sink);
    advance(state, 1_300, 1_580, sink);
    assert.deepEqual(sink.turns, ["start 0 at 200 (model)"]);
    advance(state, 1_580, 1_600, sink);
    assert.deepEqual(sink.turns, ["start 0 at 200 (model)", "end 0 at 1000 (timeout)"]);
  });

  test("a pause shorter than endMs does not end the turn", () => {
    const state = new TurnState(timing());
    const sink = new Recorder();
    state.speechBegan(0, 0.9, sink);
    state.speechEnded(500 * MS, 0.1, sink);
    advance(state, 500, 1_000, sink);
    state.speechBegan(900 * MS, 0.9, sink);
    advance(state, 1_000, 3_000, sink);
    assert.deepEqual(sink.turns, ["start 0 at 0 (model)"]);
  });

  test("finalize ends an open turn by hand, and does nothing without one", () => {
    const state = new TurnState(timing());
    const sink = new Recorder();
    state.finalize(sink);
    assert.deepEqual(sink.lines, []);
    state.speechBegan(100 * MS, 0.9, sink);
    state.speechEnded(400 * MS, 0.1, sink);
    advance(state, 400, 500, sink);
    state.finalize(sink);
    state.finalize(sink);
    assert.deepEqual(sink.turns, ["start 0 at 100 (model)", "end 0 at 400 (manual)"]);
  });

  test("the tail of a word behind a finalize is no new turn, but speech that goes on is", () => {
    for (const [endedMs, expected] of [
      [1_100, []],
      [1_300, ["start 1 at 1000 (model)"]],
      [undefined, ["start 1 at 1000 (model)"]],
    ] as const) {
      const state = new TurnState(timing({ endMs: 5_000 }));
      const sink = new Recorder();
      state.speechBegan(0, 0.9, sink);
      advance(state, 0, 1_000, sink);
      state.finalize(sink);
      if (endedMs === undefined) advance(state, 1_000, 1_600, sink);
      else {
        advance(state, 1_000, 1_580, sink);
        state.speechEnded(endedMs * MS, 0.1, sink);
      }
      assert.deepEqual(sink.turns.slice(2), expected);
    }
  });

  test("a turn that is too long ends, and the next begins where it was cut", () => {
    const state = new TurnState(timing({ maxMs: 2_000 }));
    const sink = new Recorder();
    state.speechBegan(0, 0.9, sink);
    advance(state, 0, 4_500, sink);
    assert.deepEqual(sink.turns, [
      "start 0 at 0 (model)",
      "end 0 at 2000 (timeout)",
      "start 1 at 2000 (model)",
      "end 1 at 4000 (timeout)",
    ]);
  });

  test("speech is offered as an interruption once per stretch, after interruptMs of it", () => {
    const state = new TurnState(timing({ interruptMs: 300 }));
    const sink = new Recorder();
    state.speechBegan(0, 0.9, sink);
    advance(state, 0, 280, sink);
    assert.ok(!sink.lines.includes("speaking"));
    advance(state, 280, 2_000, sink);
    assert.equal(sink.lines.filter((line) => line === "speaking").length, 1);
    state.speechEnded(1_800 * MS, 0.1, sink);
    state.speechBegan(2_000 * MS, 0.9, sink);
    state.speechEnded(2_100 * MS, 0.1, sink);
    advance(state, 2_000, 2_500, sink);
    assert.equal(sink.lines.filter((line) => line === "speaking").length, 1, "a cough is not offered");
  });

  test("an eager end is announced once and taken back by more speech", () => {
    const state = new TurnState(timing({ eagerMs: 200 }));
    const sink = new Recorder();
    state.speechBegan(0, 0.9, sink);
    state.speechEnded(400 * MS, 0.1, sink);
    advance(state, 400, 800, sink);
    state.speechBegan(800 * MS, 0.9, sink);
    state.speechEnded(900 * MS, 0.1, sink);
    advance(state, 800, 2_000, sink);
    assert.deepEqual(
      sink.turns.map((line) => line.split(" ")[0]),
      ["start", "eager_end", "resumed", "eager_end", "end"],
    );
  });

  test("whatever happens, starts and ends alternate, indices count up, and a saved state goes on the same", () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant("audio" as const), ms: fc.integer({ min: 20, max: 900 }) }),
      fc.record({ what: fc.constant("began" as const), ms: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ what: fc.constant("ended" as const), ms: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ what: fc.constant("finalize" as const), ms: fc.constant(0) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, cut) => {
      const whole = play(steps);
      assert.deepEqual(play(steps, cut), whole);
      const marks = whole
        .filter((line) => /^(start|end) /.test(line))
        .map((line) => line.split(" ").slice(0, 2).join(" "));
      const expected = marks.map((_, index) => `${index % 2 === 0 ? "start" : "end"} ${index >> 1}`);
      assert.deepEqual(marks, expected);
    });
    fc.assert(property, { seed: 20, numRuns: 300 });
  });
});

function play(steps: readonly { what: "audio" | "began" | "ended" | "finalize"; ms: number }[], cut = -1): string[] {
  const chosen = timing({ eagerMs: 150, maxMs: 5_000, interruptMs: 100 });
  const sink = new Recorder();
  let state = new TurnState(chosen);
  let nowMs = 0;
  let isSpeaking = false;
  for (const [index, { what, ms }] of steps.entries()) {
    if (index === cut) {
      const words = new Int32Array(TURN_STATE_WORDS);
      state.save(words);
      state = new TurnState(chosen);
      state.restore(words);
    }
    const at = Math.max(0, nowMs - ms) * MS;
    if (what === "audio") {
      nowMs += ms;
      state.advance(nowMs * MS, sink);
    } else if (what === "finalize") state.finalize(sink);
    else if (what === "began" && !isSpeaking) state.speechBegan(at, 0.8, sink);
    else if (what === "ended") state.speechEnded(at, 0.15, sink);
    if (what === "began" || what === "ended") isSpeaking = what === "began";
  }
  return sink.lines;
}
