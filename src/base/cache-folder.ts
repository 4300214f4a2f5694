import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Where what can be made again is kept between runs: `SYRINX_CACHE`, else the platform's place for caches. An absolute
 * path that need not exist.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env, platform: string = process.platform): string {
  const named = environment.SYRINX_CACHE;
  if (named !== undefined && named !== "") return resolve(named);
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "syrinx");
  if (platform === "win32")
    return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "syrinx", "cache");
  return join(environment.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "syrinx");
}
