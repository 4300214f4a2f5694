/** Log lines for a person at a terminal: time, level, message, fields; an error's message and hint on lines of their own. */

const LEVEL_COLORS: Readonly<Record<string, number>> = { debug: 2, info: 36, warn: 33, error: 31 };
const HIDDEN_FIELDS = new Set(["level", "time", "msg", "service", "version", "err"]);
/** Control characters that JSON leaves alone, and those that turn text around: a terminal would obey them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
const TERMINAL_CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const TIME_OF_DAY = { from: "2026-01-31T".length, to: "2026-01-31T12:34:56.789".length };

interface PrettyError {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  readonly stack?: string;
}

/** @param line one JSON line of the logger. Returns it as it came if it is not JSON. */
export function prettyLine(line: string, useColor: boolean): string {
  let record: Readonly<Record<string, unknown>>;
  try {
    record = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return line;
  }
  const paint = (text: string, color: number): string => (useColor ? `\u001b[${color}m${text}\u001b[0m` : text);
  const level = String(record.level);
  const time = String(record.time).slice(TIME_OF_DAY.from, TIME_OF_DAY.to);
  const fields = Object.entries(record)
    .filter(([key]) => !HIDDEN_FIELDS.has(key))
    .map(([key, value]) => `${printable(key)}=${fieldText(value)}`);
  const message = printable(String(record.msg ?? ""));
  const head = `${paint(time, 2)} ${paint(level.padEnd(5), LEVEL_COLORS[level] ?? 0)} ${message}`;
  const tail = fields.length === 0 ? "" : `  ${paint(fields.join(" "), 2)}`;
  return `${head}${tail}\n${errorLines(record.err as PrettyError | undefined)}`;
}

function errorLines(error: PrettyError | undefined): string {
  if (error === undefined || error === null) return "";
  const { code, message = "", hint, stack } = error;
  const lines = [code === undefined ? message : `${code}: ${message}`];
  if (hint !== undefined) lines.push(hint);
  // The first line of a stack repeats the message.
  if (stack !== undefined) lines.push(...stack.split("\n").slice(1));
  return lines.map((line) => `    ${printable(line.trim())}\n`).join("");
}

function fieldText(value: unknown): string {
  const isPlain = typeof value === "string" && /^[\w.:/@+-]+$/.test(value);
  return isPlain ? value : printable(JSON.stringify(value));
}

function printable(text: string): string {
  return text.replace(TERMINAL_CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
