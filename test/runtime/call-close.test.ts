import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimulatedClock } from "../../src/base/clock.js";
import { LIMITS } from "../../src/base/limits.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { FrameView } from "../../src/frames/index.js";
import { CallImpl } from "../../src/runtime/call.js";
import type { CallOptions } from "../../src/runtime/call-options.js";
import type { Hub } from "../../src/runtime/hub.js";

/** A call without nodes, over a hub that swallows everything. */
function closingCall(clock: SimulatedClock): { call: CallImpl; events: CallEvent[] } {
  const events: CallEvent[] = [];
  const hub = {
    clock,
    words: { release: () => {}, generation: () => 0 },
    sendMeta: () => true,
    remove: () => {},
  } as unknown as Hub;
  const graph = {
    name: "test",
    nodes: [],
    accepts: [],
    finalizeEdges: [],
    terminalEdges: [],
    hasAgent: false,
    latencyMs: 0,
  };
  const call = new CallImpl({
    hub,
    graph,
    slot: 0,
    born: 0,
    callId: "c",
    edges: [],
    placement: [],
    options: {} as unknown as CallOptions,
    inputRateHz: 16_000,
    inputResampler: undefined,
    createOutputResampler: undefined,
    onEvent: (event) => events.push(event),
    onReleased: () => {},
    reportPlayback: false,
    observe: () => {},
    onFault: () => {},
  });
  return { call, events };
}

describe("a graceful close", () => {
  test("lasts as long as something comes, and ends when nothing has come for a while", () => {
    const clock = new SimulatedClock();
    const { call, events } = closingCall(clock);
    const later = (ms: number): void => {
      clock.advance(ms * 1_000);
      call.sweep(clock.nowUs());
    };
    void call.close();
    for (let round = 0; round < 5; round++) {
      later(LIMITS.callCloseMs - 1);
      call.receive({ kind: "usage" } as FrameView);
    }
    assert.equal(call.isClosed, false);
    later(LIMITS.callCloseMs);
    assert.equal(call.isClosed, true);
    assert.deepEqual(events, [{ type: "close", reason: "client" }]);
  });
});
