/**
 * How good the starter models are: `npm run eval:starter`, or `npm run eval:starter -- --only digits`. Each part's file
 * begins with its question. Seeded throughout: but for the speeds, the same models give the same numbers.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { modelPath, starterFolder } from "../../src/models/model-file.js";
import { BEAM_MAX, LEXICON_FILE } from "../../src/models/starter-ctc/decoder/index.js";
import { describeMachine, ForeignLoad } from "../harness/machine.js";
import { OUTSIDE_FOLDER } from "./clips.js";
import { NOISE_SEED } from "./conditions.js";
import { EvalContext, type EvalOptions, type Part } from "./context.js";
import { DETECTOR_PARTS, PAUSE_SEED } from "./detector.js";
import { isMissed, markdownOf, type Row, tableOf } from "./rows.js";
import { outsideParts, SPEECH_PARTS } from "./speech.js";
import { SPEED_PARTS } from "./speed.js";
import { STEP_PARTS } from "./steps.js";
import { TIME_PARTS } from "./times.js";
import { BOOTSTRAP_SEED } from "./words.js";

function partsOf(speech: string): Part[] {
  return [...SPEECH_PARTS, ...outsideParts(speech), ...STEP_PARTS, ...TIME_PARTS, ...DETECTOR_PARTS, ...SPEED_PARTS];
}

function listOf(parts: readonly Part[]): string {
  return parts.map(({ name, question }) => `  ${name.padEnd(16)} ${question}`).join("\n");
}

interface MainOptions {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly check?: boolean;
  readonly quick?: boolean;
  readonly only?: string[];
  readonly speech: string;
  readonly model?: string;
  readonly vad?: string;
  readonly lexicon?: string;
  readonly beam?: number;
}

const program = new Command("eval:starter")
  .description("Measures the starter models: word errors, the detector's errors, and what both cost.")
  .option("--json", "one line of JSON per row, and nothing else on stdout")
  .option("--markdown", "the table as Markdown, for the models' card")
  .option("--check", "exit 1 if a bar is missed; what was skipped does not count")
  .option("--quick", "a few clips of each set: does it still run? The numbers mean nothing")
  .option("--only <part...>", "parts whose name contains one of these")
  .option("--speech <folder>", "sets made outside, with a manifest.json", OUTSIDE_FOLDER)
  .option("--model <file>", "another recogniser of the family starter-ctc")
  .option("--vad <file>", "another detector of the family starter-vad")
  .option("--lexicon <folder>", "another folder of the dictionary and word pairs")
  .option("--beam <count>", "hypotheses kept while decoding", beamOf)
  .addHelpText("after", `\nParts:\n${listOf(partsOf(OUTSIDE_FOLDER))}\n`)
  .action(main);

async function main(options: MainOptions): Promise<void> {
  const { only } = options;
  const all = partsOf(options.speech);
  const parts = all.filter(({ name }) => only === undefined || only.some((some) => name.includes(some)));
  if (parts.length === 0) program.error(`no part's name contains ${only!.join(" or ")}; there are:\n${listOf(all)}`);
  const evalOptions: EvalOptions = {
    models: { stt: options.model, vad: options.vad, lexicon: options.lexicon, beam: options.beam },
    speech: options.speech,
    isQuick: options.quick === true,
  };
  const say = (text: string): void => void (options.json === true ? process.stderr : process.stdout).write(text);
  say(`${headOf(evalOptions)}\n\n`);
  const startMs = performance.now();
  const load = new ForeignLoad();
  const rows = await measure(parts, evalOptions, options.json === true);
  if (options.json !== true)
    process.stdout.write(`${options.markdown === true ? markdownOf(rows) : tableOf(rows)}\n\n`);
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  say(`${minutes} minutes; cores busy with others ${load.cores()?.toFixed(2) ?? "?"}; command ${commandLine()}\n`);
  if (options.check === true && isMissed(rows)) process.exitCode = 1;
}

async function measure(parts: readonly Part[], options: EvalOptions, isJson: boolean): Promise<Row[]> {
  const isWatched = process.stderr.isTTY;
  const clear = (): void => void (isWatched && process.stderr.write("\r\u001b[K"));
  const rows: Row[] = [];
  const context = new EvalContext(options, {
    row(row) {
      rows.push(row);
      if (isJson) process.stdout.write(`${JSON.stringify(row)}\n`);
    },
    skip(text) {
      clear();
      process.stderr.write(`skipped: ${text}\n`);
    },
    progress(text) {
      if (isWatched) process.stderr.write(`\r\u001b[K${text}`);
    },
  });
  try {
    for (const part of parts) await part.run(context);
  } finally {
    clear();
    await context.close();
  }
  return rows;
}

function headOf({ models, isQuick }: EvalOptions): string {
  const files = {
    recogniser: modelPath(models.stt, process.cwd(), "stt-en.onnx"),
    detector: modelPath(models.vad, process.cwd(), "vad.onnx"),
    lexicon: join(models.lexicon ?? starterFolder(), LEXICON_FILE),
  };
  const lines = Object.entries(files).map(([what, path]) => {
    const digest = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12);
    return `${what.padEnd(11)}${path.split(/[\\/]/).at(-1)}, sha256 ${digest}`;
  });
  const seeds = `seeds      noise ${NOISE_SEED}, pauses ${PAUSE_SEED}, bootstrap ${BOOTSTRAP_SEED}`;
  const warning = isQuick ? ["quick      a few clips of each set: the numbers mean nothing"] : [];
  return [describeMachine(), ...lines, seeds, ...warning].join("\n");
}

function commandLine(): string {
  return `npm run eval:starter${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(" ")}` : ""}`;
}

function beamOf(text: string): number {
  const beam = Number(text);
  if (!/^\d+$/.test(text) || beam < 1 || beam > BEAM_MAX) throw new InvalidArgumentError(`1 to ${BEAM_MAX}.`);
  return beam;
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`eval:starter: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
