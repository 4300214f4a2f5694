/** One measured number of the evaluation, as JSON for programs and as a table for people. */
import { BARS, type BarName, type EvalBar, type Verdict, verdictOf } from "./bars.js";
import { bootstrapInterval, type ErrorCounts, errorPercent, sumOf } from "./words.js";

export interface Row {
  readonly set: string;
  readonly condition: string;
  readonly measure: string;
  readonly unit: string;
  readonly value: number;
  /** Recordings, or repetitions where time is measured. */
  readonly clips: number;
  /** Of the references, for errors. */
  readonly words: number | null;
  readonly errors: Omit<ErrorCounts, "words"> | null;
  /** 95 % of bootstrapped rates; for times, the least and the most of the repetitions. */
  readonly interval: readonly [number, number] | null;
  readonly must: EvalBar["must"] | null;
  readonly bar: number | null;
  readonly aim: number | null;
  readonly verdict: Verdict | null;
  /** A single clip or file of a pooled row: in the JSON only. */
  readonly isDetail: boolean;
  readonly note: string;
}

export interface RowSpec {
  readonly set: string;
  readonly condition?: string;
  readonly measure: string;
  readonly unit: string;
  readonly value: number;
  readonly clips: number;
  readonly words?: number;
  readonly errors?: Omit<ErrorCounts, "words">;
  readonly interval?: readonly [number, number] | null;
  readonly bar?: BarName;
  readonly isDetail?: boolean;
  readonly note?: string;
}

export function rowOf(spec: RowSpec): Row {
  if (!Number.isFinite(spec.value)) throw new Error(`${spec.set}, ${spec.measure}: nothing was measured`);
  const bar: EvalBar | undefined = spec.bar === undefined ? undefined : BARS[spec.bar];
  return {
    set: spec.set,
    condition: spec.condition ?? "clean",
    measure: spec.measure,
    unit: spec.unit,
    value: spec.value,
    clips: spec.clips,
    words: spec.words ?? null,
    errors: spec.errors ?? null,
    interval: spec.interval ?? null,
    must: bar?.must ?? null,
    bar: bar?.bar ?? null,
    aim: bar?.aim ?? null,
    verdict: bar === undefined ? null : verdictOf(bar, spec.value),
    isDetail: spec.isDetail ?? false,
    note: spec.note ?? "",
  };
}

/** @param counts one per clip */
export function errorRow(
  spec: Pick<RowSpec, "set"> & Pick<Partial<RowSpec>, "condition" | "bar" | "isDetail" | "note" | "measure">,
  counts: readonly ErrorCounts[],
): Row {
  const { words, ...errors } = sumOf(counts);
  const value = errorPercent({ words, ...errors });
  const interval = bootstrapInterval(counts);
  return rowOf({ measure: "word errors", unit: "%", clips: counts.length, ...spec, value, words, errors, interval });
}

/** Whether `--check` fails. Rows that could not be measured do not count. */
export function isMissed(rows: readonly Row[]): boolean {
  return rows.some(({ verdict }) => verdict === "MISSED");
}

const HEADS = [
  "set",
  "condition",
  "measure",
  "clips",
  "words",
  "measured",
  "sub/ins/del",
  "interval",
  "bar",
  "aim",
  "verdict",
] as const;
const RIGHT = new Set<string>(["clips", "words", "measured"]);

export function tableOf(rows: readonly Row[]): string {
  const lines = [[...HEADS, "note"], ...shown(rows).map((row) => [...cells(row), row.note])];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          RIGHT.has(lines[0]![column]!) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** For the models' card. Notes stand below the table, once each. */
export function markdownOf(rows: readonly Row[]): string {
  const notes = [...new Set(shown(rows).flatMap(({ note }) => (note === "" ? [] : [note])))];
  const markOf = ({ note }: Row): string => (note === "" ? "" : ` [${notes.indexOf(note) + 1}]`);
  const lines = [
    [...HEADS],
    HEADS.map((head) => (RIGHT.has(head) ? "---:" : "---")),
    ...shown(rows).map((row) => cells(row).map((cell, column) => (column === 0 ? `${cell}${markOf(row)}` : cell))),
  ];
  const table = lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
  return [table, ...notes.map((note, at) => `[${at + 1}] ${note}`)].join("\n\n");
}

function shown(rows: readonly Row[]): readonly Row[] {
  return rows.filter(({ isDetail }) => !isDetail);
}

function cells(row: Row): string[] {
  const { errors, interval, bar, aim, unit } = row;
  return [
    row.set,
    row.condition,
    row.measure,
    String(row.clips),
    row.words === null ? "" : String(row.words),
    `${short(row.value)} ${unit}`,
    errors === null ? "" : `${errors.substitutions}/${errors.insertions}/${errors.deletions}`,
    interval === null ? "" : `${short(interval[0])} … ${short(interval[1])}`,
    bar === null ? "" : `${row.must === "be at most" ? "≤" : "≥"} ${bar}`,
    aim === null ? "" : String(aim),
    row.verdict ?? "",
  ];
}

function short(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
