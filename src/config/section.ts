/** One part of the file against one schema: data if it fits, otherwise problems at the right places. */
import type { ZodType, z } from "zod";
import { reasonOf } from "../base/errors.js";
import { type ProblemList, quote } from "./problem.js";
import type { JsonSchema } from "./schema-nav.js";
import { constantsOf, describeExpected, isRecord, jsonSchemaOf, keysOf, schemasAt, wantsScalar } from "./schema-nav.js";
import type { Source } from "./source.js";
import { nearest, suggestKey } from "./suggest.js";
import type { ConfigTree, Path } from "./tree.js";

export interface SectionOptions {
  /** Keys that are valid at the section's top beside the schema's, for "did you mean". */
  readonly otherKeys?: readonly string[];
}

/**
 * Parses `value`, which stands at `path`. Returns `undefined` after adding problems. Code of user-defined schemas may run;
 * what it throws becomes a problem.
 */
export function parseSection<T>(
  source: Source,
  path: Path,
  value: unknown,
  schema: ZodType<T>,
  options: SectionOptions = {},
): { readonly data: T } | undefined {
  const section = new Section(source, path, value, schema, options.otherKeys ?? []);
  return section.parse(schema);
}

type Issue = z.core.$ZodIssue;

class Section {
  readonly #tree: ConfigTree;
  readonly #problems: ProblemList;
  readonly #base: Path;
  #value: unknown;
  readonly #json: JsonSchema;
  readonly #otherKeys: readonly string[];

  constructor(source: Source, base: Path, value: unknown, schema: ZodType, otherKeys: readonly string[]) {
    this.#tree = source.tree;
    this.#problems = source.problems;
    this.#base = base;
    this.#json = jsonSchemaOf(schema);
    this.#otherKeys = otherKeys;
    this.#value = value;
    this.#value = this.#coerce(value, []);
  }

  parse<T>(schema: ZodType<T>): { readonly data: T } | undefined {
    const before = this.#problems.errorCount;
    try {
      const result = schema.safeParse(this.#value);
      if (result.success) {
        this.#warnAboutSeconds(this.#value, []);
        return { data: result.data };
      }
      for (const issue of result.error.issues) this.#explain(issue, []);
      this.#warnAboutSeconds(this.#value, []);
    } catch (error) {
      this.#problems.add("definition-failed", this.#base, `its options could not be checked: ${reasonOf(error)}`);
    }
    if (this.#problems.errorCount === before) {
      this.#problems.add("invalid-value", this.#base, "this does not fit");
    }
    return undefined;
  }

  /** A string from the environment becomes the number or boolean that its place wants. */
  #coerce(value: unknown, path: Path): unknown {
    if (typeof value === "string") {
      if (!this.#tree.isInterpolated([...this.#base, ...path])) return value;
      const schemas = schemasAt(this.#json, path, this.#value);
      if (/^-?\d+(\.\d+)?$/.test(value) && wantsScalar(schemas, "number")) return Number(value);
      if (/^(true|false)$/.test(value) && wantsScalar(schemas, "boolean")) return value === "true";
      return value;
    }
    if (Array.isArray(value)) return value.map((item, index) => this.#coerce(item, [...path, index]));
    if (!isRecord(value)) return value;
    const result = Object.create(null) as Record<string, unknown>;
    for (const [key, item] of Object.entries(value)) result[key] = this.#coerce(item, [...path, key]);
    return result;
  }

  #explain(issue: Issue, prefix: Path): void {
    const path: Path = [...prefix, ...(issue.path as Path)];
    const full = [...this.#base, ...path];
    switch (issue.code) {
      case "unrecognized_keys":
        for (const key of issue.keys) this.#explainKey(key, path);
        return;
      case "invalid_union": {
        const branch = bestBranch(issue.errors);
        if (branch !== undefined) for (const inner of branch) this.#explain(inner, path);
        else this.#explainValue(issue, path, full);
        return;
      }
      case "invalid_key":
        this.#problems.add("invalid-name", full, `the key ${quote(String(path.at(-1)))} is not allowed here`, {
          at: "key",
        });
        return;
      default:
        this.#explainValue(issue, path, full);
    }
  }

  #explainKey(key: string, parent: Path): void {
    const full = [...this.#base, ...parent, key];
    const schemas = schemasAt(this.#json, parent, this.#value);
    const candidates = [...keysOf(schemas), ...(parent.length === 0 ? this.#otherKeys : [])];
    const found = suggestKey(key, candidates);
    if (found?.unit === undefined) {
      const list = candidates.length > 0 && found === undefined ? candidates.join(", ") : undefined;
      const expected = list === undefined ? undefined : `one of ${list}`;
      this.#problems.add("unknown-key", full, `unknown key ${quote(key)}`, {
        at: "key",
        nearest: found?.nearest,
        expected,
      });
      return;
    }
    const given = this.#tree.at(full);
    const { word, factor } = found.unit;
    const shown =
      typeof given === "number" && factor !== undefined && !this.#tree.isInterpolated(full)
        ? `${found.nearest}: ${Number((given * factor).toPrecision(12))}`
        : found.nearest;
    this.#problems.add("wrong-unit", full, `unknown key ${quote(key)}; this is given in ${word}`, {
      at: "key",
      nearest: shown,
    });
  }

  #explainValue(issue: Issue, path: Path, full: Path): void {
    const schemas = schemasAt(this.#json, path, this.#value);
    const expected = describeExpected(schemas);
    const value = valueAt(this.#value, path);
    const name = path.length === 0 ? (full.at(-1) ?? "the configuration") : path.at(-1)!;
    const label = typeof name === "number" ? `entry ${name + 1}` : full.length === 0 ? name : quote(name);
    if (value === undefined && full.length > 0) {
      this.#problems.add("missing-key", full, `${label} is missing`, { expected });
      return;
    }
    const near = typeof value === "string" ? nearest(value, constantsOf(schemas)) : undefined;
    const message = `${label} is ${this.#show(value, full)}`;
    const isOwnText = issue.code === "custom" || expected === undefined;
    this.#problems.add("invalid-value", full, isOwnText ? `${message}: ${issue.message}` : message, {
      expected: isOwnText ? undefined : expected,
      nearest: near === undefined || looksLikeSeconds(name, value) ? secondsHint(name, value) : near,
    });
  }

  #show(value: unknown, full: Path): string {
    if (this.#tree.isInterpolated(full)) return "something else, from the environment";
    if (typeof value === "string") return SECRET_KEY.test(String(full.at(-1))) ? "a string" : quote(value);
    if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
    if (value === null) return "empty";
    return isRecord(value) ? "a mapping" : String(value);
  }

  #warnAboutSeconds(value: unknown, path: Path): void {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) this.#warnAboutSeconds(item, [...path, index]);
    } else if (isRecord(value)) {
      for (const [key, item] of Object.entries(value)) this.#warnAboutSeconds(item, [...path, key]);
    } else {
      const name = path.at(-1);
      const full = [...this.#base, ...path];
      if (name === undefined || !looksLikeSeconds(name, value) || this.#problems.hasErrorAt(full)) return;
      const message = `${quote(String(name))} is ${String(value)} milliseconds`;
      this.#problems.add("looks-like-seconds", full, message, { nearest: secondsHint(name, value) });
    }
  }
}

const SECRET_KEY = /key|secret|token|password/i;
/** Fractions below this, at a key in milliseconds, were seconds in their writer's mind. */
const SECONDS_BELOW = 60;

function looksLikeSeconds(name: string | number, value: unknown): value is number {
  if (typeof name !== "string" || typeof value !== "number") return false;
  return /Ms$/.test(name) && value > 0 && value < SECONDS_BELOW && !Number.isInteger(value);
}

function secondsHint(name: string | number, value: unknown): string | undefined {
  return looksLikeSeconds(name, value) ? `${name}: ${Math.round(value * 1000)}` : undefined;
}

/** The branch of a union that the writer was after: the one whose own type fits, with the fewest faults. */
function bestBranch(errors: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = errors.filter(
    (issues) => issues.length > 0 && !issues.some((issue) => issue.path.length === 0 && issue.code === "invalid_type"),
  );
  return fitting.sort((a, b) => a.length - b.length)[0];
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
