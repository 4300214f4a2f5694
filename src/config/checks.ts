/** What must hold between nodes, models and the machine. Each check adds its problems and goes on. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { FrameKind } from "../frames/kinds.js";
import { type GraphDraft, IN, type ModelDraft, modelTaskOf, type NodeDraft, unknownName } from "./drafts.js";
import { quote } from "./problem.js";
import type { Registries } from "./registries.js";
import { isRecord } from "./schema-nav.js";
import type { Source } from "./source.js";
import { isEdgeData, kindsForCaller, type WiredEdge, type Wiring } from "./wiring.js";

export function checkGraph(
  source: Source,
  graph: GraphDraft,
  wiring: Wiring,
  models: readonly ModelDraft[],
  registries: Registries,
): void {
  checkNames(source, graph);
  for (const node of graph.nodes) {
    checkModel(source, node, models);
    checkOnFull(source, node);
  }
  checkCircles(source, wiring);
  const emptied = new Set<NodeDraft>();
  for (const edge of wiring.edges) if (checkEdge(source, edge, wiring)) emptied.add(edge.to);
  for (const node of graph.nodes) {
    if (!emptied.has(node) && !wiring.unreachable.includes(node)) checkNeeds(source, node, wiring, registries);
  }
  checkOutputs(source, graph, wiring);
}

function checkNames(source: Source, graph: GraphDraft): void {
  const known = graph.nodes.map((node) => node.name);
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input.name === IN || known.includes(input.name)) continue;
      unknownName(source, "unknown-node", input.path, "node", input.name, [IN, ...known]);
    }
  }
  for (const output of graph.outputs) {
    if (!known.includes(output.name)) unknownName(source, "unknown-node", output.path, "node", output.name, known);
  }
}

function checkModel(source: Source, node: NodeDraft, models: readonly ModelDraft[]): void {
  const { actor, model } = node;
  if (actor === undefined) return;
  // Whether it needs one is not known before its options are.
  if (actor.needsModel !== undefined && node.options === undefined) return;
  const { problems } = source;
  const fitting = models.filter((each) => each.family?.task === actor.task).map((each) => each.name);
  if (modelTaskOf(node) === undefined) {
    if (model === undefined) return;
    const condition = actor.task === undefined ? "" : " with these options";
    problems.add("needless-model", model.path, `the actor ${quote(actor.name)} runs no model${condition}`, {
      at: "key",
    });
    return;
  }
  if (model === undefined) {
    const advice = fitting.length > 0 ? `; add ${quote(`model: ${fitting[0]}`)}` : "; configure one under `models`";
    problems.add("missing-model", node.path, `the actor ${quote(actor.name)} needs a ${actor.task} model${advice}`, {
      at: "key",
    });
    return;
  }
  const found = models.find((each) => each.name === model.name);
  if (found === undefined) {
    const names = fitting.length > 0 ? fitting : models.map((each) => each.name);
    unknownName(source, "unknown-model", model.path, "model", model.name, names);
  } else if (found.family !== undefined && found.family.task !== actor.task) {
    const message = `${quote(model.name)} is a ${found.family.task} model, but ${quote(actor.name)} needs ${actor.task}`;
    problems.add("wrong-task", model.path, message, { nearest: fitting[0] });
  }
}

function checkOnFull(source: Source, node: NodeDraft): void {
  if (node.onFull !== "block-source" || !node.inputs.every((input) => input.name === IN)) return;
  source.problems.add(
    "invalid-value",
    [...node.path, "onFull"],
    "a caller cannot be made to wait: audio comes when it comes",
    {
      expected: "drop-newest, or no `onFull`",
    },
  );
}

function checkCircles(source: Source, wiring: Wiring): void {
  for (const circle of wiring.cycles) {
    const names = [...circle, circle[0]!].map((node) => node.name).join(" → ");
    const message = `the nodes ${names} feed each other; put \`feedback: true\` on the one where the circle closes`;
    source.problems.add("cycle", circle[0]!.path, message, { at: "key" });
  }
  for (const edge of wiring.edges) {
    if (!edge.isFeedback || edge.from === IN) continue;
    const message = `${quote(edge.from.name)} feeds back to ${quote(edge.to.name)}; marks and closes do not wait for this edge`;
    source.problems.add("feedback-cycle", edge.place.path, message);
  }
  for (const node of wiring.unreachable) {
    const isInCircle = wiring.cycles.some((circle) => circle.includes(node));
    const isDangling = node.inputs.length === 0 || wiring.edges.every((edge) => edge.to !== node);
    if (isInCircle || isDangling) continue;
    source.problems.add("unreachable-node", node.path, `no path leads from \`in\` to the node ${quote(node.name)}`, {
      at: "key",
    });
  }
}

/** Returns true if nothing travels on the edge. */
function checkEdge(source: Source, edge: WiredEdge, wiring: Wiring): boolean {
  const { from, to } = edge;
  if (edge.kinds.length > 0 || to.actor === undefined) return false;
  if (from !== IN && (wiring.uncertain.has(from) || wiring.unreachable.includes(from))) return false;
  const takes = listKinds(to.actor.inputs);
  const makes = from === IN ? "audio.in, text" : listKinds(arrivingFrom(from, wiring));
  const producer = from === IN ? "the caller sends" : `${quote(from.name)} makes`;
  const message = `nothing that ${producer} (${makes}) is taken by ${quote(to.name)} (${takes})`;
  source.problems.add("empty-edge", edge.place.path, message, { at: "key" });
  return true;
}

function arrivingFrom(node: NodeDraft, wiring: Wiring): readonly FrameKind[] {
  const reach = wiring.reach.get(node)!;
  const forwarded = node.actor!.forwards.filter((kind) => reach.has(kind));
  return [...new Set([...node.actor!.outputs, ...forwarded])];
}

function listKinds(kinds: readonly FrameKind[]): string {
  const shown = kinds.filter(isEdgeData);
  return shown.length === 0 ? "nothing" : shown.join(", ");
}

function checkNeeds(source: Source, node: NodeDraft, wiring: Wiring, registries: Registries): void {
  if (wiring.uncertain.has(node)) return;
  for (const kind of node.actor?.requires ?? []) {
    if (wiring.reach.get(node)!.has(kind)) continue;
    const makers = registries.actorNames().filter((name) => registries.findActor(name)?.outputs.includes(kind));
    const advice = makers.length > 0 ? `; ${makers.map(quote).join(" or ")} makes it` : "";
    const message = `${quote(node.name)} needs frames of kind ${quote(kind)}, which nothing before it makes${advice}`;
    source.problems.add("missing-kind", node.path, message, { at: "key" });
  }
}

function checkOutputs(source: Source, graph: GraphDraft, wiring: Wiring): void {
  const outputs = graph.outputs.flatMap((place) => {
    const node = graph.nodes.find((each) => each.name === place.name);
    return node === undefined ? [] : [{ node, place }];
  });
  if (outputs.length === 0 || graph.nodes.some((node) => wiring.uncertain.has(node))) return;
  const sent = kindsForCaller(graph, wiring);
  const silent = outputs.filter(({ node }) => sent.get(node)!.length === 0);
  if (silent.length === outputs.length) {
    source.problems.add("silent-graph", graph.path, `nothing of the graph ${quote(graph.name)} reaches its caller`, {
      at: "key",
    });
  }
  if (graph.isChain) return;
  for (const { node, place } of silent) {
    const message = `the output ${quote(node.name)} adds nothing that other outputs do not send`;
    source.problems.add("silent-output", place.path, message);
  }
}

export function checkModels(source: Source, models: readonly ModelDraft[], graphs: readonly GraphDraft[]): void {
  const used = new Set(graphs.flatMap((graph) => graph.nodes.map((node) => node.model?.name)));
  // A misspelt name elsewhere explains why a model seems unused.
  const isSure = graphs.every((graph) => graph.nodes.every((node) => isKnown(node, models)));
  for (const model of models) {
    if (isSure && !used.has(model.name)) {
      source.problems.add(
        "unused-model",
        model.path,
        `no graph uses the model ${quote(model.name)}; it is not loaded`,
        {
          at: "key",
        },
      );
    }
    // Only what the file itself names: a family's default lies in the package.
    const raw = source.tree.at(model.path);
    const file = isRecord(raw) ? raw.file : undefined;
    if (typeof file !== "string" || file === "" || model.options === undefined) continue;
    const full = resolve(source.tree.baseFolder, file);
    if (existsSync(full)) continue;
    const shown = source.tree.isInterpolated([...model.path, "file"]) ? "that the environment names" : quote(file);
    source.problems.add("model-file-missing", [...model.path, "file"], `there is no model file ${shown}`, {
      expected: `a file, relative to ${source.tree.baseFolder}`,
    });
  }
}

function isKnown(node: NodeDraft, models: readonly ModelDraft[]): boolean {
  if (node.actor === undefined) return false;
  return node.model === undefined
    ? modelTaskOf(node) === undefined
    : models.some(({ name }) => name === node.model?.name);
}

/**
 * Model threads against cores. With replicas, their number is the advice. Without, one thread per model is the least there
 * can be, and light models share a core well: told only from twice the cores on.
 */
export function checkThreads(
  source: Source,
  models: readonly ModelDraft[],
  graphs: readonly GraphDraft[],
  coreCount: number,
): void {
  const used = new Set(graphs.flatMap((graph) => graph.nodes.map((node) => node.model?.name)));
  const loaded = models.filter((model) => model.config !== undefined && used.has(model.name));
  const threadCount = loaded.reduce((sum, { config }) => sum + config!.replicas * config!.session.threads, 0);
  const most = [...loaded].sort((a, b) => b.config!.replicas - a.config!.replicas)[0];
  if (most === undefined || threadCount <= coreCount) return;
  const message = `${threadCount} model threads on ${coreCount} ${coreCount === 1 ? "core" : "cores"}`;
  if (most.config!.replicas > 1) {
    source.problems.add("threads-beyond-cores", [...most.path, "replicas"], `${message}; lower \`replicas\``);
  } else if (threadCount > 2 * coreCount) {
    source.problems.add("threads-beyond-cores", ["models"], `${message}; steps will wait for a core`, { at: "key" });
  }
}
