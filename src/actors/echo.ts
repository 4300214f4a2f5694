/** Gives the caller's audio back as context 0: the smallest graph, and a test of everything around it. */
import { z } from "zod";
import { GRAPH_RATE_HZ } from "../base/units.js";
import { defineActor } from "./define.js";

const CONTEXT = { contextId: 0, rateHz: GRAPH_RATE_HZ } as const;

interface EchoState {
  /** Samples given back so far. */
  position: number;
}

export const echoActor = defineActor<Record<string, never>, EchoState>({
  name: "echo",
  summary: "Gives the caller's audio back.",
  inputs: ["audio.in"],
  requires: ["audio.in"],
  outputs: ["audio.out"],
  forwards: [],
  options: z.strictObject({}) as z.ZodType<Record<string, never>>,
  thread: "io",
  latencyMs: () => 0,
  stateBytes: () => 4,
  create: () => ({
    open: () => ({ position: 0 }),
    process(batch, out) {
      for (const item of batch) {
        if (item.kind !== "audio.in") {
          out.forward(item);
          continue;
        }
        const { call, samples, offset, count } = item;
        out.emitAudio(call, CONTEXT, samples, offset, count, { cause: item, position: call.state.position });
        call.state.position += count;
      }
    },
    save(call, row) {
      row.i32[0] = call.state.position;
    },
    restore: (_call, row) => ({ position: row.i32[0]! }),
  }),
});
