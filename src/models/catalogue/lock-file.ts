/**
 * Trust on first use: where the catalogue knows no digest, the first pull's is recorded in the cache's `lock.json`, with the
 * commit that the revision then was, and every later pull must find the same. Copy the file to pin other machines alike.
 */
import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { readJson } from "./cache.js";
import { exclusively } from "./exclusive.js";

const fileSchema = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });
const recordSchema = z.object({
  /** A commit, or the revision as it is named if the source did not tell. */
  revision: z.string(),
  files: z.record(z.string(), fileSchema),
});
/** Of one repository, as the catalogue names its revision. */
export type LockRecord = z.infer<typeof recordSchema>;

const lockSchema = z.object({ version: z.literal(1), sources: z.record(z.string(), recordSchema) });

export class LockFile {
  readonly path: string;

  constructor(cacheFolder: string) {
    this.path = join(cacheFolder, "lock.json");
  }

  record(key: string): LockRecord | undefined {
    return this.#read()[key];
  }

  /** Adds to a record; what it already says stays. */
  async add(key: string, revision: string, path: string, file: z.infer<typeof fileSchema>): Promise<void> {
    await exclusively(this.path, "lock.json", async () => {
      const sources = this.#read();
      const known = sources[key] ?? { revision, files: {} };
      const record = { ...known, files: { [path]: file, ...known.files } };
      const whole = { version: 1, sources: { ...sources, [key]: record } };
      await writeAtomically(this.path, `${JSON.stringify(whole, undefined, 2)}\n`);
    });
  }

  #read(): Readonly<Record<string, LockRecord>> {
    return lockSchema.safeParse(readJson(this.path)).data?.sources ?? {};
  }
}

/** A reader sees the old file or the new one, never half of it. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, text);
  await rename(temporary, path);
}
