/**
 * Makes the tables of README.md and docs/BENCHMARKS.md from bench/results, between `<!-- bench -->` and `<!-- /bench -->`:
 * no figure in them is typed by hand. `--check` writes nothing and fails if a table is not what the results say.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../src/base/package-root.js";
import type { Figure } from "./harness/bench.js";
import { type Result, readResults } from "./harness/results.js";
import { markdownOf, rangeText, short } from "./harness/table.js";
import { HEADLINES, type Headline } from "./report-rows.js";

const BEGIN = "<!-- bench -->";
const END = "<!-- /bench -->";

/** The README's table: the headlines alone. A headline without a result is left out. */
export function headlineTable(results: readonly Result[], headlines: readonly Headline[] = HEADLINES): string {
  const rows = headlines.flatMap((headline) => {
    const result = results.find(({ bench }) => bench === headline.bench);
    const figure = result?.figures.find(({ metric }) => metric.startsWith(headline.metric));
    return result === undefined || figure === undefined ? [] : [rowOf(headline, figure, result)];
  });
  return ["| Figure | Bar | Measured | n, spread | Run |", "|---|---|---|---|---|", ...rows].join("\n");
}

function rowOf({ label, of }: Headline, figure: Figure, result: Result): string {
  const { value, baseline, ratio, unit, n, spread, bar, pass } = figure;
  const unitText = unit === "" ? "" : ` ${unit}`;
  const isRatio = of === "ratio" && ratio !== null && spread.ratio !== null;
  const compared = baseline === null ? "" : ` (${short(value)}${unitText} against ${short(baseline)}${unitText})`;
  const measured = isRatio ? `${short(ratio)}×${compared}` : `${short(value)}${unitText}`;
  const spreadText = isRatio ? `${rangeText(spread.ratio!)}×` : rangeText(spread.value);
  const barText =
    bar === null ? "" : `${bar.must === "be under" ? "<" : "≥"} ${bar.bar}${bar.of === "ratio" ? "×" : unitText}`;
  const verdict = pass === false ? ": missed" : "";
  return `| ${label} | ${barText} | ${measured}${verdict} | n ${n}: ${spreadText} | ${busyText(result)} |`;
}

function busyText({ date, foreignCores }: Result): string {
  if (foreignCores === undefined) return date;
  return `${date}, ${foreignCores < 0.1 ? "quiet" : `${short(foreignCores)} cores busy with others`}`;
}

/** Every figure of every result, each with how to repeat it. */
export function fullTables(results: readonly Result[]): string {
  return results
    .map((result) => {
      const { bench, figures, notes = [], command, machine, node, commit } = result;
      const facts = [`\`${command}\``, machine, `Node ${node}`, `commit ${commit}`, busyText(result)].join("; ");
      const list = notes.map((note) => `- ${note}`).join("\n");
      return [`### ${bench}`, facts, markdownOf(figures), list].filter((part) => part !== "").join("\n\n");
    })
    .join("\n\n");
}

/** The text with what stands between the marks replaced. Throws if it has no marks. */
export function replaceTable(text: string, table: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`;
}

function main(isCheck: boolean): void {
  const results = readResults();
  const tables = [
    ["README.md", headlineTable(results)],
    ["docs/BENCHMARKS.md", fullTables(results)],
  ] as const;
  for (const [file, table] of tables) {
    const path = join(packageRoot(), file);
    if (!existsSync(path)) throw new Error(`there is no ${file}`);
    const text = readFileSync(path, "utf8");
    const made = replaceTable(text, table);
    if (made === text) continue;
    if (isCheck) throw new Error(`${file} is not what bench/results says: npm run bench:report`);
    writeFileSync(path, made);
    process.stdout.write(`${file} is new\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes("--check"));
