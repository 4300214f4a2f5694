/**
 * JSON Schema of the file, for editors: this format's own keys plus the options of every registered actor and family.
 * Draft 7, which is what YAML editors know. `configs/schema.json` is its output.
 */
import type { ZodType } from "zod";
import type { AnyActor } from "../actors/define.js";
// Every family has its part in the schema.
import "../models/all-families.js";
import { loadCatalogue, modelId } from "../models/catalogue/index.js";
import { REAL_REGISTRIES, type Registries } from "./registries.js";
import {
  chainNodeSchema,
  FACE_NAMES,
  graphNodeSchema,
  modelSchema,
  modulesSchema,
  NAME_PATTERN,
  routeSchema,
  serverSchema,
  versionSchema,
} from "./schema.js";
import { isRecord, type JsonSchema, jsonSchemaOf } from "./schema-nav.js";

/** Deterministic: the same registries give the same text. */
export function configJsonSchema(registries: Registries = REAL_REGISTRIES): JsonSchema {
  const actors = [...registries.actorNames()].sort().map((name) => registries.findActor(name)!);
  const families = [...registries.familyNames()].sort().map((name) => registries.findFamily(name)!);
  const definitions: Record<string, JsonSchema> = {};
  for (const actor of actors) {
    const about = { title: actor.name, description: actor.summary };
    const options = jsonSchemaOf(actor.options);
    const model = actor.task === undefined ? ["model"] : [];
    definitions[`chain-${actor.name}`] = { ...join(copyOf(chainNodeSchema, model), options), ...about };
    const long = join(copyOf(graphNodeSchema, model), options, { actor: actor.name });
    definitions[`node-${actor.name}`] = { ...long, ...about };
  }
  for (const family of families) {
    const entry = join(copyOf(modelSchema, ["catalogue"]), jsonSchemaOf(family.options), { family: family.name });
    definitions[`model-${family.name}`] = { ...entry, title: `${family.name} (${family.task})` };
  }
  definitions["model-of-catalogue"] = ofCatalogue();
  const chainKeys = Object.fromEntries(actors.map(({ name, summary }) => [name, ref(`chain-${name}`, summary)]));
  definitions["chain-item"] = {
    anyOf: [
      // Only actors that need no model can stand without options.
      { enum: actors.filter(standsAlone).map((actor) => actor.name) },
      { type: "object", properties: chainKeys, additionalProperties: false, minProperties: 1, maxProperties: 1 },
    ],
  };
  const whole: JsonSchema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Syrinx configuration",
    type: "object",
    properties: topProperties(actors, families),
    required: ["version", "graphs"],
    additionalProperties: false,
    definitions,
  };
  allowEnvironment(whole);
  definitions.environment = {
    type: "string",
    pattern: "\\$\\{",
    description: "A variable of the environment, with or without a default.",
  };
  return whole;
}

/** True if it needs no model as long as nothing is configured. */
function standsAlone({ task, needsModel, options }: AnyActor): boolean {
  if (task === undefined) return true;
  const preset = options.safeParse({});
  return needsModel !== undefined && preset.success && !needsModel(preset.data);
}

type Named = readonly { readonly name: string }[];

function topProperties(actors: Named, families: Named): Record<string, JsonSchema> {
  const route = copyOf(routeSchema, []);
  route.properties!.face = { ...route.properties!.face, enum: FACE_NAMES };
  return {
    version: copyOf(versionSchema, []),
    server: copyOf(serverSchema, []),
    modules: copyOf(modulesSchema, []),
    models: {
      ...byName({ anyOf: [...families.map(({ name }) => ref(`model-${name}`)), ref("model-of-catalogue")] }),
      description: "Models by name. Each is owned by one worker per replica.",
    },
    graphs: {
      ...byName({
        anyOf: [
          { type: "array", minItems: 1, items: ref("chain-item"), description: "Short form: a chain of actors." },
          longForm(actors),
        ],
      }),
      minProperties: 1,
      description: "Pipelines by name.",
    },
    routes: {
      type: "object",
      additionalProperties: route,
      propertyNames: { pattern: "^/" },
      description: "What is served under which path. Default: /v1/call for all graphs.",
    },
  };
}

/** The entry gives the family, and what the family's other options are. */
function ofCatalogue(): JsonSchema {
  const { properties, ...rest } = copyOf(modelSchema, []);
  const names = loadCatalogue()
    .list()
    .flatMap((entry) => {
      const exact = entry.variants.length > 1 ? entry.variants.map((variant) => modelId({ entry, variant })) : [];
      return [entry.name, ...exact];
    });
  // Own entries (SYRINX_CATALOGUE) are not known to an editor: the shipped names complete, others are not refused.
  const catalogue = {
    description: properties?.catalogue?.description ?? "",
    anyOf: [{ enum: names }, { type: "string" }],
  };
  return {
    ...rest,
    properties: { ...properties, catalogue },
    required: ["catalogue"],
    additionalProperties: true,
    title: "a model of the catalogue",
  };
}

function longForm(actors: Named): JsonSchema {
  return {
    type: "object",
    properties: {
      nodes: byName({ anyOf: actors.map(({ name }) => ref(`node-${name}`)) }),
      output: {
        type: "array",
        items: { type: "string" },
        minItems: 1,
        description: "Nodes whose results the caller receives.",
      },
    },
    required: ["nodes", "output"],
    additionalProperties: false,
    description: "Long form: named nodes with explicit inputs.",
  };
}

function byName(entry: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: entry, propertyNames: { pattern: NAME_PATTERN.source } };
}

function ref(name: string, description?: string): JsonSchema {
  const $ref = `#/definitions/${name}`;
  // Draft 7 ignores what stands beside a $ref.
  return description === undefined ? { $ref } : { description, allOf: [{ $ref }] };
}

/** The base's keys and the options' in one object, or in each branch if the options are a union. */
function join(base: JsonSchema, options: JsonSchema, fixed: Readonly<Record<string, string>> = {}): JsonSchema {
  const parts = options.anyOf ?? options.oneOf;
  if (parts !== undefined) return { anyOf: parts.map((part) => join(structuredClone(base), part, fixed)) };
  const properties = { ...base.properties, ...structuredClone(options.properties ?? {}) };
  for (const [key, value] of Object.entries(fixed)) properties[key] = { ...properties[key], const: value };
  const required = [...(base.required ?? []), ...(options.required ?? [])];
  const isOpen = options.properties === undefined || options.additionalProperties !== false;
  return {
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    ...(isOpen ? {} : { additionalProperties: false }),
  };
}

function copyOf(schema: ZodType, omitted: readonly string[]): JsonSchema {
  const copy = structuredClone(jsonSchemaOf(schema));
  for (const key of omitted) delete copy.properties?.[key];
  return copy;
}

/** Numbers and booleans may come from the environment; zod's bounds for safe integers say nothing to a reader. */
function allowEnvironment(schema: unknown): void {
  if (Array.isArray(schema)) for (const item of schema) allowEnvironment(item);
  if (!isRecord(schema)) return;
  for (const key of ["minimum", "maximum"]) {
    if (Math.abs(Number(schema[key] ?? 0)) >= Number.MAX_SAFE_INTEGER) delete schema[key];
  }
  for (const value of Object.values(schema)) allowEnvironment(value);
  const { type } = schema;
  if ((type !== "integer" && type !== "number" && type !== "boolean") || "const" in schema) return;
  const { description, default: preset, ...rest } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  if (description !== undefined) schema.description = description;
  if (preset !== undefined) schema.default = preset;
  schema.anyOf = [rest, { $ref: "#/definitions/environment" }];
}
