/** The whole runtime: calls, workers, actor loops, events. */
import { RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";
import { chainPlan } from "../../test/support/plans.js";
import type { OpenPipe } from "./pipe.js";

const MODULE = new URL("../modules/relays.js", import.meta.url).href;

export const openRuntimePipe: OpenPipe = async (callCount, received) => {
  const chain = chainPlan(
    [
      { name: "first", actor: "bench-relay", worker: 1 },
      { name: "second", actor: "bench-return", worker: 2, out: ["audio.out"] },
    ],
    { maxCalls: callCount, modules: [MODULE] },
  );
  // Between the workers nothing may be dropped: only the generator counts what found no room.
  const edges = chain.edges.map((edge) => (edge.from < 0 ? edge : { ...edge, onFull: "block-source" as const }));
  const plan = { ...chain, edges };
  const runtime = new RuntimeImpl(plan, createLogger({ level: "silent" }), undefined);
  await runtime.start();
  const calls = await Promise.all(
    Array.from({ length: callCount }, (_, slot) =>
      runtime.open("test", {
        onEvent: (event) => {
          if (event.type === "audio") received(slot, event.pcm, 0, event.pcm.length);
        },
      }),
    ),
  );
  return {
    send: (slot, pcm) => calls[slot]!.write(pcm),
    flush: () => {},
    close: () => runtime.drain(),
  };
};
