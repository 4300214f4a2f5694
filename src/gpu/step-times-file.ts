/**
 * Step times on disk: one small file per model, device and processor, so that a new process predicts from its first
 * step. A cache and no more: whatever is wrong with it costs a line in the log and nothing else.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { z } from "zod";
import { cacheFolder } from "../base/cache-folder.js";
import { reasonOf } from "../base/errors.js";
import { StepTimes } from "./step-times.js";

const VERSION = 1;
const saved = z.object({
  version: z.literal(VERSION),
  about: z.string(),
  rows: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).max(64),
});

export type StepTimesLog = (
  level: "debug" | "info" | "warn",
  message: string,
  fields?: Record<string, unknown>,
) => void;

/** A table of step times and the file that it comes from and goes to. */
export class KeptStepTimes extends StepTimes {
  readonly #about: string;
  readonly #path: string;
  readonly #log: StepTimesLog;
  #savedCount = 0;
  #isGivenUp = false;

  /**
   * Reads what a former process left; blocks for one small file.
   * @param model the file's name and digest, as a person would read them; with the device and the processor it is the key
   */
  constructor(model: string, device: string, log: StepTimesLog, folder: string = cacheFolder()) {
    super();
    this.#about = `${model}, ${device}, ${cpus()[0]?.model.trim() || process.arch}`;
    const digest = createHash("sha256").update(this.#about).digest("hex").slice(0, 16);
    this.#path = join(folder, "step-times", `${digest}.json`);
    this.#log = log;
    this.#load();
  }

  /** Writes the file if there is something new, all at once or not at all. Blocks; not for the way of a frame. */
  save(): void {
    const { observedCount } = this;
    if (this.#isGivenUp || observedCount === this.#savedCount) return;
    const text = `${JSON.stringify({ version: VERSION, about: this.#about, rows: this.rows() })}\n`;
    // Several workers may hold copies of the same model.
    const temporary = `${this.#path}.${process.pid}.${threadId}.tmp`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      replaceFile(this.#path, temporary, text);
      this.#savedCount = observedCount;
    } catch (error) {
      this.#isGivenUp = true;
      this.#log("info", "step times are not kept", { path: this.#path, reason: reasonOf(error) });
    }
  }

  #load(): void {
    try {
      const { rows, about } = saved.parse(JSON.parse(readFileSync(this.#path, "utf8")));
      if (about !== this.#about || !this.remember(rows)) this.#refuse("it holds something else");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#refuse(reasonOf(error).slice(0, 200));
    }
  }

  #refuse(reason: string): void {
    this.#log("info", "saved step times are of no use", { path: this.#path, reason });
  }
}

function replaceFile(path: string, temporary: string, text: string): void {
  writeFileSync(temporary, text);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
