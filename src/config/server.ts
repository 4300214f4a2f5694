/** The sections that are not about graphs: version, server and its secrets, modules, routes. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { entries, type GraphDraft, unknownName } from "./drafts.js";
import type { PlanAdmission, PlanRoute, PlanServer } from "./plan.js";
import { quote } from "./problem.js";
import {
  CONFIG_LIMITS,
  DEFAULT_ROUTE,
  FACE_NAMES,
  modulesSchema,
  PLANNED_FACES,
  RESERVED_ROUTES,
  routePathSchema,
  routeSchema,
  type ServerConfig,
  serverSchema,
  TOP_KEYS,
  versionSchema,
} from "./schema.js";
import { isRecord } from "./schema-nav.js";
import { readKeys, readTls, refuseLiteralKeys } from "./secrets.js";
import { parseSection } from "./section.js";
import type { Environment, Source } from "./source.js";
import { nearest } from "./suggest.js";
import { telemetryOf } from "./telemetry.js";

/** Version, unknown keys, keys that must be there. Returns false if the file is no mapping at all. */
export function readTop(source: Source): boolean {
  const { tree, problems } = source;
  if (!isRecord(tree.value)) {
    problems.add("invalid-value", [], "the configuration is no mapping", { expected: `keys ${TOP_KEYS.join(", ")}` });
    return false;
  }
  const keys: readonly string[] = TOP_KEYS;
  for (const key of Object.keys(tree.value)) {
    if (keys.includes(key)) continue;
    const near = nearest(key, keys);
    const expected = near === undefined ? `one of ${keys.join(", ")}` : undefined;
    problems.add("unknown-key", [key], `unknown key ${quote(key)}`, { at: "key", nearest: near, expected });
  }
  if (tree.value.version === undefined) {
    problems.add("missing-key", ["version"], "`version` is missing", { expected: "version: 1" });
  } else {
    parseSection(source, ["version"], tree.value.version, versionSchema);
  }
  if (tree.value.graphs === undefined || (isRecord(tree.value.graphs) && Object.keys(tree.value.graphs).length === 0)) {
    problems.add("missing-key", ["graphs"], "there is no graph", { expected: "at least one entry under `graphs`" });
  }
  return true;
}

/** Reads secrets from where the file says. Blocks on the disk. */
export function readServer(source: Source, env: Environment): PlanServer | undefined {
  const raw = source.tree.at(["server"]);
  const value = isRecord(raw) ? { ...raw } : raw;
  const hasLiteral = refuseLiteralKeys(source, value);
  if (hasLiteral) delete (value as Record<string, unknown>).apiKeys;
  const config = parseSection(source, ["server"], value ?? Object.create(null), serverSchema)?.data;
  if (config === undefined) return undefined;
  const apiKeys = config.apiKeys === undefined ? undefined : readKeys(source, config.apiKeys, env);
  if (config.apiKeys === undefined && !hasLiteral && !config.allowAnonymous && !isLoopback(config.host)) {
    const path = source.tree.at(["server", "host"]) === undefined ? ["server"] : ["server", "host"];
    const message = "others can reach this address, and there are no API keys";
    source.problems.add("anonymous-network", path, message, {
      expected: "host 127.0.0.1, or `apiKeys`, or `allowAnonymous: true`",
    });
  }
  if (config.cors?.origins === "*" && apiKeys === undefined && !hasLiteral && !config.allowAnonymous) {
    const message = "every page of the web may use this server, and there are no API keys";
    source.problems.add("anonymous-network", ["server", "cors", "origins"], message, {
      expected: "the pages' origins, or `apiKeys`, or `allowAnonymous: true`",
    });
  }
  return {
    host: config.host,
    port: config.port,
    maxCalls: config.maxCalls,
    apiKeys,
    ...(config.allowAnonymous ? { allowAnonymous: true } : {}),
    ...(config.tls === undefined ? {} : { tls: readTls(source, config.tls) }),
    ...(config.cors === undefined ? {} : { origins: config.cors.origins }),
    ...telemetryOf(source, config.telemetry.otlp, env),
    idleTimeoutMs: config.idleTimeoutMs,
    admission: admissionOf(source, config.admission),
    pull: config.pull,
    logLevel: config.log.level,
    logContent: config.log.content,
  };
}

function admissionOf(source: Source, { mode, file, slo, degrade }: ServerConfig["admission"]): PlanAdmission {
  return { mode, slo, degrade, ...(file === undefined ? {} : { file: resolve(source.tree.baseFolder, file) }) };
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "").toLowerCase();
  return plain === "localhost" || plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}

/** File URLs of the users' modules, in the file's order. */
export function readModules(source: Source): string[] {
  const value = source.tree.at(["modules"]);
  if (value === undefined) return [];
  const names = parseSection(source, ["modules"], value, modulesSchema)?.data ?? [];
  return names.flatMap((name, index) => {
    const full = resolve(source.tree.baseFolder, name);
    if (existsSync(full)) return [pathToFileURL(full).href];
    source.problems.add("module-missing", ["modules", index], `there is no module ${quote(name)}`, {
      expected: `a JavaScript file, relative to ${source.tree.baseFolder}`,
    });
    return [];
  });
}

/** Without `routes`, one native route serves all graphs: `?graph=NAME`, by default the first. */
export function readRoutes(source: Source, graphs: readonly GraphDraft[]): PlanRoute[] {
  const names = graphs.map((graph) => graph.name);
  if (source.tree.at(["routes"]) === undefined) {
    const first = names[0];
    if (first === undefined) return [];
    return [{ path: DEFAULT_ROUTE, face: FACE_NAMES[0]!, graph: first, options: { anyGraph: true } }];
  }
  return entries(source, ["routes"], CONFIG_LIMITS.routes).flatMap(([path, value]) => {
    const here = ["routes", path];
    if (!routePathSchema.safeParse(path).success) {
      source.problems.add("invalid-name", here, `${quote(path)} is no path of a route`, {
        at: "key",
        expected: "a path such as /v1/call",
      });
    } else if (RESERVED_ROUTES.includes(path)) {
      source.problems.add("reserved-route", here, `the server itself answers ${path}`, { at: "key" });
    }
    const route = parseSection(source, here, value, routeSchema)?.data;
    if (route === undefined) return [];
    checkFace(source, [...here, "face"], route.face);
    if (!names.includes(route.graph)) {
      unknownName(source, "unknown-graph", [...here, "graph"], "graph", route.graph, names);
    }
    return [{ path, face: route.face, graph: route.graph, options: { ...route.options, anyGraph: route.anyGraph } }];
  });
}

function checkFace(source: Source, path: readonly string[], face: string): void {
  if (FACE_NAMES.includes(face)) return;
  if (PLANNED_FACES.includes(face)) {
    const expected = FACE_NAMES.join(" or ");
    source.problems.add("unknown-face", path, `the face ${quote(face)} is not in this version`, { expected });
    return;
  }
  unknownName(source, "unknown-face", path, "face", face, FACE_NAMES);
}
