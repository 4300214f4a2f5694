/** An actor of your own: makes output audio louder or softer. See docs/EXTENDING.md. */
import { defineActor } from "syrinx";
import { z } from "zod";

export const gainActor = defineActor({
  name: "gain",
  summary: "Makes output audio louder or softer.",
  inputs: ["audio.out", "reply", "text", "alignment"],
  requires: ["audio.out"],
  outputs: ["audio.out"],
  forwards: ["reply", "text", "alignment"],
  options: z.strictObject({ db: z.number().min(-40).max(20).default(0) }),
  thread: "io",
  latencyMs: () => 0,
  create({ db }) {
    const factor = 10 ** (db / 20);
    return {
      open: () => undefined,
      process(batch, out) {
        for (const item of batch) {
          if (item.kind !== "audio.out") {
            out.forward(item);
            continue;
          }
          const louder = item.samples
            .subarray(item.offset, item.offset + item.count)
            .map((sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * factor))));
          const { contextId, rateHz } = item.meta("audio.out");
          out.emitAudio(item.call, { contextId, rateHz }, louder, 0, item.count, {
            cause: item,
            position: item.position,
          });
        }
      },
    };
  },
});
