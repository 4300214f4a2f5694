/** An actor of the `faces` bench that costs next to nothing: every 100 ms of audio it says how much it heard. */
import { z } from "zod";
import { type ActorInstance, defineActor, perFrame } from "../../src/actors/define.js";

/** Samples between two transcripts. */
const STEP_SAMPLES = 1_600;

export const hear = defineActor({
  name: "bench-hear",
  summary: "tells of its input",
  inputs: ["audio.in"],
  outputs: ["vad", "transcript.partial", "transcript.final"],
  forwards: [],
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
  create: (): ActorInstance<undefined> =>
    perFrame(
      () => undefined,
      (item, out) => {
        const endSample = item.position + item.count;
        if (Math.floor(endSample / STEP_SAMPLES) === Math.floor(item.position / STEP_SAMPLES)) return;
        const text = "set a timer for ten minutes";
        const meta = {
          segmentId: 0,
          turnIndex: 0,
          text,
          words: [],
          stableChars: 0,
          startSample: 0,
          endSample,
          confidence: 1,
        };
        out.emit(item.call, "transcript.partial", meta, { cause: item, position: item.position });
      },
    ),
});
