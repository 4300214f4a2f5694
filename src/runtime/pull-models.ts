/** Before the workers start: models of the catalogue that are not in the cache are fetched, where that is allowed. */
import type { Plan } from "../config/plan.js";
import {
  type CatalogueSettings,
  type ChosenModel,
  catalogueSettings,
  loadCatalogue,
  ModelCache,
  pullModel,
} from "../models/catalogue/index.js";
import type { Logger } from "../telemetry/index.js";

/**
 * Asks no network unless a model is missing and the plan's `server.pull` allows it: a configuration that may not pull was
 * refused before. Throws what `pullModel` throws.
 */
export async function pullMissingModels(plan: Plan, log: Logger, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  if (plan.server.pull !== "missing") return;
  const used = new Set(plan.nodes.map((node) => node.model));
  const wanted = plan.models.flatMap(({ name, catalogue }) =>
    catalogue !== undefined && used.has(name) ? [catalogue] : [],
  );
  if (wanted.length === 0) return;
  const settings = catalogueSettings(env);
  const catalogue = loadCatalogue(settings.catalogueFile);
  const cache = new ModelCache(settings.cacheFolder);
  for (const id of new Set(wanted)) {
    const model = catalogue.choose(id);
    if (cache.state(model) === "absent") await pullOne(id, model, settings, log);
  }
}

async function pullOne(id: string, model: ChosenModel, settings: CatalogueSettings, log: Logger): Promise<void> {
  log.info({ model: id, licence: model.entry.licence, cache: settings.cacheFolder }, "fetching a model");
  const startMs = performance.now();
  const { files, revision } = await pullModel(model, { settings });
  const megabytes = Math.round(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6);
  const firstUse = files.filter((file) => file.isFirstUse).map(({ path, sha256 }) => `${path} ${sha256}`);
  if (firstUse.length > 0)
    log.warn({ model: id, files: firstUse }, "digests were unknown and are recorded on this first use");
  log.info(
    { model: id, revision, megabytes, seconds: Math.round(performance.now() - startMs) / 1000 },
    "model fetched",
  );
}
