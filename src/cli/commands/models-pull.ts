/** `syrinx models pull`. */
import { SyrinxError } from "../../base/errors.js";
import {
  type CatalogueSettings,
  type ChosenModel,
  modelId,
  type PulledModel,
  pullModel,
} from "../../models/catalogue/index.js";
import { EXIT } from "../exit.js";
import { megabytes, openCatalogue } from "../models-view.js";
import { PullBars } from "../pull-bars.js";
import type { JsonOption } from "./models-list.js";

export interface PullCommandOptions extends JsonOption {
  readonly config?: string;
  readonly device: string;
  readonly force?: boolean;
}

export async function pull(names: readonly string[], options: PullCommandOptions): Promise<void> {
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
  const { loadConfig } = await import("../../config/index.js");
  const { importNamed } = await import("../../runtime/import-named.js");
  await importNamed(config);
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
