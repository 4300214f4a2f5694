import { Command } from "commander";
import { CATALOGUE_TASKS } from "../../models/catalogue/tasks.js";
import type { JsonOption, ListOptions, PathOptions } from "./models-list.js";
import type { PullCommandOptions } from "./models-pull.js";
import type { VerifyOptions } from "./models-verify.js";

export function addModels(program: Command): void {
  const models = program
    .command("models")
    .summary("list, fetch and verify models")
    .description("The catalogue of models: what there is, what is in the cache, and how it gets there.")
    .addHelpText(
      "after",
      "\nExamples:\n  syrinx models list\n  syrinx models pull silero-vad\n  syrinx models verify\n",
    );
  for (const command of [listCommand(), infoCommand(), pullCommand(), verifyCommand(), pathCommand()]) {
    models.addCommand(command.copyInheritedSettings(models).exitOverride().showHelpAfterError("(--help shows how)"));
  }
}

function listCommand(): Command {
  return new Command("list")
    .summary("list the catalogue")
    .description("Lists every model: task, size, precisions, licence, and whether it is here.")
    .option("--task <task>", `only models for ${CATALOGUE_TASKS.join(", ")}`)
    .option("--cached", "only models that are here")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx models list --task stt\n  syrinx models list --cached --json\n")
    .action(async (options: ListOptions) => (await import("./models-list.js")).list(options));
}

function infoCommand(): Command {
  return new Command("info")
    .summary("show one model")
    .description(
      "Shows a model's files with their digests, its licence, its source, and the precision for each device.",
    )
    .argument("<name>", "model of the catalogue")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx models info silero-vad\n")
    .action(async (name: string, options: JsonOption) => (await import("./models-list.js")).info(name, options));
}

function pathCommand(): Command {
  return new Command("path")
    .summary("print where models are kept")
    .description("Prints the folder of the cache, or that of one model, whether it is there or not.")
    .argument("[name]", "model of the catalogue, as NAME or NAME@PRECISION")
    .option("--device <device>", "choose the precision for a device", "auto")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx models path\n  ls $(syrinx models path silero-vad)\n")
    .action(async (name: string | undefined, options: PathOptions) =>
      (await import("./models-list.js")).path(name, options),
    );
}

function pullCommand(): Command {
  return new Command("pull")
    .summary("fetch models into the cache")
    .description("Fetches models, each file checked before it counts. What is here is not fetched again.")
    .argument("[name...]", "models of the catalogue, as NAME or NAME@PRECISION")
    .option("-c, --config <file>", "also every model that a configuration uses")
    .option("--device <device>", "choose the precision for a device", "auto")
    .option("--force", "fetch what is here, too")
    .option("--json", "print one line of JSON for each model")
    .addHelpText(
      "after",
      "\nExamples:\n  syrinx models pull silero-vad firered-vad\n  syrinx models pull kokoro-82m@fp16\n  syrinx models pull --config my-agent.yaml\n",
    )
    .action(async (names: readonly string[], options: PullCommandOptions) =>
      (await import("./models-pull.js")).pull(names, options),
    );
}

function verifyCommand(): Command {
  return new Command("verify")
    .summary("check models that are here, and try them")
    .description(
      "Hashes a model's files and runs it: a recogniser on recordings (word error rate), a detector on requests and the pauses around them, a voice on a sentence that the starter recogniser writes down.",
    )
    .argument("[name]", "model of the catalogue, as NAME or NAME@PRECISION (default: every one that is here)")
    .option("--recording <file>", "try it on a recording of yours")
    .option("--text <text>", "what is said in the recording")
    .option("--device <device>", "where it runs", "auto")
    .option("--json", "print one line of JSON for each model")
    .addHelpText(
      "after",
      '\nExamples:\n  syrinx models verify\n  syrinx models verify starter-en --recording call.wav --text "what was said"\n',
    )
    .action(async (name: string | undefined, options: VerifyOptions) =>
      (await import("./models-verify.js")).verify(name, options),
    );
}
