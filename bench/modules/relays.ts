/** Actors of the `ring` bench: a stage that passes audio on, and one that sends it back. */
import { z } from "zod";
import { type ActorInstance, defineActor, perFrame } from "../../src/actors/define.js";

const shared = {
  options: z.any(),
  thread: "compute",
  latencyMs: () => 0,
} as const;

export const relay = defineActor({
  ...shared,
  name: "bench-relay",
  summary: "passes audio on",
  inputs: ["audio.in"],
  outputs: [],
  forwards: ["audio.in"],
  create: (): ActorInstance<undefined> =>
    perFrame(
      () => undefined,
      (item, out) => out.forward(item),
    ),
});

const CONTEXT = { contextId: 1, rateHz: 16_000 };

export const returnAudio = defineActor({
  ...shared,
  name: "bench-return",
  summary: "sends audio back",
  inputs: ["audio.in"],
  outputs: ["audio.out"],
  forwards: [],
  create: (): ActorInstance<undefined> =>
    perFrame(
      () => undefined,
      (item, out) => {
        out.emitAudio(item.call, CONTEXT, item.samples, item.offset, item.count, {
          cause: item,
          position: item.position,
        });
      },
    ),
});
