/** What the environment says about the catalogue, the cache and the network. */
import { cacheFolder } from "../../base/cache-folder.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface CatalogueSettings {
  /** Where pulled models are kept. */
  readonly cacheFolder: string;
  /** Nothing is fetched, whatever is missing. */
  readonly isOffline: boolean;
  readonly hubUrl: string;
  /** Serves `/OWNER/REPOSITORY/REVISION/PATH`. */
  readonly githubUrl: string;
  /** Sent to `hubUrl` alone; never logged. */
  readonly token: string | undefined;
  /** More entries, see `loadCatalogue`. */
  readonly catalogueFile: string | undefined;
}

export function catalogueSettings(env: Environment): CatalogueSettings {
  return {
    cacheFolder: cacheFolder({ ...env, SYRINX_CACHE: given(env.SYRINX_CACHE) }),
    isOffline: isSet(env.SYRINX_OFFLINE) || isSet(env.HF_HUB_OFFLINE),
    hubUrl: withoutSlash(given(env.HF_ENDPOINT) ?? "https://huggingface.co"),
    githubUrl: withoutSlash(given(env.SYRINX_GITHUB_ENDPOINT) ?? "https://raw.githubusercontent.com"),
    token: given(env.HF_TOKEN),
    catalogueFile: given(env.SYRINX_CATALOGUE),
  };
}

function given(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}

function isSet(value: string | undefined): boolean {
  return given(value) !== undefined && !/^(0|false|no|off)$/i.test(value!.trim());
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
