/**
 * The file's models and graphs with names resolved as far as they go. Chains and the long form become the same thing
 * here. A draft may be incomplete: what is missing was reported, and later checks step over it.
 */
import type { AnyActor } from "../actors/define.js";
import type { FamilyDefinition, ModelTask } from "../models/family.js";
import { type CatalogueDraft, type CatalogueReader, withEntry } from "./catalogue.js";
import type { OnFull } from "./plan.js";
import { quote } from "./problem.js";
import type { Registries } from "./registries.js";
import {
  CHAIN_NODE_KEYS,
  CONFIG_LIMITS,
  chainNodeSchema,
  GRAPH_NODE_KEYS,
  graphNodeSchema,
  longGraphSchema,
  MODEL_KEYS,
  type ModelConfig,
  modelSchema,
  NAME_CHARS_MAX,
  NAME_EXPECTED,
  NAME_PATTERN,
} from "./schema.js";
import { isRecord } from "./schema-nav.js";
import { parseSection } from "./section.js";
import type { Source } from "./source.js";
import { nearest } from "./suggest.js";
import type { Path } from "./tree.js";

export interface ModelDraft {
  readonly name: string;
  readonly path: Path;
  readonly config: ModelConfig | undefined;
  readonly family: FamilyDefinition | undefined;
  /** Parsed by the family's schema. */
  readonly options: unknown;
  /** What its entry of the catalogue says, if it names one. */
  readonly catalogue?: CatalogueDraft | undefined;
}

/** A name that somebody wrote, and where. */
export interface NamedPlace {
  readonly name: string;
  readonly path: Path;
}

export interface NodeDraft {
  readonly graph: string;
  readonly name: string;
  readonly path: Path;
  readonly actor: AnyActor | undefined;
  /** Parsed by the actor's schema; `undefined` if that failed. */
  readonly options: { readonly data: unknown } | undefined;
  readonly model: NamedPlace | undefined;
  readonly onFull: OnFull | undefined;
  readonly feedback: boolean;
  /** `in`, or names of nodes. */
  readonly inputs: readonly NamedPlace[];
}

export interface GraphDraft {
  readonly name: string;
  readonly path: Path;
  readonly nodes: readonly NodeDraft[];
  /** Nodes whose results the caller receives; a chain sends those of all nodes. */
  readonly outputs: readonly NamedPlace[];
  readonly isChain: boolean;
}

/** The task of the model that the node needs; `undefined` if it needs none as it is configured, or that is not known. */
export function modelTaskOf({ actor, options }: NodeDraft): ModelTask | undefined {
  if (actor?.needsModel === undefined) return actor?.task;
  return options !== undefined && actor.needsModel(options.data) ? actor.task : undefined;
}

/** What the caller sends, as an input's name. */
export const IN = "in";

export function draftModels(source: Source, registries: Registries, catalogue: CatalogueReader): ModelDraft[] {
  return entries(source, ["models"], CONFIG_LIMITS.models).map(([name, value]) => {
    const path = ["models", name];
    checkName(source, name, path);
    if (!isRecord(value)) {
      source.problems.add("invalid-value", path, `the model ${quote(name)} is no mapping`, {
        expected: "a mapping with family",
      });
      return { name, path, config: undefined, family: undefined, options: undefined };
    }
    const found = withEntry(source, path, value, catalogue);
    if (found === undefined) return { name, path, config: undefined, family: undefined, options: undefined };
    const { whole, entry } = found;
    const family = typeof whole.family === "string" ? registries.findFamily(whole.family) : undefined;
    if (typeof whole.family === "string" && family === undefined) {
      const at = [...path, value.family === undefined ? "catalogue" : "family"];
      unknownName(source, "unknown-family", at, "family", whole.family, registries.familyNames());
    }
    const config = parseSection(source, path, only(whole, MODEL_KEYS), modelSchema)?.data;
    const own =
      family && parseSection(source, path, without(whole, MODEL_KEYS), family.options, { otherKeys: MODEL_KEYS });
    return { name, path, config, family, options: own?.data, catalogue: entry };
  });
}

export function draftGraphs(source: Source, registries: Registries): GraphDraft[] {
  return entries(source, ["graphs"], CONFIG_LIMITS.graphs).map(([name, value]) => {
    const path = ["graphs", name];
    checkName(source, name, path);
    if (Array.isArray(value)) return draftChain(source, registries, name, value);
    if (isRecord(value)) return draftLongGraph(source, registries, name, value);
    source.problems.add("invalid-value", path, `the graph ${quote(name)} is neither a list nor a mapping`, {
      expected: "a list of actors, or a mapping with nodes and output",
    });
    return { name, path, nodes: [], outputs: [], isChain: true };
  });
}

function draftChain(source: Source, registries: Registries, graph: string, items: readonly unknown[]): GraphDraft {
  const path = ["graphs", graph];
  const nodes: NodeDraft[] = [];
  const taken = new Set<string>([IN]);
  if (items.length === 0) source.problems.add("invalid-value", path, `the graph ${quote(graph)} has no nodes`);
  for (const [index, item] of items.slice(0, CONFIG_LIMITS.nodesPerGraph).entries()) {
    const here = [...path, index];
    const [actorName, raw] = chainItem(item);
    if (actorName === undefined) {
      source.problems.add("invalid-value", here, `entry ${index + 1} of the chain names no actor`, {
        expected: "an actor's name, or a mapping with one key: the actor's name",
      });
      continue;
    }
    const own = typeof item === "string" ? here : [...here, actorName];
    const keys = parseSection(source, own, only(raw, CHAIN_NODE_KEYS), chainNodeSchema)?.data;
    if (keys?.name !== undefined) checkNodeName(source, keys.name, [...own, "name"], taken, "value");
    // A name that is taken was reported; the chain is wired as if it were another.
    const name = freeName(keys?.name ?? actorName, taken);
    taken.add(name);
    const before = nodes.at(-1);
    const definition = draftActor(source, registries, {
      actorName,
      at: own,
      nameAt: own,
      raw,
      reserved: CHAIN_NODE_KEYS,
    });
    nodes.push({
      graph,
      name,
      path: own,
      ...definition,
      model: keys?.model === undefined ? undefined : { name: keys.model, path: [...own, "model"] },
      onFull: keys?.onFull,
      feedback: false,
      inputs: [{ name: before?.name ?? IN, path: own }],
    });
  }
  tooMany(source, path, items.length, CONFIG_LIMITS.nodesPerGraph, "nodes");
  return { name: graph, path, nodes, outputs: nodes.map(({ name, path }) => ({ name, path })), isChain: true };
}

function chainItem(item: unknown): [string | undefined, Record<string, unknown>] {
  const none = Object.create(null) as Record<string, unknown>;
  if (typeof item === "string") return [item, none];
  if (!isRecord(item)) return [undefined, none];
  const keys = Object.keys(item);
  const inner = item[keys[0] ?? ""];
  if (keys.length !== 1 || (inner !== null && !isRecord(inner))) return [undefined, none];
  return [keys[0], inner ?? none];
}

function draftLongGraph(
  source: Source,
  registries: Registries,
  graph: string,
  value: Record<string, unknown>,
): GraphDraft {
  const path = ["graphs", graph];
  const shape = parseSection(source, path, value, longGraphSchema)?.data;
  const rawNodes = isRecord(value.nodes) ? Object.entries(value.nodes) : [];
  if (isRecord(value.nodes) && rawNodes.length === 0) {
    source.problems.add("invalid-value", [...path, "nodes"], `the graph ${quote(graph)} has no nodes`);
  }
  tooMany(source, [...path, "nodes"], rawNodes.length, CONFIG_LIMITS.nodesPerGraph, "nodes");
  const taken = new Set<string>([IN]);
  const nodes = rawNodes.slice(0, CONFIG_LIMITS.nodesPerGraph).map(([name, raw]) => {
    const here = [...path, "nodes", name];
    checkNodeName(source, name, here, taken, "key");
    taken.add(name);
    return draftLongNode(source, registries, graph, name, here, raw);
  });
  const outputs = (shape?.output ?? []).map((name, index) => ({ name, path: [...path, "output", index] }));
  return { name: graph, path, nodes, outputs, isChain: false };
}

function draftLongNode(
  source: Source,
  registries: Registries,
  graph: string,
  name: string,
  path: Path,
  raw: unknown,
): NodeDraft {
  const value = isRecord(raw) ? raw : (Object.create(null) as Record<string, unknown>);
  const keys = parseSection(source, path, only(value, GRAPH_NODE_KEYS), graphNodeSchema)?.data;
  const nameAt = [...path, "actor"];
  const actorName = typeof value.actor === "string" ? value.actor : undefined;
  const definition = draftActor(source, registries, {
    actorName,
    at: path,
    nameAt,
    raw: value,
    reserved: GRAPH_NODE_KEYS,
  });
  return {
    graph,
    name,
    path,
    ...definition,
    model: keys?.model === undefined ? undefined : { name: keys.model, path: [...path, "model"] },
    onFull: keys?.onFull,
    feedback: keys?.feedback ?? false,
    inputs: (keys?.inputs ?? []).map((input, index) => ({ name: input, path: [...path, "inputs", index] })),
  };
}

interface ActorPlace {
  readonly actorName: string | undefined;
  /** Where the options stand. */
  readonly at: Path;
  readonly nameAt: Path;
  readonly raw: Record<string, unknown>;
  readonly reserved: readonly string[];
}

function draftActor(source: Source, registries: Registries, place: ActorPlace): Pick<NodeDraft, "actor" | "options"> {
  if (place.actorName === undefined) return { actor: undefined, options: undefined };
  const actor = registries.findActor(place.actorName);
  if (actor === undefined) {
    unknownName(source, "unknown-actor", place.nameAt, "actor", place.actorName, registries.actorNames());
    return { actor: undefined, options: undefined };
  }
  const otherKeys = place.reserved;
  const options = parseSection(source, place.at, without(place.raw, otherKeys), actor.options, { otherKeys });
  return { actor, options };
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`;
  return name;
}

function checkNodeName(
  source: Source,
  name: string,
  path: Path,
  taken: ReadonlySet<string>,
  at: "key" | "value",
): void {
  checkName(source, name, path, at);
  if (name === IN) source.problems.add("invalid-name", path, "`in` is the name of what the caller sends", { at });
  else if (taken.has(name)) source.problems.add("duplicate-name", path, `two nodes are named ${quote(name)}`);
}

function checkName(source: Source, name: string, path: Path, at: "key" | "value" = "key"): void {
  if (NAME_PATTERN.test(name) && name.length <= NAME_CHARS_MAX) return;
  source.problems.add("invalid-name", path, `${quote(name)} cannot be a name here`, { expected: NAME_EXPECTED, at });
}

/** Adds an unknown-… problem with the nearest of `known`, or all of them. */
export function unknownName(
  source: Source,
  code: "unknown-actor" | "unknown-family" | "unknown-model" | "unknown-graph" | "unknown-node" | "unknown-face",
  path: Path,
  what: string,
  name: string,
  known: readonly string[],
): void {
  const near = nearest(name, known);
  const expected = near !== undefined ? undefined : known.length === 0 ? undefined : `one of ${known.join(", ")}`;
  const at = code === "unknown-actor" ? "key" : "value";
  source.problems.add(code, path, `there is no ${what} ${quote(name)}`, { nearest: near, expected, at });
}

/** The entries of a top-level mapping; adds a problem if it is something else. */
export function entries(source: Source, path: Path, countMax: number): [string, unknown][] {
  const value = source.tree.at(path);
  if (value === undefined) return [];
  if (!isRecord(value)) {
    source.problems.add("invalid-value", path, `${quote(String(path.at(-1)))} is no mapping`, {
      expected: "a mapping from names to entries",
    });
    return [];
  }
  const found = Object.entries(value);
  tooMany(source, path, found.length, countMax, "entries");
  return found.slice(0, countMax);
}

function tooMany(source: Source, path: Path, count: number, countMax: number, what: string): void {
  if (count > countMax) source.problems.add("invalid-value", path, `${count} ${what}; at most ${countMax} are allowed`);
}

function only(value: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return pickKeys(value, (key) => keys.includes(key));
}
function without(value: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return pickKeys(value, (key) => !keys.includes(key));
}
function pickKeys(value: Record<string, unknown>, isWanted: (key: string) => boolean): Record<string, unknown> {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) if (isWanted(key)) result[key] = item;
  return result;
}
