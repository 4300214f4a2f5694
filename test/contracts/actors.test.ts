/** What every actor in the registry promises, whatever it does. A new row is tested by being there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AnyActor, callOptionsOf, defineActor, perFrame } from "../../src/actors/define.js";
import { actorNames, findActor, registerActor } from "../../src/actors/registry.js";
import { type Prng, seeded } from "../../src/base/prng.js";
import { FRAME_KINDS, type Frame, type FrameKind, frame, type MetaOf } from "../../src/frames/kinds.js";
import { fakeDenoise, fakeStt, fakeTts, fakeTurn, fakeVad } from "../support/fake-models.js";
import { type ActorRun, type Emitted, runActor, type Step } from "../support/run-actor.js";
import { close, fence, interleave, pcmOf } from "../support/steps.js";

/** Options that have no default. */
const REQUIRED: Readonly<Record<string, unknown>> = { resample: { rateHz: 24_000 } };
const MODELS = {
  vad: () => fakeVad(),
  stt: () => fakeStt(),
  tts: () => fakeTts(),
  denoise: () => fakeDenoise(),
  turn: () => fakeTurn(),
} as const;

const actors = actorNames().map((name) => findActor(name)!);

function modelOf(actor: AnyActor): unknown {
  const task = actor.task as keyof typeof MODELS | undefined;
  return task === undefined ? undefined : MODELS[task]();
}

/** A call's life as any actor may see it, cut down to the kinds that this one takes. */
function life(actor: AnyActor, chance: Prng, call: number): Step[] {
  const steps: Step[] = [];
  const add = <K extends FrameKind>(kind: K, meta: MetaOf<K>, position = 0, pcm?: Int16Array): void => {
    if (actor.inputs.includes(kind)) steps.push({ call, frame: frame(kind, meta, position, pcm) as Frame });
  };
  const audio = pcmOf(chance, [
    ["quiet", 200],
    ["loud", 500],
    ["quiet", 800],
  ]);
  for (let turn = 0; turn < 3; turn++) {
    const start = turn * audio.length;
    const contextId = turn;
    for (let at = 0; at < audio.length; at += 320) {
      if (at === 6_400) add("vad", { what: "start", atSample: start + 4_000, probability: 0.9 });
      if (at === 6_400) add("turn", turnMeta("start", turn, start + 4_000));
      if (at === 16_000) add("vad", { what: "stop", atSample: start + 11_000, probability: 0.1 });
      add("audio.in", {}, start + at, audio.slice(at, at + 320));
    }
    add("transcript.partial", transcript(turn));
    add("transcript.final", transcript(turn));
    add("turn", turnMeta("end", turn, start + 11_000));
    steps.push(fence(`mark ${turn}`, "mark", call));
    add("reply", { what: "start", contextId, turnIndex: turn });
    for (const text of ["Good day ", "to you, my ", "friend. And ", "more."]) add("text", { contextId, text });
    const span = { text: "Good", startSample: 0, endSample: 320 };
    add("alignment", { contextId, unit: "word", rateHz: 16_000, spans: [span] });
    for (let at = 0; at < 3_200; at += 800)
      add("audio.out", { contextId, rateHz: 16_000 }, at, audio.slice(6_400 + at, 7_200 + at));
    add("reply", { what: "end", contextId, turnIndex: turn, reason: "completed" });
    add("usage", { what: "seconds", amount: 1 });
    steps.push(fence(`final ${turn}`, "finalize", call));
  }
  steps.push(close(call));
  return steps;
}

function turnMeta(what: "start" | "end", turnIndex: number, atSample: number): MetaOf<"turn"> {
  return { what, turnIndex, atSample, confidence: 1, trigger: "timeout" };
}

function transcript(turnIndex: number): MetaOf<"transcript.final"> {
  const text = `text of turn ${turnIndex}`;
  return {
    segmentId: turnIndex,
    turnIndex,
    text,
    words: [],
    stableChars: 0,
    startSample: 0,
    endSample: 1,
    confidence: 1,
  };
}

async function live(actor: AnyActor, seed: number, faults = {}): Promise<ActorRun> {
  const scripts = [0, 1, 2].map((call) => life(actor, seeded(call + 1), call));
  const steps = seed === 0 ? scripts.flat() : interleave(seeded(seed), scripts);
  return runActor(actor, REQUIRED[actor.name] ?? {}, steps, { calls: 3, seed, model: modelOf(actor), ...faults });
}

/** Everything but generations: an interruption may be noticed again after a death. */
function output(run: ActorRun, call: number): Omit<Emitted, "generation" | "call">[] {
  return run.emitted
    .filter((found) => found.call === call)
    .map(({ kind, meta, pcm, position }) => ({ kind, meta, pcm, position }));
}

for (const actor of actors) {
  describe(`actor ${actor.name}`, () => {
    test("has a summary, kinds that exist, and no kind that it both makes and passes on", () => {
      assert.match(actor.summary, /^[A-Z].*\.$/);
      for (const kind of [...actor.inputs, ...actor.outputs, ...actor.forwards, ...(actor.requires ?? [])]) {
        assert.ok(kind in FRAME_KINDS, kind);
      }
      for (const kind of [...actor.forwards, ...(actor.requires ?? [])]) assert.ok(actor.inputs.includes(kind), kind);
      assert.deepEqual(
        actor.outputs.filter((kind) => actor.forwards.includes(kind)),
        [],
      );
      for (const kind of ["fence", "close", "open"] as const)
        assert.ok(!actor.inputs.includes(kind), `${kind} needs no word`);
    });

    test("has defaults for what is not required, and refuses unknown options", () => {
      const required = (REQUIRED[actor.name] ?? {}) as Record<string, unknown>;
      const chosen = actor.options.parse(required);
      assert.equal(actor.options.safeParse({ ...required, noSuchOption: 1 }).success, false);
      assert.ok(actor.latencyMs(chosen) >= 0);
      assert.ok(Number.isInteger(actor.stateBytes?.(chosen) ?? 0));
      const ofCall = callOptionsOf(actor, chosen);
      assert.ok(actor.isLive !== true || ofCall !== undefined, "what can change is declared");
      if (ofCall === undefined) return;
      assert.equal(ofCall.safeParse({}).success, true);
      assert.equal(ofCall.safeParse({ noSuchOption: 1 }).success, false);
    });

    test("passes fences and the close on exactly once, in order, and nothing follows the close", async () => {
      const run = await live(actor, 3, { batchMax: 30 });
      for (const call of [0, 1, 2]) {
        const ids = run.of("fence", call).map(({ meta }) => meta.id);
        assert.deepEqual(ids, ["mark 0", "final 0", "mark 1", "final 1", "mark 2", "final 2"]);
        assert.equal(run.of("close", call).length, 1);
        assert.equal(output(run, call).at(-1)!.kind, "close");
      }
      assert.equal(run.emittedAfterClose, 0);
    });

    test("emits only what it declares", async () => {
      const declared = new Set<FrameKind>([...actor.outputs, ...actor.forwards, "fence", "close", "error"]);
      const run = await live(actor, 0);
      for (const { kind } of run.emitted) assert.ok(declared.has(kind), kind);
      for (const kind of actor.outputs)
        assert.ok(run.emitted.some((found) => found.kind === kind) || actor.name === "tap", kind);
    });

    test("calls do not touch each other", async () => {
      const together = await live(actor, 5, { batchMax: 40 });
      for (const call of [0, 1, 2]) {
        const steps = life(actor, seeded(call + 1), 0);
        const alone = await runActor(actor, REQUIRED[actor.name] ?? {}, steps, { model: modelOf(actor) });
        assert.deepEqual(output(together, call), output(alone, 0));
      }
    });

    test("says the same after a restore at any batch boundary", async () => {
      const whole = await live(actor, 0);
      for (let seed = 1; seed <= 4; seed++) {
        const run = await live(actor, seed, { batchMax: seed === 1 ? 2 : 25, killAfter: seed === 1 ? 1 : 0.4 });
        for (const call of [0, 1, 2]) assert.deepEqual(output(run, call), output(whole, call), `seed ${seed}`);
      }
    });

    test("says the same if it dies in the middle of a batch that is delivered again", async () => {
      const whole = await live(actor, 0);
      for (let seed = 1; seed <= 4; seed++) {
        const run = await live(actor, seed, { batchMax: 25, killDuring: 0.4 });
        for (const call of [0, 1, 2]) assert.deepEqual(output(run, call), output(whole, call), `seed ${seed}`);
      }
    });
  });
}

describe("actor registry", () => {
  test("knows the actors of the package", () => {
    for (const name of ["vad", "turn", "stt", "agent", "tts", "resample", "denoise", "tap", "echo"]) {
      assert.equal(findActor(name)?.name, name);
    }
    assert.equal(findActor("nobody"), undefined);
  });

  test("takes a user's actor, the same one again, and no other of that name", async () => {
    const summary = "Drops everything.";
    const make = (): AnyActor =>
      defineActor({
        name: "contract-drop",
        summary,
        inputs: ["audio.in"],
        outputs: [],
        forwards: [],
        options: actors[0]!.options,
        thread: "io",
        latencyMs: () => 0,
        create: () =>
          perFrame(
            () => 0,
            () => {},
          ),
      });
    const mine = make();
    registerActor(mine);
    registerActor(mine);
    assert.equal(findActor("contract-drop"), mine);
    assert.throws(() => registerActor(make()), { code: "MODULE_INVALID" });
    const run = await runActor(mine, {}, [...life(mine, seeded(1), 0)]);
    assert.deepEqual([...new Set(run.emitted.map(({ kind }) => kind))], ["fence", "close"]);
  });
});
