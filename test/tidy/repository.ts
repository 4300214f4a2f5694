/** The repository as text: which files there are, what is code in them and what only comment or string. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { packageRoot } from "../../src/base/package-root.js";

export const ROOT = packageRoot();

/** Never ours: made by tools, or a checkout's own business. Keep in step with `.gitignore`. */
const NOT_OURS = new Set(["node_modules", "dist", "out", ".git", ".cache", "__pycache__"]);
const BINARY = /\.(onnx|gz|wav|mp3|flac|png|tgz|ico)$/;

/** Paths from the root, with slashes, sorted. */
export function listFiles(folder = "", filter: (path: string) => boolean = () => true): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...listFiles(path, filter));
    else if (filter(path) && !path.endsWith(".tgz")) found.push(path);
  }
  return found.sort();
}

export function textFiles(): string[] {
  return listFiles("", (path) => !BINARY.test(path));
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Without comments; strings as they are. Lines keep their numbers. */
  readonly uncommented: string;
  /** Without comments and without what stands in strings, templates and regular expressions. */
  readonly bare: string;
}

export function sourceFiles(folder: string): SourceFile[] {
  return listFiles(folder, (path) => path.endsWith(".ts")).map((path) => {
    const text = readText(path);
    return { path, text, uncommented: blank(text, false), bare: blank(text, true) };
  });
}

export interface Import {
  /** The specifier as written, or the file it leads to (`src/base/errors.ts`) if it is relative. */
  readonly target: string;
  readonly isRelative: boolean;
  /** True if the statement vanishes when compiled. */
  readonly isTypeOnly: boolean;
  readonly isLazy: boolean;
}

/** Every way a module can be reached: statements, `import()`, and `require` or `resolve` of a created require. */
export function importsOf({ path, uncommented }: SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, isTypeOnly: boolean, isLazy: boolean): void => {
    const isRelative = specifier.startsWith(".");
    const target = isRelative ? relative(ROOT, join(ROOT, path, "..", specifier)).replaceAll("\\", "/") : specifier;
    found.push({ target: isRelative ? target.replace(/\.js$/, ".ts") : target, isRelative, isTypeOnly, isLazy });
  };
  for (const match of uncommented.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{},\s]+\sfrom\s+)?"([^"]+)"/gm)) {
    add(match[2]!, match[1] !== undefined, false);
  }
  for (const [, specifier] of uncommented.matchAll(/\bimport\("([^"]+)"\)/g)) add(specifier!, false, true);
  const [, alias = "createRequire"] = /const (\w+) = createRequire\(import\.meta\.url\);/.exec(uncommented) ?? [];
  const requires = new RegExp(`\\b${alias}(?:\\(import\\.meta\\.url\\))?(?:\\.resolve)?\\("([^"]+)"\\)`, "g");
  for (const [, specifier] of uncommented.matchAll(requires)) add(specifier!, false, true);
  return found;
}

/** The package of a specifier: `comlink/dist/x.js` → `comlink`, `@a/b/c` → `@a/b`. */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

export interface FunctionSpan {
  readonly line: number;
  readonly lineCount: number;
  readonly head: string;
}

const NO_FUNCTION =
  /^\s*(?:if|for|while|switch|catch|else|try|do|class|interface|namespace|\}|return \{|case|default)\b/;

/**
 * Functions with a block body. Relies on the formatter: a body ends at the first line that begins with `}` at the
 * indentation of the line that opened it.
 */
export function functionsOf({ bare }: SourceFile): FunctionSpan[] {
  const lines = bare.split("\n");
  const found: FunctionSpan[] = [];
  for (const [index, head] of lines.entries()) {
    if (!/(=>|\)(?::[^={]+)?) \{$/.test(head) || NO_FUNCTION.test(head)) continue;
    const indent = /^ */.exec(head)![0];
    const length = lines.slice(index + 1).findIndex((line) => line.startsWith(`${indent}}`));
    found.push({ line: index + 1, lineCount: length + 2, head: head.trim() });
  }
  return found;
}

/** Replaces comments by spaces, and with `hidesStrings` what stands between quotes too. Newlines stay. */
function blank(text: string, hidesStrings: boolean): string {
  return new Blanker(text, hidesStrings).code(false);
}

/** Reads TypeScript just well enough to tell code from comments and strings. */
class Blanker {
  readonly #text: string;
  readonly #hidesStrings: boolean;
  #at = 0;

  constructor(text: string, hidesStrings: boolean) {
    this.#text = text;
    this.#hidesStrings = hidesStrings;
  }

  /** Up to the end, or to the brace that closes a `${` in a template. */
  code(inTemplate: boolean): string {
    let result = "";
    let depth = 0;
    while (this.#at < this.#text.length) {
      const here = this.#text[this.#at]!;
      const comment = this.#match(/\/\/[^\n]*|\/\*[\s\S]*?\*\//y);
      if (comment !== undefined) result += hide(comment);
      else if (here === "`") result += this.#template();
      else if (here === '"' || here === "'") result += this.#quoted(/(["'])(?:\\.|(?!\1).)*\1/y);
      else if (here === "/" && mayBeRegex(result)) result += this.#quoted(/\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+\//y);
      else {
        if (here === "{") depth++;
        if (here === "}" && depth-- === 0 && inTemplate) return result;
        result += here;
        this.#at++;
      }
    }
    return result;
  }

  #template(): string {
    let result = "`";
    this.#at++;
    for (;;) {
      const chunk = this.#match(/(?:\\[\s\S]|(?!\$\{)[^`\\])*/y) ?? "";
      result += this.#hidesStrings ? hide(chunk) : chunk;
      const isEnd = this.#text[this.#at] !== "$";
      this.#at += isEnd ? 1 : 2;
      if (isEnd) return `${result}\``;
      result += `\${${this.code(true)}}`;
      this.#at++;
    }
  }

  #quoted(pattern: RegExp): string {
    const whole = this.#match(pattern) ?? this.#text[this.#at++]!;
    return this.#hidesStrings && whole.length > 1 ? `${whole[0]}${hide(whole.slice(1, -1))}${whole.at(-1)}` : whole;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}

function hide(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** A slash after an operator begins a regular expression; after a value (`a!` is one) it divides. */
function mayBeRegex(before: string): boolean {
  const code = before.trimEnd();
  return code === "" || /(?:[(,=:[&|?{};+]|=>|(?<![\w\])])!|\b(?:return|typeof|of|in))$/.test(code);
}
