/** The entries: those of the package and, if SYRINX_CATALOGUE names a file, its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { packageRoot } from "../../base/package-root.js";
import { type CatalogueEntry, type CatalogueVariant, catalogueSchema } from "./schema.js";

/** A model of the catalogue in one precision. */
export interface ChosenModel {
  readonly entry: CatalogueEntry;
  readonly variant: CatalogueVariant;
}

/** NAME@PRECISION: what `Catalogue.choose` reads. */
export function modelId({ entry, variant }: ChosenModel): string {
  return `${entry.name}@${variant.precision}`;
}

export class Catalogue {
  readonly #entries: ReadonlyMap<string, CatalogueEntry>;

  /** Of entries of one name, the last counts. */
  constructor(entries: readonly CatalogueEntry[]) {
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
  }

  list(): readonly CatalogueEntry[] {
    return [...this.#entries.values()];
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  find(name: string): CatalogueEntry | undefined {
    return this.#entries.get(name);
  }

  /**
   * @param id NAME, or NAME@PRECISION
   * @param device as configured; without a precision, it chooses one
   * Throws MODEL_UNKNOWN with what there is: other names, or the precisions of this one.
   */
  choose(id: string, device = "auto"): ChosenModel {
    const [name = "", precision] = id.split("@");
    const entry = this.find(name);
    if (entry === undefined) throw new SyrinxError("MODEL_UNKNOWN", { name, known: this.names().join(", ") });
    const variant = precision === undefined ? variantFor(entry, device) : variantIn(entry, precision);
    if (variant !== undefined) return { entry, variant };
    const known = entry.variants.map((each) => modelId({ entry, variant: each })).join(", ");
    throw new SyrinxError("MODEL_UNKNOWN", { name: id, known });
  }
}

function variantIn(entry: CatalogueEntry, precision: string): CatalogueVariant | undefined {
  return entry.variants.find((variant) => variant.precision === precision);
}

/** The first that is right for the device (`auto` is the CPU, as everywhere), else the first. */
function variantFor(entry: CatalogueEntry, device: string): CatalogueVariant | undefined {
  const kind = device === "auto" ? "cpu" : device.replace(/:.*/, "");
  return entry.variants.find(({ devices }) => devices.some((name) => name === kind)) ?? entry.variants[0];
}

/** Bytes of all files; `isExact` if every one is known, else about. Undefined if nothing is known. */
export function variantSize({
  files,
  sizeMb,
}: CatalogueVariant): { readonly bytes: number; readonly isExact: boolean } | undefined {
  const known = files.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  if (known.length === files.length) return { bytes: known.reduce((sum, bytes) => sum + bytes, 0), isExact: true };
  return sizeMb === undefined ? undefined : { bytes: sizeMb * 1e6, isExact: false };
}

let shipped: readonly CatalogueEntry[] | undefined;

/** @param ownFile more entries, in the same form. Throws MODEL_FILE_MISSING or MODEL_FILE_INVALID for it. */
export function loadCatalogue(ownFile?: string): Catalogue {
  shipped ??= readEntries(join(packageRoot(), "models", "catalogue.json"));
  return new Catalogue(ownFile === undefined ? shipped : [...shipped, ...readEntries(ownFile)]);
}

function readEntries(path: string): readonly CatalogueEntry[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  }
  try {
    return catalogueSchema.parse(JSON.parse(text)).models;
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reasonOf(error) }, error);
  }
}
