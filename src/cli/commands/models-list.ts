/** `syrinx models list`, `info` and `path`: what there is, and where. */
import { SyrinxError } from "../../base/errors.js";
import { modelId } from "../../models/catalogue/index.js";
import { CATALOGUE_TASKS } from "../../models/catalogue/tasks.js";
import { infoText, listText, openCatalogue, reportOf } from "../models-view.js";

export interface JsonOption {
  readonly json?: boolean;
}

export interface ListOptions extends JsonOption {
  readonly task?: string;
  readonly cached?: boolean;
}

export interface PathOptions extends JsonOption {
  readonly device: string;
}

export function list(options: ListOptions): void {
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

export function info(name: string, options: JsonOption): void {
  const { catalogue, cache } = openCatalogue();
  const { entry } = catalogue.choose(name);
  const report = reportOf(entry, cache);
  if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(infoText(report, entry.licenceNote));
}

export function path(name: string | undefined, options: PathOptions): void {
  const { catalogue, cache } = openCatalogue();
  const model = name === undefined ? undefined : catalogue.choose(name, options.device);
  const path = model === undefined ? cache.folder : cache.modelFolder(model);
  const state = model === undefined ? {} : { id: modelId(model), state: cache.state(model) };
  process.stdout.write(options.json === true ? `${JSON.stringify({ path, ...state })}\n` : `${path}\n`);
}
