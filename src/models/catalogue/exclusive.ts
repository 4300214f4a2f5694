/** One at a time, over all processes that share a cache. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { lock } from "proper-lockfile";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { LIMITS } from "../../base/limits.js";

/** A lock whose owner has not renewed it for so long is of a process that died. */
const STALE_MS = 20_000;
const POLL_MS = 250;

/**
 * Runs `work` while no other process, and no other call of this one, does so for the same path. A lock whose owner died is
 * taken over. Throws MODEL_CACHE_BUSY after LIMITS.downloadLockMs, MODEL_CACHE_READ_ONLY.
 * @param file what it is about, for people
 */
export async function exclusively<T>(path: string, file: string, work: () => Promise<T>): Promise<T> {
  const release = await acquire(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ELOCKED") {
      throw new SyrinxError("MODEL_CACHE_BUSY", { file, waitedMs: LIMITS.downloadLockMs }, error);
    }
    throw new SyrinxError("MODEL_CACHE_READ_ONLY", { folder: dirname(path), reason: reasonOf(error) }, error);
  });
  try {
    return await work();
  } finally {
    // Fails only if the lock was taken over, and then it is no longer ours to release.
    await release().catch(() => {});
  }
}

async function acquire(path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true });
  return lock(path, {
    realpath: false,
    stale: STALE_MS,
    retries: { retries: Math.ceil(LIMITS.downloadLockMs / POLL_MS), minTimeout: POLL_MS, maxTimeout: POLL_MS },
    // This process slept for so long that another took over. Both write the same content, each renames it when whole.
    onCompromised: () => {},
  });
}
