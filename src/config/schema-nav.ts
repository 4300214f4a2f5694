/**
 * What a zod schema would have accepted at some path: which keys, which values. Works on the JSON Schema that zod makes of
 * it, whose form is a standard, and not on zod's insides.
 */
import { type ZodType, z } from "zod";
import type { Path } from "./tree.js";

/** The part of JSON Schema that zod writes and this file reads. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: readonly unknown[];
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  pattern?: string;
  format?: string;
  $ref?: string;
  $schema?: string;
  $defs?: Record<string, JsonSchema>;
  definitions?: Record<string, JsonSchema>;
  title?: string;
}

const known = new WeakMap<ZodType, JsonSchema>();

/** The input side of a schema, draft 7, without references; what JSON Schema cannot say becomes `{}`. */
export function jsonSchemaOf(schema: ZodType): JsonSchema {
  const found = known.get(schema);
  if (found !== undefined) return found;
  let made: JsonSchema;
  try {
    made = z.toJSONSchema(schema, {
      io: "input",
      target: "draft-7",
      unrepresentable: "any",
      reused: "inline",
    }) as JsonSchema;
  } catch {
    // Recursive schemas without names, or types of a foreign zod: options are then checked, but not explained.
    made = {};
  }
  delete made.$schema;
  known.set(schema, made);
  return made;
}

/**
 * All schemas that may apply at `path`. In a union, branches whose constants contradict `root` (`kind: echo`) are left out.
 * @param root the value that stands at the schema's own place
 */
export function schemasAt(schema: JsonSchema, path: Path, root: unknown): JsonSchema[] {
  let here = branches(schema, root);
  let value = root;
  for (const part of path) {
    value = isRecord(value) || Array.isArray(value) ? (value as Record<string | number, unknown>)[part] : undefined;
    const inside = value;
    here = here.flatMap((each) => children(each, part).flatMap((child) => branches(child, inside)));
  }
  return here;
}

/** Keys that an object at this place may have. */
export function keysOf(schemas: readonly JsonSchema[]): string[] {
  return [...new Set(schemas.flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

/** Constants that this place may hold, as text. */
export function constantsOf(schemas: readonly JsonSchema[]): string[] {
  const values = schemas.flatMap((schema) => schema.enum ?? (schema.const === undefined ? [] : [schema.const]));
  return [...new Set(values.map(String))];
}

/** "an integer from 1 to 16", "one of a, b, c"; `undefined` if nothing useful can be said. */
export function describeExpected(schemas: readonly JsonSchema[]): string | undefined {
  const constants = constantsOf(schemas);
  const others = schemas.filter((schema) => schema.enum === undefined && schema.const === undefined).map(describeType);
  const words = [...new Set(others.filter((word) => word !== ""))];
  if (constants.length > 0) words.unshift(constants.length === 1 ? constants[0]! : `one of ${constants.join(", ")}`);
  return words.length === 0 ? undefined : words.join(", or ");
}

/** True if a number or boolean may stand here but no string. */
export function wantsScalar(schemas: readonly JsonSchema[], type: "number" | "boolean"): boolean {
  const types = schemas.map((schema) => (schema.type === "integer" ? "number" : schema.type));
  return types.includes(type) && !types.includes("string");
}

function describeType(schema: JsonSchema): string {
  switch (schema.type) {
    case "integer":
    case "number":
      return `${schema.type === "integer" ? "an integer" : "a number"}${describeRange(schema)}`;
    case "string":
      return describeString(schema);
    case "boolean":
      return "true or false";
    case "array":
      return (schema.minItems ?? 0) > 0 ? "a list that is not empty" : "a list";
    case "object": {
      const keys = Object.keys(schema.properties ?? {});
      return keys.length > 0 && keys.length <= 12 ? `a mapping with ${keys.join(", ")}` : "a mapping";
    }
    case "null":
      return "nothing";
    default:
      return "";
  }
}

function describeString(schema: JsonSchema): string {
  if (schema.format === "uri") return "a URL";
  if (schema.description !== undefined && schema.pattern !== undefined)
    return `a string: ${schema.description.replace(/\.$/, "")}`;
  if (schema.maxLength !== undefined) return `a string of at most ${schema.maxLength} characters`;
  return (schema.minLength ?? 0) > 0 ? "a string that is not empty" : "a string";
}

function describeRange(schema: JsonSchema): string {
  const least = bound(schema.minimum);
  const most = bound(schema.maximum);
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  if (least !== undefined) return ` of at least ${least}`;
  if (most !== undefined) return ` of at most ${most}`;
  if (schema.exclusiveMinimum !== undefined) return ` above ${schema.exclusiveMinimum}`;
  return "";
}

/** zod writes the safe-integer range where the schema has no bound. */
function bound(value: number | undefined): number | undefined {
  return value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value;
}

function branches(schema: JsonSchema, value: unknown): JsonSchema[] {
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts === undefined)
    return schema.allOf === undefined ? [schema] : schema.allOf.flatMap((each) => branches(each, value));
  const fitting = parts.filter((part) => !contradicts(part, value));
  return (fitting.length > 0 ? fitting : parts).flatMap((part) => branches(part, value));
}

function contradicts(schema: JsonSchema, value: unknown): boolean {
  if (!isRecord(value) || schema.properties === undefined)
    return isRecord(value) && schema.type !== "object" && "type" in schema;
  return Object.entries(schema.properties).some(
    ([key, property]) => property.const !== undefined && key in value && value[key] !== property.const,
  );
}

function children(schema: JsonSchema, part: string | number): JsonSchema[] {
  if (typeof part === "number") return schema.items === undefined ? [] : [schema.items];
  const property = schema.properties?.[part];
  if (property !== undefined) return [property];
  return typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
