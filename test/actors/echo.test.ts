import assert from "node:assert/strict";
import { test } from "node:test";
import { echoActor } from "../../src/actors/echo.js";
import { seeded } from "../../src/base/prng.js";
import { runActor } from "../support/run-actor.js";
import { audioSteps, close, fence, pcmOf } from "../support/steps.js";

test("echo gives every sample back in order, with contiguous positions, wherever the worker dies", async () => {
  const pcm = pcmOf(seeded(1), [["loud", 500]]);
  const run = await runActor(echoActor, {}, [...audioSteps(pcm), fence("a"), close()], {
    batchMax: 5,
    killAfter: 0.4,
    killDuring: 0.3,
  });
  const frames = run.of("audio.out");
  assert.deepEqual(
    frames.flatMap((found) => found.pcm),
    [...pcm],
  );
  let position = 0;
  for (const found of frames) {
    assert.equal(found.position, position);
    position += found.pcm.length;
  }
  assert.deepEqual(
    run.emitted.slice(-2).map(({ kind }) => kind),
    ["fence", "close"],
  );
});
