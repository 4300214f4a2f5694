/**
 * Text or object → `ConfigTree`. The only importer of `yaml`. Nothing that the text says is executed or merged into
 * anything: every mapping becomes an object without prototype, every alias a bounded copy.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, type Node, type Pair, parseDocument } from "yaml";
import { reasonOf } from "../base/errors.js";
import { interpolate } from "./interpolate.js";
import { ProblemList, quote } from "./problem.js";
import { ConfigTree, type Path, type Span } from "./tree.js";
import { findTooDeep } from "./yaml-depth.js";

/** Bounds of a configuration file. At each: problem `too-large`. */
export const SOURCE_LIMITS = {
  bytes: 1024 * 1024,
  /** Mappings, lists and scalars, after aliases were expanded. */
  nodes: 20_000,
  depth: 32,
  aliases: 100,
} as const;

export interface Source {
  readonly tree: ConfigTree;
  readonly problems: ProblemList;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a file. Blocks on the disk. Throws `ConfigError` if it cannot be read or is not YAML. */
export function readSource(path: string | URL, env: Environment): Source {
  const full = typeof path === "string" ? resolve(path) : fileURLToPath(path);
  const shown = typeof path === "string" ? path : relative(process.cwd(), full);
  const tree = (text: string | undefined): ConfigTree => new ConfigTree(shown, dirname(full), text);
  const refuse = (code: "file-unreadable" | "too-large", message: string): never => {
    const problems = new ProblemList(tree(undefined));
    problems.add(code, [], message);
    problems.throwIfErrors();
    throw new Error("unreachable");
  };
  let text: string;
  try {
    const found = statSync(full);
    if (!found.isFile()) return refuse("file-unreadable", `${shown} is not a regular file`);
    if (found.size > SOURCE_LIMITS.bytes) return refuse("too-large", tooBig(found.size));
    text = new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(full));
  } catch (error) {
    const isMissing = (error as { code?: unknown }).code === "ENOENT";
    if (error instanceof Error && error.name === "SyrinxError") throw error;
    return refuse("file-unreadable", isMissing ? `there is no file ${shown}` : reasonOf(error));
  }
  return parseText(text, shown, dirname(full), env);
}

/** Parses YAML or JSON. Throws `ConfigError` on bad syntax. */
export function parseText(text: string, file: string, baseFolder: string, env: Environment): Source {
  const plain = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const tree = new ConfigTree(file, baseFolder, plain);
  const problems = new ProblemList(tree);
  if (Buffer.byteLength(plain) > SOURCE_LIMITS.bytes) {
    problems.add("too-large", [], tooBig(Buffer.byteLength(plain)));
  } else {
    new YamlReader(tree, problems, env).read(plain);
  }
  problems.throwIfErrors();
  return { tree, problems };
}

/** Takes over an object that somebody else parsed. Throws `ConfigError` if it is not plain data. */
export function adoptObject(value: object, baseFolder: string, env: Environment): Source {
  const tree = new ConfigTree("<object>", baseFolder, undefined);
  const problems = new ProblemList(tree);
  tree.value = new ObjectReader(tree, problems, env).read(value, []);
  problems.throwIfErrors();
  return { tree, problems };
}

function tooBig(byteCount: number): string {
  return `the file has ${byteCount} bytes; a configuration has at most ${SOURCE_LIMITS.bytes}`;
}

const RESERVED_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** What both readers share: bounds, keys, environment. */
class Reader {
  protected readonly tree: ConfigTree;
  protected readonly problems: ProblemList;
  readonly #env: Environment;
  #nodeCount = 0;

  constructor(tree: ConfigTree, problems: ProblemList, env: Environment) {
    this.tree = tree;
    this.problems = problems;
    this.#env = env;
  }

  /** False once the bound is passed; says so once. */
  protected admit(path: Path): boolean {
    this.#nodeCount++;
    if (this.#nodeCount === SOURCE_LIMITS.nodes) {
      this.problems.add("too-large", [], `more than ${SOURCE_LIMITS.nodes} values once aliases are expanded`);
    }
    if (path.length > SOURCE_LIMITS.depth) {
      this.problems.add("too-large", path, `nested deeper than ${SOURCE_LIMITS.depth} levels`);
      return false;
    }
    return this.#nodeCount < SOURCE_LIMITS.nodes;
  }

  protected isKeyRefused(key: string, path: Path): boolean {
    if (RESERVED_KEYS.has(key)) {
      this.problems.add("forbidden-key", path, `the key ${quote(key)} is not allowed`, { at: "key" });
    } else if (key === "<<") {
      this.problems.add("merge-key", path, "merge keys (`<<`) are not supported; write the keys out", { at: "key" });
    } else return false;
    return true;
  }

  protected text(value: string, path: Path): string {
    if (!value.includes("${")) return value;
    const done = interpolate(value, this.#env);
    for (const fault of done.faults) this.problems.add(fault.code, path, fault.message);
    if (done.usedEnvironment) this.tree.markInterpolated(path);
    return done.text;
  }
}

class YamlReader extends Reader {
  readonly #anchors = new Map<string, Node>();
  readonly #expanding = new Set<Node>();
  #aliasCount = 0;

  read(text: string): void {
    const deepAt = findTooDeep(text);
    if (deepAt !== undefined) {
      this.tree.record([], undefined, [deepAt, deepAt + 1]);
      this.problems.add("too-large", [], "nested too deeply");
      return;
    }
    let document: ReturnType<typeof parseDocument>;
    try {
      // Duplicate keys are found below: the parser's own check takes quadratic time.
      document = parseDocument(text, {
        schema: "core",
        merge: false,
        uniqueKeys: false,
        strict: true,
        prettyErrors: false,
        // "silent" would also hide a second document.
        logLevel: "error",
      });
    } catch (error) {
      this.problems.add("yaml-syntax", [], reasonOf(error));
      return;
    }
    for (const fault of [...document.errors, ...document.warnings]) {
      this.tree.record([], undefined, [fault.pos[0], fault.pos[1]]);
      const isBareReference = text.startsWith(REFERENCE, fault.pos[0] - 1);
      this.problems.add("yaml-syntax", [], isBareReference ? UNQUOTED_REFERENCE : firstLine(fault.message));
      // The brace has thrown the parser off: what it says after that is noise.
      if (isBareReference) break;
    }
    const root = document.contents;
    this.tree.record([], undefined, [root?.range?.[0] ?? 0, (root?.range?.[0] ?? 0) + 1]);
    if (this.problems.errorCount === 0) this.tree.value = root === null ? null : this.#convert(root, []);
  }

  #convert(node: unknown, path: Path): unknown {
    if (!this.admit(path) || !isNode(node)) return null;
    if (isAlias(node)) return this.#expand(node.source, path);
    if ("anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node.value, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const here = [...path, index];
        this.#remember(here, undefined, item);
        return this.#convert(item, here);
      });
    }
    const result = Object.create(null) as Record<string, unknown>;
    if (isMap(node)) for (const pair of node.items) this.#pair(result, pair, path);
    return result;
  }

  #pair(result: Record<string, unknown>, pair: Pair, path: Path): void {
    if (!isPair(pair) || !isScalar(pair.key) || !isPlainKey(pair.key.value)) {
      const place = isNode(pair.key) ? pair.key.range : undefined;
      this.#fault(place, path, "a key must be a plain word");
      return;
    }
    const key = String(pair.key.value);
    const here = [...path, key];
    if (Object.hasOwn(result, key)) {
      this.#remember(here, pair.key, pair.key);
      this.problems.add("duplicate-key", here, `the key ${quote(key)} stands here twice`, { at: "key" });
      return;
    }
    this.#remember(here, pair.key, pair.value);
    if (this.isKeyRefused(key, here)) return;
    result[key] = this.#convert(pair.value, here);
  }

  #expand(name: string, path: Path): unknown {
    const target = this.#anchors.get(name);
    this.#aliasCount++;
    if (this.#aliasCount > SOURCE_LIMITS.aliases) {
      if (this.#aliasCount === SOURCE_LIMITS.aliases + 1) {
        this.problems.add("too-large", path, `more than ${SOURCE_LIMITS.aliases} aliases`);
      }
      return null;
    }
    if (target === undefined || this.#expanding.has(target)) {
      this.problems.add("yaml-syntax", path, `the alias ${quote(`*${name}`)} has no anchor before it`);
      return null;
    }
    this.#expanding.add(target);
    const value = this.#convert(target, path);
    this.#expanding.delete(target);
    return value;
  }

  #scalar(value: unknown, path: Path): unknown {
    if (typeof value === "string") return this.text(value, path);
    if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
    this.problems.add("yaml-syntax", path, "this kind of value is not supported");
    return null;
  }

  #remember(path: Path, key: unknown, value: unknown): void {
    this.tree.record(path, spanOf(key), spanOf(value));
  }

  #fault(range: readonly number[] | null | undefined, path: Path, message: string): void {
    const here = [...path, "?"];
    this.tree.record(here, undefined, range ? [range[0]!, range[1]!] : undefined);
    this.problems.add("yaml-syntax", here, message);
  }
}

class ObjectReader extends Reader {
  read(value: unknown, path: Path): unknown {
    if (!this.admit(path)) return null;
    if (typeof value === "string") return this.text(value, path);
    if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
    if (Array.isArray(value)) return value.map((item, index) => this.read(item, [...path, index]));
    if (typeof value !== "object") {
      this.problems.add("invalid-value", path, `a ${typeof value} is not plain data`);
      return null;
    }
    const result = Object.create(null) as Record<string, unknown>;
    for (const [key, item] of Object.entries(value)) {
      const here = [...path, key];
      if (item === undefined || this.isKeyRefused(key, here)) continue;
      result[key] = this.read(item, here);
    }
    return result;
  }
}

function isPlainKey(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function spanOf(node: unknown): Span | undefined {
  if (!isNode(node) || !node.range) return undefined;
  const [start, end] = node.range;
  return start === end ? undefined : [start, end];
}

const REFERENCE = "$\u007b";
const UNQUOTED_REFERENCE = "a reference to the environment must stand in quotes inside of braces and brackets";

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
