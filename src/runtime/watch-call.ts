/** Who looks on while a call runs: metrics, the log, and the trace if traces are collected. Main thread. */
import type { Plan, PlanGraph } from "../config/plan.js";
import { createTracing, type Logger, type Metrics, type Tracing } from "../telemetry/index.js";
import { CallRecord } from "./call-record.js";
import type { CallSpec } from "./call-spec.js";
import { modelOf, observeCall } from "./observe-call.js";

/** Loads what traces need, if an endpoint is configured. */
export async function startTracing(plan: Plan, log: Logger, metrics: Metrics): Promise<Tracing | undefined> {
  const { telemetry } = plan.server;
  if (telemetry === undefined) return undefined;
  return createTracing(telemetry, { log, countSpans: (result, count) => metrics.spans(result, count) });
}

export interface WatchedCall {
  readonly callId: string;
  readonly graph: PlanGraph;
  readonly traceparent: string | undefined;
}

/** What the call tells its watchers by. None of it throws. */
export function watchCall(
  { plan, log, metricsRegistry: metrics }: { plan: Plan; log: Logger; metricsRegistry: Metrics },
  tracing: Tracing | undefined,
  { callId, graph, traceparent }: WatchedCall,
): Pick<CallSpec, "observe" | "account" | "measure" | "onHeard"> {
  const trace = tracing?.openCall({ callId, graph: graph.name, traceparent, models: modelsOf(plan, graph) });
  const record = new CallRecord({
    log: log.child({ callId, graph: graph.name }),
    trace,
    onlyListens: !graph.hasAgent,
  });
  const count = observeCall(metrics, plan, graph);
  const ears = modelOf(plan, graph, "stt");
  return {
    observe: (event) => {
      count(event);
      record.observe(event);
    },
    account: (receipt) => record.account(receipt),
    measure: (figure, seconds) => metrics.heard(ears, figure, seconds),
    onHeard: (contextId) => record.heard(contextId),
  };
}

function modelsOf(plan: Plan, graph: PlanGraph): ReadonlyMap<string, string> {
  const models = new Map<string, string>();
  for (const index of graph.nodes) {
    const { name, model } = plan.nodes[index]!;
    if (model !== undefined) models.set(name, model);
  }
  return models;
}
