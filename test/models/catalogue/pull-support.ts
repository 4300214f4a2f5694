/** Entries, settings and a cache for the tests of pulling. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seeded } from "../../../src/base/prng.js";
import type { ChosenModel } from "../../../src/models/catalogue/catalogue.js";
import type { PullOptions } from "../../../src/models/catalogue/pull.js";
import { catalogueEntrySchema } from "../../../src/models/catalogue/schema.js";
import { type CatalogueSettings, catalogueSettings } from "../../../src/models/catalogue/settings.js";

export const REPOSITORY = "acme/tiny";

export interface FileSpec {
  readonly path: string;
  readonly sha256?: string;
  readonly bytes?: number;
}

/** A model whose files are `files` of acme/tiny. */
export function modelOf(files: readonly FileSpec[], kind: "hub" | "github" = "hub", name = "tiny"): ChosenModel {
  const entry = catalogueEntrySchema.parse({
    name,
    title: "A tiny model",
    task: "vad",
    family: "silero",
    languages: ["zxx"],
    licence: "MIT",
    source: { kind, repository: REPOSITORY, revision: "main" },
    evidence: "exact",
    variants: [{ precision: "fp32", devices: ["cpu"], files, paths: { file: files[0]!.path } }],
  });
  return { entry, variant: entry.variants[0]! };
}

export class TemporaryCache {
  readonly folder = mkdtempSync(join(tmpdir(), "syrinx-cache-"));

  settings(url: string, env: Record<string, string> = {}): CatalogueSettings {
    return catalogueSettings({ SYRINX_CACHE: this.folder, HF_ENDPOINT: url, SYRINX_GITHUB_ENDPOINT: url, ...env });
  }

  /** Names in a folder of the cache; empty if it is not there. */
  names(...parts: readonly string[]): string[] {
    try {
      return readdirSync(join(this.folder, ...parts)).sort();
    } catch {
      return [];
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits take no time and are counted. */
export function hurried(settings: CatalogueSettings, waitsMs: number[] = []): PullOptions {
  return {
    settings,
    prng: seeded(1),
    sleep: async (ms) => {
      waitsMs.push(ms);
    },
    freeBytes: async () => 1e12,
  };
}
