/** The door of this folder: configuration in, plan out, or all that is wrong with it. Main thread; blocks on small files. */
import { availableParallelism } from "node:os";
import { reasonOf } from "../base/errors.js";
import { CatalogueReader, checkCached } from "./catalogue.js";
import { checkGraph, checkModels, checkThreads } from "./checks.js";
import { compile, type Layout, type WiredGraph } from "./compile.js";
import { draftGraphs, draftModels } from "./drafts.js";
import type { Plan } from "./plan.js";
import { ConfigError, type ConfigProblem } from "./problem.js";
import type { PullPolicy } from "./pull-policy.js";
import { REAL_REGISTRIES, type Registries } from "./registries.js";
import { isRecord } from "./schema-nav.js";
import { readModules, readRoutes, readServer, readTop } from "./server.js";
import { adoptObject, type Environment, parseText, readSource, type Source } from "./source.js";
import { wire } from "./wiring.js";

export interface LoadOptions {
  /** Default: that of the process. */
  readonly env?: Environment;
  /** Default: built-in actors and families, and those of the modules imported so far. */
  readonly registries?: Registries;
  /** For objects and texts: the folder of relative names. Default: the current one. */
  readonly baseFolder?: string;
  /** Default: what the machine offers. */
  readonly coreCount?: number;
  /** Instead of the configuration's `server.pull`. */
  readonly pull?: PullPolicy;
}

export interface LoadedConfig {
  readonly plan: Plan;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * @param source path or file URL of YAML or JSON, or the configuration as an object
 * @throws ConfigError with every problem found. What it names must have been loaded before (`moduleUrls`, `familiesOf`).
 */
export function loadConfig(source: string | URL | object, options: LoadOptions = {}): LoadedConfig {
  return load(open(source, options), options);
}

/** As `loadConfig`, for YAML that is no file. `file` is what problems call it. */
export function loadConfigText(text: string, file: string, options: LoadOptions = {}): LoadedConfig {
  return load(parseText(text, file, options.baseFolder ?? process.cwd(), options.env ?? process.env), options);
}

/** All problems of a file, warnings too; never throws a ConfigError. */
export function checkConfig(
  source: string | URL | object,
  options: LoadOptions = {},
): { readonly problems: readonly ConfigProblem[] } {
  try {
    return { problems: loadConfig(source, options).warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

/** File URLs of the modules that a configuration names: import them, then load it. Throws ConfigError on their problems. */
export function moduleUrls(source: string | URL | object, options: LoadOptions = {}): readonly string[] {
  const opened = open(source, options);
  const urls = readModules(opened);
  opened.problems.throwIfErrors();
  return urls;
}

/** The families of a configuration's models, whether there are such or not: load them, then load the configuration. */
export function familiesOf(source: string | URL | object, options: LoadOptions = {}): readonly string[] {
  const models = open(source, options).tree.at(["models"]);
  const reader = new CatalogueReader(options.env ?? process.env);
  return Object.values(isRecord(models) ? models : {}).flatMap((model) => {
    if (!isRecord(model)) return [];
    const { family, catalogue } = model;
    const entry = typeof catalogue === "string" ? reader.catalogue.find(catalogue.split("@")[0]!) : undefined;
    return [family, entry?.family].filter((name) => typeof name === "string");
  });
}

function open(source: string | URL | object, options: LoadOptions): Source {
  const env = options.env ?? process.env;
  if (typeof source === "string" || source instanceof URL) return readSource(source, env);
  return adoptObject(source, options.baseFolder ?? process.cwd(), env);
}

function load(source: Source, options: LoadOptions): LoadedConfig {
  const registries = options.registries ?? REAL_REGISTRIES;
  if (!readTop(source)) source.problems.throwIfErrors();
  const env = options.env ?? process.env;
  const configured = readServer(source, env);
  const server = configured && { ...configured, pull: options.pull ?? configured.pull ?? "never" };
  const modules = readModules(source);
  const models = draftModels(source, registries, new CatalogueReader(env));
  const graphs: WiredGraph[] = draftGraphs(source, registries).map((draft) => ({ draft, wiring: wire(draft) }));
  const drafts = graphs.map((graph) => graph.draft);
  for (const { draft, wiring } of graphs) checkGraph(source, draft, wiring, models, registries);
  checkModels(source, models, drafts);
  checkCached(source, models, drafts, server?.pull ?? "never");
  checkThreads(source, models, drafts, options.coreCount ?? availableParallelism());
  const routes = readRoutes(source, drafts);
  source.problems.throwIfErrors();
  const layout = layOut(source, models, graphs);
  const { baseFolder } = source.tree;
  const plan: Plan = { version: 1, baseFolder, server: server!, ...layout, routes, modules };
  return { plan, warnings: source.problems.warnings() };
}

/** Actors' own code runs in here, and workers get the result: it must be plain data. */
function layOut(source: Source, ...parts: Parameters<typeof compile>): Layout {
  try {
    return structuredClone(compile(...parts));
  } catch (error) {
    source.problems.add("definition-failed", [], `an actor's or family's options cannot be used: ${reasonOf(error)}`);
    source.problems.throwIfErrors();
    throw error;
  }
}
