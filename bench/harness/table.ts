/** Figures for people. */
import type { Bar, Figure, Range } from "./bench.js";

const HEADS = ["bench", "metric", "value", "baseline", "ratio", "n", "spread", "bar (aim)", ""] as const;

export function tableOf(figures: readonly Figure[]): string {
  const rows = [HEADS, ...figures.map(cells)];
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The same as Markdown, for the README. */
export function markdownOf(figures: readonly Figure[]): string {
  const rows = [HEADS, HEADS.map(() => "---"), ...figures.map(cells)];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function cells(figure: Figure): string[] {
  const { name, metric, unit, value, baseline, ratio, n, spread, bar, pass } = figure;
  const ofRatio = bar?.of === "ratio" && spread.ratio !== null;
  return [
    name,
    metric,
    `${short(value)} ${unit}`,
    baseline === null ? "" : `${short(baseline)} ${unit}`,
    ratio === null ? "" : `${short(ratio)}×`,
    String(n),
    ofRatio ? `${rangeText(spread.ratio!)}×` : rangeText(spread.value),
    bar === null ? "" : barText(bar, unit),
    pass === null ? "" : pass ? verdict(figure) : "MISSED",
  ];
}

function verdict({ bar, value, ratio }: Figure): string {
  const measured = bar!.of === "value" ? value : ratio!;
  const reachesAim = bar!.must === "be at least" ? measured >= bar!.aim : measured < bar!.aim;
  return reachesAim ? "pass, aim reached" : "pass";
}

function barText({ of, must, bar, aim }: Bar, unit: string): string {
  const sign = must === "be at least" ? "≥" : "<";
  const suffix = of === "ratio" ? "×" : ` ${unit}`;
  return `${sign} ${bar}${suffix} (${aim}${suffix})`;
}

export function rangeText([min, max]: Range): string {
  return `${short(min)} … ${short(max)}`;
}

/** Three digits: more would be noise. */
export function short(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}
