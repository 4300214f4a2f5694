import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sttActor } from "../../src/actors/stt.js";
import { SEGMENT_SAMPLES_MAX } from "../../src/actors/stt-call.js";
import { turnActor } from "../../src/actors/turn.js";
import { vadActor } from "../../src/actors/vad.js";
import { seeded } from "../../src/base/prng.js";
import { type Frame, frame } from "../../src/frames/kinds.js";
import { type FakeStt, fakeSteps, fakeStt, fakeVad } from "../support/fake-models.js";
import { ActorRun, type RunOptions, runActor, type Step } from "../support/run-actor.js";
import { audioSteps, close, fence, interleave, pcmOf, type Stretch } from "../support/steps.js";

const TALK: readonly Stretch[] = [
  ["quiet", 400],
  ["loud", 900],
  ["quiet", 400],
  ["loud", 500],
  ["quiet", 1_000],
  ["loud", 700],
  ["quiet", 900],
];

/** What voice and turn detection make of audio: the recogniser's input. */
async function heard(audio: readonly Step[], tail: readonly Step[] = [], withTurns = true): Promise<Step[]> {
  const vad = await runActor(vadActor, {}, [...audio, ...tail], { model: fakeVad() });
  const spoken = withTurns ? await runActor(turnActor, {}, stepsOf(vad)) : vad;
  return stepsOf(spoken);
}

function stepsOf(run: ActorRun): Step[] {
  return run.emitted.map(({ kind, meta, position, pcm }) => ({
    frame: frame(kind, meta, position, Int16Array.from(pcm)) as Frame,
  }));
}

function forCall(steps: readonly Step[], call: number): Step[] {
  return steps.map((step) => ({ ...step, call }));
}

function story(run: ActorRun, call = 0): unknown[] {
  return run.emitted
    .filter((found) => found.call === call)
    .map(({ kind, meta, position }) => ({ kind, meta, position }));
}

function transcribe(steps: readonly Step[], run: RunOptions = {}, options = {}): Promise<ActorRun> {
  return runActor(sttActor, options, steps, { model: fakeStt(), ...run });
}

function kinds(run: ActorRun): string[] {
  return run.emitted.map(({ kind, meta }) => [kind, (meta as { what?: string }).what ?? ""].join(" ").trim());
}

const withoutPartials = (kind: string): boolean => kind !== "transcript.partial";

describe("stt", () => {
  test("each stretch of speech is a segment whose final stands before the turn that it ends", async () => {
    const run = await transcribe(await heard(audioSteps(pcmOf(seeded(1), TALK)), [close()]));
    assert.deepEqual(kinds(run).filter(withoutPartials), [
      "turn start",
      "transcript.final",
      "transcript.final",
      "turn end",
      "turn start",
      "transcript.final",
      "turn end",
      "close",
    ]);
    const finals = run.of("transcript.final").map(({ meta }) => meta);
    assert.deepEqual(
      finals.map(({ segmentId, turnIndex }) => [segmentId, turnIndex]),
      [
        [0, 0],
        [1, 0],
        [2, 1],
      ],
    );
    assert.equal(finals[0]!.startSample, (400 - 200) * 16, "200 ms before the speech");
    assert.equal(finals[0]!.stableChars, finals[0]!.text.length);
    for (const word of finals.flatMap(({ words }) => words)) assert.ok(word.endSample > word.startSample);
    assert.ok(finals[2]!.words[0]!.startSample >= finals[2]!.startSample, "word times are those of the call");
  });

  test("hears every sample from the pad before the speech to the end of the segment", async () => {
    // Pauses of many lengths, so that the pad begins everywhere in the memory of the audio before.
    const pauses = [320, 570, 710, 830, 990, 1_210].flatMap<Stretch>((ms) => [
      ["quiet", ms],
      ["loud", 300],
    ]);
    const pcm = pcmOf(seeded(1), [...TALK, ...pauses, ["quiet", 400]]).map((sample) => sample || 7);
    const run = await transcribe(await heard(audioSteps(pcm)), { batchMax: 9, killAfter: 0.3 });
    assert.equal(run.of("transcript.final").length, 9);
    for (const { meta } of run.of("transcript.final")) {
      const model = fakeStt();
      const stream = model.createStream({});
      stream.accept(pcm, meta.startSample, meta.endSample - meta.startSample);
      stream.finish();
      await model.advance([stream]);
      assert.equal(meta.text, stream.hypothesis().text);
    }
  });

  test("partials and finals are the same however frames are grouped and wherever the worker dies", async () => {
    const scripts: Step[][] = [];
    for (const call of [0, 1, 2]) {
      const audio = audioSteps(pcmOf(seeded(call + 1), [["quiet", 170 * call], ...TALK]));
      const script = await heard(audio, [close()]);
      script.splice(60 + 20 * call, 0, fence("a", "finalize"), fence("b"));
      scripts.push(forCall(script, call));
    }
    const whole = await transcribe(scripts.flat(), { calls: 3 });
    assert.ok(whole.of("transcript.partial").length > 8);
    for (let seed = 1; seed <= 12; seed++) {
      const run = await transcribe(interleave(seeded(seed), scripts), {
        calls: 3,
        seed,
        batchMax: seed % 2 === 0 ? 40 : 6,
        killAfter: 0.15,
        killDuring: 0.15,
      });
      for (const call of [0, 1, 2]) assert.deepEqual(story(run, call), story(whole, call), `seed ${seed} call ${call}`);
    }
  });

  test("under load there are fewer partials and the same finals, and a batch that is repeated repeats them", async () => {
    const script = await heard(audioSteps(pcmOf(seeded(1), TALK)), [close()]);
    const normal = await transcribe(script, { batchMax: 1 });
    for (const [level, fewer] of [2, 4, 8].entries()) {
      const run = await transcribe(script, { batchMax: 1, degradeLevel: () => level + 1 });
      assert.deepEqual(run.of("transcript.final"), normal.of("transcript.final"));
      const [all, left] = [normal, run].map((each) => each.of("transcript.partial").length) as [number, number];
      assert.ok(left <= Math.ceil(all / fewer) + 1, `${left} of ${all} at level ${level + 1}`);
    }
    // The level moves all the time, and a batch is only repeated when its level was not saved.
    const moving = (): (() => number) => {
      let saves = 0;
      return () => Math.floor(saves++ / 7) % 4;
    };
    const undisturbed = await transcribe(script, { batchMax: 1, degradeLevel: moving() });
    assert.notEqual(undisturbed.of("transcript.partial").length, normal.of("transcript.partial").length);
    for (let seed = 1; seed <= 8; seed++) {
      const run = await transcribe(script, {
        seed,
        batchMax: 1,
        killDuring: 0.2,
        killAfter: 0.2,
        degradeLevel: moving(),
      });
      assert.deepEqual(story(run), story(undisturbed), `seed ${seed}`);
    }
  });

  test("a model too slow for its deadlines says the same in smaller steps", async () => {
    const scripts: Step[][] = [];
    for (const call of [0, 1, 2, 3]) {
      const audio = audioSteps(pcmOf(seeded(call + 1), [["quiet", 170 * call], ...TALK]));
      scripts.push(forCall(await heard(audio, [close()]), call));
    }
    const run = { calls: 4, seed: 3, batchMax: 60 };
    const steps = interleave(seeded(3), scripts);
    const [fast, slow] = [fakeStt(fakeSteps(0.001)), fakeStt(fakeSteps(60))];
    const expected = await transcribe(steps, { ...run, model: fast });
    const found = await transcribe(steps, { ...run, model: slow });
    for (const call of [0, 1, 2, 3]) assert.deepEqual(story(found, call), story(expected, call), `call ${call}`);
    const mean = ({ advanceSizes }: FakeStt): number => advanceSizes.reduce((a, b) => a + b, 0) / advanceSizes.length;
    assert.ok(mean(slow) < 0.8 * mean(fast), `${mean(slow)} against ${mean(fast)} calls in a step`);
  });

  test("who needs no answer is left out of a step that would make one late, and not for longer than the deadline", async () => {
    const model = fakeStt(fakeSteps(60));
    const run = new ActorRun(sttActor, { partialMs: 0 }, { model, calls: 2, inputKinds: ["audio.in"] });
    await run.start();
    const audio = audioSteps(pcmOf(seeded(1), [["loud", 2_000]]));
    /** Both calls hear frames; the second one's final is asked for. */
    const hear = (from: number, to: number): Promise<void> => {
      const frames = audio.slice(from, to);
      return run.play([...forCall(frames, 0), ...forCall(frames, 1), fence(`${from}`, "finalize", 1)]);
    };
    await hear(0, 30);
    assert.deepEqual(model.advanceSizes, [1], "the one whose final is asked for");
    run.clock.advance(60_000);
    await hear(30, 40);
    assert.deepEqual(model.advanceSizes, [1, 1]);
    run.clock.advance(60_000);
    await hear(40, 50);
    assert.deepEqual(model.advanceSizes, [1, 1, 2], "both, after 120 ms");
    await run.play(forCall(audio.slice(50, 60), 0));
    assert.deepEqual(model.advanceSizes, [1, 1, 2, 1], "nobody waits for an answer, so there is time");
    await run.stop();
  });

  test("partials come at most once per partialMs of stream time, change each time, and stop with the segment", async () => {
    const steps = await heard(audioSteps(pcmOf(seeded(1), TALK)));
    const run = await transcribe(steps, {}, { partialMs: 300 });
    const partials = run.of("transcript.partial").map(({ meta }) => meta);
    assert.ok(partials.length >= 4);
    for (const [index, partial] of partials.entries()) {
      assert.equal((partial.endSample - partial.startSample) % 4_800, 0);
      const before = partials[index - 1];
      if (before?.segmentId !== partial.segmentId) continue;
      assert.notEqual(partial.text, before.text);
      assert.ok(partial.text.startsWith(before.text.slice(0, before.stableChars)));
      assert.ok(partial.stableChars >= before.stableChars);
    }
    const none = await transcribe(steps, {}, { partialMs: 0 });
    assert.equal(none.of("transcript.partial").length, 0);
    assert.deepEqual(none.of("transcript.final"), run.of("transcript.final"));
  });

  test("advances the calls of a batch in one go", async () => {
    const script = await heard(audioSteps(pcmOf(seeded(1), TALK)));
    const model = fakeStt();
    const scripts = [0, 1, 2, 3].map((call) => forCall(script, call));
    await transcribe(scripts.flat(), { calls: 4, model });
    assert.deepEqual([...new Set(model.advanceSizes)], [4]);
  });

  test("finalize gives the text so far before the fence, and speech that goes on is a new segment", async () => {
    const pcm = pcmOf(seeded(1), [["loud", 3_000]]);
    const steps = await heard(audioSteps(pcm), [close()], false);
    steps.splice(90, 0, fence("a", "finalize"));
    const run = await transcribe(steps, { inputKinds: ["audio.in", "vad"] });
    assert.deepEqual(kinds(run).filter(withoutPartials), ["transcript.final", "fence", "transcript.final", "close"]);
    const [first, second] = run.of("transcript.final").map(({ meta }) => meta);
    assert.equal(second!.startSample, first!.endSample, "segments touch");
    assert.deepEqual([first!.turnIndex, second!.turnIndex], [0, 1], "without turns, segments are counted");
  });

  test("a fence passes when there is nothing to say, and silence has no final", async () => {
    const steps = [...audioSteps(new Int16Array(16_000)), fence("a", "finalize"), fence("b"), close()];
    const vad = await transcribe(steps);
    assert.deepEqual(kinds(vad), ["fence", "fence", "close"]);
    const continuous = await transcribe(steps, { inputKinds: ["audio.in"] });
    assert.deepEqual(kinds(continuous), ["fence", "fence", "close"]);
  });

  test("without a voice detector everything is one segment, up to the fence", async () => {
    const pcm = pcmOf(seeded(1), TALK);
    const steps = [...audioSteps(pcm), fence("a", "finalize"), ...audioSteps(pcm, 0, pcm.length), close()];
    const run = await transcribe(steps, { inputKinds: ["audio.in"] });
    const finals = run.of("transcript.final").map(({ meta }) => meta);
    assert.deepEqual(
      finals.map(({ startSample, endSample }) => [startSample, endSample]),
      [
        [0, pcm.length],
        [pcm.length, 2 * pcm.length],
      ],
    );
  });

  test("a segment longer than the limit is cut exactly there, and nothing is lost", async () => {
    const pcm = pcmOf(seeded(1), [["loud", 31_000]]);
    const run = await transcribe([...audioSteps(pcm, 0, 0, seeded(4)), close()], {
      inputKinds: ["audio.in"],
      batchMax: 200,
      killAfter: 0.5,
    });
    const finals = run.of("transcript.final").map(({ meta }) => meta);
    assert.deepEqual(
      finals.map(({ startSample, endSample }) => [startSample, endSample]),
      [
        [0, SEGMENT_SAMPLES_MAX],
        [SEGMENT_SAMPLES_MAX, pcm.length],
      ],
    );
  });

  test("a short gap is recognised as silence, a long one divides segments", async () => {
    const pcm = pcmOf(seeded(1), [["loud", 1_000]]);
    for (const [gap, segments] of [
      [8_000, 1],
      [80_000, 2],
    ] as const) {
      const steps = [...audioSteps(pcm), ...audioSteps(pcm, 0, pcm.length + gap), close()];
      const run = await transcribe(steps, { inputKinds: ["audio.in"], batchMax: 7, killAfter: 0.2 });
      const finals = run.of("transcript.final").map(({ meta }) => meta);
      assert.equal(finals.length, segments);
      assert.equal(finals.at(-1)!.endSample, 2 * pcm.length + gap);
      assert.equal(finals.at(-1)!.startSample, segments === 1 ? 0 : pcm.length + gap);
    }
  });

  test("a turn's end finds the text before it even if the voice goes on", async () => {
    const steps = await heard(audioSteps(pcmOf(seeded(1), [["loud", 1_500]])), [], false);
    const end = { what: "end", turnIndex: 0, atSample: 16_000, confidence: 1, trigger: "timeout" } as const;
    steps.splice(50, 0, { frame: frame("turn", end) });
    const run = await transcribe([...steps, close()]);
    assert.deepEqual(kinds(run).filter(withoutPartials), ["transcript.final", "turn end", "transcript.final", "close"]);
    assert.deepEqual(
      run.of("transcript.final").map(({ meta }) => meta.turnIndex),
      [0, 1],
    );
  });

  test("a partial that turns out to be nothing is taken back by an empty final", async () => {
    const inner = fakeStt();
    const model: FakeStt = {
      ...inner,
      createStream(options) {
        const stream = inner.createStream(options);
        const hypothesis = stream.hypothesis.bind(stream);
        const nothing = { text: "", words: [], stableChars: 0, confidence: 0 };
        return Object.assign(stream, { hypothesis: () => (stream.isDone ? nothing : hypothesis()) });
      },
    };
    const steps = await heard(audioSteps(pcmOf(seeded(1), TALK)));
    const run = await transcribe(steps, { model, batchMax: 4, killAfter: 0.5 });
    assert.deepEqual(
      run.of("transcript.final").map(({ meta }) => [meta.segmentId, meta.text]),
      [
        [0, ""],
        [1, ""],
        [2, ""],
      ],
    );
    const silent = await transcribe(steps, { model }, { partialMs: 0 });
    assert.equal(silent.of("transcript.final").length, 0);
  });

  test("a call's keyterms reach its stream", async () => {
    const steps = await heard(audioSteps(pcmOf(seeded(1), TALK)));
    const run = await transcribe(steps, { callOptions: { keyterms: ["Syrinx"] } });
    assert.match(run.of("transcript.final")[0]!.meta.text, /^Syrinx w/);
  });
});
