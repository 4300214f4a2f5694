/** What a client asks of the nodes for its call: checked before anything is opened or changed, and remembered. */
import { callOptionsOf } from "../actors/define.js";
import { findActor } from "../actors/registry.js";
import { RESAMPLER_RATES_HZ } from "../audio/resampler.js";
import { SyrinxError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";
import type { Plan, PlanGraph, PlanNode } from "../config/plan.js";
import type { Change, MetaOf } from "../frames/kinds.js";

export type NodeOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Throws CALL_GRAPH_UNKNOWN. */
export function findGraph(plan: Plan, name: string): PlanGraph {
  const graph = plan.graphs.find((candidate) => candidate.name === name);
  if (graph !== undefined) return graph;
  const known = plan.graphs.map((candidate) => candidate.name).join(", ");
  throw new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: name, known });
}

/** One call's options, as they were and as they are. */
export class CallOptions {
  readonly #plan: Plan;
  readonly #graph: PlanGraph;
  /** As before the oldest change that is remembered. */
  #base: Record<string, unknown>;
  #changes: Change[] = [];
  #version = 0;

  /** Throws CALL_OPTION_INVALID. */
  constructor(plan: Plan, graph: PlanGraph, wanted: NodeOptions) {
    this.#plan = plan;
    this.#graph = graph;
    this.#base = {};
    for (const [name, options] of Object.entries(wanted)) this.#base[name] = parse(this.#node(name), options);
    checkSize(this.#base);
  }

  /**
   * Sets options of an open call; those of a node that are not named stay. The change holds from where its fence stands.
   * Throws CALL_OPTION_INVALID and CALL_CONFIGURE_LATE, and then changes nothing.
   */
  change(wanted: NodeOptions): Change {
    const before = this.#changes.at(-1)?.nodes ?? this.#base;
    const nodes: Record<string, unknown> = { ...before };
    for (const [name, options] of Object.entries(wanted)) {
      const node = this.#node(name);
      if (findActor(node.actor)?.isLive !== true) throw new SyrinxError("CALL_CONFIGURE_LATE", { node: name });
      nodes[name] = parse(node, { ...(before[name] as object | undefined), ...options });
    }
    checkSize(nodes);
    this.#version += 1;
    const change: Change = { version: this.#version, nodes };
    this.#changes.push(change);
    if (this.#changes.length > LIMITS.callChangesKept) this.#base = this.#changes.shift()!.nodes;
    return change;
  }

  /** For the worker that opens the call, or takes it over. */
  get record(): Pick<MetaOf<"open">, "options" | "changes"> {
    return this.#changes.length === 0 ? { options: this.#base } : { options: this.#base, changes: this.#changes };
  }

  #node(name: string): PlanNode {
    const nodes = this.#graph.nodes.map((index) => this.#plan.nodes[index]!);
    const node = nodes.find((candidate) => candidate.name === name);
    if (node !== undefined) return node;
    const known = nodes.map((candidate) => candidate.name).join(", ");
    throw new SyrinxError("CALL_OPTION_INVALID", {
      option: name,
      reason: `graph ${this.#graph.name} has the nodes ${known}`,
    });
  }
}

/** A node's options in a version of the call's options; before the first that is remembered, the oldest. */
export function optionsAt(
  { options, changes = [] }: Pick<MetaOf<"open">, "options" | "changes">,
  node: string,
  version: number,
): Readonly<Record<string, unknown>> {
  const nodes = changes.findLast((change) => change.version <= version)?.nodes ?? options;
  return (nodes[node] ?? {}) as Readonly<Record<string, unknown>>;
}

function parse(node: PlanNode, wanted: unknown): unknown {
  const actor = findActor(node.actor);
  const schema = actor === undefined ? undefined : callOptionsOf(actor, node.options);
  if (schema === undefined) {
    const reason = `${node.actor} takes no options per call`;
    throw new SyrinxError("CALL_OPTION_INVALID", { option: node.name, reason });
  }
  const parsed = schema.safeParse(wanted);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SyrinxError("CALL_OPTION_INVALID", {
    option: [node.name, ...issue.path].join("."),
    reason: issue.message,
  });
}

function checkSize(nodes: Readonly<Record<string, unknown>>): void {
  const byteCount = Buffer.byteLength(JSON.stringify(nodes));
  const limit = LIMITS.priorityPayloadBytes / 2;
  if (byteCount <= limit) return;
  throw new SyrinxError("CALL_OPTION_INVALID", {
    option: "nodes",
    reason: `${byteCount} bytes are more than ${limit}`,
  });
}

/** Throws AUDIO_FORMAT_UNSUPPORTED. */
export function checkRate(rateHz: number): void {
  if ((RESAMPLER_RATES_HZ as readonly number[]).includes(rateHz)) return;
  throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", {
    format: `${rateHz} Hz`,
    supported: `${RESAMPLER_RATES_HZ.join(", ")} Hz`,
  });
}
