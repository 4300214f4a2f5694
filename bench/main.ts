/**
 * Runs the benches: `npm run bench`, or `npm run bench -- ring cancel`. Each bench's file begins with its question, a
 * drawing and what it is not. Nothing else should run on the machine meanwhile; the last lines say whether it did.
 */
import { Command } from "commander";
import type { Figure } from "./harness/bench.js";
import { runVariant } from "./harness/child.js";
import { describeMachine, ForeignLoad } from "./harness/machine.js";
import { saveResult } from "./harness/results.js";
import { markdownOf, tableOf } from "./harness/table.js";
import { BENCHES, type BenchRow } from "./registry.js";

interface MainOptions {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly check?: boolean;
  readonly smoke?: boolean;
  readonly list?: boolean;
  readonly save?: boolean;
}

const list = BENCHES.map((bench) => `  ${bench.name.padEnd(10)} ${bench.question}`).join("\n");

const program = new Command("bench")
  .description("Measures the runtime against something else in the same run, or against a floor.")
  .argument("[names...]", "benches to run; all if none is named")
  .option("--json", "one line of JSON per figure, and nothing else on stdout")
  .option("--markdown", "the table as Markdown")
  .option("--check", "exit 1 if a bar is missed")
  .option("--smoke", "tiny sizes: does every bench still run? The numbers mean nothing")
  .option("--save", "keep each bench's figures in bench/results, from which `npm run bench:report` makes the tables")
  .option("--list", "say which benches there are, and stop")
  .addHelpText("after", `\nBenches:\n${list}\n`)
  .action(main);

async function main(names: readonly string[], options: MainOptions): Promise<void> {
  if (options.json !== true) process.stdout.write(`${list}\n\n`);
  if (options.list === true) return;
  const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown.length > 0) program.error(`no such bench: ${unknown.join(", ")}; there are:\n${list}`);
  const chosen = BENCHES.filter((bench) => names.length === 0 || names.includes(bench.name));
  const loads: string[] = [];
  const figures: Figure[] = [];
  for (const bench of chosen) {
    const load = new ForeignLoad();
    const measured = await runBench(bench, options.smoke === true);
    const foreignCores = load.cores();
    loads.push(`${bench.name} ${foreignCores?.toFixed(2) ?? "?"}`);
    if (options.save === true && options.smoke !== true) {
      saveResult({ bench: bench.name, command: `npm run bench -- ${bench.name}`, foreignCores, figures: measured });
    }
    if (options.json === true) for (const figure of measured) process.stdout.write(`${JSON.stringify(figure)}\n`);
    figures.push(...measured);
  }
  if (options.json !== true) process.stdout.write(reportOf(figures, options, loads));
  if (options.check === true && figures.some((figure) => figure.pass === false)) process.exitCode = 1;
}

async function runBench(row: BenchRow, isSmoke: boolean): Promise<readonly Figure[]> {
  const isWatched = process.stderr.isTTY;
  const bench = await row.load();
  return bench
    .run({
      isSmoke,
      variant: (variant, parameters) => runVariant({ bench: bench.name, variant, parameters }),
      progress: (text) => {
        if (isWatched) process.stderr.write(`\r\u001b[K${bench.name}: ${text}`);
      },
    })
    .finally(() => {
      if (isWatched) process.stderr.write("\r\u001b[K");
    });
}

function reportOf(figures: readonly Figure[], options: MainOptions, loads: readonly string[]): string {
  const table = options.markdown === true ? markdownOf(figures) : tableOf(figures);
  const legend =
    "Medians of n repeats, each in a fresh process; spread is [min … max], of the ratio where the bar is on the ratio.\n" +
    "A ratio above 1 is better than the baseline.";
  const command = `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`;
  return `${table}\n\n${legend}\n\n${describeMachine()}\nmeanwhile cores busy with others: ${loads.join(", ")}\ncommand   ${command}\n`;
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
