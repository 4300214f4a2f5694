/** A whole rung against a server in memory, on a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOAD_DEFAULTS } from "../../../src/cli/load/load.js";
import { judge, parseObjectives } from "../../../src/cli/load/objectives.js";
import { type RungResult, resultOf } from "../../../src/cli/load/result.js";
import { type RungSpec, type RungTraces, runRung } from "../../../src/cli/load/rung.js";
import { soakOf } from "../../../src/cli/load/soak.js";
import {
  FakeClock,
  type FakeScript,
  type FakeServer,
  fakeServer,
  reply,
  toneRecording,
} from "../../support/load-stage.js";

const RECORDING = toneRecording("tone", 500, "beep beep");

/** Answers 200 ms after it noticed the end of speech, later as more calls are open, if told so. */
function answering(msPerCall = 0): FakeScript & { server?: FakeServer } {
  const turns = new Map<number, number>();
  const script: FakeScript & { server?: FakeServer } = {
    onSpeechEnd: (call, endMs) => {
      const turnIndex = turns.get(call.number) ?? 0;
      turns.set(call.number, turnIndex + 1);
      call.tell({ type: "turn_end", turnIndex, streamMs: endMs });
      call.tell({ type: "final", text: "beep beep", streamEndMs: endMs });
      const delayMs = 200 + msPerCall * (script.server?.openCount() ?? 0);
      call.clock.after(delayMs, () => reply(call, turnIndex, 5));
    },
  };
  return script;
}

interface Ran {
  readonly traces: RungTraces;
  readonly result: RungResult;
  readonly server: FakeServer;
}

async function run(
  script: FakeScript & { server?: FakeServer },
  more: Partial<RungSpec> = {},
  during: (clock: FakeClock) => Promise<void> = async () => {},
): Promise<Ran> {
  const clock = new FakeClock();
  const server = fakeServer(clock, script);
  script.server = server;
  let cpuMs = 0;
  const spec: RungSpec = {
    ...LOAD_DEFAULTS,
    driver: server.driver,
    dial: { url: "" },
    calls: 4,
    answer: "reply",
    recordings: [RECORDING],
    callMs: undefined,
    warmupMs: 2_000,
    measureMs: 20_000,
    clock,
    probe: {
      // A core in ten, and 1 MB for each call.
      read: async () => {
        cpuMs += 100;
        return { cpuMs, rssBytes: 50e6 + 1e6 * server.openCount(), isHere: true };
      },
      capacity: async () => ({ activeCalls: server.openCount(), maxCalls: 100 }),
    },
    ...more,
  };
  const running = runRung(spec);
  await during(clock);
  const traces = await clock.runUntil(running);
  return { traces, server, result: resultOf(spec.calls, traces, new Map([["tone", "beep beep"]])) };
}

describe("a rung", () => {
  test("holds its calls, measures the turns of its time alone, and leaves no call behind", async () => {
    const { traces, result, server } = await run(answering());
    assert.equal(server.calls.length, 4);
    assert.deepEqual(server.closed.toSorted(), [0, 1, 2, 3]);
    assert.ok(traces.turns.length > 15);
    for (const { beganMs } of traces.turns) assert.ok(beganMs >= traces.fromMs && beganMs < traces.untilMs);
    assert.equal(traces.untilMs - traces.fromMs, 20_000);
    assert.equal(result.successPercent, 100);
    assert.equal(result.leakedCalls, 0);
    assert.equal(result.isVoid, false);
    // 300 ms until the fake notices, 200 until it answers.
    assert.ok(Math.abs(result.metrics.e2e_turn.p50 - 500) < 1);
    assert.deepEqual([result.words.errorPercent, result.words.same], [0, result.words.compared]);
    assert.ok(Math.abs(result.resources!.cpuMsPerStreamS - 25) < 2, `${result.resources!.cpuMsPerStreamS}`);
    assert.ok(Math.abs(result.resources!.rssPerStreamBytes - 1e6) < 1);
  });

  test("calls arrive one after another, and the same seed gives the same load", async () => {
    const [first, again, other] = [await run(answering()), await run(answering()), await run(answering(), { seed: 2 })];
    const starts = ({ server }: Ran): number[] => server.frames.map((frames) => Math.round(frames[0]!));
    assert.equal(new Set(starts(first)).size, 4);
    assert.deepEqual(starts(first), starts(again));
    assert.notDeepEqual(starts(first), starts(other));
    const begins = ({ traces }: Ran): number[] => traces.turns.map(({ beganMs }) => beganMs);
    assert.deepEqual(begins(first), begins(again));
  });

  test("synchronised, all frames and all utterances of all calls fall on the same instants", async () => {
    const { server, traces } = await run(answering(), { isSynchronised: true, bargeIn: 0 });
    for (const frames of server.frames) assert.deepEqual(frames.slice(0, 100), server.frames[0]!.slice(0, 100));
    const byCall = [0, 1, 2, 3].map((call) => traces.turns.filter((turn) => turn.call === call));
    assert.ok(byCall[0]!.length > 3);
    for (const turns of byCall) {
      assert.deepEqual(
        turns.map(({ beganMs }) => beganMs),
        byCall[0]!.map(({ beganMs }) => beganMs),
      );
    }
  });

  test("a generator that is held up voids it, and the stall is in the latencies instead of being left out", async () => {
    const { result } = await run(answering(), {}, async (clock) => {
      await clock.run(8_000);
      for (let stall = 0; stall < 10; stall++) {
        clock.stall(150);
        await clock.run(1_000);
      }
    });
    assert.ok(result.lateness.p99 > 5, `${result.lateness.p99}`);
    assert.equal(result.isVoid, true);
    assert.equal(judge(result, parseObjectives("e2e_p99=60s")).meets, false);
    assert.ok(result.metrics.e2e_turn.max > 600, `${result.metrics.e2e_turn.max}`);
  });

  test("turns that are slow at the end are waited for, not cut out of the figures", async () => {
    const { result, traces } = await run(answering(2_000), { calls: 2, measureMs: 10_000 });
    assert.ok(traces.turns.length > 0);
    assert.equal(result.outcomes.answered, traces.turns.length);
    assert.ok(Math.abs(result.metrics.e2e_turn.p50 - 4_500) < 1, `${result.metrics.e2e_turn.p50}`);
  });

  test("calls that the server refuses count against success, and are dialled again", async () => {
    const script = answering();
    const { result, server } = await run({ ...script, admits: (number) => number % 4 !== 3 });
    assert.ok(result.callCounts.polite.refused > 0);
    assert.ok(result.troubles.full! >= 1);
    assert.equal(server.closed.length, server.calls.length);
  });

  test("a server with no room for the last call keeps success below 100 %", async () => {
    let open = 0;
    const script: FakeScript = { ...answering(), admits: () => open++ < 3 };
    const { result } = await run(script);
    assert.ok(result.callCounts.polite.refused > 5);
    assert.ok(result.successPercent < 100 && result.successPercent > 30, `${result.successPercent}`);
  });

  test("calls of a mean length hang up and dial again", async () => {
    const { server, result } = await run(answering(), { callMs: 4_000 });
    assert.ok(server.calls.length > 8, `${server.calls.length}`);
    assert.equal(server.closed.length, server.calls.length);
    assert.equal(result.successPercent, 100);
  });

  test("those who vanish or read slowly have their share, and are not measured", async () => {
    const { server, result, traces } = await run(answering(), { calls: 10, abrupt: 0.2, slowReaders: 0.1 });
    assert.ok(server.aborted.length >= 4);
    assert.equal(result.callCounts["slow-reader"].opened, 1);
    assert.equal(result.callCounts.polite.opened, 7);
    assert.ok(result.callCounts.abrupt.opened >= 4);
    assert.equal(new Set(traces.turns.map(({ call }) => call)).size, 7);
    assert.equal(result.successPercent, 100);
  });

  test("a slot that the server does not give back is leaked", async () => {
    const { result, traces } = await run(answering(), {
      probe: {
        read: async () => undefined,
        capacity: (() => {
          let asked = 0;
          return async () => ({ activeCalls: asked++ === 0 ? 1 : 3, maxCalls: 100 });
        })(),
      },
    });
    assert.equal(result.leakedCalls, 2);
    assert.equal(result.resources, undefined);
    assert.equal(soakOf(traces, result.turns).leakedCalls, 2);
  });
});

describe("a soak", () => {
  test("finds the growth of memory and of latency per hour", async () => {
    let reads = 0;
    let slowness = 0;
    const turns = new Map<number, number>();
    const script: FakeScript = {
      onSpeechEnd: (call, endMs) => {
        const turnIndex = turns.get(call.number) ?? 0;
        turns.set(call.number, turnIndex + 1);
        call.tell({ type: "turn_end", turnIndex, streamMs: endMs });
        call.tell({ type: "final", text: "beep", streamEndMs: endMs });
        // 36 ms in an hour is 10 µs in a second.
        slowness = (call.clock.nowMs() / 1_000) * 0.01;
        call.clock.after(100 + slowness, () => reply(call, turnIndex, 2));
      },
    };
    const { traces, result } = await run(script, {
      calls: 2,
      measureMs: 360_000,
      probe: {
        // A floor that rises 1 kB a second, which is 3.6 MB an hour, under teeth of 9 s that rise with the hour.
        read: async () => {
          reads += 1;
          const tooth = (reads % 9) * (0.1 * reads) * 1_000;
          return { cpuMs: 0, rssBytes: 100e6 + 1_000 * reads + tooth, isHere: true };
        },
        capacity: async () => undefined,
      },
    });
    const soak = soakOf(traces, result.turns);
    assert.ok(Math.abs(soak.rssFloorMbPerHour!.slope - 3.6) < 0.4, `${soak.rssFloorMbPerHour!.slope}`);
    assert.ok(Math.abs(soak.rssMbPerHour!.slope - 3.6 * 1.4) < 0.6, `${soak.rssMbPerHour!.slope}`);
    assert.ok(Math.abs(soak.e2eMsPerHour!.slope - 36) < 1, `${soak.e2eMsPerHour!.slope}`);
    assert.ok(Math.abs(soak.finalMsPerHour!.slope) < 1, `${soak.finalMsPerHour!.slope}`);
    assert.ok(soak.rssMb!.last > soak.rssMb!.first);
    assert.equal(soak.leakedCalls, undefined);
  });
});
