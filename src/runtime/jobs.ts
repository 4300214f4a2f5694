/**
 * Stateless CPU work off the main thread, by piscina: decoding files. Not for calls: a pool has no affinity and no state,
 * and its cancellation terminates threads, which no model run survives. So: `close()`, never `destroy()`, no AbortSignal.
 */
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { fromWire, type WireError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";

export interface DecodedFile {
  /** 16 kHz mono s16. */
  readonly pcm: Int16Array;
  readonly sourceRateHz: number;
  readonly channels: number;
  readonly durationMs: number;
}

export type JobResult<T> = { readonly ok: T } | { readonly error: WireError };

export class Jobs {
  #pool: Piscina | undefined;

  /**
   * Decodes a WAV, FLAC or MP3 file to 16 kHz mono. Throws AUDIO_FILE_MISSING, AUDIO_DECODE_FAILED,
   * AUDIO_FORMAT_UNSUPPORTED. At most LIMITS.jobsQueued wait; the next one is refused by the pool.
   */
  async decodeFile(path: string): Promise<DecodedFile> {
    this.#pool ??= new Piscina({
      filename: fileURLToPath(new URL("./entry/job.js", import.meta.url)),
      minThreads: 0,
      maxThreads: 1,
      maxQueue: LIMITS.jobsQueued,
      idleTimeout: 1_000,
    });
    const result = (await this.#pool.run(path, { name: "decodeFile" })) as JobResult<DecodedFile>;
    if ("error" in result) throw fromWire(result.error);
    return result.ok;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = undefined;
  }
}
