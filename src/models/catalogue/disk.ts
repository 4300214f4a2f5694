/** What a disk can refuse, and how much room it has. */
import { constants } from "node:fs";
import { access, mkdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf, SyrinxError } from "../../base/errors.js";

const MB = 1e6;
/** Left free, for what else the machine writes. */
const SPARE_BYTES = 64 * MB;

/** Throws MODEL_CACHE_READ_ONLY. Makes the folder if it is not there. */
export async function requireWritable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new SyrinxError("MODEL_CACHE_READ_ONLY", { folder, reason: reasonOf(error) }, error);
  }
}

/** An error of the file system as one that a reader can act on. */
export function diskFault(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const folder = dirname(path);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new SyrinxError("MODEL_CACHE_FULL", { folder, freeMb: 0, neededMb: "some", name: "what is fetched" }, error);
  }
  return new SyrinxError("MODEL_CACHE_READ_ONLY", { folder, reason: reasonOf(error) }, error);
}

/** Room for several downloads at once: what one of them was promised, another cannot have. */
export class DiskRoom {
  readonly #folder: string;
  readonly #freeBytes: (folder: string) => Promise<number>;
  #reservedBytes = 0;

  /** @param freeBytes default: what the file system says */
  constructor(folder: string, freeBytes: (folder: string) => Promise<number> = freeBytesOf) {
    this.#folder = folder;
    this.#freeBytes = freeBytes;
  }

  /** Throws MODEL_CACHE_FULL. Returns what gives the room back, once the bytes are written or will not be. */
  async reserve(name: string, byteCount: number): Promise<() => void> {
    // Promised before the question, so that two that ask at once see each other.
    this.#reservedBytes += byteCount;
    const release = (): void => {
      this.#reservedBytes -= byteCount;
    };
    const freeBytes = await this.#freeBytes(this.#folder);
    if (this.#reservedBytes + SPARE_BYTES <= freeBytes) return release;
    const neededMb = Math.ceil((this.#reservedBytes + SPARE_BYTES - freeBytes) / MB);
    release();
    const freeMb = Math.floor(freeBytes / MB);
    throw new SyrinxError("MODEL_CACHE_FULL", { folder: this.#folder, freeMb, neededMb, name });
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
