/** Stateless work on piscina's threads: nothing here touches a call, a ring or a model. */
import { readFile } from "node:fs/promises";
import { decodeAudio } from "../../audio/decode.js";
import { SyrinxError, toWire } from "../../base/errors.js";
import type { DecodedFile, JobResult } from "../jobs.js";

/** Reads and decodes a WAV, FLAC or MP3 file. Errors come back as data: a thrown one would lose its code. */
export async function decodeFile(path: string): Promise<JobResult<DecodedFile>> {
  try {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw new SyrinxError("AUDIO_FILE_MISSING", { path });
      throw new SyrinxError("AUDIO_DECODE_FAILED", { path, reason: error.message }, error);
    });
    const { pcm, sourceRateHz, channels, durationMs } = await decodeAudio(bytes, path);
    const samples = pcm.byteLength === pcm.buffer.byteLength ? pcm : pcm.slice();
    return { ok: { pcm: samples, sourceRateHz, channels, durationMs } };
  } catch (error) {
    return { error: toWire(error) };
  }
}
