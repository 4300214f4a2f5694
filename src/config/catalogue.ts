/** Models of the catalogue in a configuration: `catalogue: NAME` stands for a family and its files. */
import { isSyrinxError } from "../base/errors.js";
import {
  type Catalogue,
  type CatalogueSettings,
  type ChosenModel,
  catalogueSettings,
  loadCatalogue,
  ModelCache,
  modelId,
  variantSize,
} from "../models/catalogue/index.js";
import type { GraphDraft, ModelDraft } from "./drafts.js";
import { quote } from "./problem.js";
import type { PullPolicy } from "./pull-policy.js";
import type { Environment, Source } from "./source.js";
import { nearest } from "./suggest.js";
import type { Path } from "./tree.js";

export interface CatalogueDraft {
  readonly model: ChosenModel;
  readonly path: Path;
  readonly isHere: boolean;
  readonly cacheFolder: string;
}

/** The catalogue and the cache of an environment, read when the first model asks. Reads small files; asks no network. */
export class CatalogueReader {
  readonly settings: CatalogueSettings;
  #catalogue: Catalogue | undefined;

  constructor(env: Environment) {
    this.settings = catalogueSettings(env);
  }

  get catalogue(): Catalogue {
    this.#catalogue ??= loadCatalogue(this.settings.catalogueFile);
    return this.#catalogue;
  }

  get cache(): ModelCache {
    return new ModelCache(this.settings.cacheFolder);
  }
}

interface Expanded {
  /** The model as if its family and files had been written out; what is written out itself comes first. */
  readonly whole: Record<string, unknown>;
  readonly entry: CatalogueDraft | undefined;
}

/** A model without `catalogue` as it is. Undefined if the entry was not found, which is then a problem. */
export function withEntry(
  source: Source,
  path: Path,
  value: Record<string, unknown>,
  reader: CatalogueReader,
): Expanded | undefined {
  if (value.catalogue === undefined) return { whole: value, entry: undefined };
  const at = [...path, "catalogue"];
  if (typeof value.catalogue !== "string") {
    source.problems.add("invalid-value", at, "`catalogue` is no name", { expected: "NAME or NAME@PRECISION" });
    return undefined;
  }
  const model = choose(source, at, value.catalogue, value.device, reader.catalogue);
  if (model === undefined) return undefined;
  const { family } = model.entry;
  if (value.family !== undefined && value.family !== family) {
    const message = `${quote(model.entry.name)} is of the family ${quote(family)}`;
    source.problems.add("invalid-value", [...path, "family"], message, { expected: `${family}, or no \`family\`` });
    return undefined;
  }
  const { cache } = reader;
  const whole = Object.assign(Object.create(null), { family, ...cache.familyOptions(model) }, value);
  const isHere = cache.state(model) !== "absent";
  return { whole, entry: { model, path: at, isHere, cacheFolder: cache.folder } };
}

function choose(
  source: Source,
  path: Path,
  id: string,
  device: unknown,
  catalogue: Catalogue,
): ChosenModel | undefined {
  try {
    return catalogue.choose(id, typeof device === "string" ? device : undefined);
  } catch (error) {
    if (!isSyrinxError(error)) throw error;
    const entry = catalogue.find(id.split("@")[0]!);
    const known = entry?.variants.map((variant) => modelId({ entry, variant })) ?? catalogue.names();
    const near = nearest(id, known);
    const expected = near === undefined || entry !== undefined ? `one of ${known.join(", ")}` : undefined;
    source.problems.add("unknown-catalogue", path, `the catalogue has no model ${quote(id)}`, {
      nearest: near,
      expected,
    });
    return undefined;
  }
}

/** Models that are used and not in the cache: an error, or what will be fetched. */
export function checkCached(
  source: Source,
  models: readonly ModelDraft[],
  graphs: readonly GraphDraft[],
  pull: PullPolicy,
): void {
  const used = new Set(graphs.flatMap((graph) => graph.nodes.map((node) => node.model?.name)));
  for (const { name, catalogue } of models) {
    if (catalogue === undefined || catalogue.isHere || !used.has(name)) continue;
    const { model, path, cacheFolder } = catalogue;
    const id = modelId(model);
    const size = variantSize(model.variant);
    const shown = size === undefined ? "" : ` (${size.isExact ? "" : "about "}${(size.bytes / 1e6).toFixed(1)} MB)`;
    if (pull === "missing") {
      source.problems.add(
        "model-will-be-pulled",
        path,
        `${quote(id)}${shown} is not in the cache; the start fetches it`,
      );
    } else {
      source.problems.add("model-not-cached", path, `${quote(id)}${shown} is not in the cache ${cacheFolder}`, {
        expected: `\`syrinx models pull ${id}\` before, or \`pull: missing\` under \`server\``,
      });
    }
  }
}
