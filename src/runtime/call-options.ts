/** What a client asks of the nodes for its call, checked before anything is opened. */
import { findActor } from "../actors/registry.js";
import { RESAMPLER_RATES_HZ } from "../audio/resampler.js";
import { SyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { Plan, PlanGraph } from "../config/plan.js";

export type NodeOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Throws CALL_GRAPH_UNKNOWN. */
export function findGraph(plan: Plan, name: string): PlanGraph {
  const graph = plan.graphs.find((candidate) => candidate.name === name);
  if (graph !== undefined) return graph;
  const known = plan.graphs.map((candidate) => candidate.name).join(", ");
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: name, known });
}

/** Returns the options as the actors' schemas parsed them. Throws CALL_OPTION_INVALID. */
export function checkCallOptions(plan: Plan, graph: PlanGraph, options: NodeOptions): Record<string, unknown> {
  const checked: Record<string, unknown> = {};
  for (const [name, wanted] of Object.entries(options)) {
    const node = graph.nodes.map((index) => plan.nodes[index]!).find((candidate) => candidate.name === name);
    if (node === undefined) {
      const known = graph.nodes.map((index) => plan.nodes[index]!.name).join(", ");
      throw new SyrinxError("CALL_OPTION_INVALID", {
        option: name,
        reason: `graph ${graph.name} has the nodes ${known}`,
      });
    }
    const schema = findActor(node.actor)?.callOptions;
    if (schema === undefined) {
      throw new SyrinxError("CALL_OPTION_INVALID", { option: name, reason: `${node.actor} takes no options per call` });
    }
    const parsed = schema.safeParse(wanted);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const option = [name, ...issue.path].join(".");
      throw new SyrinxError("CALL_OPTION_INVALID", { option, reason: issue.message });
    }
    checked[name] = parsed.data;
  }
  const byteCount = Buffer.byteLength(JSON.stringify(checked));
  if (byteCount > LIMITS.priorityPayloadBytes / 2) {
    const reason = `${byteCount} bytes are more than ${LIMITS.priorityPayloadBytes / 2}`;
    throw new SyrinxError("CALL_OPTION_INVALID", { option: "nodes", reason });
  }
  return checked;
}

/** Throws AUDIO_FORMAT_UNSUPPORTED. */
export function checkRate(rateHz: number): void {
  if ((RESAMPLER_RATES_HZ as readonly number[]).includes(rateHz)) return;
  throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", {
    format: `${rateHz} Hz`,
    supported: `${RESAMPLER_RATES_HZ.join(", ")} Hz`,
  });
}
