/** One file from its source into the cache's blobs: goes on where it broke off, tries again, and checks before it counts. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SyrinxError } from "../../base/errors.js";
import { LIMITS } from "../../base/limits.js";
import type { Prng } from "../../base/prng.js";
import { backoffMs } from "./backoff.js";
import type { ModelCache } from "./cache.js";
import { ContentHash } from "./digests.js";
import { diskFault } from "./disk.js";
import { exclusively } from "./exclusive.js";
import { faultOf, type Remote, RemoteFault, type RemoteFile } from "./remote.js";
import { StallGuard } from "./stall-guard.js";

export interface WantedFile {
  /** The model's, for messages. */
  readonly name: string;
  readonly path: string;
  readonly revision: string;
  /** What it must hash to, asked for anew after waiting for others that may have learnt it; undefined: unknown. */
  sha256(): string | undefined;
}

export interface FetchedFile {
  readonly sha256: string;
  readonly bytes: number;
}

export interface DownloadContext {
  readonly cache: ModelCache;
  readonly remote: Remote;
  readonly prng: Prng;
  /** Ends the download between two pieces; what came is kept. */
  readonly signal: AbortSignal;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Bytes that are here of a file, those of an earlier, broken pull included. */
  onBytes(path: string, receivedBytes: number, totalBytes: number): void;
  /** Throws MODEL_CACHE_FULL if so many bytes more find no room. Returns what gives the room back. */
  reserve(name: string, byteCount: number): Promise<() => void>;
  /** Called with what was fetched while no other process fetches the same. */
  record(path: string, file: FetchedFile): Promise<void>;
}

/** This much through one connection shows that trying again gets somewhere. */
const PROGRESS_BYTES = 1024 * 1024;

/**
 * Throws MODEL_DOWNLOAD_FAILED, MODEL_GATED, MODEL_REMOTE_MISSING, MODEL_DIGEST_MISMATCH, MODEL_CACHE_FULL,
 * MODEL_CACHE_BUSY, MODEL_CACHE_READ_ONLY. What came before a failure is kept, unless it was wrong.
 */
export async function download(wanted: WantedFile, context: DownloadContext): Promise<FetchedFile> {
  const { cache, remote } = context;
  const key = digestOf(wanted.sha256() ?? `${remote.urlOf(wanted.path, wanted.revision)}`);
  return exclusively(cache.partPath(key), wanted.path, async () => {
    const ready = await readyBlob(cache, wanted.sha256());
    if (ready !== undefined) return ready;
    const fetched = await new Download(wanted, context, key).run();
    await context.record(wanted.path, fetched);
    return fetched;
  });
}

/** A blob that is here already, by this process or another. */
export async function readyBlob(cache: ModelCache, sha256: string | undefined): Promise<FetchedFile | undefined> {
  if (sha256 === undefined) return undefined;
  const found = await stat(cache.blobPath(sha256)).catch(() => undefined);
  return found === undefined ? undefined : { sha256, bytes: found.size };
}

class Download {
  readonly #wanted: WantedFile;
  readonly #context: DownloadContext;
  readonly #key: string;
  readonly #url: string;
  /** In a row, without PROGRESS_BYTES between them. */
  #failures = 0;
  #newBytes = 0;
  #part = "";

  constructor(wanted: WantedFile, context: DownloadContext, key: string) {
    this.#wanted = wanted;
    this.#context = context;
    this.#key = key;
    this.#url = context.remote.urlOf(wanted.path, wanted.revision);
  }

  async run(): Promise<FetchedFile> {
    for (;;) {
      const guard = new StallGuard(LIMITS.downloadStallMs, this.#context.signal);
      try {
        return await this.#attempt(guard);
      } catch (error) {
        const waitMs = await this.#explain(error, guard.hasStalled);
        guard.release();
        await this.#context.sleep(waitMs, this.#context.signal);
      } finally {
        guard.release();
      }
    }
  }

  async #attempt(guard: StallGuard): Promise<FetchedFile> {
    const { path, revision } = this.#wanted;
    const file = await this.#context.remote.look(path, revision, guard.signal);
    guard.touch();
    this.#checkAnnounced(file);
    this.#part = await this.#partFor(file.etag);
    const hash = new ContentHash(file.bytes);
    const offset = await this.#replay(hash, file.bytes, guard);
    this.#context.onBytes(path, offset, file.bytes);
    if (offset < file.bytes) {
      const release = await this.#context.reserve(this.#wanted.name, file.bytes - offset);
      await this.#append(file, offset, hash, guard).finally(release);
    }
    return this.#accept(file, hash, offset);
  }

  /** What the source says beforehand may already rule the file out. */
  #checkAnnounced({ bytes, sha256 }: RemoteFile): void {
    const expected = this.#wanted.sha256();
    if (sha256 !== undefined && expected !== undefined && sha256 !== expected) throw this.#mismatch(sha256, expected);
    if (bytes <= LIMITS.modelFileBytes) return;
    throw this.#failed(`its ${bytes} bytes are more than the ${LIMITS.modelFileBytes} allowed`);
  }

  /** Parts of an older content of the same file are of no use any more. */
  async #partFor(etag: string): Promise<string> {
    const part = this.#context.cache.partPath(`${this.#key}-${digestOf(etag)}`);
    const folder = dirname(part);
    for (const name of await readdir(folder)) {
      const isOlder = name.startsWith(`${this.#key}-`) && name !== basename(part);
      if (isOlder) await rm(join(folder, name), { force: true });
    }
    return part;
  }

  /** Hashes what an earlier attempt left. Returns its length. */
  async #replay(hash: ContentHash, byteCount: number, guard: StallGuard): Promise<number> {
    const found = await stat(this.#part).catch(() => undefined);
    if (found === undefined || found.size === 0) return 0;
    if (found.size > byteCount) {
      await rm(this.#part);
      return 0;
    }
    for await (const chunk of createReadStream(this.#part)) {
      guard.touch();
      hash.update(chunk as Buffer);
    }
    return found.size;
  }

  async #append(file: RemoteFile, offset: number, hash: ContentHash, guard: StallGuard): Promise<void> {
    const output = await open(this.#part, "a").catch((error: unknown) => Promise.reject(diskFault(error, this.#part)));
    let received = offset;
    try {
      for await (const chunk of file.read(offset)) {
        guard.touch();
        received += chunk.length;
        if (received > file.bytes) throw new RemoteFault(`more came than the ${file.bytes} bytes announced`);
        hash.update(chunk);
        await output.writeFile(chunk).catch((error: unknown) => Promise.reject(diskFault(error, this.#part)));
        this.#newBytes += chunk.length;
        this.#context.onBytes(this.#wanted.path, received, file.bytes);
      }
      await output.sync();
    } finally {
      await output.close();
    }
    if (received < file.bytes) throw new RemoteFault(`the connection ended after ${received} of ${file.bytes} bytes`);
  }

  /** Into the blobs, if it is what it should be: by the catalogue, by the first pull, or by what the source itself says. */
  async #accept(file: RemoteFile, hash: ContentHash, offset: number): Promise<FetchedFile> {
    const found = hash.finish();
    const expected = this.#wanted.sha256() ?? file.sha256;
    const isRight = expected === undefined || found.sha256 === expected;
    const isGitsToo = file.gitSha1 === undefined || file.gitSha1 === found.gitSha1;
    if (!isRight || !isGitsToo) {
      await rm(this.#part, { force: true });
      // What an earlier pull left may be to blame: once more, from the beginning.
      if (offset > 0) throw new RemoteFault("what was kept of an earlier pull does not fit");
      throw this.#mismatch(found.sha256, expected ?? `that of the git blob ${file.gitSha1}`);
    }
    const blob = this.#context.cache.blobPath(found.sha256);
    await mkdir(dirname(blob), { recursive: true });
    await chmod(this.#part, 0o444);
    await rename(this.#part, blob);
    return { sha256: found.sha256, bytes: file.bytes };
  }

  /** How long to wait before the next attempt. Throws what ends the download. */
  async #explain(error: unknown, hasStalled: boolean): Promise<number> {
    if (error instanceof SyrinxError) throw error;
    this.#context.signal.throwIfAborted();
    const fault = hasStalled ? new RemoteFault(`nothing came for ${LIMITS.downloadStallMs} ms`) : faultOf(error);
    const { repository } = this.#context.remote;
    const { status } = fault;
    if (status === 404 || status === 410 || fault.word === "RepoNotFound") {
      throw new SyrinxError("MODEL_REMOTE_MISSING", { url: this.#url, repository }, fault);
    }
    if (status === 401 || status === 403) {
      throw new SyrinxError("MODEL_GATED", { url: this.#url, status, repository }, fault);
    }
    if (fault.isRangeIgnored || status === 416) await rm(this.#part, { force: true });
    else if (isFinal(status)) throw this.#failed(fault.message, fault);
    this.#failures = this.#newBytes >= PROGRESS_BYTES ? 1 : this.#failures + 1;
    this.#newBytes = 0;
    if (this.#failures >= LIMITS.downloadAttempts) throw this.#failed(fault.message, fault);
    return backoffMs(this.#failures, this.#context.prng, fault.retryAfterMs);
  }

  #failed(reason: string, cause?: unknown): SyrinxError {
    return new SyrinxError("MODEL_DOWNLOAD_FAILED", { url: this.#url, reason, name: this.#wanted.name }, cause);
  }

  #mismatch(found: string, expected: string): SyrinxError {
    const { name, path: file } = this.#wanted;
    return new SyrinxError("MODEL_DIGEST_MISMATCH", { file, name, found, expected });
  }
}

/** An answer that will be the same the next time: refusals, other than to wait or to slow down. */
function isFinal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
