import { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { loadConfig, moduleUrls } from "../../config/index.js";
import {
  type Catalogue,
  type CatalogueSettings,
  type ChosenModel,
  catalogueSettings,
  loadCatalogue,
  ModelCache,
  modelId,
  type PulledModel,
  pullModel,
} from "../../models/catalogue/index.js";
import { CATALOGUE_TASKS } from "../../models/catalogue/schema.js";
import { importModules } from "../../runtime/modules.js";
import { EXIT } from "../exit.js";
import { infoText, listText, megabytes, reportOf } from "../models-view.js";
import { PullBars } from "../pull-bars.js";
import { verifyCommand } from "./models-verify.js";

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

/** The catalogue and the cache that the environment names. */
export function openCatalogue(): { catalogue: Catalogue; cache: ModelCache; settings: CatalogueSettings } {
  const settings = catalogueSettings(process.env);
  return { settings, catalogue: loadCatalogue(settings.catalogueFile), cache: new ModelCache(settings.cacheFolder) };
}

interface JsonOption {
  readonly json?: boolean;
}

function listCommand(): Command {
  return new Command("list")
    .summary("list the catalogue")
    .description("Lists every model: task, size, precisions, licence, and whether it is here.")
    .option("--task <task>", `only models for ${CATALOGUE_TASKS.join(", ")}`)
    .option("--cached", "only models that are here")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx models list --task stt\n  syrinx models list --cached --json\n")
    .action(list);
}

function list(options: JsonOption & { readonly task?: string; readonly cached?: boolean }): void {
  const { task } = options;
  if (task !== undefined && !CATALOGUE_TASKS.some((known) => known === task)) {
    throw new SyrinxError("CLI_OPTION_INVALID", {
      option: "--task",
      value: task,
      expected: CATALOGUE_TASKS.join(", "),
    });
  }
  const { catalogue, cache } = openCatalogue();
  const reports = catalogue
    .list()
    .filter((entry) => task === undefined || entry.task === task)
    .map((entry) => reportOf(entry, cache))
    .filter(({ variants }) => options.cached !== true || variants.some(({ state }) => state !== "absent"));
  if (options.json === true) process.stdout.write(`${JSON.stringify({ cache: cache.folder, models: reports })}\n`);
  else process.stdout.write(listText(reports));
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
    .action((name: string, options: JsonOption) => {
      const { catalogue, cache } = openCatalogue();
      const { entry } = catalogue.choose(name);
      const report = reportOf(entry, cache);
      if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
      else process.stdout.write(infoText(report, entry.licenceNote));
    });
}

function pathCommand(): Command {
  return new Command("path")
    .summary("print where models are kept")
    .description("Prints the folder of the cache, or that of one model, whether it is there or not.")
    .argument("[name]", "model of the catalogue, as NAME or NAME@PRECISION")
    .option("--device <device>", "choose the precision for a device", "auto")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx models path\n  ls $(syrinx models path silero-vad)\n")
    .action((name: string | undefined, options: JsonOption & { readonly device: string }) => {
      const { catalogue, cache } = openCatalogue();
      const model = name === undefined ? undefined : catalogue.choose(name, options.device);
      const path = model === undefined ? cache.folder : cache.modelFolder(model);
      const state = model === undefined ? {} : { id: modelId(model), state: cache.state(model) };
      process.stdout.write(options.json === true ? `${JSON.stringify({ path, ...state })}\n` : `${path}\n`);
    });
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
    .action(pull);
}

interface PullCommandOptions extends JsonOption {
  readonly config?: string;
  readonly device: string;
  readonly force?: boolean;
}

async function pull(names: readonly string[], options: PullCommandOptions): Promise<void> {
  if (names.length === 0 && options.config === undefined) {
    throw new SyrinxError("CLI_OPTION_INVALID", {
      option: "[name...]",
      value: "empty",
      expected: "a model, or --config",
    });
  }
  const { catalogue, settings } = openCatalogue();
  const ids = [...names, ...(options.config === undefined ? [] : await modelsOf(options.config))];
  const models = [...new Set(ids)].map((id) => catalogue.choose(id, options.device));
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    for (const model of models) await pullOne(model, settings, options, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write("stopped; what has come is kept for the next pull\n");
    process.exitCode = EXIT.interrupted;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** What the graphs of a configuration run. */
async function modelsOf(config: string): Promise<string[]> {
  await importModules(moduleUrls(config));
  const { plan } = loadConfig(config, { pull: "missing" });
  const used = new Set(plan.nodes.map((node) => node.model));
  return plan.models.flatMap(({ name, catalogue }) => (catalogue !== undefined && used.has(name) ? [catalogue] : []));
}

async function pullOne(
  model: ChosenModel,
  settings: CatalogueSettings,
  options: PullCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  const bars = new PullBars(options.json !== true);
  let pulled: PulledModel;
  try {
    pulled = await pullModel(model, { settings, force: options.force, signal, onBytes: bars.show });
  } finally {
    bars.stop();
  }
  const report = { id: modelId(model), licence: model.entry.licence, licenceNote: model.entry.licenceNote, ...pulled };
  if (options.json === true) process.stdout.write(`${JSON.stringify({ type: "pulled", ...report })}\n`);
  else process.stdout.write(pulledText(report));
}

function pulledText(
  pulled: PulledModel & { readonly id: string; licence: string; licenceNote: string | undefined },
): string {
  const { id, folder, files, licence, licenceNote } = pulled;
  const fetched = files.filter(({ isFetched }) => isFetched);
  const bytes = fetched.reduce((sum, file) => sum + file.bytes, 0);
  const what =
    fetched.length === 0 ? "is here" : `fetched ${fetched.length} of ${files.length} files, ${megabytes(bytes)}`;
  const firstUses = files
    .filter(({ isFirstUse }) => isFirstUse)
    .map(({ path, sha256 }) => `  nobody knew its digest; recorded on this first pull: ${path} sha256 ${sha256}\n`);
  const terms = licenceNote === undefined ? licence : `${licence}: ${licenceNote}`;
  return `${id}: ${what}\n  in ${folder}\n  licence ${terms}\n${firstUses.join("")}`;
}
