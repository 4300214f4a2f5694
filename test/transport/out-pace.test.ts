import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ServerEvent } from "../../src/transport/faces/face.js";
import { OutPace } from "../../src/transport/out-pace.js";
import { OutQueue } from "../../src/transport/out-queue.js";

const audio = (ms: number, contextId = 0): ServerEvent => ({
  type: "audio",
  contextId,
  rateHz: 1000,
  offsetSamples: 0,
  pcm: new Int16Array(ms),
});
const text: ServerEvent = { type: "text", contextId: 0, text: "x" };
const mark: ServerEvent = { type: "mark", id: "m" };
const gap: ServerEvent = { type: "gap", durationMs: 1 };

function typesOf(queue: OutQueue): string {
  let types = "";
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) types += `${event.type} `;
  return types.trim();
}

describe("pacing of audio to the client", () => {
  test("sends no more than the lead ahead of its playing, and says when to come again", () => {
    const [pace, out] = [new OutPace(200, 1e9), new OutQueue()];
    for (let index = 0; index < 6; index++) assert.ok(pace.hold(audio(100), 0));
    assert.equal(pace.release(1_000, out), 100, "three at once: the third begins within the lead");
    assert.equal(typesOf(out), "audio audio audio");
    assert.equal(pace.release(1_050, out), 50);
    assert.equal(typesOf(out), "");
    assert.equal(pace.release(1_100, out), 100);
    assert.equal(typesOf(out), "audio");
    assert.equal(pace.release(9_000, out), undefined);
    assert.equal(typesOf(out), "audio audio");
  });

  test("keeps the reply in its order, and lets pass what has no part in it", () => {
    const [pace, out] = [new OutPace(50, 1e9), new OutQueue()];
    assert.equal(pace.hold(text, 0), false, "nothing is in front of it");
    pace.hold(audio(100), 0);
    assert.ok(pace.hold(text, 0));
    pace.hold(audio(100), 0);
    assert.ok(pace.hold(mark, 0));
    assert.equal(pace.hold(gap, 0), false);
    pace.release(0, out);
    assert.equal(typesOf(out), "audio text");
    pace.release(50, out);
    assert.equal(typesOf(out), "audio mark");
  });

  test("an interruption finds the audio here and lets the rest go; what comes after it is not late", () => {
    const [pace, out] = [new OutPace(50, 1e9), new OutQueue()];
    for (const event of [audio(100), text, audio(100), mark]) pace.hold(event, 0);
    pace.release(0, out);
    assert.equal(typesOf(out), "audio text");
    assert.equal(pace.discardReply(0, out), 200);
    assert.equal(typesOf(out), "mark");
    assert.ok(pace.isEmpty);
    pace.hold(audio(10), 0);
    assert.equal(pace.release(10, out), undefined);
    assert.equal(typesOf(out), "audio");
  });

  test("is bounded: beyond the bound the oldest leaves early", () => {
    const [pace, out] = [new OutPace(0, 10_000), new OutQueue()];
    for (let index = 0; index < 20; index++) pace.hold(audio(1_000), 0);
    assert.notEqual(pace.release(0, out), undefined);
    const early = typesOf(out).split(" ").length;
    assert.ok(early > 14 && early < 20, `${early} of 20`);
  });

  test("whatever comes when, nothing is lost or reordered, and the client never holds more than the lead and one piece", () => {
    const step = fc.oneof(
      fc.integer({ min: 1, max: 100 }).map((ms) => ({ ms })),
      fc.constant({ ms: 0 }),
      fc.integer({ min: 1, max: 300 }).map((waitMs) => ({ waitMs })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const [pace, out] = [new OutPace(200, 1e9), new OutQueue()];
        const [given, got]: [ServerEvent[], ServerEvent[]] = [[], []];
        let [nowMs, heldMs] = [0, 0];
        const take = (): void => {
          for (let event = out.shift(); event !== undefined; event = out.shift()) {
            got.push(event);
            if (event.type === "audio") heldMs += event.pcm.length;
            assert.ok(heldMs <= 300, `${heldMs} ms`);
          }
        };
        for (const each of steps) {
          if ("ms" in each) {
            const event = each.ms === 0 ? mark : audio(each.ms);
            given.push(event);
            if (!pace.hold(event, 0)) out.push(event, 0);
          } else {
            nowMs += each.waitMs;
            heldMs = Math.max(0, heldMs - each.waitMs);
          }
          pace.release(nowMs, out);
          take();
        }
        pace.release(1e9, out);
        heldMs = -1e9;
        take();
        pace.release(2e9, out);
        take();
        assert.ok(got.every((event, index) => event === given[index]));
      }),
      { seed: 44, numRuns: 300 },
    );
  });
});
