/**
 * A configuration as plain data that remembers where each part stood. Built by `source.ts`; everything after it speaks of
 * paths, and only here do paths become lines and columns.
 */

export type Path = readonly (string | number)[];

/** A stretch of the text. Line and column count from 1; all zero if there is no text. */
export interface Place {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

interface Spans {
  readonly key: Span | undefined;
  readonly value: Span | undefined;
}
export type Span = readonly [start: number, end: number];

const NOWHERE: Place = { line: 0, column: 0, length: 0 };
const FRAME_COLUMNS = 100;

export class ConfigTree {
  readonly file: string;
  /** Folder against which relative names are resolved. */
  readonly baseFolder: string;
  /** Objects without prototype, arrays, strings, finite or infinite numbers, booleans, null. */
  value: unknown;
  readonly #text: string | undefined;
  readonly #lineStarts: number[] = [0];
  readonly #spans = new Map<string, Spans>();
  readonly #interpolated = new Set<string>();

  constructor(file: string, baseFolder: string, text: string | undefined) {
    this.file = file;
    this.baseFolder = baseFolder;
    this.#text = text;
    if (text === undefined) return;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lineStarts.push(at + 1);
  }

  record(path: Path, key: Span | undefined, value: Span | undefined): void {
    this.#spans.set(keyOf(path), { key, value });
  }

  /** Says that the string at `path` was made from the environment: it may hold a secret and is never shown. */
  markInterpolated(path: Path): void {
    this.#interpolated.add(keyOf(path));
  }

  isInterpolated(path: Path): boolean {
    return this.#interpolated.has(keyOf(path));
  }

  /** The value at `path`, or `undefined`. */
  at(path: Path): unknown {
    let value: unknown = this.value;
    for (const part of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
      value = (value as Record<string | number, unknown>)[part];
    }
    return value;
  }

  /** Where `path` stands, or the nearest of its parents that is in the text. */
  locate(path: Path, which: "key" | "value"): Place {
    if (this.#text === undefined) return NOWHERE;
    const own = this.#spans.get(keyOf(path));
    if (own !== undefined) return this.#placeOf(pick(own, which));
    for (let length = path.length - 1; length >= 0; length--) {
      const spans = this.#spans.get(keyOf(path.slice(0, length)));
      if (spans !== undefined) return this.#placeOf(pick(spans, "key"));
    }
    return { line: 1, column: 1, length: 1 };
  }

  placeAt(span: Span): Place {
    return this.#text === undefined ? NOWHERE : this.#placeOf(span);
  }

  /** The line and a caret below; long lines are cut around the caret. */
  frame(place: Place): string | undefined {
    if (this.#text === undefined || place.line === 0) return undefined;
    const start = this.#lineStarts[place.line - 1]!;
    const end = this.#text.indexOf("\n", start);
    const raw = this.#text.slice(start, end < 0 ? undefined : end).replace(/\r$/, "");
    const masked = maskSecrets(raw);
    const caretAt = place.column - 1;
    const from = caretAt > FRAME_COLUMNS * 0.7 ? caretAt - 40 : 0;
    const line = masked.slice(from, from + FRAME_COLUMNS);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal must not obey what stands in a file.
    const shown = line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\u{FFFD}");
    const gutter = String(place.line);
    const indent = shown.slice(0, caretAt - from).replace(/[^\t]/g, " ");
    const room = Math.max(1, shown.length - (caretAt - from));
    const carets = "^".repeat(Math.max(1, Math.min(place.length, room)));
    return `  ${gutter} | ${shown}\n  ${" ".repeat(gutter.length)} | ${indent}${carets}`;
  }

  #placeOf(span: Span): Place {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= span[0]) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: span[0] - this.#lineStarts[low]! + 1, length: Math.max(1, span[1] - span[0]) };
  }
}

const START: Span = [0, 1];

function pick(spans: Spans, which: "key" | "value"): Span {
  return (which === "key" ? (spans.key ?? spans.value) : (spans.value ?? spans.key)) ?? START;
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}

/** Same length as the line, so that carets stay where they belong. Names of variables and files are no secrets. */
function maskSecrets(line: string): string {
  return line.replace(SECRET, (_whole, head: string, list: string | undefined, word: string | undefined) => {
    return head + (list ?? word ?? "").replace(/[^\s"',[]/g, "*");
  });
}

/** What follows a key that is named like a secret: a list, or a word that is no reference and no small number. */
const SECRET =
  /((?:key|secret|token|password)s?["']?\s*:\s*)(?:(\[[^\]]*)|(["']?(?!\$\{|[{[]|\d{1,7}\b)[^\s"',}\]]{4,}))/gi;
