/** Options that several commands share, and where a command finds its configuration. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../base/package-root.js";

/** `configs/NAME.yaml` here, else the one that came with the package. */
export function shippedConfig(name: string): string {
  const local = join("configs", `${name}.yaml`);
  return existsSync(local) ? local : join(packageRoot(), "configs", `${name}.yaml`);
}

/** The first graph of the plan that has a node of the actor; commands need not be told the graph's name. */
export function graphWith(
  plan: { readonly nodes: readonly { readonly graph: string; readonly actor: string }[] },
  actor: string,
): string | undefined {
  return plan.nodes.find((node) => node.actor === actor)?.graph;
}
