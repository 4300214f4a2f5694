import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { type ActorInstance, type AnyActor, defineActor } from "../../src/actors/define.js";
import { chainPlan } from "../support/plans.js";
import { expectedSum, relay, sum } from "../support/test-actors.js";
import { Simulation } from "./simulation.js";

const SEEDS = Array.from({ length: 40 }, (_, index) => 7_000 + index);
/** Fits a few frames only, so that rings are full most of the time. */
const SMALL_RING_BYTES = 1 << 20;

/** The actor, with fault points where a real one could throw: before, within and after its work, and while saving. */
function fragile(actor: AnyActor, faultPoint: () => void): AnyActor {
  return {
    ...actor,
    create: async (options, resources) => {
      const inner = (await actor.create(options, resources)) as ActorInstance<unknown>;
      const instance: ActorInstance<unknown> = {
        open: (call, out) => inner.open(call, out),
        async process(batch, out) {
          faultPoint();
          const half = batch.length >> 1;
          await inner.process(batch.slice(0, half), out);
          faultPoint();
          await inner.process(batch.slice(half), out);
          faultPoint();
        },
      };
      const { save, restore } = inner;
      if (save === undefined || restore === undefined) return instance;
      return {
        ...instance,
        save(call, row) {
          // Outputs are published by now, other calls are saved or not, the input is not acknowledged: the next worker
          // repeats what was not saved.
          faultPoint();
          save.call(inner, call, row);
        },
        restore: (call, row, out) => restore.call(inner, call, row, out),
      };
    },
  };
}

/** Answers each fence with ten frames of audio. */
const talker = defineActor({
  name: "test-talker",
  summary: "talks",
  inputs: ["audio.in"],
  outputs: ["audio.out"],
  forwards: [],
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
  create: (): ActorInstance<undefined> => ({
    open: () => undefined,
    process(batch, out) {
      for (const item of batch) {
        if (item.kind === "fence") {
          const pcm = new Int16Array(160);
          const context = { contextId: Number(item.meta("fence").id), rateHz: 16_000 };
          for (let at = 0; at < 10; at++)
            out.emitAudio(item.call, context, pcm, 0, 160, { cause: item, position: at * 160 });
        }
        if (item.kind !== "audio.in") out.forward(item);
      }
    },
  }),
});

function sumPlan() {
  return chainPlan(
    [
      { name: "relay", actor: "test-relay", worker: 1 },
      { name: "again", actor: "test-relay", worker: [2, 3] },
      { name: "sum", actor: "test-sum", worker: 4, stateBytes: 64, out: ["transcript.final"] },
    ],
    { maxCalls: 4 },
  );
}

describe("a simulated graph", () => {
  test("delivers every frame exactly once, in order, whoever crashes whenever", async () => {
    let crashes = 0;
    for (const seed of SEEDS) {
      let simulation: Simulation;
      const faultPoint = (): void => simulation.faultPoint();
      const actors = [fragile(relay, faultPoint), fragile(sum, faultPoint)];
      simulation = new Simulation(seed, sumPlan(), actors, SMALL_RING_BYTES);
      await simulation.start();
      const { prng } = simulation;
      const written: Int16Array[][] = [[], [], [], []];
      for (const slot of [0, 1, 2, 3]) simulation.open(slot);
      for (let round = 0; round < 150; round++) {
        // Rare enough that no batch dies four times: that is poison, and another test.
        simulation.crashChance = 0.02;
        const slot = prng.integer(0, 4);
        const pcm = Int16Array.from({ length: 2 * prng.integer(1, 200) }, () => prng.integer(-9_000, 9_000));
        if (simulation.audio(slot, pcm)) written[slot]!.push(pcm);
        await simulation.stepRandom();
      }
      simulation.crashChance = 0;
      for (const slot of [0, 1, 2, 3]) simulation.fence(slot, "end");
      await simulation.settle();
      crashes += simulation.crashCount;
      for (const slot of [0, 1, 2, 3]) {
        const mine = simulation.received.filter((frame) => frame.slot === slot);
        const texts = mine
          .filter(({ kind }) => kind === "transcript.final")
          .map(({ meta }) => (meta as { text: string }).text);
        assert.deepEqual(texts, [expectedSum(written[slot]!)], `seed ${seed}, slot ${slot}`);
        assert.equal(mine.filter(({ kind }) => kind === "fence").length, 1, `seed ${seed}: the fence comes back once`);
      }
    }
    assert.ok(crashes > 50, `the seeds make crashes happen: ${crashes}`);
  });

  test("loses and repeats nothing when batches wait for company and their worker dies meanwhile", async () => {
    let holds = 0;
    let crashes = 0;
    for (const seed of SEEDS) {
      let simulation: Simulation;
      const faultPoint = (): void => simulation.faultPoint();
      simulation = new Simulation(
        seed,
        sumPlan(),
        [fragile(relay, faultPoint), fragile(sum, faultPoint)],
        SMALL_RING_BYTES,
      );
      await simulation.start();
      const { prng } = simulation;
      const written: Int16Array[][] = [[], [], [], []];
      for (const slot of [0, 1, 2, 3]) simulation.open(slot);
      simulation.holdChance = 0.6;
      simulation.crashChance = 0.01;
      for (let round = 0; round < 200; round++) {
        const slot = prng.integer(0, 4);
        if (slot === 3 && prng.next() < 0.1) {
          // Whoever aborts while its frames wait takes them along.
          simulation.abort(slot);
          simulation.open(slot);
          written[slot] = [];
        }
        const pcm = Int16Array.from({ length: 2 * prng.integer(1, 200) }, () => prng.integer(-9_000, 9_000));
        if (simulation.audio(slot, pcm)) written[slot]!.push(pcm);
        await simulation.stepRandom();
      }
      simulation.holdChance = 0;
      simulation.crashChance = 0;
      for (const slot of [0, 1, 2, 3]) simulation.fence(slot, "end");
      await simulation.settle();
      holds += simulation.holdCount;
      crashes += simulation.crashCount;
      for (const slot of [0, 1, 2, 3]) {
        const texts = simulation.received
          .filter((frame) => frame.slot === slot && frame.kind === "transcript.final")
          .map(({ meta }) => (meta as { text: string }).text);
        assert.deepEqual(texts, [expectedSum(written[slot]!)], `seed ${seed}, slot ${slot}`);
      }
    }
    assert.ok(holds > 500 && crashes > 30, `${holds} waits, ${crashes} crashes`);
  });

  test("never delivers a frame of an older generation once the new one was seen by its producer", async () => {
    for (const seed of SEEDS) {
      const plan = chainPlan([{ name: "talker", actor: "test-talker", worker: 1, out: ["audio.out"] }], {
        maxCalls: 2,
      });
      const simulation = new Simulation(seed, plan, [talker], SMALL_RING_BYTES);
      await simulation.start();
      simulation.open(0);
      let highest = simulation.bornOf(0);
      for (let round = 0; round < 120; round++) {
        if (simulation.prng.next() < 0.3) simulation.fence(0, String(round));
        if (simulation.prng.next() < 0.1) highest = simulation.interrupt(0);
        const before = simulation.received.length;
        await simulation.stepRandom();
        for (const frame of simulation.received.slice(before)) {
          if (frame.kind !== "audio.out") continue;
          // What the ring still held when the bump came is dropped by the reader's own look, as the call does.
          const isStale = simulation.words.isStale(0, frame.generation);
          assert.equal(isStale, frame.generation !== highest, `seed ${seed}`);
        }
      }
      await simulation.settle();
      const audio = simulation.received.filter(({ kind }) => kind === "audio.out");
      const contexts = new Map<number, number[]>();
      for (const { meta, position } of audio) {
        const id = (meta as { contextId: number }).contextId;
        contexts.set(id, [...(contexts.get(id) ?? []), position]);
      }
      for (const [id, positions] of contexts) {
        const expected = Array.from({ length: positions.length }, (_, index) => index * 160);
        assert.deepEqual(positions, expected, `seed ${seed}: context ${id} is gap-free from its beginning`);
      }
    }
  });

  test("gives nothing of a former call to the next one in its slot", async () => {
    for (const seed of SEEDS) {
      const simulation = new Simulation(seed, sumPlan(), [relay, sum], SMALL_RING_BYTES);
      await simulation.start();
      const { prng } = simulation;
      let written: Int16Array[] = [];
      simulation.open(0);
      for (let round = 0; round < 200; round++) {
        if (prng.next() < 0.05) {
          simulation.abort(0);
          simulation.received.length = 0;
          simulation.open(0);
          written = [];
        }
        const pcm = Int16Array.from({ length: 64 }, () => prng.integer(-9_000, 9_000));
        if (simulation.audio(0, pcm)) written.push(pcm);
        await simulation.stepRandom();
      }
      simulation.fence(0, "end");
      await simulation.settle();
      const finals = simulation.received.filter(({ kind }) => kind === "transcript.final");
      assert.deepEqual(
        finals.map(({ meta }) => (meta as { text: string }).text),
        [expectedSum(written)],
        `seed ${seed}`,
      );
    }
  });

  test("brings close back after everything before it, once", async () => {
    for (const seed of SEEDS) {
      const simulation = new Simulation(seed, sumPlan(), [relay, sum], SMALL_RING_BYTES);
      await simulation.start();
      simulation.open(1);
      const frames: Int16Array[] = [];
      for (let index = 0; index < 30; index++) {
        const pcm = Int16Array.from({ length: 32 }, () => simulation.prng.integer(-9_000, 9_000));
        if (simulation.audio(1, pcm)) frames.push(pcm);
        await simulation.stepRandom();
      }
      simulation.fence(1, "end");
      simulation.close(1);
      await simulation.settle();
      const kinds = simulation.received.map(({ kind }) => kind);
      assert.deepEqual(kinds, ["transcript.final", "fence", "close"], `seed ${seed}`);
    }
  });
});
