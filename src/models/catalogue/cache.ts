/**
 * The cache as it lies on the disk. Reading needs no lock and no right to write, so a cache may be mounted read-only:
 *
 *     blobs/sha256-HEX            content, by what it hashes to
 *     models/NAME/PRECISION/…     the files under their own names (hard links), and manifest.json, written last
 *     lock.json                   what first pulls found where the catalogue knows no digest
 *     partial/                    what has come of files under way
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import { starterFolder } from "../model-file.js";
import type { ChosenModel } from "./catalogue.js";

const SHA256 = z.string().regex(/^[0-9a-f]{64}$/);

const manifestSchema = z.object({
  version: z.literal(1),
  name: z.string(),
  precision: z.string(),
  repository: z.string(),
  revision: z.string(),
  files: z.array(z.object({ path: z.string(), sha256: SHA256, bytes: z.int().min(0) })),
});
/** What a pull has put into a model's folder. */
export type CacheManifest = z.infer<typeof manifestSchema>;
export const MANIFEST_NAME = "manifest.json";

const starterSchema = z.object({ models: z.array(z.object({ file: z.string(), sha256: SHA256, bytes: z.int() })) });

/** `bundled` comes with the package; `cached` was pulled, and checked when it was. */
export type ModelState = "bundled" | "cached" | "absent";

/** A file of a model that is here. */
export interface PresentFile {
  /** As the catalogue calls it. */
  readonly path: string;
  /** On this disk. */
  readonly location: string;
  readonly sha256: string;
  readonly bytes: number;
}

export class ModelCache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  blobPath(sha256: string): string {
    return join(this.folder, "blobs", `sha256-${sha256}`);
  }

  partPath(key: string): string {
    return join(this.folder, "partial", `${key}.part`);
  }

  /** Where the model's files are. For a model of the package: in the package. */
  modelFolder({ entry, variant }: ChosenModel): string {
    if (entry.source.kind === "package") return starterFolder();
    return join(this.folder, "models", entry.name, variant.precision);
  }

  state(model: ChosenModel): ModelState {
    if (model.entry.source.kind === "package") return "bundled";
    return this.files(model) === undefined ? "absent" : "cached";
  }

  /**
   * The model's files, or undefined unless every one is here in its size, and pinned as the catalogue pins it now. Sizes,
   * not digests: those were checked before the file came here, and `models verify` does it again.
   */
  files(model: ChosenModel): readonly PresentFile[] | undefined {
    if (model.entry.source.kind === "package") return bundledFiles(model);
    const manifest = this.manifest(model);
    if (manifest === undefined) return undefined;
    const found: PresentFile[] = [];
    for (const wanted of model.variant.files) {
      const kept = manifest.files.find(({ path }) => path === wanted.path);
      if (kept === undefined || (wanted.sha256 !== undefined && wanted.sha256 !== kept.sha256)) return undefined;
      const location = join(this.modelFolder(model), wanted.path);
      if (sizeOf(location) !== kept.bytes) return undefined;
      found.push({ ...kept, location });
    }
    return found;
  }

  manifest(model: ChosenModel): CacheManifest | undefined {
    const read = readJson(join(this.modelFolder(model), MANIFEST_NAME));
    return manifestSchema.safeParse(read).data;
  }

  /** The family's options for a model: its files by absolute path. Whether they are here is another question. */
  familyOptions(model: ChosenModel): Readonly<Record<string, string | number | boolean>> {
    const folder = this.modelFolder(model);
    const paths = Object.entries(model.variant.paths).map(([key, path]) => [key, join(folder, path)] as const);
    return { ...model.variant.options, ...Object.fromEntries(paths) };
  }

  /** Throws MODEL_NOT_CACHED. */
  require(model: ChosenModel): readonly PresentFile[] {
    const files = this.files(model);
    if (files !== undefined) return files;
    const { name } = model.entry;
    throw new SyrinxError("MODEL_NOT_CACHED", { name, precision: model.variant.precision, folder: this.folder });
  }
}

/** The package's manifest is where the digests of its models stand. */
function bundledFiles({ variant }: ChosenModel): readonly PresentFile[] {
  const { models } = starterSchema.parse(readJson(join(starterFolder(), "manifest.json")));
  return variant.files.flatMap(({ path }) => {
    const found = models.find(({ file }) => file === path);
    if (found === undefined) return [];
    return [{ path, location: join(starterFolder(), path), sha256: found.sha256, bytes: found.bytes }];
  });
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    return undefined;
  }
}

/** Undefined for a file that is missing, unreadable or no JSON: to a cache they are the same. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
