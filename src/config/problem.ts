/**
 * What can be wrong with a configuration, and how it is told: all problems at once, each with its place in the file.
 * The table of codes is the only place that says how severe a problem is; `docs/` lists it.
 */
import { SyrinxError } from "../base/errors.js";
import type { ConfigTree, Path } from "./tree.js";

export type Severity = "error" | "warning";

interface CodeRow {
  readonly severity: Severity;
  readonly meaning: string;
}

function error(meaning: string): CodeRow {
  return { severity: "error", meaning };
}
function warning(meaning: string): CodeRow {
  return { severity: "warning", meaning };
}

/** Codes are stable: a program may act on them. Sorted by what they speak of. */
export const PROBLEM_CODES = {
  "file-unreadable": error("The file cannot be opened, is no regular file or is not UTF-8."),
  "too-large": error("The file is too big, too deeply nested, or its aliases expand to too much."),
  "yaml-syntax": error("The text is not YAML, or uses tags that plain data has no use for."),
  "merge-key": error("YAML merge keys (`<<`) are not part of this format."),
  "forbidden-key": error("A key that JavaScript objects reserve (`__proto__`, `constructor`, `prototype`)."),
  "duplicate-key": error("The same key twice in one mapping."),
  "env-missing": error("A variable of the environment that is not set and has no default."),
  "env-malformed": error(
    "A dollar and a brace that no name and closing brace follow; double the dollar to mean it literally.",
  ),
  "unknown-key": error("A key that nothing reads."),
  "wrong-unit": error("A known key in another unit or without its unit."),
  "missing-key": error("A key that must be there."),
  "invalid-value": error("A value of the wrong type or out of its range."),
  "looks-like-seconds": warning("A key in milliseconds whose value was probably meant in seconds."),
  "invalid-name": error("A name that is no lower-case word."),
  "duplicate-name": error("Two nodes of a graph have the same name."),
  "unknown-actor": error("A node names an actor that is not registered."),
  "unknown-family": error("A model names a family that is not registered."),
  "unknown-catalogue": error("A model names an entry, or a precision of it, that the catalogue does not have."),
  "unknown-model": error("A node names a model that is not configured."),
  "unknown-graph": error("A route names a graph that is not configured."),
  "unknown-face": error("A route names a face that this version does not have."),
  "unknown-node": error("An input or output names a node that the graph does not have."),
  "missing-model": error("An actor that runs a model was given none."),
  "needless-model": error("An actor that runs no model was given one."),
  "wrong-task": error("A model of another task than the actor's."),
  "empty-edge": error("Nothing that the producer makes is taken by the consumer."),
  "missing-kind": error("A kind of frame that the actor cannot do without does not reach it."),
  cycle: error("Nodes that feed each other, without `feedback: true` on the one where the circle closes."),
  "feedback-cycle": warning("A circle that `feedback: true` allows."),
  "unreachable-node": error("No path leads from `in` to the node."),
  "silent-output": error("A node named as output originates nothing that a caller could receive."),
  "silent-graph": warning("No node of the graph originates anything that a caller could receive."),
  "unused-model": warning("A model that no graph uses; it is not loaded."),
  "threads-beyond-cores": warning("More model threads than the machine has cores."),
  "anonymous-network": error("A server that others can reach, without API keys."),
  "literal-secret": error("A secret in the file itself."),
  "secret-missing": error("The place that secrets are read from is missing or empty."),
  "key-invalid": error("An entry of the API keys that is no key or digest with its settings."),
  "weak-secret": warning("An API key that is short enough to be guessed."),
  "reserved-route": error("A path that the server answers itself."),
  "module-missing": error("A module file that does not exist."),
  "model-file-missing": error("A model file that does not exist."),
  "model-not-cached": error("A model of the catalogue that is not in the cache, and may not be fetched."),
  "model-will-be-pulled": warning("A model of the catalogue that is not in the cache; the start fetches it."),
  "definition-failed": error("Code of an actor or family threw while its options were read."),
} as const satisfies Record<string, CodeRow>;

export type ProblemCode = keyof typeof PROBLEM_CODES;

export interface ConfigProblem {
  readonly severity: Severity;
  readonly code: ProblemCode;
  /** As the user named it; `<object>` for a configuration that was handed over as one. */
  readonly file: string;
  /** From 1; 0 if the configuration has no text. */
  readonly line: number;
  /** From 1, in UTF-16 units; 0 if the configuration has no text. */
  readonly column: number;
  /** `graphs.assistant[2].stt.model`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly expected?: string;
  /** The valid name that was probably meant. */
  readonly nearest?: string;
  /** The line in question and a caret below; secrets are masked. */
  readonly frame?: string;
}

export interface ProblemExtras {
  readonly expected?: string | undefined;
  readonly nearest?: string | undefined;
  /** Points at the key instead of the value. */
  readonly at?: "key" | "value";
}

/** The most problems that are kept. At it: the rest is counted only. */
export const PROBLEMS_MAX = 100;

/** Collects problems in the order in which they are found; sorted by place when read. */
export class ProblemList {
  readonly #tree: ConfigTree;
  readonly #problems: ConfigProblem[] = [];
  #errorCount = 0;

  constructor(tree: ConfigTree) {
    this.#tree = tree;
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  add(code: ProblemCode, path: Path, message: string, extras: ProblemExtras = {}): void {
    const { severity } = PROBLEM_CODES[code];
    if (severity === "error") this.#errorCount++;
    if (this.#problems.length >= PROBLEMS_MAX) return;
    const place = this.#tree.locate(path, extras.at ?? "value");
    const frame = code === "literal-secret" ? undefined : this.#tree.frame(place);
    this.#problems.push({
      severity,
      code,
      file: this.#tree.file,
      line: place.line,
      column: place.column,
      path: formatPath(path),
      message,
      ...(extras.expected === undefined ? {} : { expected: extras.expected }),
      ...(extras.nearest === undefined ? {} : { nearest: extras.nearest }),
      ...(frame === undefined ? {} : { frame }),
    });
  }

  /** True if an error about exactly this path was added. */
  hasErrorAt(path: Path): boolean {
    const wanted = formatPath(path);
    return this.#problems.some((problem) => problem.severity === "error" && problem.path === wanted);
  }

  sorted(): readonly ConfigProblem[] {
    return [...this.#problems].sort((a, b) => a.line - b.line || a.column - b.column);
  }

  warnings(): readonly ConfigProblem[] {
    return this.sorted().filter((problem) => problem.severity === "warning");
  }

  throwIfErrors(): void {
    if (this.#errorCount > 0) throw new ConfigError(this.#tree.file, this.sorted(), this.#errorCount);
  }
}

/** CONFIG_INVALID with everything that is wrong. Its message is the formatted list. */
export class ConfigError extends SyrinxError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[], errorCount: number) {
    super("CONFIG_INVALID", { file, errorCount, report: formatProblems(problems) });
    this.problems = problems;
  }
}

/** Text for people: place, what is wrong, what was expected, the line with a caret. No trailing newline. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems.map(formatProblem).join("\n\n");
}

function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const lines = [`${place}: ${problem.severity}: ${problem.message}${suffix(problem)}`];
  if (problem.frame !== undefined) lines.push(problem.frame);
  lines.push(`  ${problem.code}${problem.path === "" ? "" : ` at ${problem.path}`}`);
  return lines.join("\n");
}

function suffix({ expected, nearest }: ConfigProblem): string {
  const wanted = expected === undefined ? "" : `; expected ${expected}`;
  return nearest === undefined ? wanted : `${wanted}; did you mean ${quote(nearest)}?`;
}

const PLAIN_KEY = /^[A-Za-z_][\w-]*$/;

export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!PLAIN_KEY.test(part)) text += `[${JSON.stringify(crop(part))}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** A user's word inside a sentence: short, on one line, without control characters. */
export function quote(word: string): string {
  return `\`${crop(word)}\``;
}

const WORD_CHARS_MAX = 60;

function crop(word: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a terminal.
  const clean = word.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\u{FFFD}");
  return clean.length <= WORD_CHARS_MAX ? clean : `${clean.slice(0, WORD_CHARS_MAX)}…`;
}
