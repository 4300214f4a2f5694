/** What a client asks of the nodes for its call, checked before anything is opened. */
import { findActor } from "../actors/registry.js";
import { SyrinxError } from "../base/errors.js";
import type { Plan, PlanGraph } from "../config/plan.js";

export type NodeOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

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
  return checked;
}
