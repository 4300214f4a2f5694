import { stat } from "node:fs/promises";
import { reasonOf } from "../base/errors.js";
import type { Logger } from "../telemetry/logger.js";

/**
 * Files that whoever runs the server may change meanwhile: keys, certificates. Looked at rather than watched: it works on
 * every file system, and with mounted secrets that are replaced as a whole. Nothing blocks.
 */
export class ChangingFiles {
  readonly #files: readonly string[];
  readonly #apply: () => Promise<void>;
  readonly #logger: Logger;
  #seen = "";
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;

  /** @param apply reads the files and takes them over, or throws, and then nothing must have changed */
  constructor(files: readonly string[], apply: () => Promise<void>, logger: Logger) {
    this.#files = files;
    this.#apply = apply;
    this.#logger = logger;
  }

  /** The first look is at once: what was read when the configuration was may be old by now. */
  start(everyMs: number): void {
    void this.check();
    this.#timer = setInterval(() => void this.check(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Never throws. One at a time: a second one waits for the first. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(): Promise<void> {
    const now = (await Promise.all(this.#files.map(stampOf))).join(" ");
    if (now === this.#seen) return;
    // Before reading: what changes while it is read is read again.
    this.#seen = now;
    try {
      await this.#apply();
    } catch (error) {
      this.#logger.error(
        { files: this.#files, reason: reasonOf(error) },
        "changed files cannot be used; the old ones stay",
      );
    }
  }
}

/** Another one after each change. A file that is gone has one too: `apply` will say so, once. */
async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}/${size}/${ino}`;
  } catch {
    return "gone";
  }
}
