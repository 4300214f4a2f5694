/** Recordings that a command is given. */
import { access } from "node:fs/promises";
import { SyrinxError } from "../base/errors.js";
import type { DecodedFile } from "../runtime/jobs.js";

/** Says at once that a file is not there, before models are loaded for it. Throws AUDIO_FILE_MISSING. */
export async function expectFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await access(path).catch(() => {
      throw new SyrinxError("AUDIO_FILE_MISSING", { path });
    });
  }
}

/** Decodes one file. Throws as {@link Jobs.decodeFile}. */
export async function decodeOne(path: string): Promise<DecodedFile> {
  await expectFiles([path]);
  const { Jobs } = await import("../runtime/jobs.js");
  const jobs = new Jobs();
  return jobs.decodeFile(path).finally(() => jobs.close());
}
