/** Starting runtimes in tests. */
import type { Plan } from "../../src/config/plan.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { importModules } from "../../src/runtime/modules.js";
import { RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";

export async function startPlan(
  plan: Plan,
  resourceLimits?: ConstructorParameters<typeof RuntimeImpl>[2],
): Promise<RuntimeImpl> {
  await importModules(plan.modules);
  const runtime = new RuntimeImpl(plan, createLogger({ level: "silent" }), resourceLimits);
  await runtime.start();
  return runtime;
}

/** Events up to and including the first that `isLast` likes, or the close. */
export async function eventsUntil(call: Call, isLast: (event: CallEvent) => boolean): Promise<CallEvent[]> {
  const events: CallEvent[] = [];
  const iterator = call[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) return events;
    events.push(value);
    if (isLast(value) || value.type === "close") return events;
  }
}
