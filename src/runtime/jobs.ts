/**
 * Stateless CPU work off the main thread, by piscina: decoding recordings. Not for calls: a pool has no affinity and no
 * state, and its cancellation terminates threads, which no model run survives. A decoder's does, being JavaScript and
 * WebAssembly; so one that does not come back is given up.
 */
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { DECODE_MS_MAX, type UploadEncoding } from "../audio/decode.js";
import { fromWire, reasonOf, SyrinxError, type WireError } from "../base/errors.js";
import { LIMITS } from "../base/limits.js";

export interface DecodedFile {
  /** 16 kHz mono s16. */
  readonly pcm: Int16Array;
  readonly sourceRateHz: number;
  readonly channels: number;
  readonly durationMs: number;
}

/** A recording, in memory or on disk. */
export type UploadSource =
  | {
      /** Given away: the memory under it goes to the other thread, and here it is empty afterwards. */
      readonly bytes: Uint8Array;
    }
  | { readonly path: string };

export type Upload = UploadSource & {
  /** For messages: the file's name as the client gave it. */
  readonly name: string;
  /** Of bytes without a header. Absent: the first bytes tell. A header that is there counts more. */
  readonly encoding?: UploadEncoding | undefined;
  /** With `encoding`. Default 16000. */
  readonly rateHz?: number | undefined;
  /** With `encoding`: interleaved channels, 1 to 8. Default 1. */
  readonly channels?: number | undefined;
  /** One PCM per channel, of at most 8. Default: their average. */
  readonly split?: boolean | undefined;
};

export interface DecodedUpload {
  /** 16 kHz s16: one array, or with `split` one per channel; all of one length. */
  readonly pcm: readonly Int16Array[];
  readonly sourceRateHz: number;
  /** Of the recording. */
  readonly channels: number;
  readonly durationMs: number;
}

export type JobResult<T> = { readonly ok: T } | { readonly error: WireError };

/** What AUDIO_JOBS_BUSY tells a client to wait. */
const RETRY_AFTER_MS = 2_000;
/** A thread that does not end its job by itself after DECODE_MS_MAX is given up after this much more. */
const GRACE_MS = 10_000;

export class Jobs {
  #pool: Piscina | undefined;
  #waiting = 0;
  #waitingBytes = 0;

  /** As {@link decodeUpload}, of a file and mixed to mono. */
  async decodeFile(path: string): Promise<DecodedFile> {
    const { pcm, ...rest } = await this.decodeUpload({ path, name: path });
    return { ...rest, pcm: pcm[0]! };
  }

  /**
   * Decodes a recording to 16 kHz on another thread; docs/AUDIO.md has the formats. Throws AUDIO_FILE_MISSING,
   * AUDIO_DECODE_FAILED, AUDIO_DECODE_TIMEOUT, AUDIO_FORMAT_UNSUPPORTED, and AUDIO_JOBS_BUSY at LIMITS.jobsQueued
   * recordings or LIMITS.jobBytesQueued bytes that wait or are under way.
   */
  async decodeUpload(upload: Upload): Promise<DecodedUpload> {
    const bytes = "bytes" in upload ? owned(upload.bytes) : undefined;
    const byteCount = bytes?.length ?? 0;
    if (this.#waiting >= LIMITS.jobsQueued || this.#waitingBytes + byteCount > LIMITS.jobBytesQueued) {
      throw new SyrinxError("AUDIO_JOBS_BUSY", { waiting: this.#waiting, retryAfterMs: RETRY_AFTER_MS });
    }
    this.#waiting += 1;
    this.#waitingBytes += byteCount;
    try {
      const result = await this.#run(bytes === undefined ? upload : { ...upload, bytes }, bytes);
      if ("error" in result) throw fromWire(result.error);
      return result.ok;
    } finally {
      this.#waiting -= 1;
      this.#waitingBytes -= byteCount;
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = undefined;
  }

  async #run(job: Upload, bytes: Uint8Array<ArrayBuffer> | undefined): Promise<JobResult<DecodedUpload>> {
    const transferList = bytes === undefined ? [] : [bytes.buffer];
    // Those before it have their own deadlines, so this is when it must have ended.
    const timeoutMs = this.#waiting * (DECODE_MS_MAX + GRACE_MS);
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return await this.#running().run(job, { name: "decodeUpload", transferList, signal });
    } catch (error) {
      // A thread that was given up or ran out of memory. What the decoder throws comes back as data.
      if (signal.aborted) throw new SyrinxError("AUDIO_DECODE_TIMEOUT", { name: job.name, timeoutMs }, error);
      throw new SyrinxError("AUDIO_DECODE_FAILED", { path: job.name, reason: reasonOf(error) }, error);
    }
  }

  #running(): Piscina<unknown, JobResult<DecodedUpload>> {
    this.#pool ??= new Piscina({
      filename: fileURLToPath(new URL("./entry/job.js", import.meta.url)),
      minThreads: 0,
      maxThreads: LIMITS.jobThreads,
      idleTimeout: 1_000,
      resourceLimits: { maxOldGenerationSizeMb: LIMITS.jobHeapMb },
    });
    return this.#pool as Piscina<unknown, JobResult<DecodedUpload>>;
  }
}

/** The same bytes alone in their memory: Node's small buffers share theirs, which must not be given away. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isAlone = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
  return isAlone ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
